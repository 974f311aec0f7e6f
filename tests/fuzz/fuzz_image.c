/* fuzz: runner
 * Any bytes as a picture: decoded to pixels that can all be read, or refused with a sentence. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
const char *__lsan_default_suppressions(void);

/* libheif 1.15 forgets a handful of bytes of its AV1 decoder when a picture is broken. That is not
 * ours to mend, and it would hide leaks that are. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libdav1d\nleak:libheif\nleak:libde265\n";
}

/* Decoding a large blank picture from a small file is allowed, and a waste of the fuzzer's time. */
#define FUZZ_SIDE_MAX 2048

/* The size that a GIF or PNG header claims, which is enough to skip the slow ones. */
static int claims_large(const uint8_t *bytes, size_t len)
{
    if (len > 24 && bytes[0] == 0x89)
        return (bytes[16] | bytes[17] | bytes[20] | bytes[21]) != 0 ||
               (bytes[18] << 8 | bytes[19]) > FUZZ_SIDE_MAX ||
               (bytes[22] << 8 | bytes[23]) > FUZZ_SIDE_MAX;
    if (len > 10 && bytes[0] == 'G')
        return (bytes[6] | bytes[7] << 8) > FUZZ_SIDE_MAX ||
               (bytes[8] | bytes[9] << 8) > FUZZ_SIDE_MAX;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct image image = { 0 };
    struct err err = { 0 };
    if (claims_large(bytes, len))
        return 0;
    if (!image_open_memory(bytes, len, &image, &err)) {
        if (err.kind == ERR_NONE || err.detail[0] == '\0' || image.pixels)
            abort();
        return 0;
    }
    if (image.width < 1 || image.height < 1 || (image.bits != 8 && image.bits != 16))
        abort();
    size_t size = (size_t)image.width * (size_t)image.height * 4 * (size_t)(image.bits / 8);
    const uint8_t *pixels = image.pixels;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + pixels[i]);
    __asm__ volatile("" : : "r"(sum));
    image_done(&image);
    return 0;
}
