/* Arenas: aligned, zeroed, limited, and gone all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void memory_is_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    char *before = NULL;
    arena_init(&arena, 1 << 20);
    for (size_t size = 1; size < 600; size += 7) {
        char *ptr = arena_alloc(&arena, size);
        assert_non_null(ptr);
        assert_int_equal((uintptr_t)ptr % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(ptr[i], 0);
        memset(ptr, 'x', size);
        assert_true(before == NULL || *before == 'x');
        before = ptr;
    }
    char *large = arena_alloc(&arena, 100000);
    assert_non_null(large);
    large[99999] = 1;
    arena_done(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 10)); /* may be used again */
    arena_done(&arena);
}

static void the_limit_holds(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100);
    assert_non_null(arena_alloc(&arena, 60));
    assert_null(arena_alloc(&arena, 41));
    assert_non_null(arena_alloc(&arena, 40));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_strdup(&arena, S("x")));
    assert_null(arena_printf(&arena, "x"));
    arena_done(&arena);
}

static void text_is_copied(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    assert_string_equal(arena_strdup(&arena, (struct str){ "abcd", 2 }), "ab");
    assert_string_equal(arena_strdup(&arena, (struct str){ NULL, 0 }), "");
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
    arena_done(&arena);
}

static void a_reset_arena_is_as_new(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100000);
    arena_reset(&arena); /* nothing was taken: nothing to keep */
    for (int round = 0; round < 3; round++) {
        size_t sizes[] = { 100, 3000, 3000, 20000 };
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            char *bytes = arena_alloc(&arena, sizes[i]);
            assert_non_null(bytes);
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(bytes[k], 0);
            memset(bytes, 0xff, sizes[i]);
        }
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
        assert_null(arena_alloc(&arena, 100001)); /* the limit stays */
    }
    arena_done(&arena);
    assert_non_null(arena_alloc(&arena, 20000)); /* a large first block is not kept */
    arena_reset(&arena);
    assert_null(arena.blocks);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_zeroed_and_apart),
        cmocka_unit_test(the_limit_holds),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(a_reset_arena_is_as_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
