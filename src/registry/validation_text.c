/* Texts in validation: types, numbers as the public API prints them, and string formats.
 * Hostile input; pure. */
#include "registry/validation_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- Types ------------------------------------------------------------------------------------
 */

static bool is_whole(const json_t *value)
{
    double number;

    if (json_is_integer(value))
        return true;
    if (!json_is_real(value))
        return false;
    number = json_real_value(value);
    return isfinite(number) && floor(number) == number;
}

const char *validation_type_text(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return is_whole(value) ? "integer" : "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    default:
        return "null";
    }
}

/* ---- Numbers ----------------------------------------------------------------------------------
 */

/* Significant digits and decimal exponent (of the first digit) of a number's magnitude. */
static int shortest_digits(const json_t *number, char digits[24], int *ret_exponent)
{
    char text[64];
    const char *e;
    int len = 0;

    if (json_is_integer(number)) {
        json_int_t value = json_integer_value(number);
        unsigned long long magnitude =
            value < 0 ? 0ull - (unsigned long long)value : (unsigned long long)value;

        len = snprintf(digits, 24, "%llu", magnitude);
        *ret_exponent = len - 1;
    } else {
        double value =
            json_real_value(number) < 0 ? -json_real_value(number) : json_real_value(number);

        for (int precision = 0; precision < 17; precision++) {
            snprintf(text, sizeof(text), "%.*e", precision, value);
            if (strtod(text, NULL) == value)
                break;
        }
        for (e = text; *e && *e != 'e'; e++)
            if (isdigit((unsigned char)*e) && len < 23)
                digits[len++] = *e;
        digits[len] = '\0';
        *ret_exponent = *e ? (int)strtol(e + 1, NULL, 10) : 0;
    }
    while (len > 1 && digits[len - 1] == '0')
        digits[--len] = '\0';
    return len;
}

void validation_number_text(const json_t *number, char *ret_text)
{
    char digits[24];
    int exponent, len = shortest_digits(number, digits, &exponent);
    bool negative = json_number_value(number) < 0;
    const char *sign = negative ? "-" : "";

    if (len == 1 && digits[0] == '0') {
        snprintf(ret_text, VALIDATION_NUMBER_SIZE, "0");
        return;
    }
    /* Go's rule for the shortest %g: six digits decide when the exponent form is taken. */
    if (exponent < -4 || exponent >= 6)
        snprintf(ret_text, VALIDATION_NUMBER_SIZE, "%s%c%s%se%c%02d", sign, digits[0],
                 len > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(ret_text, VALIDATION_NUMBER_SIZE, "%s0.%.*s%s", sign, -exponent - 1, "0000",
                 digits);
    else if (len <= exponent + 1)
        snprintf(ret_text, VALIDATION_NUMBER_SIZE, "%s%s%.*s", sign, digits, exponent + 1 - len,
                 "000000");
    else
        snprintf(ret_text, VALIDATION_NUMBER_SIZE, "%s%.*s.%s", sign, exponent + 1, digits,
                 digits + exponent + 1);
}

/* ---- Formats ----------------------------------------------------------------------------------
 */

static bool escapes_are_valid(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' && (i + 2 >= text.len || !isxdigit((unsigned char)text.ptr[i + 1]) ||
                                   !isxdigit((unsigned char)text.ptr[i + 2])))
            return false;
    return true;
}

/* "user@host:port" */
static bool authority_is_valid(struct str authority)
{
    struct str user, host = authority;
    ptrdiff_t bracket;

    if (str_cut(authority, '@', &user, &host) && !escapes_are_valid(user))
        return false;
    if (str_starts(host, S("["))) {
        bracket = str_find(host, S("]"));
        if (bracket < 0)
            return false;
        host = str_skip(host, (size_t)bracket + 1);
    } else {
        while (host.len > 0 && host.ptr[0] != ':') {
            if (strchr(" <>\"^`{}|", host.ptr[0]))
                return false;
            host = str_skip(host, 1);
        }
    }
    if (host.len == 0)
        return true;
    if (host.ptr[0] != ':')
        return false;
    for (size_t i = 1; i < host.len; i++)
        if (!isdigit((unsigned char)host.ptr[i]))
            return false;
    return true;
}

/* Parseable, with a scheme, without a backslash. What follows a scheme without a slash (data:) is
 * opaque and may be anything but control characters. */
static bool is_uri(struct str text)
{
    struct str rest, head, fragment;
    size_t scheme = 0;

    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f || text.ptr[i] == '\\')
            return false;
    while (scheme < text.len && (isalnum((unsigned char)text.ptr[scheme]) ||
                                 (scheme > 0 && strchr("+-.", text.ptr[scheme]))))
        scheme++;
    if (scheme == 0 || scheme >= text.len || text.ptr[scheme] != ':' ||
        !isalpha((unsigned char)text.ptr[0]))
        return false;
    rest = str_skip(text, scheme + 1);
    if (str_cut(rest, '#', &head, &fragment)) {
        if (!escapes_are_valid(fragment))
            return false;
        rest = head;
    }
    if (str_cut(rest, '?', &head, &fragment))
        rest = head;
    if (rest.len == 0 || rest.ptr[0] != '/')
        return true;
    if (str_starts(rest, S("//")) && !str_starts(rest, S("///"))) {
        rest = str_skip(rest, 2);
        for (scheme = 0; scheme < rest.len && rest.ptr[scheme] != '/'; scheme++)
            ;
        if (!authority_is_valid((struct str){ rest.ptr, scheme }))
            return false;
        rest = str_skip(rest, scheme);
    }
    return escapes_are_valid(rest);
}

static bool is_address(struct str text, int family)
{
    char copy[64];
    unsigned char address[16];

    return str_copy(text, copy, sizeof(copy)) && inet_pton(family, copy, address) == 1;
}

static bool is_uuid(struct str text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text.ptr[i] != '-' : !isxdigit((unsigned char)text.ptr[i]))
            return false;
    }
    return true;
}

static bool is_date_time(struct str text)
{
    int64_t unix_us;

    return text.len > 10 && clock_parse(text, &unix_us);
}

static bool is_date(struct str text)
{
    int64_t unix_us;

    return text.len == 10 && clock_parse(text, &unix_us);
}

static bool is_email(struct str text)
{
    ptrdiff_t at = str_find(text, S("@"));

    return at > 0 && (size_t)at + 1 < text.len && str_find(text, S(" ")) < 0;
}

static bool is_ipv4(struct str text)
{
    return is_address(text, AF_INET);
}

static bool is_ipv6(struct str text)
{
    return is_address(text, AF_INET6);
}

bool validation_format_matches(const char *format, struct str text)
{
    static const struct {
        const char *name;
        bool (*matches)(struct str text);
    } formats[] = {
        { "uri", is_uri },   { "iri", is_uri },     { "date-time", is_date_time },
        { "date", is_date }, { "email", is_email }, { "ipv4", is_ipv4 },
        { "ipv6", is_ipv6 }, { "uuid", is_uuid },
    };

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (strcmp(formats[i].name, format) == 0)
            return formats[i].matches(text);
    return true;
}
