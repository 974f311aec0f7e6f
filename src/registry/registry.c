/* The registry: models, versions and schemas from manifests and the runner's --describe.
 *
 * Built once, then only read, so no lock is needed. All structs live in one arena, all JSON in one
 * array that owns it; the registry's strings are borrowed from that JSON. Not here: the form of a
 * manifest (manifest.c), of a schema document (schema.c). */
#include "registry/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/embed.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/manifest.h"
#include "registry/schema.h"

#define REGISTRY_BYTES (64u << 20) /* structs and names of all models */
#define REGISTRY_MANIFEST_BYTES (1u << 20)
#define REGISTRY_MODELS_MAX 10000 /* manifests in one folder */
#define REGISTRY_EPOCH "1970-01-01T00:00:00Z"

struct registry_id { /* a version by one of its ids */
    const char *id;
    const struct registry_version *version;
};

struct registry {
    struct arena arena;
    json_t *owned;                 /* array: keeps every value alive that structs point into */
    json_t *manifests;             /* "owner/name" -> manifest */
    json_t *native;                /* native model name -> its description */
    struct registry_model *models; /* newest latest version first */
    int model_count;
    struct registry_id *ids; /* sorted by id */
    size_t id_count;
};

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "not enough memory for the registry of models");
}

/* The registry takes the reference. */
static json_t *own(struct registry *registry, json_t *value)
{
    return value && json_array_append_new(registry->owned, value) == 0 ? value : NULL;
}

/* ---- Reading manifests ------------------------------------------------------------------------
 */

static bool add_manifest(struct registry *registry, struct str yaml, bool may_replace,
                         struct err *err)
{
    json_t *manifest = NULL;
    char *full_name;

    if (!registry_manifest_parse(yaml, &manifest, err))
        return false;
    full_name = arena_printf(&registry->arena, "%s/%s", json_get_string(manifest, "owner"),
                             json_get_string(manifest, "name"));
    if (!full_name) {
        json_decref(manifest);
        return no_memory(err);
    }
    if (!may_replace && json_object_get(registry->manifests, full_name)) {
        json_decref(manifest);
        return err_set(err, ERR_INVALID, "%.180s has a manifest already", full_name);
    }
    if (json_object_set_new(registry->manifests, full_name, manifest) != 0)
        return no_memory(err);
    return true;
}

static bool load_embedded(struct registry *registry, struct err *err)
{
    for (const struct embed_file *file = embed_models; file->name; file++) {
        struct str yaml = { (const char *)file->data, file->len };

        if (!add_manifest(registry, yaml, false, err)) {
            if (err && err->kind == ERR_INVALID)
                err->kind = ERR_INTERNAL;
            return err_while(err, "reading the built-in manifest %s", file->name);
        }
    }
    return true;
}

static int is_manifest_entry(const struct dirent *entry)
{
    struct str name = str_from(entry->d_name);

    return entry->d_name[0] != '.' && (str_ends(name, S(".yaml")) || str_ends(name, S(".yml")));
}

static bool load_file(struct registry *registry, const char *folder, const char *name,
                      struct err *err)
{
    struct buf yaml;
    char *path = arena_printf(&registry->arena, "%s/%s", folder, name);
    char detail[sizeof(err->detail)];
    bool ok;

    if (!path)
        return no_memory(err);
    buf_init(&yaml, REGISTRY_MANIFEST_BYTES);
    ok = file_read(path, &yaml, err) && add_manifest(registry, buf_str(&yaml), true, err);
    buf_done(&yaml);
    if (!ok && err) { /* the file's name belongs into the sentence the operator sees */
        str_copy(str_from(err->detail), detail, sizeof(detail));
        err_set(err, err->kind, "%.90s: %.160s", path, detail);
    }
    return ok;
}

