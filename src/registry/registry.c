/* The registry: which models there are now, under one lock.
 *
 *   files --> load.c --> models.c --> index.c <-- finding
 *   the API's manifests ---^
 *
 * Changes come one at a time (`changing`) and take `lock` alone only for the moment in which the
 * index changes; finding takes it shared. What a change replaces stays in memory until the registry
 * closes, since a prediction may hold it for as long as it runs and nobody counts who does; a
 * budget (REGISTRY_PUT_BYTES) bounds what changes over the API can cost, and files that have not
 * changed cost nothing when they are read again.
 * Not here: the form of a manifest (manifest.c), of a schema document (schema.c). */
#include "registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "registry/catalogue.h"
#include "registry/index.h"
#include "registry/load.h"
#include "registry/manifest.h"
#include "registry/models.h"

/* What models put while the server runs may cost together, replaced ones included: thousands of
 * changes. A restart begins anew. One account gets a part of it, so that it cannot take it all. */
#define REGISTRY_PUT_BYTES ((size_t)1 << 30)
#define REGISTRY_PUT_BYTES_ACCOUNT (REGISTRY_PUT_BYTES / 4)
#define REGISTRY_PUT_BYTES_MODEL ((size_t)16 << 20)
/* What a change costs at least: its place in memory, and in the index. */
#define REGISTRY_STRUCT_BYTES ((size_t)8 << 10)
/* Of a model put, aliases counted: the index takes time for each while nothing can be found. */
#define REGISTRY_PUT_IDS_MAX 1000

struct registry {
    char *folder;                 /* NULL: none */
    json_t *native;               /* native model name -> its description; never changes */
    pthread_mutex_t changing;     /* one change at a time; protects the next three */
    struct made_model *made;      /* all ever made, newest first */
    struct catalogue *catalogues; /* likewise */
    size_t put_bytes;             /* of REGISTRY_PUT_BYTES */
    pthread_rwlock_t lock;        /* protects the next two; a change holds both locks */
    struct index index;
    const struct catalogue *catalogue;
};

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "not enough memory for the registry of models");
}

/* Finding takes a lock, which changes nothing a caller could see: so the registry is const there.
 */
static void lock_shared(const struct registry *registry)
{
    pthread_rwlock_rdlock(&((struct registry *)registry)->lock);
}

static void unlock(const struct registry *registry)
{
    pthread_rwlock_unlock(&((struct registry *)registry)->lock);
}

/* ---- Reading the files ------------------------------------------------------------------------
 */

/* What a reading makes, until it is clear that all of it is right. */
struct reading {
    struct registry *registry;
    struct index index;
    struct made_model *made;
};

/* The model as it is, if its manifest has not changed. */
static const struct registry_model *find_unchanged(const struct registry *registry,
                                                   const json_t *manifest,
                                                   enum registry_source source)
{
    const struct registry_model *model =
        index_find_model(&registry->index, str_from(json_get_string(manifest, "owner")),
                         str_from(json_get_string(manifest, "name")));

    return model && model->source == source && json_equal(model->manifest, manifest) ? model : NULL;
}

static bool read_model(struct reading *reading, json_t *manifest, enum registry_source source,
                       struct err *err)
{
    const struct registry_model *model = find_unchanged(reading->registry, manifest, source);
    struct made_model *made;

    if (!model) {
        if (!models_make(reading->registry->native, manifest, source, NULL, &made, err))
            return false;
        made->next = reading->made;
        reading->made = made;
        model = &made->model;
    }
    if (index_replace(&reading->index, NULL, model, err))
        return true;
    if (err && err->kind == ERR_CONFLICT) /* the file is to blame */
        err->kind = ERR_INVALID;
    return false;
}

/* manifests: "owner/name" -> manifest; those that `winning` (NULL: nobody) has, too, are left out.
 */
static bool read_models(struct reading *reading, json_t *manifests, const json_t *winning,
                        enum registry_source source, struct err *err)
{
    const char *full_name;
    json_t *manifest;

