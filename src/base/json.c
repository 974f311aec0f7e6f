/* JSON: parsing with jansson under our limits, and a writer of our own, because jansson prints 0.8
 * as 0.80000000000000004 and cannot sort keys at every depth by bytes.
 * Not here: JSON schemas (registry/validation), YAML (base/yaml). */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define JSON_DEPTH_MAX 128
/* Values in one text, an object counting as eight, a list as three: some 250 MB of memory at most.
 * A prediction's output, 16 MB of empty texts, has fewer. */
#define JSON_VALUES_MAX 4500000
#define JSON_OBJECT_VALUES 8
#define JSON_ARRAY_VALUES 3

/* A position in a text, for messages; both count from 1. */
struct json_place {
    int line, column;
};

static struct json_place json_place_at(struct str text, size_t offset)
{
    struct json_place place = { 1, 1 };
    for (size_t i = 0; i < offset && i < text.len; i++) {
        place.column++;
        if (text.ptr[i] == '\n') {
            place.line++;
            place.column = 1;
        }
    }
    return place;
}

/* The offset just after the string literal that begins at `at` (or the end of the text). */
static size_t json_skip_string(struct str text, size_t at)
{
    for (at++; at < text.len; at++) {
        if (text.ptr[at] == '\\')
            at++;
        else if (text.ptr[at] == '"')
            return at + 1;
    }
    return text.len;
}

/* What jansson does not check as we want it: it recurses per level, up to 2,048 levels, and takes a
 * zero byte for the end of the text. */
static bool json_check_shape(struct str text, struct err *err)
{
    const char *zero = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    if (zero) {
        struct json_place place = json_place_at(text, (size_t)(zero - text.ptr));
        return err_set(err, ERR_INVALID, "JSON holds a zero byte (line %d column %d)", place.line,
                       place.column);
    }
    int depth = 0;
    size_t values = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"') {
            i = json_skip_string(text, i) - 1;
        } else if (c == ',') {
            values++;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX) {
                struct json_place place = json_place_at(text, i);
                return err_set(err, ERR_INVALID,
                               "JSON is nested deeper than %d levels (line %d column %d)",
                               JSON_DEPTH_MAX, place.line, place.column);
            }
            values += c == '{' ? JSON_OBJECT_VALUES : JSON_ARRAY_VALUES;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return values <= JSON_VALUES_MAX || err_set(err, ERR_INVALID, "JSON has too many values");
}

/* The length of the number token at the start of s; *ret_whole tells whether it is an integer. */
static size_t json_number_len(struct str s, bool *ret_whole)
{
    size_t len = 0;
    *ret_whole = true;
    for (; len < s.len; len++) {
        char c = s.ptr[len];
        if (c == '.' || c == 'e' || c == 'E')
            *ret_whole = false;
        else if (c != '-' && c != '+' && (c < '0' || c > '9'))
            break;
    }
    return len;
}

static bool json_integer_fits(struct str token)
{
    char text[24];
    if (!str_copy(token, text, sizeof text))
        return false;
    errno = 0;
    (void)strtoll(text, NULL, 10);
    return errno == 0;
}

/* Copy the text, giving every integer beyond 64 bits a ".0", so that it is read as a real. Only
 * those: turning all integers into reals would change what the rest of the text means. */
static bool json_widen_integers(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len;) {
        size_t next = i + 1;
        bool widen = false;
        char c = text.ptr[i];
        if (c == '"') {
            next = json_skip_string(text, i);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            bool whole = false;
            struct str token = str_skip(text, i);
            token.len = json_number_len(token, &whole);
            next = i + token.len;
            widen = whole && !json_integer_fits(token);
        }
        buf_append(out, text.ptr + i, next - i);
        if (widen)
            buf_append_str(out, S(".0"));
        i = next;
    }
    return !out->failed;
}

static json_t *json_load(struct str text, json_error_t *error)
{
    return json_loadb(text.len ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                      error);
}

bool json_parse(struct str text, json_t **ret_value, struct err *err)
{
    if (!json_check_shape(text, err))
        return false;
    json_error_t error;
    json_t *value = json_load(text, &error);
    if (!value && json_error_code(&error) == json_error_numeric_overflow) {
        struct buf wide;
        buf_init(&wide, text.len * 2 + 64);
        if (json_widen_integers(text, &wide))
            value = json_load(buf_str(&wide), &error);
        buf_done(&wide);
    }
    if (!value) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return err_set(err, ERR_NO_MEMORY, "not enough memory to read JSON");
        /* jansson quotes the text near the mistake: not ours to repeat (it may be a prompt). */
        char *near = strstr(error.text, " near ");
        if (near)
            *near = '\0';
        char *advice = strstr(error.text, " without JSON_"); /* to a programmer */
        if (advice)
            *advice = '\0';
        return err_set(err, ERR_INVALID, "JSON is not well formed: %s (line %d column %d)",
                       error.text, error.line, error.column);
    }
    *ret_value = value;
    return true;
}

/* ---- Writing ------------------------------------------------------------------------------- */

/* The number of bytes of the well-formed UTF-8 sequence at the start of s, or 0. */
static size_t json_utf8_len(struct str s)
{
    unsigned char lead = (unsigned char)s.ptr[0];
    size_t len = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (len > s.len || !str_is_utf8((struct str){ s.ptr, len }))
        return 0;
    return len;
}

