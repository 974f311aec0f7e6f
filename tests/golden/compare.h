/* What golden tests of networks share: comparing key tables with the reference's state dict, and
 * results with the samples that the scripts in tests/reference keep of a tensor: up to
 * COMPARE_SAMPLES values at even steps of the flattened tensor, or all of a smaller one. */
#ifndef MIMEO_TESTS_COMPARE_H
#define MIMEO_TESTS_COMPARE_H

#include "golden/golden.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "engine/tensor.h"
#include "nn/keys.h"
#include "weights/weights.h"

#define COMPARE_SAMPLES 997

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COMPARE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COMPARE_SANITIZED 1
#endif
#endif
#ifndef COMPARE_SANITIZED
#define COMPARE_SANITIZED 0 /* 1: networks of real size are left out, they take minutes there */
#endif

static inline void compare_fail(const struct err *err)
{
    fail_msg("%s%s", err->detail, err->cause);
}

/* Every line of the file ("NAME D0 D1 ...") must be a key of that shape, and every key but the
 * optional ones a line. */
static inline void compare_keys(const struct keys *keys, const char *path)
{
    char line[512];
    size_t lines = 0, listed = 0;
    FILE *file = fopen(path, "r");
    struct err err = { 0 };
    assert_non_null(file);
    if (!keys_ok(keys, &err))
        compare_fail(&err);
    while (fgets(line, sizeof line, file)) {
        const struct key *key = NULL;
        char *save = NULL, *name = strtok_r(line, " \n", &save);
        for (size_t i = 0; !key && i < keys_count(keys); i++)
            if (strcmp(keys_at(keys, i)->name, name) == 0)
                key = keys_at(keys, i);
        if (!key)
            fail_msg("the table has no %s", name);
        int rank = 0;
        for (char *size; (size = strtok_r(NULL, " \n", &save)) != NULL; rank++)
            if (rank >= key->rank || strtoll(size, NULL, 10) != key->shape[rank])
                fail_msg("%s has another shape in the table", name);
        assert_int_equal(rank, key->rank);
        lines++;
        listed += key->need != KEY_OPTIONAL;
    }
    fclose(file);
    size_t wanted = 0;
    for (size_t i = 0; i < keys_count(keys); i++)
        wanted += keys_at(keys, i)->need != KEY_OPTIONAL;
    assert_int_equal(listed, wanted);
    print_message("%s: %zu tensors, all in the table; none left over\n", path, lines);
}

/* Element (c, y, x) of a plain or blocked tensor, by its number in the flattened plain one. */
static inline double compare_at(const struct tensor *tensor, size_t index)
{
    size_t plane = (size_t)tensor->height * (size_t)tensor->width;
    size_t c = index / plane, pixel = index % plane, block = (size_t)tensor->block;
    size_t at = (c / block * plane + pixel) * block + c % block;
    if (tensor->type == TENSOR_F32)
        return ((const float *)tensor->data)[at];
    uint32_t bits = (uint32_t)((const uint16_t *)tensor->data)[at] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The larger one; what is not a number stays, so that it meets no limit (fmax would drop it). */
static inline double compare_worse(double worst, double difference)
{
    return isnan(worst) || difference <= worst ? worst : difference;
}

/* The largest difference to the samples, divided by the largest sample. */
static inline double compare_samples(const struct weights *fixture, const char *name,
                                     const struct tensor *tensor)
{
    const struct weight *weight = weights_find(fixture, name);
    if (!weight)
        fail_msg("the fixture has no %s", name);
    size_t total = (size_t)tensor->channels * (size_t)tensor->height * (size_t)tensor->width;
    size_t count = total < COMPARE_SAMPLES ? total : COMPARE_SAMPLES;
    float samples[COMPARE_SAMPLES];
    double largest = 0, difference = 0;
    assert_int_equal(weight->count, count);
    assert_true(weight_to_f32(weight, samples, NULL));
    for (size_t i = 0; i < count; i++) {
        double value = compare_at(tensor, i * total / count);
        assert_true(isfinite(value));
        largest = fmax(largest, fabs((double)samples[i]));
        difference = fmax(difference, fabs(value - (double)samples[i]));
    }
    assert_true(largest > 0);
    return difference / largest;
}

#endif
