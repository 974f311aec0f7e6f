/* Functions (POST /api/<name>) and collections: two YAML files beside the manifests, each a mapping
 * of names to rows. Reference: docs/manifests.md. Not here: reading files (load.c). */
#include "registry/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "registry/keys.h"

static const struct keys_row functions_file_keys[] = {
    { "functions", KEYS_MAPPING, true },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row function_keys[] = {
    { "model", KEYS_STRING, true },
    { "image", KEYS_STRING, false },
    { "defaults", KEYS_MAPPING, false },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row collections_file_keys[] = {
    { "collections", KEYS_MAPPING, true },
    { NULL, KEYS_ANY, false },
};

static const struct keys_row collection_keys[] = {
    { "name", KEYS_STRING, true },
    { "description", KEYS_STRING, true },
    { "full_description", KEYS_STRING, false },
    { "models", KEYS_STRINGS, true },
    { NULL, KEYS_ANY, false },
};

static bool is_full_name(const char *text)
{
    struct str owner, name;

    return str_cut(str_from(text), '/', &owner, &name) && keys_is_name(owner) && keys_is_name(name);
}

static bool check_full_name(const char *text, const char *key, struct err *err)
{
    return is_full_name(text) ||
           keys_error(err, key, "'%.80s' is no model's name: it must be OWNER/NAME", text);
}

static bool check_collection(const json_t *row, struct err *err)
{
    const json_t *models = json_object_get(row, "models");

    for (size_t i = 0; i < json_array_size(models); i++)
        if (!check_full_name(json_string_value(json_array_get(models, i)), "models", err))
            return false;
    return true;
}

static bool check_function(const json_t *row, struct err *err)
{
    return check_full_name(json_get_string(row, "model"), "model", err);
}

/* Rows of one file against its keys, and then against `check`. */
static bool check_rows(const json_t *rows, const struct keys_row *keys, const char *what,
                       bool (*check)(const json_t *row, struct err *err), struct err *err)
{
    const char *name;
    json_t *row;

    json_object_foreach((json_t *)rows, name, row)
    {
        if (!keys_is_name(str_from(name)))
            return keys_error(err, name, "'%.60s' is no name of %s: letters, digits, '.', '_', '-'",
                              name, what);
        if (!json_is_object(row))
            return keys_error(err, name, "'%.60s' must be a mapping", name);
        if (!keys_check(keys, row, what, err) || !check(row, err))
            return false;
    }
    return true;
}

/* A mapping of such rows under `root`, checked; what: "a function". */
static bool read_rows(struct str yaml, const char *root, const struct keys_row *file_keys,
                      const struct keys_row *row_keys, const char *what,
                      bool (*check)(const json_t *row, struct err *err), json_t *rows,
                      struct err *err)
{
    json_t *file = NULL;
    struct err own = { 0 };
    bool ok;

    if (!err)
        err = &own;
    if (!yaml_parse(yaml, &file, err))
        return false;
    err->field[0] = '\0';
    ok = (json_is_object(file) ||
          err_set(err, ERR_INVALID, "the file must be a mapping with the key '%s'", root)) &&
         keys_check(file_keys, file, "the file", err) &&
         check_rows(json_object_get(file, root), row_keys, what, check, err);
    if (!ok)
        keys_name_line(yaml, err);
    else if (json_object_update(rows, json_object_get(file, root)) != 0)
        ok = err_set(err, ERR_NO_MEMORY, "not enough memory for the catalogue");
    json_decref(file);
    return ok;
}

bool catalogue_read_functions(struct str yaml, json_t *functions, struct err *err)
{
    return read_rows(yaml, "functions", functions_file_keys, function_keys, "a function",
                     check_function, functions, err);
}

bool catalogue_read_collections(struct str yaml, json_t *collections, struct err *err)
{
    return read_rows(yaml, "collections", collections_file_keys, collection_keys, "a collection",
                     check_collection, collections, err);
}

/* ---- Making structs ---------------------------------------------------------------------------
 */

static void fill_functions(struct catalogue *catalogue)
{
    const char *name;
    json_t *row;

    json_object_foreach(catalogue->functions_json, name, row)
    {
        json_t *defaults = json_object_get(row, "defaults");

        if (!json_is_object(defaults)) {
            defaults = json_object();
            json_object_set_new(row, "defaults", defaults);
        }
        catalogue->functions[catalogue->function_count++] = (struct registry_function){
            .name = name,
            .model = json_get_string(row, "model"),
            .image_input = json_get_string(row, "image"),
            .defaults = defaults,
        };
    }
}

static void fill_collections(struct catalogue *catalogue)
{
    const char **names = catalogue->model_names;
    const char *slug;
    json_t *row;

    json_object_foreach(catalogue->collections_json, slug, row)
    {
        const json_t *models = json_object_get(row, "models");
        const char *full = json_get_string(row, "full_description");
        size_t count = json_array_size(models);

        for (size_t i = 0; i < count; i++)
            names[i] = json_string_value(json_array_get(models, i));
        catalogue->collections[catalogue->collection_count++] = (struct registry_collection){
            .slug = slug,
            .name = json_get_string(row, "name"),
            .description = json_get_string(row, "description"),
            .full_description = full ? full : "",
            .models = names,
            .model_count = (int)count,
        };
        names += count;
    }
}

static size_t count_models(json_t *collections)
{
    const char *slug;
    json_t *row;
    size_t count = 0;

    json_object_foreach(collections, slug, row) count +=
        json_array_size(json_object_get(row, "models"));
    return count;
}

struct catalogue *catalogue_make(json_t *functions, json_t *collections)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));

    if (!catalogue)
        return NULL;
    catalogue->functions_json = json_incref(functions);
    catalogue->collections_json = json_incref(collections);
    catalogue->functions = calloc(json_object_size(functions) + 1, sizeof(*catalogue->functions));
    catalogue->collections =
        calloc(json_object_size(collections) + 1, sizeof(*catalogue->collections));
    catalogue->model_names = calloc(count_models(collections) + 1, sizeof(*catalogue->model_names));
    if (!catalogue->functions || !catalogue->collections || !catalogue->model_names) {
        catalogue_free(catalogue);
        return NULL;
    }
    fill_functions(catalogue);
    fill_collections(catalogue);
    return catalogue;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (!catalogue)
        return;
    free(catalogue->functions);
    free(catalogue->collections);
    free(catalogue->model_names);
    json_decref(catalogue->functions_json);
    json_decref(catalogue->collections_json);
    free(catalogue);
}
