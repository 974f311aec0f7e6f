/* Faces from RetinaFace's heads: overlapping ones, limits, and numbers that no network should give.
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
#include "nn/retinaface.h"

#define SIDE 64 /* of the picture: 8, 4 and 2 cells a side */

static const struct retinaface_limits limits = { .confidence = 0.97f, .overlap = 0.4f };

struct fixture {
    struct retinaface_heads heads;
    struct retinaface_face faces[RETINAFACE_FACES_MAX];
    int side;
};

static struct tensor level_tensor(int channels, int side)
{
    float *values = calloc((size_t)channels * (size_t)side * (size_t)side, sizeof *values);
    assert_non_null(values);
    return tensor_plain(channels, side, side, values);
}

/* Heads that say "no face" everywhere, of a picture of side x side. */
static struct fixture *heads_new(int side)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->side = side;
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        int cells = (side + (8 << level) - 1) / (8 << level);
        struct retinaface_heads *heads = &fixture->heads;
        heads->scores[level] = level_tensor(4, cells);
        heads->boxes[level] = level_tensor(8, cells);
        heads->points[level] = level_tensor(20, cells);
    }
    return fixture;
}

static void heads_free(struct fixture *fixture)
{
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        free(fixture->heads.scores[level].data);
        free(fixture->heads.boxes[level].data);
        free(fixture->heads.points[level].data);
    }
    free(fixture);
}

static float *cell(const struct tensor *tensor, int channel, int y, int x)
{
    return (float *)tensor->data + (channel * tensor->height + y) * tensor->width + x;
}

static int decode(struct fixture *fixture)
{
    struct err err = { 0 };
    int count = -1;
    assert_true(retinaface_decode(&fixture->heads, fixture->side, fixture->side, &limits,
                                  fixture->faces, &count, &err));
    for (int i = 0; i < count; i++) {
        const struct retinaface_face *face = &fixture->faces[i];
        assert_true(isfinite(face->left + face->top + face->right + face->bottom));
        assert_true(face->score > limits.confidence && face->score <= 1);
        assert_true(i == 0 || face->score <= fixture->faces[i - 1].score);
        for (int k = 0; k < RETINAFACE_POINTS; k++)
            assert_true(isfinite(face->points[k][0] + face->points[k][1]));
    }
    return count;
}

static void a_face_stands_where_its_anchor_says(void **state)
{
    (void)state;
    struct fixture *fixture = heads_new(SIDE);
    assert_int_equal(decode(fixture), 0);          /* a score of one half */
    *cell(&fixture->heads.scores[1], 3, 1, 2) = 5; /* level 1, the second anchor: 128 pixels */
    *cell(&fixture->heads.boxes[1], 4, 1, 2) = 0.5f;
    *cell(&fixture->heads.boxes[1], 6, 1, 2) = logf(2) / 0.2f;
    *cell(&fixture->heads.points[1], 10 + 9, 1, 2) = 1;
    assert_int_equal(decode(fixture), 1);
    const struct retinaface_face *face = &fixture->faces[0];
    /* The cell's centre is (40, 24); a tenth of an anchor is 12.8 pixels. */
    assert_true(fabsf((face->left + face->right) / 2 - (40 + 6.4f)) < 1e-3f);
    assert_true(fabsf(face->right - face->left - 256) < 1e-2f);
    assert_true(fabsf(face->top - (24 - 64)) < 1e-3f);
    assert_true(fabsf(face->points[0][0] - 40) < 1e-3f);
    assert_true(fabsf(face->points[4][1] - (24 + 12.8f)) < 1e-3f);
    assert_true(fabsf(face->score - 1 / (1 + expf(-5))) < 1e-6f);
    heads_free(fixture);
}

static void of_overlapping_faces_the_surest_stays(void **state)
{
    (void)state;
    struct fixture *fixture = heads_new(SIDE);
    *cell(&fixture->heads.scores[1], 1, 0, 0) = 5; /* 64 pixels around (8, 8) */
    *cell(&fixture->heads.scores[1], 1, 0, 1) = 6; /* and around (24, 8): 0.6 in common */
    *cell(&fixture->heads.scores[1], 1, 3, 3) = 4; /* and around (56, 56): nothing much */
    assert_int_equal(decode(fixture), 2);
    assert_true(fabsf(fixture->faces[0].left - (24 - 32)) < 1e-3f);
    assert_true(fabsf(fixture->faces[1].left - (56 - 32)) < 1e-3f);
    heads_free(fixture);
}

static void nonsense_is_no_face(void **state)
{
    (void)state;
    const float wrong[] = { NAN, INFINITY, -INFINITY, 1e30f, -1e30f };
    struct fixture *fixture = heads_new(SIDE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        *cell(&fixture->heads.scores[0], 1, 0, 0) = wrong[i];
        decode(fixture);
        *cell(&fixture->heads.scores[0], 1, 0, 0) = 9;
        assert_int_equal(decode(fixture), 1);
        for (int channel = 0; channel < 10; channel++) {
            float *value = channel < 4 ? cell(&fixture->heads.boxes[0], channel, 0, 0)
                                       : cell(&fixture->heads.points[0], channel, 0, 0);
            *value = wrong[i];
            /* Minus the lot is a width of nothing, which is a number. */
            int count = decode(fixture);
            assert_int_equal(count, (channel == 2 || channel == 3) && wrong[i] < 0);
            *value = 0;
        }
    }
    heads_free(fixture);
}

static void there_are_at_most_so_many(void **state)
{
    (void)state;
    struct fixture *fixture =
        heads_new(1024); /* 128 x 128 small cells, of which no two share much */
    for (int y = 0; y < 128; y++)
        for (int x = 0; x < 128; x++) {
            *cell(&fixture->heads.scores[0], 1, y, x) = 5 + (float)(y * 128 + x) * 1e-4f;
            *cell(&fixture->heads.boxes[0], 2, y, x) = logf(0.25f) / 0.2f;
            *cell(&fixture->heads.boxes[0], 3, y, x) = logf(0.25f) / 0.2f;
        }
    assert_int_equal(decode(fixture), RETINAFACE_FACES_MAX);
    assert_true(fabsf(fixture->faces[0].left - (1020 - 2)) < 1e-2f); /* the surest is the last */
    heads_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_stands_where_its_anchor_says),
        cmocka_unit_test(of_overlapping_faces_the_surest_stays),
        cmocka_unit_test(nonsense_is_no_face),
        cmocka_unit_test(there_are_at_most_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
