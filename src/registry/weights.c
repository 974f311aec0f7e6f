/* `weights` of a manifest, and which of its files are there. The rows, in the manifest's words:
 *
 *   weights: {licenses, variants: [...]}             one unnamed part
 *   weights: {licenses, parts: [{name, variants: [...]}]}
 *   variant: {source, path, file, size, sha256}      one file, or
 *            {source, files: [{path, file, size, sha256}]} */
#include "registry/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "registry/keys.h"

#define NAME_BYTES_MAX 200
#define PATH_BYTES_MAX 1000
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define SIZE_MAX_BYTES (INT64_C(1) << 41) /* 2 TiB: no single file is larger */
#define ABOUT_SPARE_BYTES (1 << 20)       /* what a rough size may be wrong by, beside a quarter */

static const struct keys_row weights_keys[] = {
    { "licenses", KEYS_LIST, false },
    { "variants", KEYS_LIST, false },
    { "parts", KEYS_LIST, false },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row part_keys[] = {
    { "name", KEYS_STRING, true },       { "description", KEYS_STRING, false },
    { "optional", KEYS_BOOLEAN, false }, { "variants", KEYS_LIST, true },
    { NULL, KEYS_ANY, false },
};

#define FILE_KEYS                                                                                  \
    { "path", KEYS_STRING, false }, { "resource", KEYS_STRING, false },                            \
        { "file", KEYS_STRING, true }, { "size", KEYS_COUNT, false },                              \
        { "size_about", KEYS_COUNT, false }, { "sha256", KEYS_STRING, true },
#define VARIANT_KEYS                                                                               \
    { "source", KEYS_STRING, true }, { "license", KEYS_STRING, false },                            \
        { "license_url", KEYS_URL, false },

static const struct keys_row file_keys[] = { FILE_KEYS{ NULL, KEYS_ANY, false } };

static const struct keys_row variant_of_one_keys[] = { VARIANT_KEYS{ "files", KEYS_LIST, false },
                                                       FILE_KEYS{ NULL, KEYS_ANY, false } };

static const struct keys_row variant_of_files_keys[] = { VARIANT_KEYS{ "files", KEYS_LIST, true },
                                                         { NULL, KEYS_ANY, false } };

/* Where in the manifest we are, for messages: "weights.parts[1].variants[0]". */
struct place {
    char text[100];
};

static struct place place_in(const struct place *outer, const char *list, size_t index)
{
    struct place place;

    snprintf(place.text, sizeof(place.text), "%.60s.%s[%zu]", outer->text, list, index);
    return place;
}

static bool is_wrong(const struct place *place, const char *key, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s.%s is missing or wrong", place->text, key);
}

/* ---- Names ----------------------------------------------------------------------------------- */

bool registry_weights_is_plain_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= NAME_BYTES_MAX && strspn(text, PLAIN) == len && text[0] != '.' &&
           text[0] != '-';
}

/* Plain names separated by single slashes; so many of them, or any number (0). */
static bool is_plain_path(struct str text, int names_wanted)
{
    struct str head, rest = text;
    char name[NAME_BYTES_MAX + 1];
    int names = 0;
    bool more = true;

    for (; more; names++) {
        more = str_cut(rest, '/', &head, &rest);
        if (!str_copy(more ? head : rest, name, sizeof(name)) ||
            !registry_weights_is_plain_name(name))
            return false;
    }
    return text.len < PATH_BYTES_MAX && (names_wanted == 0 || names == names_wanted);
}

/* "PACKAGE@VERSION", PACKAGE being "name" or "@scope/name". The version must be there, so that
 * bytes cannot change. */
static bool is_npm_package(const char *text)
{
    bool scoped = text[0] == '@';
    const char *name = scoped ? text + 1 : text, *version = strchr(name, '@');

    return version != NULL && registry_weights_is_plain_name(version + 1) &&
           is_plain_path((struct str){ name, (size_t)(version - name) }, scoped ? 2 : 1);
}

/* "OWNER/NAME@REVISION"; without a revision only where that is allowed. */
static bool is_repository(const char *text, bool revision_needed)
{
    const char *revision = strchr(text, '@');
    size_t len = revision != NULL ? (size_t)(revision - text) : strlen(text);

    return is_plain_path((struct str){ text, len }, 2) &&
           (revision != NULL ? registry_weights_is_plain_name(revision + 1) : !revision_needed);
}

