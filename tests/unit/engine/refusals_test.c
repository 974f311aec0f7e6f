/* What operators on planes and filters refuse: shapes, layouts and options that do not fit. That
 * they compute the right thing otherwise is in tests/golden/operators_*_test.c. */
#include "unit/engine/engine_fixture.h"

#include "engine/conv.h"
#include "engine/plane.h"
#include "engine/sample.h"

static struct err err; /* of the last call */

static struct engine *new_engine(void)
{
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 1 });
    assert_non_null(engine);
    return engine;
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        err = (struct err){ 0 };                                                                   \
        assert_false(call);                                                                        \
        assert_int_equal(err.kind, ERR_INVALID);                                                   \
    } while (0)

static void pools_and_means_of_other_shapes(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor a = fixture_tensor(engine, 16, 9, 9), b = fixture_tensor(engine, 16, 9, 8);
    struct tensor one = fixture_tensor(engine, 16, 1, 1), line = fixture_tensor(engine, 16, 1, 5);
    struct tensor none = one;
    none.height = none.width = 0;
    REFUSED(plane_pool_average(engine, &a, &b, &err));
    REFUSED(plane_pool_average(engine, &line, &one, &err));
    REFUSED(plane_mean(engine, &a, &b, &err));
    one.channels = 15;
    REFUSED(plane_mean(engine, &a, &one, &err));
    engine_free(engine);
}

static void resizes_that_change_channels_or_layout(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor a = fixture_tensor(engine, 16, 4, 4), b = fixture_tensor(engine, 17, 8, 8);
    struct tensor half = fixture_tensor(engine, 16, 8, 8), plain = half, odd = half;
    half.type = TENSOR_BF16;
    plain.block = 1;
    odd.block = a.block = engine_block(engine) == 16 ? 8 : 16;
    for (int filter = PLANE_NEAREST; filter <= PLANE_AREA; filter++) {
        REFUSED(plane_resize(engine, &a, (enum plane_filter)filter, &odd, &err));
        a.block = engine_block(engine);
        REFUSED(plane_resize(engine, &a, (enum plane_filter)filter, &b, &err));
        REFUSED(plane_resize(engine, &a, (enum plane_filter)filter, &half, &err));
        REFUSED(plane_resize(engine, &a, (enum plane_filter)filter, &plain, &err));
        a.block = odd.block;
    }
    engine_free(engine);
}

static void margins_and_crops_beyond_the_source(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor a = fixture_tensor(engine, 3, 4, 4), b = fixture_tensor(engine, 3, 8, 4);
    struct tensor c = fixture_tensor(engine, 3, 2, 2);
    REFUSED(plane_pad(engine, &a, &(struct plane_margins){ .top = 4 }, PLANE_REFLECT, &b, &err));
    REFUSED(plane_pad(engine, &a, &(struct plane_margins){ .top = 5, .bottom = -1 }, PLANE_ZERO, &b,
                      &err));
    REFUSED(plane_pad(engine, &a, &(struct plane_margins){ .top = 3 }, PLANE_ZERO, &b, &err));
    REFUSED(plane_crop(engine, &a, 3, 0, &c, &err));
    REFUSED(plane_crop(engine, &a, 0, -1, &c, &err));
    REFUSED(plane_crop(engine, &a, 2147483647, 0, &c, &err));
    REFUSED(plane_crop(engine, &c, 0, 0, &a, &err));
    engine_free(engine);
}

static void shuffles_that_do_not_divide(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor many = fixture_tensor(engine, 12, 4, 4), few = fixture_tensor(engine, 3, 8, 8);
    struct tensor wide = fixture_tensor(engine, 3, 8, 12), more = fixture_tensor(engine, 4, 8, 8);
    struct tensor low = fixture_tensor(engine, 48, 2, 2);
    REFUSED(plane_shuffle(engine, &many, &wide, &err));
    REFUSED(plane_shuffle(engine, &many, &more, &err));
    REFUSED(plane_shuffle(engine, &few, &many, &err));
    REFUSED(plane_unshuffle(engine, &many, &few, &err));
    REFUSED(plane_unshuffle(engine, &wide, &many, &err));
    REFUSED(plane_unshuffle(engine, &more, &low, &err));
    engine_free(engine);
}

static void arithmetic_on_different_shapes(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor a = fixture_tensor(engine, 16, 4, 4), b = fixture_tensor(engine, 16, 4, 5);
    struct tensor map = fixture_tensor(engine, 1, 4, 4), plain = a;
    const struct plane_affine affine = { .slope = 1 };
    plain.block = 1;
    REFUSED(plane_multiply(engine, &a, &b, &a, &err));
    REFUSED(plane_multiply(engine, &a, &a, &b, &err));
    REFUSED(plane_multiply(engine, &a, &map, &a, &err)); /* a map is plain */
    REFUSED(plane_transform(engine, &a, &a, &b, &a, &err));
    REFUSED(plane_transform(engine, &a, &b, &a, &a, &err));
    REFUSED(plane_activate(engine, &a, PLANE_GELU, 0, &b, &err));
    REFUSED(plane_activate(engine, &a, PLANE_GELU, 0, &plain, &err));
    REFUSED(plane_affine(engine, &a, &affine, &b, &err));
    REFUSED(plane_affine(engine, &plain, &affine, &plain, &err));
    engine_free(engine);
}

