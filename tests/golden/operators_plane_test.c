/* The operators of engine/plane.h and sample_grid against PyTorch (tests/reference/operators.py),
 * on every instruction set, blocked in f32 and bf16 and, where the operation takes it, plain.
 *
 * Differences are over the largest number of a result. Measured: moving numbers 0, bilinear and
 * bicubic 9e-7, grids 4e-7, the rest 2e-7; in bf16 1e-2. Padding lanes must be zero in all. */
#include "golden/operators.h"

#include "engine/plane.h"
#include "engine/sample.h"

#define FIXTURE "tests/golden/operators_plane.safetensors"

/* As in the script. */
enum {
    POOL_MAX,
    POOL_AVERAGE,
    MEAN,
    RESIZE,
    PAD,
    CROP,
    SHUFFLE,
    UNSHUFFLE,
    MULTIPLY,
    ACTIVATE,
    AFFINE,
    TRANSFORM,
    GRID,
    ADD,
    OPERATORS
};

/* Operators that only move numbers: exact. */
static bool moves(const struct operators_case *c)
{
    int operation = operators_int(c, 0);
    return operation == POOL_MAX || (operation >= PAD && operation <= UNSHUFFLE) ||
           (operation == RESIZE && operators_int(c, 4) == PLANE_NEAREST);
}

static bool takes_plain(int operation)
{
    return operation != POOL_MAX && operation != POOL_AVERAGE && operation != MEAN &&
           operation != AFFINE;
}

static void activate(const struct operators_case *c, const struct tensor *src,
                     const struct tensor *dst)
{
    struct err err = { 0 };
    float scale = c->parameters[6];
    struct tensor scaled = operators_input(c, "src", src->channels, src->height, src->width, scale);
    assert_true(plane_activate(c->engine, &scaled, (enum plane_activation)operators_int(c, 4),
                               c->parameters[5], dst, &err));
}

static void affine(const struct operators_case *c, const struct tensor *src,
                   const struct tensor *dst)
{
    struct err err = { 0 };
    int parts = operators_int(c, 5);
    float *scale = operators_numbers(c, "scale", (size_t)src->channels);
    float *bias = operators_numbers(c, "bias", (size_t)src->channels);
    float *map = operators_numbers(c, "map", (size_t)src->height * (size_t)src->width);
    struct plane_affine options = { .scale = parts & 1 ? scale : NULL,
                                    .bias = parts & 2 ? bias : NULL,
                                    .map = parts & 4 ? map : NULL,
                                    .map_weight = c->parameters[6],
                                    .slope = c->parameters[4] };
    assert_true(plane_affine(c->engine, src, &options, dst, &err));
    free(scale);
    free(bias);
    free(map);
}

static void multiply(const struct operators_case *c, const struct tensor *src,
                     const struct tensor *dst)
{
    struct err err = { 0 };
    struct operators_case other = *c;
    int channels = operators_int(c, 4), height = operators_int(c, 5), width = operators_int(c, 6);
    other.plain = other.plain || (channels == 1 && src->channels > 1); /* a map is plain */
    struct tensor b = operators_input(&other, "other", channels, height, width, 1);
    assert_true(plane_multiply(c->engine, src, &b, dst, &err));
}

static void grid(const struct operators_case *c, const struct tensor *src, const struct tensor *dst)
{
    struct err err = { 0 };
    struct operators_case plain = *c;
    struct sample_grid options = { .corners = operators_int(c, 4) != 0,
                                   .border = (enum plane_border)operators_int(c, 5) };
    plain.plain = true;
    struct tensor places = operators_input(&plain, "grid", 2, dst->height, dst->width, 0.8f);
    assert_true(sample_grid(c->engine, src, &places, &options, dst, &err));
}

/* The destination of a case, its shape from the parameters. */
static struct tensor destination(const struct operators_case *c, const struct tensor *src)
{
    int channels = src->channels, height = src->height, width = src->width;
    int ratio = operators_int(c, 4);
    switch (operators_int(c, 0)) {
    case POOL_MAX:
        return operators_tensor(c, channels, (height + 1) / 2, (width + 1) / 2);
    case POOL_AVERAGE:
        return operators_tensor(c, channels, height - 1, width - 1);
    case MEAN:
        return operators_tensor(c, channels, 1, 1);
    case RESIZE:
        return operators_tensor(c, channels, operators_int(c, 5), operators_int(c, 6));
    case PAD:
        return operators_tensor(c, channels, height + operators_int(c, 5) + operators_int(c, 7),
                                width + operators_int(c, 6) + operators_int(c, 8));
    case CROP:
    case GRID:
        return operators_tensor(c, channels, operators_int(c, 6), operators_int(c, 7));
    case SHUFFLE:
        return operators_tensor(c, channels / ratio / ratio, height * ratio, width * ratio);
    case UNSHUFFLE:
        return operators_tensor(c, channels * ratio * ratio, height / ratio, width / ratio);
    default:
        return operators_tensor(c, channels, height, width);
    }
}

