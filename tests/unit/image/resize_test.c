/* Bilinear resizing against values worked out by hand and against the formula written plainly. */
#include "unit/image/samples.h"

#include <math.h>

#include "base/err.h"
#include "image/image.h"
#include "image/resize.h"

static struct resize *planned(int from_width, int from_height, int to_width, int to_height)
{
    struct resize *resize = NULL;
    struct err err = { 0 };
    assert_true(resize_new((struct resize_size){ from_width, from_height },
                           (struct resize_size){ to_width, to_height }, &resize, &err));
    return resize;
}

static void enlarging_two_to_four_repeats_the_edges(void **state)
{
    (void)state;
    const float plane[] = { 0, 4 };
    const float wanted[] = { 0, 1, 3, 4 };
    float row[4];
    struct resize *resize = planned(2, 1, 4, 1);
    resize_plane_row(resize, plane, 0, row);
    for (int i = 0; i < 4; i++)
        assert_float_equal(row[i], wanted[i], 1e-6f);
    resize_free(resize);
}

static void shrinking_does_not_smooth(void **state)
{
    (void)state;
    /* Four to one looks only at the two in the middle. */
    const float plane[] = { 100, 2, 4, 100 };
    float row[1];
    struct resize *resize = planned(4, 1, 1, 1);
    resize_plane_row(resize, plane, 0, row);
    assert_float_equal(row[0], 3, 1e-6f);
    resize_free(resize);
}

static void the_same_size_changes_nothing(void **state)
{
    (void)state;
    const float plane[] = { 1, 2, 3, 4, 5, 6 };
    float row[3];
    struct resize *resize = planned(3, 2, 3, 2);
    for (int y = 0; y < 2; y++) {
        resize_plane_row(resize, plane, y, row);
        assert_memory_equal(row, plane + 3 * y, sizeof row);
    }
    resize_free(resize);
}

/* The definition, one value at a time. */
static double defined(const float *plane, int width, int height, int to_width, int to_height, int x,
                      int y)
{
    double at_x = fmax(0, (x + 0.5) * width / to_width - 0.5);
    double at_y = fmax(0, (y + 0.5) * height / to_height - 0.5);
    int x0 = (int)fmin(floor(at_x), width - 1), y0 = (int)fmin(floor(at_y), height - 1);
    int x1 = x0 + 1 < width ? x0 + 1 : x0, y1 = y0 + 1 < height ? y0 + 1 : y0;
    double fx = at_x - x0, fy = at_y - y0;
    double above = (1 - fx) * (double)plane[y0 * width + x0] + fx * (double)plane[y0 * width + x1];
    double below = (1 - fx) * (double)plane[y1 * width + x0] + fx * (double)plane[y1 * width + x1];
    return (1 - fy) * above + fy * below;
}

static void any_size_follows_the_definition(void **state)
{
    (void)state;
    static const int sizes[][4] = { { 7, 5, 13, 11 }, { 13, 11, 7, 5 }, { 1, 1, 4, 3 },
                                    { 9, 1, 1, 9 },   { 17, 3, 16, 4 }, { 1, 30, 2, 7 } };
    float plane[512], row[32];
    for (size_t i = 0; i < 512; i++)
        plane[i] = (float)((i * 7919) % 251);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int *s = sizes[i];
        struct resize *resize = planned(s[0], s[1], s[2], s[3]);
        for (int y = 0; y < s[3]; y++) {
            resize_plane_row(resize, plane, y, row);
            for (int x = 0; x < s[2]; x++)
                assert_float_equal(row[x], (float)defined(plane, s[0], s[1], s[2], s[3], x, y),
                                   1e-3f);
        }
        resize_free(resize);
    }
}

static void pictures_of_8_and_16_bits_agree_with_planes(void **state)
{
    (void)state;
    enum { WIDTH = 5, HEIGHT = 4, TO_WIDTH = 8, TO_HEIGHT = 3 };
    uint8_t narrow[WIDTH * HEIGHT * 4];
    uint16_t wide[WIDTH * HEIGHT * 4];
    float planes[3][WIDTH * HEIGHT], wanted[TO_WIDTH], rows[3][TO_WIDTH];
    for (size_t i = 0; i < sizeof narrow; i++) {
        narrow[i] = (uint8_t)(i * 37);
        wide[i] = (uint16_t)(narrow[i] * 257);
        if (i % 4 < 3)
            planes[i % 4][i / 4] = narrow[i];
    }
    struct image images[] = { { .width = WIDTH, .height = HEIGHT, .bits = 8, .pixels = narrow },
                              { .width = WIDTH, .height = HEIGHT, .bits = 16, .pixels = wide } };
    struct resize *resize = planned(WIDTH, HEIGHT, TO_WIDTH, TO_HEIGHT);
    for (int y = 0; y < TO_HEIGHT; y++)
        for (size_t i = 0; i < 2; i++) {
            resize_image_row(resize, &images[i], y, rows[0], rows[1], rows[2]);
            for (size_t c = 0; c < 3; c++) {
                resize_plane_row(resize, planes[c], y, wanted);
                for (int x = 0; x < TO_WIDTH; x++)
                    assert_float_equal(rows[c][x], wanted[x], 1e-3f);
            }
        }
    resize_free(resize);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enlarging_two_to_four_repeats_the_edges),
        cmocka_unit_test(shrinking_does_not_smooth),
        cmocka_unit_test(the_same_size_changes_nothing),
        cmocka_unit_test(any_size_follows_the_definition),
        cmocka_unit_test(pictures_of_8_and_16_bits_agree_with_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
