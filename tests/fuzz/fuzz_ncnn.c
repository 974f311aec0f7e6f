/* fuzz: runner
 * Any bytes as the two files of an ncnn network: the .param up to the first zero byte, then the
 * .bin. Opened or refused, and every tensor's data readable. */
#include <string.h>

#include "base/str.h"
#include "weights/weights_private.h"
#include "weights_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    struct str param = { (const char *)bytes, len }, bin = { NULL, 0 };
    (void)str_cut(param, '\0', &param, &bin);
    if (!ncnn_matches(param))
        return 0;
    bool opened = weights_open_two(param, bin, &weights, &err);
    weights_walk_result(opened, weights, &err);
    return 0;
}