static bool source_read(const char *source, enum registry_weights_kind *ret_kind)
{
    struct str text = str_from(source);

    if (str_starts(text, S("npm:"))) {
        *ret_kind = REGISTRY_WEIGHTS_NPM;
        return is_npm_package(source + 4);
    }
    if (str_starts(text, S("hf:"))) {
        *ret_kind = REGISTRY_WEIGHTS_HF;
        return is_repository(source + 3, false);
    }
    *ret_kind = REGISTRY_WEIGHTS_GITHUB;
    return str_starts(text, S("github:")) && is_repository(source + 7, true);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool path_is_good(const struct registry_weights_file *file, enum registry_weights_kind kind)
{
    if (kind == REGISTRY_WEIGHTS_NPM && file->resource != NULL)
        return file->path == NULL;
    return file->resource == NULL && file->path != NULL &&
           is_plain_path(str_from(file->path), kind == REGISTRY_WEIGHTS_GITHUB ? 1 : 0);
}

static bool file_read_row(const json_t *row, const struct place *place,
                          enum registry_weights_kind kind, struct registry_weights_file *ret_file,
                          struct err *err)
{
    int64_t exact = json_get_integer(row, "size", 0);
    int64_t about = json_get_integer(row, "size_about", 0);
    struct registry_weights_file file = {
        .path = json_get_string(row, "path"),
        .resource = json_get_string(row, "resource"),
        .file = json_get_string(row, "file"),
        .sha256 = json_get_string(row, "sha256"),
        .size = exact > 0 ? exact : about,
        .size_is_exact = exact > 0,
    };

    if (!registry_weights_is_plain_name(file.file))
        return is_wrong(place, "file", err);
    if ((exact > 0) == (about > 0) || file.size > SIZE_MAX_BYTES)
        return is_wrong(place, "size", err);
    if (strlen(file.sha256) != 64 || strspn(file.sha256, "0123456789abcdef") != 64)
        return is_wrong(place, "sha256", err);
    if (!path_is_good(&file, kind))
        return is_wrong(place, file.resource != NULL ? "resource" : "path", err);
    *ret_file = file;
    return true;
}

/* A list with 1 to `max` rows, each a mapping. */
static bool list_check(const json_t *rows, const struct place *place, const char *name, int max,
                       struct err *err)
{
    if (json_array_size(rows) == 0 || json_array_size(rows) > (size_t)max)
        return err_set(err, ERR_INVALID, "%s.%s must be a list of 1 to %d", place->text, name, max);
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!json_is_object(json_array_get(rows, i)))
            return err_set(err, ERR_INVALID, "%s.%s[%zu] must be a mapping", place->text, name, i);
    return true;
}

static bool files_read(const json_t *rows, const struct place *outer,
                       struct registry_weights_variant *variant, struct err *err)
{
    if (!list_check(rows, outer, "files", REGISTRY_WEIGHTS_FILES_MAX, err))
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct place place = place_in(outer, "files", i);
        if (!keys_check(file_keys, row, place.text, err) ||
            !file_read_row(row, &place, variant->kind, &variant->files[variant->file_count++], err))
            return false;
    }
    return true;
}

/* NULL when it is left out, as null or altogether. */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static bool variant_read(const json_t *row, const struct place *place,
                         struct registry_weights_variant *variant, struct err *err)
{
    const json_t *files = member(row, "files");

    if (!keys_check(files != NULL ? variant_of_files_keys : variant_of_one_keys, row, place->text,
                    err))
        return false;
    variant->source = json_get_string(row, "source");
    variant->license = json_get_string(row, "license");
    variant->license_url = json_get_string(row, "license_url");
    if (!source_read(variant->source, &variant->kind))
        return is_wrong(place, "source", err);
    if (files != NULL)
        return files_read(files, place, variant, err);
    variant->file_count = 1;
    return file_read_row(row, place, variant->kind, &variant->files[0], err);
}

static bool variants_read(const json_t *rows, const struct place *outer,
                          struct registry_weights_part *part, struct err *err)
{
    if (!list_check(rows, outer, "variants", REGISTRY_WEIGHTS_VARIANTS_MAX, err))
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        struct place place = place_in(outer, "variants", i);
        if (!variant_read(json_array_get(rows, i), &place, &part->variants[part->variant_count++],
                          err))
            return false;
    }
    return true;
}

static bool part_name_is_new(const struct registry_weights *weights, const char *name)
{
    for (int i = 0; i < weights->part_count; i++)
        if (strcmp(weights->parts[i].name, name) == 0)
            return false;
    return true;
}

