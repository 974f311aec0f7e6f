/* What the golden tests of operators share: the cases of tests/reference/operators.py, inputs made
 * from their names, and the comparison. */
#ifndef MIMEO_TESTS_OPERATORS_H
#define MIMEO_TESTS_OPERATORS_H

#include "golden/compare.h"
#include "golden/seeded.h"
#include "unit/engine/engine_fixture.h"

#define OPERATORS_PARAMETERS_MAX 20

struct operators_case {
    struct engine *engine;
    const struct weights *fixture;
    int index;
    float parameters[OPERATORS_PARAMETERS_MAX];
    enum tensor_type type; /* of tensors: bf16 also in f32 engines, where the operator can */
    bool plain;
};

/* Parameter `index` as an int. */
static inline int operators_int(const struct operators_case *c, int index)
{
    return (int)c->parameters[index];
}

static inline struct weights *operators_open(const char *path)
{
    struct weights *fixture = NULL;
    struct err err = { 0 };
    if (!weights_open(path, &fixture, &err))
        compare_fail(&err);
    return fixture;
}

/* Load the parameters of case `index`: false when there is none. */
static inline bool operators_load(struct operators_case *c, int index)
{
    char name[32];
    snprintf(name, sizeof name, "%03d.parameters", index);
    const struct weight *weight = weights_find(c->fixture, name);
    if (!weight)
        return false;
    assert_true(weight->count <= OPERATORS_PARAMETERS_MAX);
    assert_true(weight_to_f32(weight, c->parameters, NULL));
    c->index = index;
    return true;
}

/* The numbers of an input. Free with free. */
static inline float *operators_numbers(const struct operators_case *c, const char *what,
                                       size_t count)
{
    struct key key = { .rank = 2, .shape = { (int64_t)count, 1 } };
    float *values = calloc((count + 15) / 16 * 16, sizeof *values);
    assert_non_null(values);
    snprintf(key.name, sizeof key.name, "%03d.%s", c->index, what);
    seeded_values(&key, values, count);
    return values;
}

/* A tensor with content undefined, of the case's type and layout. */
static inline struct tensor operators_tensor(const struct operators_case *c, int channels,
                                             int height, int width)
{
    struct tensor tensor;
    struct err err = { 0 };
    /* f32's room is enough for bf16. */
    if (!engine_tensor_plain(c->engine, (channels + 15) / 16 * 16, height, width, &tensor, &err))
        compare_fail(&err);
    tensor.channels = channels;
    tensor.type = c->plain ? TENSOR_F32 : c->type;
    tensor.block = c->plain ? 1 : engine_block(c->engine);
    memset(tensor.data, 0xff, tensor_bytes(&tensor)); /* NaN */
    return tensor;
}

/* An input, times `scale`. */
static inline struct tensor operators_input(const struct operators_case *c, const char *what,
                                            int channels, int height, int width, float scale)
{
    size_t count = (size_t)channels * (size_t)height * (size_t)width;
    struct tensor tensor = operators_tensor(c, channels, height, width);
    float *values = operators_numbers(c, what, count);
    for (size_t i = 0; i < count; i++)
        values[i] *= scale;
    fixture_put(&tensor, values);
    free(values);
    return tensor;
}

/* Compare with PyTorch's result; padding must be zero. Returns the difference. */
static inline double operators_compare(const struct operators_case *c, const struct tensor *dst,
                                       double tolerance)
{
    char name[32];
    snprintf(name, sizeof name, "%03d.result", c->index);
    for (int channel = dst->channels; channel < tensor_blocks(dst) * dst->block; channel++)
        for (int y = 0; y < dst->height; y++)
            for (int x = 0; x < dst->width; x++)
                assert_true(fixture_get(dst, channel, y, x) == 0.0f);
    double difference = compare_samples(c->fixture, name, dst);
    if (!(difference <= tolerance))
        fail_msg("case %03d, %s, %s, %s: %g", c->index, engine_isa_name(c->engine),
                 dst->type == TENSOR_F32 ? "f32" : "bf16", dst->block == 1 ? "plain" : "blocked",
                 difference);
    return difference;
}

#endif