    json_object_foreach(manifests, full_name, manifest)
    {
        if (!json_object_get(winning, full_name) && !read_model(reading, manifest, source, err))
            return false;
    }
    return true;
}

/* Models of the API stay as they are. */
static bool keep_put_models(struct reading *reading, struct err *err)
{
    const struct index *index = &reading->registry->index;

    for (int i = 0; i < index->model_count; i++) {
        const struct registry_model *model = index->by_name[i];

        if (model->source != REGISTRY_PUT)
            continue;
        if (index_find_model(&reading->index, str_from(model->owner), str_from(model->name)))
            return err_set(err, ERR_INVALID, "%.180s has a manifest and was made over the API, too",
                           model->full_name);
        if (!index_replace(&reading->index, NULL, model, err))
            return false;
    }
    return true;
}

/* Exchange what there is for what was read. */
static void take_reading(struct registry *registry, struct reading *reading,
                         struct catalogue *catalogue)
{
    struct index old = registry->index;
    struct made_model **last = &reading->made;

    while (*last)
        last = &(*last)->next;
    *last = registry->made;
    registry->made = reading->made;
    pthread_rwlock_wrlock(&registry->lock);
    registry->index = reading->index;
    if (!registry->catalogue ||
        !json_equal(catalogue->functions_json, registry->catalogue->functions_json) ||
        !json_equal(catalogue->collections_json, registry->catalogue->collections_json)) {
        catalogue->next = registry->catalogues;
        registry->catalogues = catalogue;
        registry->catalogue = catalogue;
        catalogue = NULL;
    }
    pthread_rwlock_unlock(&registry->lock);
    catalogue_free(catalogue);
    index_done(&old);
}

static void drop_reading(struct reading *reading)
{
    index_done(&reading->index);
    while (reading->made) {
        struct made_model *made = reading->made;

        reading->made = made->next;
        models_free(made);
    }
}

/* changing is held, or nobody else knows the registry yet. */
static bool read_files(struct registry *registry, struct err *err)
{
    struct reading reading = { .registry = registry };
    struct catalogue *catalogue = NULL;
    struct loaded loaded;
    bool ok;

    ok = load_files(registry->folder, &loaded, err) &&
         read_models(&reading, loaded.built_in, loaded.folder, REGISTRY_BUILT_IN, err) &&
         read_models(&reading, loaded.folder, NULL, REGISTRY_FOLDER, err) &&
         keep_put_models(&reading, err);
    if (ok) {
        catalogue = catalogue_make(loaded.functions, loaded.collections);
        ok = catalogue || no_memory(err);
    }
    load_done(&loaded);
    if (ok)
        take_reading(registry, &reading, catalogue);
    else
        drop_reading(&reading);
    return ok;
}

/* ---- Opening and closing ----------------------------------------------------------------------
 */

bool registry_open(const struct registry_options *options, struct registry **ret_registry,
                   struct err *err)
{
    struct registry *registry = calloc(1, sizeof(*registry));

    if (!registry)
        return no_memory(err);
    pthread_mutex_init(&registry->changing, NULL);
    pthread_rwlock_init(&registry->lock, NULL);
    if (options->folder)
        registry->folder = strdup(options->folder);
    if (options->folder && !registry->folder) {
        registry_close(registry);
        return no_memory(err);
    }
    if (!load_description(options->describe, &registry->native, err) ||
        !read_files(registry, err)) {
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
    index_done(&registry->index);
    while (registry->made) {
        struct made_model *made = registry->made;

        registry->made = made->next;
        models_free(made);
    }
    while (registry->catalogues) {
        struct catalogue *catalogue = registry->catalogues;

        registry->catalogues = catalogue->next;
        catalogue_free(catalogue);
    }
    json_decref(registry->native);
    free(registry->folder);
    pthread_rwlock_destroy(&registry->lock);
    pthread_mutex_destroy(&registry->changing);
    free(registry);
}

/* ---- Changes ----------------------------------------------------------------------------------
 */

bool registry_reload(struct registry *registry, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&registry->changing);
    ok = read_files(registry, err);
    pthread_mutex_unlock(&registry->changing);
    return ok;
}

