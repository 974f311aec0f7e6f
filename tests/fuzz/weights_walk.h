/* What the fuzzers of weight files do with what was read: every tensor found by its name, every
 * byte of its data read, its numbers converted. */
#ifndef MIMEO_TESTS_FUZZ_WEIGHTS_WALK_H
#define MIMEO_TESTS_FUZZ_WEIGHTS_WALK_H

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "weights/weights.h"

#define WALK_VALUES_MAX 65536 /* converting more teaches nothing and slows the fuzzer */

static inline void weights_walk(const struct weights *weights)
{
    struct err err = { 0 };
    for (size_t i = 0; i < weights_count(weights); i++) {
        const struct weight *weight = weights_at(weights, i);
        if (!weights_find(weights, weight->name))
            abort();
        const unsigned char *data = weight->data;
        unsigned char sum = 0;
        for (size_t k = 0; k < weight->bytes; k++)
            sum = (unsigned char)(sum + data[k]);
        __asm__ volatile("" : : "r"(sum));
        if (weight->type > WEIGHT_BF16 || weight->count > WALK_VALUES_MAX)
            continue;
        float *values = malloc((size_t)weight->count * sizeof *values + 1);
        if (values && !weight_to_f32(weight, values, &err))
            abort();
        free(values);
    }
}

/* Walk and close what was opened, or see that the error says something. */
static inline void weights_walk_result(bool opened, struct weights *weights, const struct err *err)
{
    if (!opened && (err->kind == ERR_NONE || err->detail[0] == '\0'))
        abort();
    if (opened)
        weights_walk(weights);
    weights_close(weights);
}

#endif
