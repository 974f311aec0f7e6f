#include "base/str.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

struct str str_from(const char *c_string)
{
    return (struct str){ c_string, c_string ? strlen(c_string) : 0 };
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_equal_nocase(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_equal((struct str){ s.ptr, prefix.len }, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_equal(str_skip(s, s.len - suffix.len), suffix);
}

struct str str_skip(struct str s, size_t n)
{
    if (n >= s.len)
        return (struct str){ NULL, 0 };
    return (struct str){ s.ptr + n, s.len - n };
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_space(s.ptr[0]))
        s = str_skip(s, 1);
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    const char *hit = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return hit ? hit - s.ptr : -1;
}

bool str_cut(struct str s, char separator, struct str *ret_head, struct str *ret_tail)
{
    const char *hit = s.len ? memchr(s.ptr, separator, s.len) : NULL;
    if (!hit)
        return false;
    size_t at = (size_t)(hit - s.ptr);
    *ret_head = (struct str){ s.ptr, at };
    *ret_tail = str_skip(s, at + 1);
    return true;
}

bool str_copy(struct str s, char *array, size_t size)
{
    array[0] = '\0';
    if (s.len >= size)
        return false;
    if (s.len)
        memcpy(array, s.ptr, s.len);
    array[s.len] = '\0';
    return true;
}

bool str_to_int64(struct str s, int64_t *ret_value)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative)
        s = str_skip(s, 1);
    if (s.len == 0 || s.len > 19)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    if (value > (uint64_t)INT64_MAX)
        return false;
    *ret_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

int str_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool str_equal_constant_time(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}

/* How many continuation bytes follow lead byte c, and the smallest code point allowed then. */
static int utf8_extra(unsigned char c, uint32_t *ret_bits, uint32_t *ret_min)
{
    if (c < 0x80) {
        *ret_bits = c;
        *ret_min = 0;
        return 0;
    }
    if ((c & 0xe0) == 0xc0) {
        *ret_bits = c & 0x1fu;
        *ret_min = 0x80;
        return 1;
    }
    if ((c & 0xf0) == 0xe0) {
        *ret_bits = c & 0x0fu;
        *ret_min = 0x800;
        return 2;
    }
    if ((c & 0xf8) == 0xf0) {
        *ret_bits = c & 0x07u;
        *ret_min = 0x10000;
        return 3;
    }
    return -1;
}

bool str_is_utf8(struct str s)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t code = 0, min = 0;
        int extra = utf8_extra((unsigned char)s.ptr[i++], &code, &min);
        if (extra < 0 || (size_t)extra > s.len - i)
            return false;
        for (int k = 0; k < extra; k++) {
            unsigned char c = (unsigned char)s.ptr[i++];
            if ((c & 0xc0) != 0x80)
                return false;
            code = code << 6 | (c & 0x3fu);
        }
        if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}