static void grids_of_other_shapes(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct tensor a = fixture_tensor(engine, 3, 4, 4), grid = fixture_tensor(engine, 2, 5, 5);
    struct tensor b = fixture_tensor(engine, 3, 5, 5), plain = grid, small = grid;
    const struct sample_grid reflect = { .border = PLANE_REFLECT }, zero = { 0 };
    plain.block = small.block = 1;
    small.width = 4;
    REFUSED(sample_grid(engine, &a, &grid, &zero, &b, &err));
    REFUSED(sample_grid(engine, &a, &small, &zero, &b, &err));
    REFUSED(sample_grid(engine, &a, &plain, &reflect, &b, &err));
    engine_free(engine);
}

/* Places that no picture has: far away, infinite, not a number. They read zeros. */
static void grids_of_wild_numbers_read_nothing(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    const struct sample_grid zero = { 0 };
    float wild[] = { 1e30f, -1e30f, INFINITY, -INFINITY, NAN, 3e9f, 0, 0, NAN, 0, 0, 0 };
    float values[16];
    struct tensor a = fixture_tensor(engine, 1, 4, 4), b = fixture_tensor(engine, 1, 1, 6);
    struct tensor grid = tensor_plain(2, 1, 6, wild);
    for (int i = 0; i < 16; i++)
        values[i] = 1;
    fixture_put(&a, values);
    assert_true(sample_grid(engine, &a, &grid, &zero, &b, &err));
    for (int x = 0; x < 6; x++)
        assert_true(fixture_get(&b, 0, 0, x) == 0.0f);
    engine_free(engine);
}

static void filters_of_impossible_groups(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct conv_filter *filter = NULL;
    static const struct conv_shape shapes[] = {
        { 16, 12, 3, 5, false },  { 15, 16, 3, 2, false }, { 16, 16, 3, -1, false },
        { 16, 16, 3, 32, false }, { 16, 16, 4, 2, true },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        REFUSED(conv_filter_new(engine, &shapes[i], &filter, &err));
    engine_free(engine);
}

static void transposed_convolutions_that_do_not_fit(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct conv_filter *filter = NULL;
    struct tensor a = fixture_tensor(engine, 16, 4, 4), b = fixture_tensor(engine, 16, 8, 8);
    struct tensor c = fixture_tensor(engine, 16, 5, 5);
    const struct conv_options good = { .stride = 2, .padding = 1 };
    struct conv_options bad[6];
    assert_true(conv_filter_new(engine, &(struct conv_shape){ 16, 16, 4, 1, true }, &filter, &err));
    for (int i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].stride = 1;
    bad[1].padding = 0;
    bad[2].padding_end = 1;
    bad[3].dilation = 2;
    bad[4].stride = 5;
    bad[5].padding_end = -1;
    for (int i = 0; i < 6; i++)
        REFUSED(conv_run(engine, filter, &a, &bad[i], &b, &err));
    memset(a.data, 0, tensor_bytes(&a));
    assert_true(conv_run(engine, filter, &a, &good, &b, &err));
    /* Packed for stride 2 now. */
    REFUSED(conv_run(engine, filter, &a, &(struct conv_options){ .padding = 1 }, &c, &err));
    conv_filter_free(filter);
    engine_free(engine);
}

static void padding_at_the_end_counts(void **state)
{
    (void)state;
    struct engine *engine = new_engine();
    struct conv_filter *filter = NULL;
    struct tensor a = fixture_tensor(engine, 16, 8, 8), b = fixture_tensor(engine, 16, 4, 4);
    assert_true(
        conv_filter_new(engine, &(struct conv_shape){ 16, 16, 3, 1, false }, &filter, &err));
    memset(a.data, 0, tensor_bytes(&a));
    REFUSED(conv_run(engine, filter, &a, &(struct conv_options){ .stride = 2 }, &b, &err));
    REFUSED(conv_run(engine, filter, &a, &(struct conv_options){ .stride = 2, .padding_end = -1 },
                     &b, &err));
    assert_true(conv_run(engine, filter, &a,
                         &(struct conv_options){ .stride = 2, .padding_end = 1 }, &b, &err));
    conv_filter_free(filter);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_and_means_of_other_shapes),
        cmocka_unit_test(resizes_that_change_channels_or_layout),
        cmocka_unit_test(margins_and_crops_beyond_the_source),
        cmocka_unit_test(shuffles_that_do_not_divide),
        cmocka_unit_test(arithmetic_on_different_shapes),
        cmocka_unit_test(grids_of_other_shapes),
        cmocka_unit_test(grids_of_wild_numbers_read_nothing),
        cmocka_unit_test(filters_of_impossible_groups),
        cmocka_unit_test(transposed_convolutions_that_do_not_fit),
        cmocka_unit_test(padding_at_the_end_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
