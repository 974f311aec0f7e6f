/* Manifests: one model each, as YAML, checked strictly so that a misspelt key is told and not
 * silently left out. Reference: docs/manifests.md. Not here: joining a manifest with what the
 * runner says of its model (models.c), what `weights` names (weights.c). */
#include "registry/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "registry/keys.h"
#include "registry/registry.h"
#include "registry/weights.h"

static const struct keys_row manifest_keys[] = {
    { "owner", KEYS_STRING, true },
    { "name", KEYS_STRING, true },
    { "description", KEYS_STRING, false },
    { "visibility", KEYS_STRING, false },
    { "github_url", KEYS_URL, false },
    { "paper_url", KEYS_URL, false },
    { "license_url", KEYS_URL, false },
    { "cover_image_url", KEYS_URL, false },
    { "weights_url", KEYS_URL, false },
    { "created_at", KEYS_TIME, false },
    { "run_count", KEYS_COUNT, false },
    { "official", KEYS_BOOLEAN, false },
    { "readme", KEYS_STRING, false },
    { "runner", KEYS_STRING, false },
    { "model", KEYS_STRING, false },
    { "hardware", KEYS_STRING, false },
    { "price", KEYS_MAPPING, false },
    { "tags", KEYS_STRINGS, false },
    { "streams", KEYS_BOOLEAN, false },
    { "versions", KEYS_LIST, false },
    { "aliases", KEYS_LIST, false },
    { "weights", KEYS_ANY, false },
    { "default_example", KEYS_MAPPING, false },
    { "schema", KEYS_MAPPING, false },
    { "train", KEYS_MAPPING, false },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row version_keys[] = {
    { "id", KEYS_STRING, true },           { "created_at", KEYS_TIME, true },
    { "cog_version", KEYS_STRING, false }, { "aliases", KEYS_LIST, false },
    { "schema", KEYS_MAPPING, false },     { "weights_folder", KEYS_FOLDER, false },
    { "by_name", KEYS_BOOLEAN, false },    { NULL, KEYS_ANY, false },
};

static const struct keys_row price_keys[] = {
    { "per_second", KEYS_PRICE, false },
    { "per_image", KEYS_PRICE, false },
    { "per_run", KEYS_PRICE, false },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row train_keys[] = {
    { "input", KEYS_MAPPING, true },
    { NULL, KEYS_ANY, false },
};

/* 64 lower-case hex digits, or "dp-" or "d-" and 32. */
static bool is_version_id(struct str id)
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
    if (json_is_string(id) && is_version_id(str_from(json_string_value(id))))
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
    int by_name = 0;

    if (!check_aliases(json_object_get(manifest, "aliases"), err))
        return false;
    for (size_t i = 0; i < json_array_size(versions); i++) {
        const json_t *version = json_array_get(versions, i);

        if (!json_is_object(version))
            return err_set(err, ERR_INVALID, "each of 'versions' must be a mapping");
        if (!keys_check(version_keys, version, "a version", err) ||
            !check_id(json_object_get(version, "id"), err) ||
            !check_aliases(json_object_get(version, "aliases"), err))
            return false;
        by_name += json_get_boolean(version, "by_name", false);
    }
    if (by_name > 1)
        return keys_error(err, "by_name", "only one version can have 'by_name'");
    return true;
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
    return keys_error(err, key, "'%s' cannot be '%.60s'", key, text);
}

/* Names are parts of URLs and of folder names. */
static bool check_names(const json_t *manifest, struct err *err)
{
    const char *hardware = json_get_string(manifest, "hardware");

    if (!keys_is_name(str_from(json_get_string(manifest, "owner"))) ||
        !keys_is_name(str_from(json_get_string(manifest, "name"))))
        return err_set(err, ERR_INVALID,
                       "'owner' and 'name' must be 1 to 100 letters, digits, '.', '_' or '-'");
    if (hardware && !keys_is_name(str_from(hardware)))
        return keys_error(err, "hardware", "'hardware' must be a name such as cpu or gpu-t4");
    return true;
}

static bool check_inner(const json_t *manifest, struct err *err)
{
    const json_t *price = json_object_get(manifest, "price");
    const json_t *train = json_object_get(manifest, "train");

    return (!json_is_object(price) || keys_check(price_keys, price, "the price", err)) &&
           (!json_is_object(train) || keys_check(train_keys, train, "train", err));
}

static bool check_weights(const json_t *manifest, struct err *err)
{
    struct registry_weights *weights = NULL;
    struct err own = { 0 };
    bool ok = registry_weights_read(manifest, &weights, &own) || own.kind == ERR_NOT_FOUND;

    free(weights);
    if (!ok && err)
        *err = own;
    return ok;
}

bool manifest_check(const json_t *manifest, struct err *err)
{
    static const char *const visibilities[] = { "public", "private", NULL };
    static const char *const runners[] = { "native", NULL };

    if (!json_is_object(manifest))
        return err_set(err, ERR_INVALID, "a manifest must be a mapping");
    return keys_check(manifest_keys, manifest, "the manifest", err) && check_names(manifest, err) &&
           check_one_of(manifest, "visibility", visibilities, err) &&
           check_one_of(manifest, "runner", runners, err) && check_inner(manifest, err) &&
           check_versions(manifest, err) && check_weights(manifest, err);
}

bool registry_manifest_parse(struct str yaml, json_t **ret_manifest, struct err *err)
{
    struct err own = { 0 };
    json_t *manifest = NULL;

    if (!err)
        err = &own;
    if (!yaml_parse(yaml, &manifest, err))
        return false;
    err->field[0] = '\0';
    if (!manifest_check(manifest, err)) {
        json_decref(manifest);
        keys_name_line(yaml, err);
        return false;
    }
    *ret_manifest = manifest;
    return true;
}