static bool parts_read(const json_t *rows, const struct place *outer,
                       struct registry_weights *weights, struct err *err)
{
    if (!list_check(rows, outer, "parts", REGISTRY_WEIGHTS_PARTS_MAX, err))
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct place place = place_in(outer, "parts", i);
        struct registry_weights_part *part = &weights->parts[weights->part_count];
        if (!keys_check(part_keys, row, place.text, err))
            return false;
        part->name = json_get_string(row, "name");
        part->description = json_get_string(row, "description");
        part->optional = json_get_boolean(row, "optional", false);
        if (!registry_weights_is_plain_name(part->name) || !part_name_is_new(weights, part->name))
            return is_wrong(&place, "name", err);
        if (!variants_read(json_object_get(row, "variants"), &place, part, err))
            return false;
        weights->part_count++;
    }
    return true;
}

/* Is there, in a part before or earlier in the same form, another file of this one's name? The one
 * would be put over the other, and never all of them be there. (Forms of one part may share names:
 * only one of them is installed.) */
static bool file_name_is_taken(const struct registry_weights *weights, int part, int form, int file)
{
    const struct registry_weights_file *own = &weights->parts[part].variants[form].files[file];

    for (int i = 0; i <= part; i++)
        for (int k = 0; k < weights->parts[i].variant_count; k++) {
            const struct registry_weights_variant *variant = &weights->parts[i].variants[k];
            for (int n = 0; n < variant->file_count; n++)
                if ((i < part || (k == form && n < file)) &&
                    strcmp(variant->files[n].file, own->file) == 0 &&
                    strcmp(variant->files[n].sha256, own->sha256) != 0)
                    return true;
        }
    return false;
}

static bool file_names_check(const struct registry_weights *weights, struct err *err)
{
    for (int i = 0; i < weights->part_count; i++)
        for (int k = 0; k < weights->parts[i].variant_count; k++)
            for (int n = 0; n < weights->parts[i].variants[k].file_count; n++)
                if (file_name_is_taken(weights, i, k, n))
                    return err_set(err, ERR_INVALID, "weights has two different files named '%s'",
                                   weights->parts[i].variants[k].files[n].file);
    return true;
}

static bool rows_read(const json_t *value, struct registry_weights *weights, struct err *err)
{
    const json_t *variants = member(value, "variants"), *parts = member(value, "parts");
    const struct place place = { "weights" };

    if (!keys_check(weights_keys, value, place.text, err))
        return false;
    if (parts != NULL && variants != NULL)
        return err_set(err, ERR_INVALID, "weights has both 'parts' and 'variants'");
    if (parts != NULL)
        return parts_read(parts, &place, weights, err);
    weights->part_count = 1;
    return variants_read(variants, &place, &weights->parts[0], err);
}

/* Nothing given, `none`, or nothing in it. */
static bool is_none(const json_t *value)
{
    const char *text = json_string_value(value);

    return value == NULL || json_is_null(value) || (text != NULL && strcmp(text, "none") == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

bool registry_weights_read(const json_t *manifest, struct registry_weights **ret_weights,
                           struct err *err)
{
    const json_t *value = json_object_get(manifest, "weights");

    if (is_none(value))
        return err_set(err, ERR_NOT_FOUND, "this model has no weights to pull");
    if (!json_is_object(value))
        return err_set(err, ERR_INVALID, "'weights' must be a mapping or none");
    struct registry_weights *weights = calloc(1, sizeof(*weights));
    if (weights == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    if (!rows_read(value, weights, err) || !file_names_check(weights, err)) {
        free(weights);
        return false;
    }
    *ret_weights = weights;
    return true;
}

/* ---- Files that are there -------------------------------------------------------------------- */

int64_t registry_weights_bytes_max(const struct registry_weights_file *file)
{
    return file->size_is_exact ? file->size : file->size + file->size / 4 + ABOUT_SPARE_BYTES;
}

bool registry_weights_has_file(const struct registry_weights_file *file, const char *folder,
                               bool exact, char *ret_path, size_t size)
{
    struct stat status;
    int len = snprintf(ret_path, size, "%s/%s", folder, file->file);

    if (len < 0 || (size_t)len >= size) {
        ret_path[0] = 0;
        return false;
    }
    if (stat(ret_path, &status) != 0 || !S_ISREG(status.st_mode) || access(ret_path, R_OK) != 0)
        return false;
    if (!exact)
        return true;
    return file->size_is_exact
               ? status.st_size == file->size
               : status.st_size > 0 && status.st_size <= registry_weights_bytes_max(file);
}

const struct registry_weights_variant *registry_weights_find(
    const struct registry_weights_part *part, const char *folder, bool exact)
{
    char path[4096 + NAME_BYTES_MAX];

    for (int i = 0; i < part->variant_count; i++) {
        const struct registry_weights_variant *variant = &part->variants[i];
        int there = 0;
        while (there < variant->file_count &&
               registry_weights_has_file(&variant->files[there], folder, exact, path, sizeof(path)))
            there++;
        if (there == variant->file_count)
            return variant;
    }
    return NULL;
}
