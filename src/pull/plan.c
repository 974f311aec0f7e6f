/* What a manifest says of its weights, checked before anything is fetched: names become paths and
 * arguments of programs, so they may hold nothing but plain characters. */
#include "pull/pull.h"
#include "pull/pull_private.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define NAME_BYTES_MAX 200
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define SIZE_MAX_BYTES (INT64_C(1) << 41) /* 2 TiB: no single file is larger */

bool pull_is_plain_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= NAME_BYTES_MAX && strspn(text, PLAIN) == len && text[0] != '.' &&
           text[0] != '-';
}

/* Plain names separated by single slashes. */
static bool is_plain_path(const char *text)
{
    struct str head, rest = str_from(text);
    char part[NAME_BYTES_MAX + 1];
    bool more = true;

    while (more) {
        more = str_cut(rest, '/', &head, &rest);
        if (!str_copy(more ? head : rest, part, sizeof(part)) || !pull_is_plain_name(part))
            return false;
    }
    return strlen(text) < PULL_PATH_MAX / 4;
}

/* "@scope/name@1.2.3" or "name@1.2.3": a version must be given, so that bytes cannot change. */
static bool is_npm_package(const char *text)
{
    const char *name = text[0] == '@' ? text + 1 : text;
    const char *version = strchr(name, '@');
    char part[2 * NAME_BYTES_MAX];

    return version != NULL && pull_is_plain_name(version + 1) &&
           str_copy((struct str){ name, (size_t)(version - name) }, part, sizeof(part)) &&
           is_plain_path(part);
}

static bool is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool variant_read(const json_t *row, int index, struct pull_variant *ret_variant,
                         struct err *err)
{
    struct pull_variant variant = {
        .source = json_get_string(row, "source"),
        .resource = json_get_string(row, "resource"),
        .path = json_get_string(row, "path"),
        .file = json_get_string(row, "file"),
        .license = json_get_string(row, "license"),
        .license_url = json_get_string(row, "license_url"),
        .size = json_get_integer(row, "size", 0),
        .sha256 = json_get_string(row, "sha256"),
    };
    const char *wrong = NULL;

    if (variant.source == NULL)
        wrong = "source";
    else if (variant.file == NULL || !pull_is_plain_name(variant.file))
        wrong = "file";
    else if (variant.size <= 0 || variant.size > SIZE_MAX_BYTES)
        wrong = "size";
    else if (variant.sha256 == NULL || !is_sha256(variant.sha256))
        wrong = "sha256";
    else if (str_starts(str_from(variant.source), S("npm:"))) {
        if (!is_npm_package(variant.source + 4))
            wrong = "source";
        else if (variant.resource == NULL)
            wrong = "resource";
    } else if (str_starts(str_from(variant.source), S("hf:"))) {
        if (!is_plain_path(variant.source + 3))
            wrong = "source";
        else if (variant.path == NULL || !is_plain_path(variant.path))
            wrong = "path";
    }
    if (wrong != NULL)
        return err_set(err, ERR_INVALID,
                       "the manifest's weights.variants[%d].%s is missing or wrong", index, wrong);
    *ret_variant = variant;
    return true;
}

bool pull_plan(const json_t *manifest, struct pull_variant ret_variants[PULL_VARIANTS_MAX],
               int *ret_count, struct err *err)
{
    const json_t *rows = json_object_get(json_object_get(manifest, "weights"), "variants");
    int count = (int)json_array_size(rows);

    if (count == 0)
        return err_set(err, ERR_NOT_FOUND, "this model has no weights to pull");
    if (count > PULL_VARIANTS_MAX)
        return err_set(err, ERR_INVALID, "the manifest names more than %d variants of the weights",
                       PULL_VARIANTS_MAX);
    for (int i = 0; i < count; i++)
        if (!variant_read(json_array_get(rows, (size_t)i), i, &ret_variants[i], err))
            return false;
    *ret_count = count;
    return true;
}