static void run(const struct operators_case *c, const struct tensor *src, const struct tensor *dst)
{
    struct engine *engine = c->engine;
    struct err err = { 0 };
    int operation = operators_int(c, 0);
    const struct plane_margins margins = { operators_int(c, 5), operators_int(c, 6),
                                           operators_int(c, 7), operators_int(c, 8) };
    struct tensor other = operators_input(c, "other", src->channels, src->height, src->width, 1);
    struct tensor shift = operators_input(c, "shift", src->channels, src->height, src->width, 1);
    bool ok = true;
    if (operation == POOL_MAX)
        ok = plane_pool_max(engine, src, dst, &err);
    else if (operation == POOL_AVERAGE)
        ok = plane_pool_average(engine, src, dst, &err);
    else if (operation == MEAN)
        ok = plane_mean(engine, src, dst, &err);
    else if (operation == RESIZE)
        ok = plane_resize(engine, src, (enum plane_filter)operators_int(c, 4), dst, &err);
    else if (operation == PAD)
        ok = plane_pad(engine, src, &margins, (enum plane_border)operators_int(c, 4), dst, &err);
    else if (operation == CROP)
        ok = plane_crop(engine, src, operators_int(c, 4), operators_int(c, 5), dst, &err);
    else if (operation == SHUFFLE)
        ok = plane_shuffle(engine, src, dst, &err);
    else if (operation == UNSHUFFLE)
        ok = plane_unshuffle(engine, src, dst, &err);
    else if (operation == ADD)
        ok = plane_add(engine, src, &other, dst, &err);
    else if (operation == TRANSFORM)
        ok = plane_transform(engine, src, &other, &shift, dst, &err);
    else if (operation == MULTIPLY)
        multiply(c, src, dst);
    else if (operation == ACTIVATE)
        activate(c, src, dst);
    else if (operation == AFFINE)
        affine(c, src, dst);
    else
        grid(c, src, dst);
    if (!ok)
        compare_fail(&err);
}

/* All cases with one kind of tensors. */
static void all_cases(struct engine *engine, enum tensor_type type, bool plain,
                      double largest[OPERATORS])
{
    struct weights *fixture = operators_open(FIXTURE);
    struct operators_case c = {
        .engine = engine, .fixture = fixture, .type = type, .plain = plain
    };
    int done = 0;
    for (int index = 0; operators_load(&c, index); index++) {
        int operation = operators_int(&c, 0);
        if (plain && !takes_plain(operation))
            continue;
        size_t mark = engine_mark(engine);
        struct tensor src = operators_input(&c, "src", operators_int(&c, 1), operators_int(&c, 2),
                                            operators_int(&c, 3), 1);
        struct tensor dst = destination(&c, &src);
        run(&c, &src, &dst);
        double tolerance = moves(&c) ? 0 : 1e-6;
        if (type == TENSOR_BF16)
            tolerance = moves(&c) ? 1.0 / 128 : 2e-2;
        double difference = operators_compare(&c, &dst, tolerance);
        largest[operation] = fmax(largest[operation], difference);
        engine_release(engine, mark);
        done++;
    }
    assert_true(done > 60);
    weights_close(fixture);
}

static void every_path(enum tensor_type type, bool plain)
{
    double largest[OPERATORS] = { 0 };
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine =
            fixture_engine((struct engine_options){ .threads = 2, .isa = (enum engine_isa)isa });
        if (!engine)
            continue;
        all_cases(engine, type, plain, largest);
        engine_free(engine);
    }
    for (int i = 0; i < OPERATORS; i++)
        print_message("operator %d: %.1e\n", i, largest[i]);
}

static void planes_in_f32_are_what_pytorch_computes(void **state)
{
    (void)state;
    every_path(TENSOR_F32, false);
}

static void planes_in_bf16_are_close_to_pytorch(void **state)
{
    (void)state;
    every_path(TENSOR_BF16, false);
}

static void plain_planes_are_what_pytorch_computes(void **state)
{
    (void)state;
    every_path(TENSOR_F32, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_in_f32_are_what_pytorch_computes),
        cmocka_unit_test(planes_in_bf16_are_close_to_pytorch),
        cmocka_unit_test(plain_planes_are_what_pytorch_computes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
