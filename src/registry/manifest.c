/* Manifests: one model each, as YAML, checked strictly so that a misspelt key is told and not
 * silently left out. Reference: docs/manifests.md. Not here: joining a manifest with what the
 * runner says of its model (registry.c), what `weights` means (pull/ and the runners read it). */
#include "registry/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "registry/registry.h"

enum value_kind {
    VALUE_STRING,
    VALUE_URL,
    VALUE_TIME,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_LIST,
    VALUE_OBJECT,
    VALUE_ANY
};

struct key_row {
    const char *name; /* NULL ends a table */
    enum value_kind kind;
    bool required;
};

static const struct key_row manifest_keys[] = {
    { "owner", VALUE_STRING, true },
    { "name", VALUE_STRING, true },
    { "description", VALUE_STRING, false },
    { "visibility", VALUE_STRING, false },
    { "github_url", VALUE_URL, false },
    { "paper_url", VALUE_URL, false },
    { "license_url", VALUE_URL, false },
    { "cover_image_url", VALUE_URL, false },
    { "weights_url", VALUE_URL, false },
    { "created_at", VALUE_TIME, false },
    { "run_count", VALUE_INTEGER, false },
    { "official", VALUE_BOOLEAN, false },
    { "readme", VALUE_STRING, false },
    { "runner", VALUE_STRING, false },
    { "model", VALUE_STRING, false },
    { "versions", VALUE_LIST, false },
    { "aliases", VALUE_LIST, false },
    { "weights", VALUE_ANY, false },
    { "default_example", VALUE_OBJECT, false },
    { "schema", VALUE_OBJECT, false },
    { NULL, VALUE_ANY, false },
};

static const struct key_row version_keys[] = {
    { "id", VALUE_STRING, true },           { "created_at", VALUE_TIME, true },
    { "cog_version", VALUE_STRING, false }, { "aliases", VALUE_LIST, false },
    { "schema", VALUE_OBJECT, false },      { NULL, VALUE_ANY, false },
};

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

/* NULL when the value is of that kind, else what was expected. */
static const char *expected_kind(enum value_kind kind, const json_t *value)
{
    switch (kind) {
    case VALUE_STRING:
        return json_is_string(value) ? NULL : "a string";
    case VALUE_URL:
        return is_url(value) ? NULL : "an http or https URL";
    case VALUE_TIME:
        return is_time(value) ? NULL : "an RFC 3339 time, such as 2024-07-25T03:42:55Z";
    case VALUE_BOOLEAN:
        return json_is_boolean(value) ? NULL : "true or false";
    case VALUE_INTEGER:
        return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL
                                                                        : "a count (0 or more)";
    case VALUE_LIST:
        return json_is_array(value) ? NULL : "a list";
    case VALUE_OBJECT:
        return json_is_object(value) ? NULL : "a mapping";
    case VALUE_ANY:
        break;
    }
    return NULL;
}

static const struct key_row *find_row(const struct key_row *rows, const char *name)
{
    for (; rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

/* err_set, and which key it is about, so that its line can be found. */
static bool key_error(struct err *err, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static bool key_error(struct err *err, const char *key, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(err, ERR_INVALID, "%s", text);
    str_copy(str_from(key), err->field, sizeof(err->field));
    return false;
}

/* Keys of one mapping against a table; what names the mapping in messages. */
static bool check_keys(const struct key_row *rows, const json_t *object, const char *what,
                       struct err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        const struct key_row *row = find_row(rows, key);
        const char *expected;

        if (!row)
            return key_error(err, key, "unknown key '%.60s' in %s", key, what);
        if (json_is_null(value) && !row->required)
            continue;
        expected = expected_kind(row->kind, value);
        if (expected)
            return key_error(err, key, "'%s' in %s must be %s", key, what, expected);
    }
    for (; rows->name; rows++)
        if (rows->required && !json_object_get(object, rows->name))
            return err_set(err, ERR_INVALID, "%s has no '%s'", what, rows->name);
    return true;
}

bool manifest_is_version_id(struct str id)
{
    size_t digits = 64;

    if (str_starts(id, S("dp-"))) {
        id = str_skip(id, 3);
        digits = 32;
    } else if (str_starts(id, S("d-"))) {
        id = str_skip(id, 2);
        digits = 32;
    }
    if (id.len != digits)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f')))
            return false;
    return true;
}

static bool check_id(const json_t *id, struct err *err)
{
    if (json_is_string(id) && manifest_is_version_id(str_from(json_string_value(id))))
        return true;
    return err_set(err, ERR_INVALID,
                   "'%.80s' is no version id: 64 hex digits, or dp- or d- and 32 (put it in "
                   "quotes)",
                   json_is_string(id) ? json_string_value(id) : "?");
}

static bool check_aliases(const json_t *aliases, struct err *err)
{
    for (size_t i = 0; i < json_array_size(aliases); i++)
        if (!check_id(json_array_get(aliases, i), err))
            return false;
    return true;
}

static bool check_versions(const json_t *manifest, struct err *err)
{
    const json_t *versions = json_object_get(manifest, "versions");

    if (!check_aliases(json_object_get(manifest, "aliases"), err))
        return false;
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *version = json_array_get(versions, i);

        if (!json_is_object(version))
            return err_set(err, ERR_INVALID, "each of 'versions' must be a mapping");
        if (!check_keys(version_keys, version, "a version", err) ||
            !check_id(json_object_get(version, "id"), err) ||
            !check_aliases(json_object_get(version, "aliases"), err))
            return false;
    }
    return true;
}

/* Names are parts of URLs and of folder names. */
static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 100 && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static bool check_one_of(const json_t *manifest, const char *key, const char *const *choices,
                         struct err *err)
{
    const char *text = json_get_string(manifest, key);

    if (!text)
        return true;
    for (const char *const *choice = choices; *choice; choice++)
        if (strcmp(*choice, text) == 0)
            return true;
    return key_error(err, key, "'%s' cannot be '%.60s'", key, text);
}

static bool check_manifest(const json_t *manifest, struct err *err)
{
    static const char *const visibilities[] = { "public", "private", NULL };
    static const char *const runners[] = { "native", NULL };
    const char *owner, *name;

    if (!json_is_object(manifest))
        return err_set(err, ERR_INVALID, "a manifest must be a mapping");
    if (!check_keys(manifest_keys, manifest, "the manifest", err))
        return false;
    owner = json_get_string(manifest, "owner");
    name = json_get_string(manifest, "name");
    if (!is_name(owner) || !is_name(name))
        return err_set(err, ERR_INVALID,
                       "'owner' and 'name' must be 1 to 100 letters, digits, '.', '_' or '-'");
    return check_one_of(manifest, "visibility", visibilities, err) &&
           check_one_of(manifest, "runner", runners, err) && check_versions(manifest, err);
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

bool registry_manifest_parse(struct str yaml, json_t **ret_manifest, struct err *err)
{
    struct err own = { 0 };
    json_t *manifest = NULL;
    int line;

    if (!err)
        err = &own;
    if (!yaml_parse(yaml, &manifest, err))
        return false;
    err->field[0] = '\0';
    if (!check_manifest(manifest, err)) {
        json_decref(manifest);
        line = err->field[0] ? line_of_key(yaml, err->field) : 0;
        if (line > 0) {
            char detail[sizeof(err->detail)];

            str_copy(str_from(err->detail), detail, sizeof(detail));
            err_set(err, ERR_INVALID, "line %d: %s", line, detail);
        }
        return false;
    }
    *ret_manifest = manifest;
    return true;
}