static size_t cost_of(const struct made_model *made)
{
    return made->bytes + REGISTRY_STRUCT_BYTES;
}

/* changing is held. What the account has put so far. */
static size_t spent_by(const struct registry *registry, const char *account)
{
    size_t bytes = 0;

    for (const struct made_model *made = registry->made; made; made = made->next)
        if (made->model.account && strcmp(made->model.account, account) == 0)
            bytes += cost_of(made);
    return bytes;
}

static bool check_budget(const struct registry *registry, const struct made_model *made,
                         struct err *err)
{
    const char *account = made->model.account;

    if (cost_of(made) > REGISTRY_PUT_BYTES_MODEL)
        return err_set(err, ERR_INVALID, "The model's manifest has too many values.");
    if (registry->put_bytes + cost_of(made) <= REGISTRY_PUT_BYTES &&
        (!account || spent_by(registry, account) + cost_of(made) <= REGISTRY_PUT_BYTES_ACCOUNT))
        return true;
    return err_set(err, ERR_UNAVAILABLE,
                   "Too many changes to models since this server started; restart it.");
}

static bool check_ids(const json_t *manifest, struct err *err)
{
    const json_t *versions = json_object_get(manifest, "versions");
    size_t count =
        json_array_size(versions) + json_array_size(json_object_get(manifest, "aliases"));

    for (size_t i = 0; i < json_array_size(versions); i++)
        count += json_array_size(json_object_get(json_array_get(versions, i), "aliases"));
    return count <= REGISTRY_PUT_IDS_MAX ||
           err_set(err, ERR_INVALID, "A model may have at most %d versions, and aliases of them.",
                   REGISTRY_PUT_IDS_MAX);
}

/* changing is held. Takes `made`, also on failure. */
static bool put_made(struct registry *registry, struct made_model *made, struct err *err)
{
    const struct registry_model *model = &made->model;
    const struct registry_model *old =
        index_find_model(&registry->index, str_from(model->owner), str_from(model->name));
    bool ok = true;

    if (old && old->source != REGISTRY_PUT)
        ok = err_set(err, ERR_CONFLICT, "A model with that name and owner already exists.");
    else
        ok = check_budget(registry, made, err);
    if (ok) {
        pthread_rwlock_wrlock(&registry->lock);
        ok = index_replace(&registry->index, old, model, err);
        pthread_rwlock_unlock(&registry->lock);
    }
    if (!ok) {
        models_free(made);
        return false;
    }
    registry->put_bytes += cost_of(made);
    made->next = registry->made;
    registry->made = made;
    return true;
}

bool registry_put(struct registry *registry, const char *account, const json_t *manifest,
                  const struct registry_model **ret_model, struct err *err)
{
    struct made_model *made = NULL;
    json_t *copy;
    bool ok;

    if (!manifest_check(manifest, err) || !check_ids(manifest, err))
        return false;
    copy = json_deep_copy(manifest);
    if (!copy)
        return no_memory(err);
    ok = models_make(registry->native, copy, REGISTRY_PUT, account, &made, err);
    json_decref(copy);
    if (!ok)
        return false;
    pthread_mutex_lock(&registry->changing);
    ok = put_made(registry, made, err);
    pthread_mutex_unlock(&registry->changing);
    if (ok && ret_model)
        *ret_model = &made->model;
    return ok;
}

bool registry_remove(struct registry *registry, const char *full_name, struct err *err)
{
    const struct registry_model *model = NULL;
    struct str owner, name;
    bool ok;

    pthread_mutex_lock(&registry->changing);
    if (str_cut(str_from(full_name), '/', &owner, &name))
        model = index_find_model(&registry->index, owner, name);
    if (!model) {
        ok = err_set(err, ERR_NOT_FOUND, "There is no model '%.200s'.", full_name);
    } else if (model->source != REGISTRY_PUT) {
        ok = err_set(err, ERR_CONFLICT, "%.180s was not made over the API: it has a manifest.",
                     full_name);
    } else {
        pthread_rwlock_wrlock(&registry->lock);
        index_remove(&registry->index, model);
        pthread_rwlock_unlock(&registry->lock);
        ok = true;
    }
    pthread_mutex_unlock(&registry->changing);
    return ok;
}

