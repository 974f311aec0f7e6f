/* fuzz: runner
 * Any bytes as a safetensors weight file: opened or refused, and every tensor's data readable. */
#include "weights_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    /* The other formats have fuzzers of their own. */
    if (len <= 8 || bytes[8] != '{')
        return 0;
    bool opened = weights_open_memory(bytes, len, &weights, &err);
    weights_walk_result(opened, weights, &err);
    return 0;
}