static bool json_write_special(unsigned char c, struct buf *out)
{
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t i = 0; i < sizeof shorts - 1; i += 2) {
        if ((unsigned char)shorts[i] == c)
            return buf_append_char(out, '\\') && buf_append_char(out, shorts[i + 1]);
    }
    return buf_printf(out, "\\u%04x", (unsigned)c);
}

bool json_write_string(struct str s, struct buf *out)
{
    buf_append_char(out, '"');
    size_t start = 0, i = 0;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t len = c < 0x80 ? 0 : json_utf8_len(str_skip(s, i));
        if (len) {
            i += len;
            continue;
        }
        buf_append(out, s.ptr + start, i - start);
        if (c < 0x80)
            json_write_special(c, out);
        else
            buf_append_str(out, S("\xef\xbf\xbd"));
        start = ++i;
    }
    buf_append(out, s.ptr ? s.ptr + start : "", s.len - start);
    return buf_append_char(out, '"');
}

/* The fewest digits that read back the same value, as "d.ddde+XX". 15 digits give them whenever
 * that reads back; only subnormal numbers, which have fewer, must be tried from 1 up. text has 40
 * bytes. */
static void json_shortest_digits(double value, char *text)
{
    int digits = fpclassify(value) == FP_SUBNORMAL ? 0 : 14;
    for (; digits <= 16; digits++) {
        snprintf(text, 40, "%.*e", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
}

/* As ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20) and Go's encoder print it, so that a
 * receiver that parses a text and writes it again has the same bytes: 1, 0.25, 1e-7, 1e+21. */
static bool json_write_real(double value, struct buf *out)
{
    char text[40], digits[24];
    int count = 0;
    json_shortest_digits(value, text);
    char *exponent_text = strchr(text, 'e');
    int exponent = exponent_text ? (int)strtol(exponent_text + 1, NULL, 10) : 0;
    for (char *c = text; c < exponent_text && count < 20; c++) {
        if (*c >= '0' && *c <= '9') /* also skips the point, whatever a locale makes of it */
            digits[count++] = *c;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (value < 0)
        buf_append_char(out, '-');
    if (exponent < -6 || exponent >= 21) {
        buf_append_char(out, digits[0]);
        if (count > 1)
            buf_append_char(out, '.');
        buf_append(out, digits + 1, (size_t)count - 1);
        return buf_printf(out, "e%+d", exponent);
    }
    if (exponent < 0)
        buf_append_str(out, S("0."));
    for (int i = exponent + 1; i < 0; i++)
        buf_append_char(out, '0');
    for (int i = 0; i < count || i <= exponent; i++) {
        if (i == exponent + 1 && i > 0)
            buf_append_char(out, '.');
        buf_append_char(out, i < count ? digits[i] : '0');
    }
    return !out->failed;
}

static int json_compare_keys(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

static bool json_write_member(const char *key, const json_t *value, bool sort_keys, bool first,
                              struct buf *out)
{
    return (first || buf_append_char(out, ',')) && json_write_string(str_from(key), out) &&
           buf_append_char(out, ':') && json_write(value, sort_keys, out);
}

static bool json_write_object(const json_t *value, bool sort_keys, struct buf *out)
{
    json_t *object = (json_t *)(uintptr_t)value; /* jansson's iterators are not const */
    size_t count = json_object_size(object), i = 0;
    const char **keys = sort_keys && count ? calloc(count, sizeof *keys) : NULL;
    if (sort_keys && count && !keys)
        return !(out->failed = true);
    const char *key;
    json_t *member;
    buf_append_char(out, '{');
    json_object_foreach(object, key, member)
    {
        if (keys)
            keys[i] = key;
        else
            json_write_member(key, member, sort_keys, i == 0, out);
        i++;
    }
    if (keys)
        qsort(keys, count, sizeof *keys, json_compare_keys);
    for (i = 0; keys && i < count; i++)
        json_write_member(keys[i], json_object_get(object, keys[i]), sort_keys, i == 0, out);
    free(keys);
    return buf_append_char(out, '}');
}

static bool json_write_array(const json_t *array, bool sort_keys, struct buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            buf_append_char(out, ',');
        json_write(json_array_get(array, i), sort_keys, out);
    }
    return buf_append_char(out, ']');
}

bool json_write(const json_t *value, bool sort_keys, struct buf *out)
{
    if (out->failed)
        return false;
    if (!value)
        return buf_append_str(out, S("null"));
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_write_object(value, sort_keys, out);
    case JSON_ARRAY:
        return json_write_array(value, sort_keys, out);
    case JSON_STRING:
        return json_write_string(
            (struct str){ json_string_value(value), json_string_length(value) }, out);
    case JSON_INTEGER:
        return buf_printf(out, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return json_write_real(json_real_value(value), out);
    case JSON_TRUE:
        return buf_append_str(out, S("true"));
    case JSON_FALSE:
        return buf_append_str(out, S("false"));
    case JSON_NULL:
        break;
    }
    return buf_append_str(out, S("null"));
}

/* ---- Reading members ----------------------------------------------------------------------- */

const char *json_get_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t json_get_integer(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

double json_get_number(const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool json_get_boolean(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}
