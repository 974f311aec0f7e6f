/* fuzz: runner
 * Any bytes as a safetensors weight file: opened or refused, and every tensor's data readable. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "weights/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FUZZ_VALUES_MAX 65536 /* converting more teaches nothing and slows the fuzzer */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    /* The other format has a fuzzer of its own. */
    if (len <= 8 || bytes[8] != '{')
        return 0;
    if (!weights_open_memory(bytes, len, &weights, &err)) {
        if (err.kind == ERR_NONE || err.detail[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < weights_count(weights); i++) {
        const struct weight *weight = weights_at(weights, i);
        if (!weights_find(weights, weight->name))
            abort();
        const unsigned char *data = weight->data;
        unsigned char sum = 0;
        for (size_t k = 0; k < weight->bytes; k++)
            sum = (unsigned char)(sum + data[k]);
        __asm__ volatile("" : : "r"(sum));
        if (weight->type > WEIGHT_BF16 || weight->count > FUZZ_VALUES_MAX)
            continue;
        float *values = malloc((size_t)weight->count * sizeof *values + 1);
        if (values && !weight_to_f32(weight, values, &err))
            abort();
        free(values);
    }
    weights_close(weights);
    return 0;
}
