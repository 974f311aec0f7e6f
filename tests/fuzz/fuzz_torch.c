/* fuzz: runner
 * Any bytes as a torch checkpoint of either form: opened or refused, every tensor's data readable,
 * and entered by the first part of its first name. */
#include <string.h>

#include "weights_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    /* "PK" or a pickle; the other formats have fuzzers of their own. */
    if (len == 0 || (bytes[0] != 'P' && bytes[0] != 0x80))
        return 0;
    bool opened = weights_open_memory(bytes, len, &weights, &err);
    if (opened && weights_count(weights) > 0) {
        char *prefix = strdup(weights_at(weights, 0)->name);
        if (!prefix)
            abort();
        prefix[strcspn(prefix, ".")] = '\0';
        if (weights_enter(weights, prefix))
            weights_walk(weights);
        free(prefix);
    }
    weights_walk_result(opened, weights, &err);
    return 0;
}