static bool load_folder(struct registry *registry, const char *folder, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_manifest_entry, alphasort);
    bool ok = true;

    if (count < 0 && errno == ENOENT)
        return true;
    if (count < 0)
        return err_sys(err, ERR_INVALID, errno, "cannot read the manifests folder '%.150s'",
                       folder);
    if (count > REGISTRY_MODELS_MAX)
        ok = err_set(err, ERR_TOO_LARGE, "'%.150s' has more than %d manifests", folder,
                     REGISTRY_MODELS_MAX);
    for (int i = 0; i < count; i++) {
        if (ok)
            ok = load_file(registry, folder, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool load_description(struct registry *registry, const char *text, struct err *err)
{
    json_t *description = NULL;
    const json_t *models;

    if (!text)
        return true;
    if (!json_parse(str_from(text), &description, err))
        return err_while(err, "reading what the runner says of its models");
    if (!own(registry, description))
        return no_memory(err);
    models = json_object_get(description, "models");
    if (!json_is_array(models))
        return err_set(err, ERR_INTERNAL, "the runner's description has no list of models");
    for (size_t i = 0; i < json_array_size(models); i++) {
        json_t *model = json_array_get(models, i);
        const char *name = json_get_string(model, "name");

        if (!name)
            return err_set(err, ERR_INTERNAL, "the runner describes a model without a name");
        if (json_object_set(registry->native, name, model) != 0)
            return no_memory(err);
    }
    return true;
}

/* ---- Making structs ---------------------------------------------------------------------------
 */

/* The document of a version: its own schema, its model's, or what the runner describes. A schema
 * that is not a whole document has `input` and `output`. */
static json_t *make_document(const json_t *manifest, const json_t *version, const json_t *native)
{
    json_t *schema = json_object_get(version, "schema");

    if (!json_is_object(schema))
        schema = json_object_get(manifest, "schema");
    if (!json_is_object(schema))
        return schema_document(json_object_get(native, "input"), json_object_get(native, "output"));
    if (json_object_get(schema, "components"))
        return json_incref(schema);
    return schema_document(json_object_get(schema, "input"), json_object_get(schema, "output"));
}

static bool fill_version(struct registry *registry, const struct registry_model *model,
                         const json_t *json, struct registry_version *version, struct err *err)
{
    const json_t *native =
        model->native_model ? json_object_get(registry->native, model->native_model) : NULL;
    const char *cog_version = json_get_string(json, "cog_version");
    json_t *document = own(registry, make_document(model->manifest, json, native));
    json_t *input = NULL;

    if (!document)
        return no_memory(err);
    if (!schema_flatten(document, &input, err))
        return err_while(err, "reading the schema of %s", model->full_name);
    if (!own(registry, input))
        return no_memory(err);
    *version = (struct registry_version){
        .id = json_get_string(json, "id"),
        .created_at = json_get_string(json, "created_at"),
        .cog_version = cog_version ? cog_version : "",
        .model = model,
        .openapi_schema = document,
        .input_schema = input,
        .streams = schema_streams(document) || json_get_boolean(native, "streams", false),
    };
    return true;
}

static int64_t time_of(const char *text)
{
    int64_t unix_us = 0;

    return text && clock_parse(str_from(text), &unix_us) ? unix_us : 0;
}

static int compare_versions(const void *left, const void *right)
{
    int64_t a = time_of(((const struct registry_version *)left)->created_at);
    int64_t b = time_of(((const struct registry_version *)right)->created_at);

    return a < b ? 1 : a > b ? -1 : 0;
}

static bool fill_versions(struct registry *registry, struct registry_model *model, struct err *err)
{
    const json_t *list = json_object_get(model->manifest, "versions");
    size_t count = json_array_size(list);
    struct registry_version *versions =
        arena_alloc(&registry->arena, (count + 1) * sizeof(*versions));

    if (!versions)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!fill_version(registry, model, json_array_get(list, i), &versions[i], err))
            return false;
    if (count > 1)
        qsort(versions, count, sizeof(*versions), compare_versions);
    model->versions = versions;
    model->version_count = (int)count;
    if (!model->created_at)
        model->created_at = count > 0 ? versions[count - 1].created_at : REGISTRY_EPOCH;
    return true;
}

static bool fill_model(struct registry *registry, const char *full_name, json_t *manifest,
                       struct registry_model *model, struct err *err)
{
    const char *description = json_get_string(manifest, "description");
    const char *visibility = json_get_string(manifest, "visibility");
    const char *runner = json_get_string(manifest, "runner");
    const char *native = json_get_string(manifest, "model");
    const json_t *example = json_object_get(manifest, "default_example");

    model->full_name = arena_strdup(&registry->arena, str_from(full_name));
    if (!model->full_name)
        return no_memory(err);
    model->owner = json_get_string(manifest, "owner");
    model->name = json_get_string(manifest, "name");
    model->description = description ? description : "";
    model->visibility = visibility ? visibility : "public";
    model->github_url = json_get_string(manifest, "github_url");
    model->paper_url = json_get_string(manifest, "paper_url");
    model->license_url = json_get_string(manifest, "license_url");
    model->cover_image_url = json_get_string(manifest, "cover_image_url");
    model->weights_url = json_get_string(manifest, "weights_url");
    model->created_at = json_get_string(manifest, "created_at");
    model->readme = json_get_string(manifest, "readme");
    model->is_official = json_get_boolean(manifest, "official", false);
    model->run_count = json_get_integer(manifest, "run_count", 0);
    model->default_example = json_is_object(example) ? example : NULL;
    model->runner = runner ? runner : "native";
    model->native_model = native && json_object_get(registry->native, native) ? native : NULL;
    model->manifest = manifest;
    return fill_versions(registry, model, err);
}

static int compare_models(const void *left, const void *right)
{
    const struct registry_model *a = left, *b = right;
    int64_t at = a->version_count > 0 ? time_of(a->versions[0].created_at) : 0;
    int64_t bt = b->version_count > 0 ? time_of(b->versions[0].created_at) : 0;

    if (at != bt)
        return at < bt ? 1 : -1;
    return strcmp(a->full_name, b->full_name);
}

static bool make_models(struct registry *registry, struct err *err)
{
    size_t count = json_object_size(registry->manifests), i = 0;
    const char *full_name;
    json_t *manifest;

    registry->models = arena_alloc(&registry->arena, (count + 1) * sizeof(*registry->models));
    if (!registry->models)
        return no_memory(err);
    json_object_foreach(registry->manifests, full_name,
                        manifest) if (!fill_model(registry, full_name, manifest,
                                                  &registry->models[i++], err)) return false;
    qsort(registry->models, count, sizeof(*registry->models), compare_models);
    registry->model_count = (int)count;
    /* Sorting moved the models: their versions point to where they are now. */
    for (i = 0; i < count; i++)
        for (int v = 0; v < registry->models[i].version_count; v++)
            ((struct registry_version *)registry->models[i].versions)[v].model =
                &registry->models[i];
    return true;
}

/* ---- Ids --------------------------------------------------------------------------------------
 */

static int compare_ids(const void *left, const void *right)
{
    return strcmp(((const struct registry_id *)left)->id, ((const struct registry_id *)right)->id);
}

static void add_aliases(struct registry *registry, const json_t *aliases,
                        const struct registry_version *version)
{
    for (size_t i = 0; i < json_array_size(aliases); i++)
        registry->ids[registry->id_count++] =
            (struct registry_id){ json_string_value(json_array_get(aliases, i)), version };
}

static const json_t *version_json(const struct registry_version *version)
{
    const json_t *list = json_object_get(version->model->manifest, "versions");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_get_string(json_array_get(list, i), "id") == version->id)
            return json_array_get(list, i);
    return NULL;
}

