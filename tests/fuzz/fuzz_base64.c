/* fuzz: server
 * base64_decode over any text, in both alphabets; what is decoded must encode to the same bytes
 * again. And any bytes must survive encoding and decoding. */
#include <stdlib.h>

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(struct str text, enum base64_alphabet alphabet)
{
    struct buf bytes, encoded, again;
    buf_init(&bytes, text.len);
    buf_init(&encoded, text.len * 2 + 8);
    buf_init(&again, text.len);
    if (base64_decode(text, alphabet, &bytes)) {
        must(base64_encode(buf_str(&bytes), alphabet, &encoded));
        must(base64_decode(buf_str(&encoded), alphabet, &again));
        must(str_equal(buf_str(&bytes), buf_str(&again)));
    } else {
        must(bytes.len == 0);
    }
    buf_clear(&encoded);
    buf_clear(&again);
    must(base64_encode(text, alphabet, &encoded));
    must(base64_decode(buf_str(&encoded), alphabet, &again));
    must(str_equal(text, buf_str(&again)));
    buf_done(&bytes);
    buf_done(&encoded);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    check(text, BASE64_STANDARD);
    check(text, BASE64_URL);
    return 0;
}
