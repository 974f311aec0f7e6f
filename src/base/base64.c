/* Base64, both alphabets. Not here: digests and hexadecimal (hash.c). */
#include "base/base64.h"

/* ---- Base64 -------------------------------------------------------------------------------- */

static char base64_digit(unsigned value, enum base64_alphabet alphabet)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (value < 62)
        return digits[value];
    if (alphabet == BASE64_URL)
        return value == 62 ? '-' : '_';
    return value == 62 ? '+' : '/';
}

bool base64_encode(struct str bytes, enum base64_alphabet alphabet, struct buf *out)
{
    if (bytes.len > SIZE_MAX / 2 || !buf_reserve(out, (bytes.len + 2) / 3 * 4))
        return false;
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        unsigned group = (unsigned)at[i] << 16;
        if (count > 1)
            group |= (unsigned)at[i + 1] << 8;
        if (count > 2)
            group |= at[i + 2];
        char text[4];
        for (unsigned k = 0; k < 4; k++)
            text[k] = k <= count ? base64_digit(group >> (18 - 6 * k) & 63, alphabet) : '=';
        buf_append(out, text, alphabet == BASE64_URL ? count + 1 : 4);
    }
    return !out->failed;
}

/* A digit's value; -1: not one, -2: white space. */
static int base64_value(char c, enum base64_alphabet alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (alphabet == BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (alphabet == BASE64_URL ? '_' : '/'))
        return 63;
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? -2 : -1;
}

/* The end: what may stand after the last digit is padding that completes a group of four. */
static bool base64_check_padding(struct str rest, unsigned digits)
{
    unsigned padding = 0;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '=')
            padding++;
        else if (base64_value(rest.ptr[i], BASE64_STANDARD) != -2)
            return false;
    }
    return padding == 0 || (digits > 1 && digits + padding == 4);
}

bool base64_decode(struct str text, enum base64_alphabet alphabet, struct buf *out)
{
    size_t start = out->len;
    if (out->failed)
        return false;
    if (!buf_reserve(out, text.len / 4 * 3))
        out->failed = false; /* white space may make it fit all the same; each append checks */
    unsigned group = 0, digits = 0; /* digits: of the group under way */
    size_t i = 0;
    for (; i < text.len && text.ptr[i] != '='; i++) {
        int value = base64_value(text.ptr[i], alphabet);
        if (value == -2)
            continue;
        if (value < 0)
            goto refuse;
        group = group << 6 | (unsigned)value;
        if (++digits == 4) {
            char bytes[3] = { (char)(group >> 16), (char)(group >> 8), (char)group };
            if (!buf_append(out, bytes, 3))
                return false;
            group = digits = 0;
        }
    }
    if (digits == 1 || !base64_check_padding(str_skip(text, i), digits))
        goto refuse;
    if (digits > 1) {
        unsigned bits = group << (6 * (4 - digits));
        char bytes[2] = { (char)(bits >> 16), (char)(bits >> 8) };
        return buf_append(out, bytes, digits - 1);
    }
    return true;
refuse:
    out->len = start;
    if (out->ptr)
        out->ptr[start] = '\0';
    return false;
}
