/* Lab against figures of OpenCV's formulas and against itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "image/lab.h"

/* Every 8-bit gray comes back as itself, without color; so does every fifth color. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int r = 0; r < 256; r += 5)
        for (int g = 0; g < 256; g += 5)
            for (int b = 0; b < 256; b += 5) {
                float rgb[3];
                lab_to_rgb(lab_from_rgb((float)r / 255, (float)g / 255, (float)b / 255), rgb);
                assert_true(lrintf(rgb[0] * 255) == r);
                assert_true(lrintf(rgb[1] * 255) == g);
                assert_true(lrintf(rgb[2] * 255) == b);
            }
    for (int gray = 0; gray < 256; gray++) {
        float value = (float)gray / 255;
        struct lab lab = lab_from_rgb(value, value, value);
        assert_true(fabsf(lab.a) < 1e-3f && fabsf(lab.b) < 1e-3f);
    }
}

/* Figures computed from the formulas in double. */
static void test_known_colors(void **state)
{
    (void)state;
    const struct {
        float rgb[3], lab[3];
    } colors[] = {
        { { 1, 1, 1 }, { 100, 0, 0 } },
        { { 0, 0, 0 }, { 0, 0, 0 } },
        { { 1, 0, 0 }, { 53.2406f, 80.0942f, 67.2015f } },
        { { 0, 1, 0 }, { 87.7351f, -86.1812f, 83.1775f } },
        { { 0, 0, 1 }, { 32.2957f, 79.1876f, -107.8602f } },
        { { 0.01f, 0.01f, 0.01f }, { 0.6991f, 0, 0 } },
    };
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++) {
        struct lab lab = lab_from_rgb(colors[i].rgb[0], colors[i].rgb[1], colors[i].rgb[2]);
        assert_true(fabsf(lab.lightness - colors[i].lab[0]) < 0.01f);
        assert_true(fabsf(lab.a - colors[i].lab[1]) < 0.02f);
        assert_true(fabsf(lab.b - colors[i].lab[2]) < 0.02f);
    }
}

static void test_out_of_range(void **state)
{
    (void)state;
    const struct lab odd[] = { { 50, 500, 0 }, { 50, 0, -900 }, { 120, 0, 0 },
                               { -5, 10, 10 }, { NAN, 0, 0 },   { 50, INFINITY, 0 } };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        float rgb[3];
        lab_to_rgb(odd[i], rgb);
        for (int c = 0; c < 3; c++)
            assert_true(rgb[c] >= 0 && rgb[c] <= 1.0001f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip),
                                        cmocka_unit_test(test_known_colors),
                                        cmocka_unit_test(test_out_of_range) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
