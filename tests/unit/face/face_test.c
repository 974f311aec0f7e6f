/* The face pipeline's steps on what is not a usual face: points in one place, far out or no
 * numbers, faces beyond the picture, networks that fail. Usual faces are tests/golden/faces_test.c.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "engine/engine.h"
#include "face/face_private.h"
#include "image/image.h"

static const float usual[FACE_POINTS][2] = {
    { 192.98138f, 239.94708f }, { 318.90277f, 240.1936f },  { 256.63416f, 314.01935f },
    { 201.26117f, 371.41043f }, { 313.08905f, 371.15118f },
};

static void an_upright_face_stays(void **state)
{
    (void)state;
    struct face_matrix matrix, inverse;
    assert_true(face_align(usual, &matrix));
    for (int k = 0; k < 6; k++)
        assert_true(fabs(matrix.row[k / 3][k % 3] - (k == 0 || k == 4)) < 1e-4);
    assert_true(face_matrix_invert(&matrix, &inverse));
}

static void points_that_are_no_face_have_no_matrix(void **state)
{
    (void)state;
    const float wrong[] = { NAN, INFINITY, -INFINITY };
    float points[FACE_POINTS][2];
    struct face_matrix matrix;
    memset(points, 0, sizeof points);
    assert_false(face_align(points, &matrix)); /* all in one place */
    for (size_t i = 0; i < 3; i++) {
        for (int k = 0; k < FACE_POINTS; k++)
            points[k][0] = points[k][1] = wrong[i];
        assert_false(face_align(points, &matrix));
    }
    for (int k = 0; k < FACE_POINTS; k++)
        for (int j = 0; j < 2; j++)
            points[k][j] = usual[k][j] * 1e5f; /* a face of a million pixels */
    assert_false(face_align(points, &matrix));
    const struct face_matrix flat = { { { 1, 1, 0 }, { 1, 1, 0 } } };
    assert_false(face_matrix_invert(&flat, &matrix));
}

static void large_pictures_are_searched_small(void **state)
{
    (void)state;
    static const int sizes[][4] = {
        { 2048, 2048, 2048, 2048 }, { 4096, 1024, 4096, 1024 },
        { 640, 480, 640, 480 },     { 1, 1, 1, 1 },
        { 4096, 4096, 2048, 2048 },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct resize_size size = face_search_size(sizes[i][0], sizes[i][1]);
        assert_int_equal(size.width, sizes[i][2]);
        assert_int_equal(size.height, sizes[i][3]);
    }
    /* 4000 x 3000 keeps its shape; a thread of a picture keeps its one pixel. */
    struct resize_size size = face_search_size(4000, 3000);
    assert_in_range(size.width, 2300, 2365);
    assert_true(abs(size.width * 3 - size.height * 4) <= 4);
    size = face_search_size(1, 50000000);
    assert_int_equal(size.width, 1);
    assert_in_range(size.height, 1, FACE_SEARCH_PIXELS_MAX / FACE_SEARCH_CELL);
}

static void a_thread_of_a_picture_has_no_faces(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 4, 65535 }, { 300, 7 } };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct image picture = { .width = sizes[i][0], .height = sizes[i][1], .bits = 8 };
        int count = -1;
        assert_true(face_search(NULL, NULL, &picture, NULL, NULL, &count, &err)); /* not asked */
        assert_int_equal(count, 0);
    }
}

static void classes_that_are_none_are_no_face(void **state)
{
    (void)state;
    struct err err = { 0 };
    uint8_t *classes = malloc(FACE_PIXELS);
    double *mask = malloc(FACE_PIXELS * sizeof *mask);
    assert_true(classes && mask);
    memset(classes, 200, FACE_PIXELS);
    assert_true(face_mask(classes, 1, mask, &err));
    for (size_t i = 0; i < FACE_PIXELS; i++)
        assert_true(mask[i] == 0);
    memset(classes, 1, FACE_PIXELS);
    assert_true(face_mask(classes, 1, mask, &err));
    assert_true(mask[256 * FACE_SIZE + 256] == 1 && mask[10 * FACE_SIZE + 10] == 1);
    assert_true(mask[9 * FACE_SIZE + 256] == 0 && mask[256 * FACE_SIZE + 502] == 0);
    free(classes);
    free(mask);
}

/* ---- The flow ---- */

struct script {
    bool restore_fails, parse_fails;
    float value; /* what the restorer gives everywhere */
};

static bool restore(void *context, const float *face, float *ret_face, struct err *err)
{
    const struct script *script = context;
    for (size_t i = 0; i < 3 * FACE_PIXELS; i++) {
        assert_true(face[i] >= -1 && face[i] <= 1);
        ret_face[i] = script->value;
    }
    return !script->restore_fails || err_set(err, ERR_INTERNAL, "restorer");
}

static bool parse(void *context, const float *face, uint8_t *ret_classes, struct err *err)
{
    const struct script *script = context;
    assert_true(face[0] >= -1 && face[0] <= 1);
    memset(ret_classes, 1, FACE_PIXELS);
    return !script->parse_fails || err_set(err, ERR_INTERNAL, "parser");
}

#define SIDE 40
static uint8_t source_pixels[SIDE * SIDE * 4], canvas_pixels[SIDE * SIDE * 4];