/* ---- Finding ----------------------------------------------------------------------------------
 */

bool registry_list(const struct registry *registry, const struct registry_model ***ret_models,
                   int *ret_count, struct err *err)
{
    const struct registry_model **models;
    int count;

    lock_shared(registry);
    count = registry->index.model_count;
    models = calloc((size_t)count + 1, sizeof(*models));
    if (models && count > 0)
        memcpy(models, registry->index.by_day, (size_t)count * sizeof(*models));
    unlock(registry);
    if (!models)
        return no_memory(err);
    *ret_models = models;
    *ret_count = count;
    return true;
}

const struct registry_model *registry_model_find(const struct registry *registry, struct str owner,
                                                 struct str name)
{
    const struct registry_model *model;

    lock_shared(registry);
    model = index_find_model(&registry->index, owner, name);
    unlock(registry);
    return model;
}

static bool list_has(const json_t *list, struct str id)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_equal(str_from(json_string_value(json_array_get(list, i))), id))
            return true;
    return false;
}

static bool is_called(const struct registry_version *version, struct str id)
{
    return str_equal(str_from(version->id), id) ||
           list_has(json_object_get(models_version_row(version), "aliases"), id);
}

const struct registry_version *registry_version_find(const struct registry_model *model,
                                                     struct str id)
{
    for (int i = 0; i < model->version_count; i++)
        if (is_called(&model->versions[i], id) ||
            (i == 0 && list_has(json_object_get(model->manifest, "aliases"), id)))
            return &model->versions[i];
    return model->by_name && is_called(model->by_name, id) ? model->by_name : NULL;
}

const struct registry_version *registry_resolve(const struct registry *registry, struct str ref)
{
    const struct registry_model *model;
    const struct registry_version *version;
    struct str owner, rest, name, id;
    bool has_id;

    if (!str_cut(ref, '/', &owner, &rest)) {
        lock_shared(registry);
        version = index_find_id(&registry->index, ref);
        unlock(registry);
        return version;
    }
    has_id = str_cut(rest, ':', &name, &id);
    model = registry_model_find(registry, owner, has_id ? name : rest);
    if (!model)
        return NULL;
    return has_id ? registry_version_find(model, id) : model->by_name;
}

/* ---- The catalogue ----------------------------------------------------------------------------
 */

static const struct catalogue *catalogue_of(const struct registry *registry)
{
    const struct catalogue *catalogue;

    lock_shared(registry);
    catalogue = registry->catalogue;
    unlock(registry);
    return catalogue;
}

int registry_collection_count(const struct registry *registry)
{
    return catalogue_of(registry)->collection_count;
}

const struct registry_collection *registry_collection_at(const struct registry *registry, int index)
{
    const struct catalogue *catalogue = catalogue_of(registry);

    return index >= 0 && index < catalogue->collection_count ? &catalogue->collections[index]
                                                             : NULL;
}

int registry_function_count(const struct registry *registry)
{
    return catalogue_of(registry)->function_count;
}

const struct registry_function *registry_function_at(const struct registry *registry, int index)
{
    const struct catalogue *catalogue = catalogue_of(registry);

    return index >= 0 && index < catalogue->function_count ? &catalogue->functions[index] : NULL;
}

const struct registry_function *registry_function_find(const struct registry *registry,
                                                       struct str name)
{
    const struct catalogue *catalogue = catalogue_of(registry);

    for (int i = 0; i < catalogue->function_count; i++)
        if (str_equal(str_from(catalogue->functions[i].name), name))
            return &catalogue->functions[i];
    return NULL;
}