static size_t count_ids(const struct registry *registry)
{
    size_t count = 0;

    for (int m = 0; m < registry->model_count; m++) {
        const struct registry_model *model = &registry->models[m];

        count += json_array_size(json_object_get(model->manifest, "aliases"));
        for (int v = 0; v < model->version_count; v++)
            count +=
                1 + json_array_size(json_object_get(version_json(&model->versions[v]), "aliases"));
    }
    return count;
}

static bool make_ids(struct registry *registry, struct err *err)
{
    registry->ids =
        arena_alloc(&registry->arena, (count_ids(registry) + 1) * sizeof(*registry->ids));
    if (!registry->ids)
        return no_memory(err);
    for (int m = 0; m < registry->model_count; m++) {
        const struct registry_model *model = &registry->models[m];

        for (int v = 0; v < model->version_count; v++) {
            const struct registry_version *version = &model->versions[v];

            registry->ids[registry->id_count++] = (struct registry_id){ version->id, version };
            add_aliases(registry, json_object_get(version_json(version), "aliases"), version);
        }
        if (model->version_count > 0)
            add_aliases(registry, json_object_get(model->manifest, "aliases"), &model->versions[0]);
    }
    qsort(registry->ids, registry->id_count, sizeof(*registry->ids), compare_ids);
    for (size_t i = 1; i < registry->id_count; i++)
        if (strcmp(registry->ids[i - 1].id, registry->ids[i].id) == 0)
            return err_set(err, ERR_INVALID, "%.60s and %.60s share the version id %.70s",
                           registry->ids[i - 1].version->model->full_name,
                           registry->ids[i].version->model->full_name, registry->ids[i].id);
    return true;
}

