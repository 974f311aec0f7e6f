/* Mappings of YAML files against tables of their keys. */
#include "registry/keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

#define KEYS_NAME_MAX 100   /* characters; owner and name together fit a file name */
#define KEYS_FOLDER_MAX 500 /* characters; far below PATH_MAX, which the weights folder shares */

static bool is_time(const json_t *value)
{
    int64_t unix_us;

    return json_is_string(value) && clock_parse(str_from(json_string_value(value)), &unix_us);
}

static bool is_url(const json_t *value)
{
    struct str text = str_from(json_string_value(value));

    return json_is_string(value) &&
           (str_starts(text, S("https://")) || str_starts(text, S("http://")));
}

bool keys_is_name(struct str text)
{
    if (text.len == 0 || text.len > KEYS_NAME_MAX || text.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!memchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
                    text.ptr[i], 65))
            return false;
    return true;
}

static bool is_folder(const json_t *value)
{
    struct str name, rest = str_from(json_string_value(value));

    if (!json_is_string(value) || rest.len > KEYS_FOLDER_MAX)
        return false;
    while (str_cut(rest, '/', &name, &rest))
        if (!keys_is_name(name))
            return false;
    return keys_is_name(rest);
}

static bool is_price(const json_t *value)
{
    return json_is_number(value) && json_number_value(value) >= 0 &&
           json_number_value(value) <= KEYS_PRICE_MAX;
}

static bool is_strings(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_is_array(value);
}

/* NULL when the value is of that kind, else what was expected. */
static const char *expected_kind(enum keys_kind kind, const json_t *value)
{
    switch (kind) {
    case KEYS_STRING:
        return json_is_string(value) ? NULL : "a string";
    case KEYS_URL:
        return is_url(value) ? NULL : "an http or https URL";
    case KEYS_TIME:
        return is_time(value) ? NULL : "an RFC 3339 time, such as 2024-07-25T03:42:55Z";
    case KEYS_BOOLEAN:
        return json_is_boolean(value) ? NULL : "true or false";
    case KEYS_COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL
                                                                        : "a count (0 or more)";
    case KEYS_PRICE:
        return is_price(value) ? NULL : "dollars (a number, 0 to 1000)";
    case KEYS_FOLDER:
        return is_folder(value) ? NULL : "a folder's path (plain names, single slashes)";
    case KEYS_LIST:
        return json_is_array(value) ? NULL : "a list";
    case KEYS_STRINGS:
        return is_strings(value) ? NULL : "a list of strings";
    case KEYS_MAPPING:
        return json_is_object(value) ? NULL : "a mapping";
    case KEYS_ANY:
        break;
    }
    return NULL;
}

bool keys_error(struct err *err, const char *key, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(err, ERR_INVALID, "%s", text);
    if (err)
        str_copy(str_from(key), err->field, sizeof(err->field));
    return false;
}

static const struct keys_row *find_row(const struct keys_row *rows, const char *name)
{
    for (; rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

bool keys_check(const struct keys_row *rows, const json_t *object, const char *what,
                struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        const struct keys_row *row = find_row(rows, key);
        const char *expected;

        if (!row)
            return keys_error(err, key, "unknown key '%.60s' in %s", key, what);
        if (json_is_null(value) && !row->required)
            continue;
        expected = expected_kind(row->kind, value);
        if (expected)
            return keys_error(err, key, "'%s' in %s must be %s", key, what, expected);
    }
    for (; rows->name; rows++)
        if (rows->required && !json_object_get(object, rows->name))
            return err_set(err, ERR_INVALID, "%s has no '%s'", what, rows->name);
    return true;
}

/* The line a key stands in: values know no lines, but a reader wants one. 0: not found. */
static int line_of_key(struct str yaml, const char *key)
{
    struct str line, rest = yaml, wanted = str_from(key);
    int number = 0;

    while (rest.len > 0) {
        number++;
        if (!str_cut(rest, '\n', &line, &rest)) {
            line = rest;
            rest.len = 0;
        }
        line = str_trim(line);
        if (str_starts(line, S("- ")))
            line = str_trim(str_skip(line, 2));
        if (str_starts(line, wanted) && str_starts(str_skip(line, wanted.len), S(":")))
            return number;
    }
    return 0;
}

void keys_name_line(struct str yaml, struct err *err)
{
    char detail[sizeof(err->detail)];
    int line = err->field[0] ? line_of_key(yaml, err->field) : 0;

    if (line <= 0)
        return;
    str_copy(str_from(err->detail), detail, sizeof(detail));
    err_set(err, ERR_INVALID, "line %d: %.240s", line, detail);
}