static int restore_one(struct script *script, const float (*points)[FACE_POINTS][2],
                       struct err *err)
{
    const struct face_networks networks = { restore, parse, script };
    const struct face_options options = { 0 };
    struct image source = { .width = SIDE, .height = SIDE, .bits = 8, .pixels = source_pixels };
    struct image canvas = { .width = SIDE, .height = SIDE, .bits = 8, .pixels = canvas_pixels };
    int count = -1;
    memset(canvas_pixels, 100, sizeof canvas_pixels);
    if (!face_restore_points(&networks, 2, &source, &canvas, points, 1, &options, &count, err))
        assert_int_equal(count, -1);
    return count;
}

static void shift_face(float ret_points[FACE_POINTS][2], float scale, float shift)
{
    for (int k = 0; k < FACE_POINTS; k++)
        for (int j = 0; j < 2; j++)
            ret_points[k][j] = usual[k][j] * scale + shift;
}

static void faces_anywhere_do_no_harm(void **state)
{
    (void)state;
    struct script script = { .value = 1 };
    struct err err = { 0 };
    float points[1][FACE_POINTS][2];
    shift_face(points[0], SIDE / 512.0f, 0);
    assert_int_equal(restore_one(&script, (const float(*)[FACE_POINTS][2])points, &err), 1);
    assert_int_equal(canvas_pixels[(20 * SIDE + 20) * 4], 255);
    assert_int_equal(canvas_pixels[(20 * SIDE + 20) * 4 + 3], 100); /* alpha */
    assert_int_equal(canvas_pixels[0], 100);

    static const float shifts[] = { -1000, 1000, 999000, -999000 };
    for (size_t i = 0; i < 4; i++) {
        shift_face(points[0], SIDE / 512.0f, shifts[i]);
        assert_in_range(restore_one(&script, (const float(*)[FACE_POINTS][2])points, &err), 0, 1);
        for (size_t k = 0; k < sizeof canvas_pixels; k++)
            assert_int_equal(canvas_pixels[k], 100);
    }
    /* A face as large as is taken: its middle covers the canvas. */
    shift_face(points[0], 1900, -1900.0f * 256);
    assert_in_range(restore_one(&script, (const float(*)[FACE_POINTS][2])points, &err), 0, 1);
}

static void a_face_brings_colors_into_gray(void **state)
{
    (void)state;
    struct script script = { .value = 1 };
    const struct face_networks networks = { restore, parse, &script };
    const struct face_options options = { 0 };
    struct image canvas = {
        .width = SIDE, .height = SIDE, .bits = 8, .is_gray = true, .pixels = canvas_pixels
    };
    struct image source = canvas;
    float points[1][FACE_POINTS][2];
    struct err err = { 0 };
    int count = -1;
    shift_face(points[0], 0, 0); /* all points in one place: none */
    source.pixels = source_pixels;
    assert_true(face_restore_points(&networks, 2, &source, &canvas,
                                    (const float(*)[FACE_POINTS][2])points, 1, &options, &count,
                                    &err));
    assert_int_equal(count, 0);
    assert_true(canvas.is_gray);
    shift_face(points[0], SIDE / 512.0f, 0);
    assert_true(face_restore_points(&networks, 2, &source, &canvas,
                                    (const float(*)[FACE_POINTS][2])points, 1, &options, &count,
                                    &err));
    assert_int_equal(count, 1);
    assert_false(canvas.is_gray);
}

static void what_is_no_number_is_black(void **state)
{
    (void)state;
    const float wrong[] = { NAN, -INFINITY, -1e30f };
    float points[1][FACE_POINTS][2];
    shift_face(points[0], SIDE / 512.0f, 0);
    for (size_t i = 0; i < 3; i++) {
        struct script script = { .value = wrong[i] };
        struct err err = { 0 };
        assert_int_equal(restore_one(&script, (const float(*)[FACE_POINTS][2])points, &err), 1);
        assert_int_equal(canvas_pixels[(20 * SIDE + 20) * 4], 0);
    }
}

static void failures_travel_up(void **state)
{
    (void)state;
    float points[1][FACE_POINTS][2];
    shift_face(points[0], SIDE / 512.0f, 0);
    for (int i = 0; i < 2; i++) {
        struct script script = { .restore_fails = i == 0, .parse_fails = i == 1 };
        struct err err = { 0 };
        assert_int_equal(restore_one(&script, (const float(*)[FACE_POINTS][2])points, &err), -1);
        assert_string_equal(err.detail, i ? "parser" : "restorer");
    }
}

static void missing_files_are_named(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct engine *engine = NULL;
    struct face_restorer *restorer = NULL;
    const struct face_files files = { "/nowhere/detector", "/nowhere/parser", NULL };
    assert_true(engine_new(&(struct engine_options){ 0 }, &engine, &err));
    assert_false(face_restorer_new(engine, &files, &restorer, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.cause, "/nowhere/detector"));
    assert_null(restorer);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upright_face_stays),
        cmocka_unit_test(points_that_are_no_face_have_no_matrix),
        cmocka_unit_test(large_pictures_are_searched_small),
        cmocka_unit_test(a_thread_of_a_picture_has_no_faces),
        cmocka_unit_test(classes_that_are_none_are_no_face),
        cmocka_unit_test(faces_anywhere_do_no_harm),
        cmocka_unit_test(a_face_brings_colors_into_gray),
        cmocka_unit_test(what_is_no_number_is_black),
        cmocka_unit_test(failures_travel_up),
        cmocka_unit_test(missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