static const struct registry_version *find_id(const struct registry *registry, struct str id)
{
    char text[65];
    struct registry_id key = { .id = text };
    const struct registry_id *found;

    if (!str_copy(id, text, sizeof(text)))
        return NULL;
    found = bsearch(&key, registry->ids, registry->id_count, sizeof(key), compare_ids);
    return found ? found->version : NULL;
}

/* ---- The interface ----------------------------------------------------------------------------
 */

bool registry_open(const struct registry_options *options, struct registry **ret_registry,
                   struct err *err)
{
    struct registry *registry = calloc(1, sizeof(*registry));

    if (!registry)
        return no_memory(err);
    arena_init(&registry->arena, REGISTRY_BYTES);
    registry->owned = json_array();
    registry->manifests = json_object();
    registry->native = json_object();
    if (!registry->owned || !registry->manifests || !registry->native) {
        registry_close(registry);
        return no_memory(err);
    }
    if (!load_description(registry, options->describe, err) || !load_embedded(registry, err) ||
        (options->folder && !load_folder(registry, options->folder, err)) ||
        !make_models(registry, err) || !make_ids(registry, err)) {
        registry_close(registry);
        return false;
    }
    *ret_registry = registry;
    return true;
}

void registry_close(struct registry *registry)
{
    if (!registry)
        return;
    json_decref(registry->owned);
    json_decref(registry->manifests);
    json_decref(registry->native);
    arena_done(&registry->arena);
    free(registry);
}

int registry_model_count(const struct registry *registry)
{
    return registry->model_count;
}

const struct registry_model *registry_model_at(const struct registry *registry, int index)
{
    return index >= 0 && index < registry->model_count ? &registry->models[index] : NULL;
}

const struct registry_model *registry_model_find(const struct registry *registry, struct str owner,
                                                 struct str name)
{
    for (int i = 0; i < registry->model_count; i++)
        if (str_equal(str_from(registry->models[i].name), name) &&
            str_equal(str_from(registry->models[i].owner), owner))
            return &registry->models[i];
    return NULL;
}

static bool list_has(const json_t *list, struct str id)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(str_from(json_string_value(json_array_get(list, i))), id))
            return true;
    return false;
}

const struct registry_version *registry_version_find(const struct registry_model *model,
                                                     struct str id)
{
    for (int i = 0; i < model->version_count; i++) {
        const struct registry_version *version = &model->versions[i];

        if (str_equal(str_from(version->id), id) ||
            list_has(json_object_get(version_json(version), "aliases"), id) ||
            (i == 0 && list_has(json_object_get(model->manifest, "aliases"), id)))
            return version;
    }
    return NULL;
}

const struct registry_version *registry_resolve(const struct registry *registry, struct str ref)
{
    const struct registry_model *model;
    struct str owner, rest, name, id;
    bool has_id;

    if (!str_cut(ref, '/', &owner, &rest))
        return find_id(registry, ref);
    has_id = str_cut(rest, ':', &name, &id);
    if (!has_id)
        name = rest;
    model = registry_model_find(registry, owner, name);
    if (!model)
        return NULL;
    if (has_id)
        return registry_version_find(model, id);
    return model->version_count > 0 ? &model->versions[0] : NULL;
}
