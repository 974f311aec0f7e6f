/* Where pictures are cut: nothing is lost, nothing is twice, and every core has its border. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upscale/tiles.h"

static void check(int length, int tile, int border)
{
    struct tiles tiles = tiles_cut(length, tile, border);
    int at = 0, least = 4 * border + 2 * TILES_STEP, shortest = length, longest = 0;
    assert_true(tiles.count >= 1);
    for (int i = 0; i < tiles.count; i++) {
        struct tile_span span = tiles_at(&tiles, i);
        int size = span.end - span.begin;
        assert_int_equal(span.core_begin, at);
        assert_true(span.core_end > span.core_begin);
        assert_true(span.begin >= 0 && span.end <= length && span.begin % TILES_STEP == 0);
        assert_true(span.begin == 0 || span.begin <= span.core_begin - border);
        assert_true(span.end == length || span.end >= span.core_end + border);
        shortest = size < shortest ? size : shortest;
        longest = size > longest ? size : longest;
        at = span.core_end;
    }
    assert_int_equal(at, length);
    if (longest > (tile > least ? tile : least) + 2 * TILES_STEP)
        fail_msg("%d pixels of %d, %d: %d", length, tile, border, longest);
    assert_true(longest - shortest <= 3 * TILES_STEP);
}

static void cores_cover_every_length(void **state)
{
    (void)state;
    for (int length = 1; length < 700; length++)
        for (int border = 0; border <= 40; border += 10)
            for (int tile = 1; tile < 400; tile += 37)
                check(length, tile, border);
    check(65535, 384, 16);
    check(65535, 65535, 16);
}

static void a_small_picture_is_one_tile(void **state)
{
    (void)state;
    struct tiles tiles = tiles_cut(256, 256, 16);
    assert_int_equal(tiles.count, 1);
    assert_int_equal(tiles_at(&tiles, 0).end, 256);
    assert_int_equal(tiles_cut(257, 256, 16).count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_cover_every_length),
        cmocka_unit_test(a_small_picture_is_one_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
