/* Identifiers and randomness: every random byte comes straight from the kernel.
 * Not here: what an id names, or whether it exists. */
#include "base/id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/hash.h"

void id_random_bytes(void *ret_bytes, size_t len)
{
    unsigned char *at = ret_bytes;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* guessable ids and tokens would be worse than no server */
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

void id_prediction(int64_t now_ms, char ret_id[ID_PREDICTION_LEN + 1])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char bytes[17] = { 0 }; /* the last one pads 128 bits to 26 groups of 5 */
    id_random_bytes(bytes, 16);
    bytes[6] = 0x71;
    bytes[7] = (unsigned char)(0x06 + bytes[7] % 0x49); /* the range seen: 0x06 to 0x4e */
    /* Replicate's ids hold at least the upper four bytes. All six put new ids side by side in an
     * index over the halves swapped (see store/sql); 64 random bits and byte 7 are left. */
    for (int i = 0; i < 6; i++)
        bytes[8 + i] = (unsigned char)(now_ms >> (40 - 8 * i));
    for (unsigned i = 0; i < ID_PREDICTION_LEN; i++) {
        unsigned bit = i * 5;
        unsigned pair = (unsigned)bytes[bit / 8] << 8;
        if (bit / 8 + 1 < sizeof bytes)
            pair |= bytes[bit / 8 + 1];
        ret_id[i] = alphabet[pair >> (11 - bit % 8) & 31];
    }
    ret_id[ID_PREDICTION_LEN] = '\0';
}

bool id_is_prediction(struct str s)
{
    if (s.len != ID_PREDICTION_LEN)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool digit = s.ptr[i] >= '0' && s.ptr[i] <= '9';
        if (!digit && (s.ptr[i] < 'a' || s.ptr[i] > 'z'))
            return false;
    }
    return true;
}

void id_file(char ret_id[ID_FILE_LEN + 1])
{
    unsigned char bytes[16];
    id_random_bytes(bytes, sizeof bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4, RFC 9562 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    char hex[33], uuid[40];
    hash_hex(bytes, sizeof bytes, hex);
    snprintf(uuid, sizeof uuid, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
    struct buf text;
    buf_init(&text, 64);
    if (!base64_encode(str_from(uuid), BASE64_URL, &text))
        abort(); /* 48 bytes of memory */
    memcpy(ret_id, text.ptr, ID_FILE_LEN);
    ret_id[ID_FILE_LEN] = '\0';
    buf_done(&text);
}

void id_random_text(char *ret_text, size_t len)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t i = 0; i < len;) {
        unsigned char bytes[64];
        id_random_bytes(bytes, sizeof bytes);
        for (size_t k = 0; k < sizeof bytes && i < len; k++) {
            /* 248 = 4 * 62: leaving the rest out keeps every character equally likely. */
            if (bytes[k] < 248)
                ret_text[i++] = alphabet[bytes[k] % 62];
        }
    }
    ret_text[len] = '\0';
}
