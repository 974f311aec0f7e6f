/* What the engine's tests share: seeded numbers, engines of every kind, and naive copies between
 * plain arrays and tensors (so that no operator is judged by another one). */
#ifndef MIMEO_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H
#define MIMEO_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "engine/engine.h"

static uint32_t fixture_state = 1;

static inline uint32_t fixture_bits(void)
{
    fixture_state = fixture_state * 1664525u + 1013904223u;
    return fixture_state >> 8;
}

/* 0 .. count - 1 */
static inline int fixture_below(int count)
{
    return (int)(fixture_bits() % (uint32_t)count);
}

/* -scale .. scale */
static inline float fixture_float(float scale)
{
    return ((float)fixture_bits() / 8388608.0f - 1.0f) * scale;
}

static inline float *fixture_floats(size_t count, float scale)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = fixture_float(scale);
    return values;
}

/* An engine, or NULL where the machine cannot. */
static inline struct engine *fixture_engine(struct engine_options options)
{
    struct engine *engine = NULL;
    struct err err = { 0 };
    if (engine_new(&options, &engine, &err))
        return engine;
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    return NULL;
}

static inline size_t fixture_index(const struct tensor *tensor, int channel, int y, int x)
{
    size_t block = (size_t)tensor->block;
    return (((size_t)channel / block * tensor->height + y) * tensor->width + x) * block +
           (size_t)channel % block;
}

static inline float fixture_get(const struct tensor *tensor, int channel, int y, int x)
{
    size_t at = fixture_index(tensor, channel, y, x);
    if (tensor->type == TENSOR_F32)
        return ((const float *)tensor->data)[at];
    uint32_t bits = (uint32_t)((const uint16_t *)tensor->data)[at] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Fill a tensor from [channels][height][width], the padding of the last block with zeros. bf16
 * numbers are cut, and `values` takes what is left of them. */
static inline void fixture_put(const struct tensor *tensor, float *values)
{
    memset(tensor->data, 0, tensor_bytes(tensor));
    for (int channel = 0; channel < tensor->channels; channel++)
        for (int y = 0; y < tensor->height; y++)
            for (int x = 0; x < tensor->width; x++, values++) {
                size_t at = fixture_index(tensor, channel, y, x);
                uint32_t bits;
                memcpy(&bits, values, sizeof bits);
                if (tensor->type == TENSOR_F32) {
                    ((float *)tensor->data)[at] = *values;
                    continue;
                }
                ((uint16_t *)tensor->data)[at] = (uint16_t)(bits >> 16);
                bits &= 0xffff0000u;
                memcpy(values, &bits, sizeof bits);
            }
}

/* The largest difference to [channels][height][width]; padding that is not zero counts as 1000. */
static inline double fixture_difference(const struct tensor *tensor, const float *values)
{
    double largest = 0;
    int padded = tensor_blocks(tensor) * tensor->block;
    for (int channel = 0; channel < padded; channel++)
        for (int y = 0; y < tensor->height; y++)
            for (int x = 0; x < tensor->width; x++) {
                double value = (double)fixture_get(tensor, channel, y, x);
                if (channel >= tensor->channels) {
                    largest = value != 0.0 ? 1000 : largest;
                    continue;
                }
                double difference = fabs(value - (double)*values++);
                largest = difference > largest || isnan(difference) ? difference : largest;
            }
    return largest;
}

static inline struct tensor fixture_tensor(struct engine *engine, int channels, int height,
                                           int width)
{
    struct tensor tensor;
    struct err err = { 0 };
    assert_true(engine_tensor(engine, channels, height, width, &tensor, &err));
    return tensor;
}

#endif
