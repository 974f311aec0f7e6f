/* Models that users make over the API: documents in the store, models in the registry.
 *
 * Invariants
 *  (1) The registry is told first, as it judges the manifest; when the store then refuses, the
 *      registry gets the former manifest back. So what a client was told is on disk.
 *  (2) One change at a time (`lock`), so that none is built on a document that is out of date.
 * Not here: HTTP (resource/models_write.c), trained weights (trained_versions.c). */
#include "api/model_documents.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/model_documents_private.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "registry/registry.h"
#include "store/store.h"

#define DOCUMENT_KIND "model"
#define DOCUMENTS_ALL_MAX 100000          /* of all accounts, read at the start */
#define DOCUMENTS_MEMORY_BYTES (2u << 30) /* all at once: the registry takes half of that */
#define DOCUMENT_MEMORY_BYTES (4u * STORE_DOCUMENT_BYTES_MAX)

struct model_documents {
    struct store *store; /* borrowed */
    struct registry *registry;
    pthread_mutex_t lock;           /* held across changes, which block on the store */
    void (*retired)(void *context); /* (locked) */
    void *retired_context;
    char weights_folder[4096];
};

struct registry *model_documents_registry(const struct model_documents *documents)
{
    return documents->registry;
}

bool model_documents_visible(const struct registry_model *model, const char *account)
{
    return strcmp(model->visibility, "public") == 0 || !model->account ||
           (account && strcmp(model->account, account) == 0);
}

bool model_documents_weights_path(const struct model_documents *documents, const char *full_name,
                                  const char *version, char *ret_path, size_t size)
{
    int len = snprintf(ret_path, size, "%s/%s/%s", documents->weights_folder, full_name, version);

    return len > 0 && (size_t)len < size;
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

/* The document with all of its keys. The caller owns it. */
static bool parse_document(struct str text, json_t **ret_document, struct err *err)
{
    json_t *document;

    if (!json_parse(text, &document, err))
        return false;
    if (!json_is_object(json_object_get(document, "manifest")) ||
        !json_is_array(json_object_get(document, "deleting")) ||
        !json_is_object(json_object_get(document, "trained"))) {
        json_decref(document);
        return err_set(err, ERR_INTERNAL, "a stored model is not one");
    }
    *ret_document = document;
    return true;
}

static void load_one(struct model_documents *documents, const struct store_document *stored)
{
    const struct registry_model *model;
    json_t *document;
    struct err err;

    if (!parse_document(stored->json, &document, &err)) {
        log_error(LOG_WARN, "model_not_loaded", &err, "model=\"%s\"", stored->id);
        return;
    }
    if (!registry_put(documents->registry, stored->account, json_object_get(document, "manifest"),
                      &model, &err))
        log_error(LOG_WARN, "model_not_loaded", &err, "model=\"%s\"", stored->id);
    json_decref(document);
}

static bool load(struct model_documents *documents, struct err *err)
{
    struct store_document *stored;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, DOCUMENTS_MEMORY_BYTES);
    ok = store_document_list(documents->store, DOCUMENT_KIND, NULL, DOCUMENTS_ALL_MAX, &arena,
                             &stored, &count, err);
    for (int i = count - 1; ok && i >= 0; i--) /* the oldest first */
        load_one(documents, &stored[i]);
    arena_done(&arena);
    return ok || err_while(err, "reading the models made over the API");
}

bool model_documents_open(const struct model_documents_options *options,
                          struct model_documents **ret_documents, struct err *err)
{
    struct model_documents *documents = calloc(1, sizeof(*documents));

    if (!documents)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for models");
    documents->store = options->store;
    documents->registry = options->registry;
    pthread_mutex_init(&documents->lock, NULL);
    if (!str_copy(str_from(options->weights_folder), documents->weights_folder,
                  sizeof(documents->weights_folder))) {
        model_documents_close(documents);
        return err_set(err, ERR_INVALID, "the path of the weights is too long");
    }
    if (!load(documents, err)) {
        model_documents_close(documents);
        return false;
    }
    *ret_documents = documents;
    return true;
}

void model_documents_close(struct model_documents *documents)
{
    if (!documents)
        return;
    pthread_mutex_destroy(&documents->lock);
    free(documents);
}

/* ---- Changing; the lock is held ---------------------------------------------------------------
 */

static const struct registry_model *find(const struct model_documents *documents,
                                         const char *full_name)
{
    struct str owner, name;

    if (!str_cut(str_from(full_name), '/', &owner, &name))
        return NULL;
    return registry_model_find(documents->registry, owner, name);
}

static bool store(struct model_documents *documents, const char *account, const char *full_name,
                  const json_t *document, enum store_condition condition, struct err *err)
{
    struct store_document row = { .kind = DOCUMENT_KIND, .id = full_name, .account = account };
    struct store_write write = { .kind = STORE_DOCUMENT_PUT };
    struct buf text;
    bool ok;

    buf_init(&text, STORE_DOCUMENT_BYTES_MAX);
    if (!json_write(document, false, &text)) {
        buf_done(&text);
        return err_set(err, ERR_TOO_LARGE, "A model's description must be smaller than 4 MB");
    }
    row.json = buf_str(&text);
    write.document = &row;
    write.condition = condition;
    ok = store_write_wait(documents->store, &write, err);
    buf_done(&text);
    if (ok && !write.applied)
        return condition == STORE_IF_ABSENT
                   ? err_set(err, ERR_CONFLICT, "A model with that name and owner already exists.")
                   : err_set(err, ERR_NOT_FOUND, "There is no such model");
    return ok;
}

/* The stored document of a model that was made over the API. */
static bool read_document(struct model_documents *documents, const char *full_name,
                          json_t **ret_document, struct err *err)
{
    struct store_document stored;
    struct arena arena;
    bool ok;

    arena_init(&arena, DOCUMENT_MEMORY_BYTES);
    ok = store_document_get(documents->store, DOCUMENT_KIND, full_name, &arena, &stored, err) &&
         parse_document(stored.json, ret_document, err);
    arena_done(&arena);
    return ok;
}

static int count_of_account(const struct model_documents *documents, const char *account)
{
    const struct registry_model **models;
    int total = 0, count = 0;

    if (!registry_list(documents->registry, &models, &total, NULL))
        return 0;
    for (int i = 0; i < total; i++)
        count += models[i]->account && strcmp(models[i]->account, account) == 0;
    free(models);
    return count;
}

static bool create(struct model_documents *documents, const char *account, const json_t *manifest,
                   const struct registry_model **ret_model, struct err *err)
{
    const char *owner = json_get_string(manifest, "owner"),
               *name = json_get_string(manifest, "name");
    char full_name[256];
    json_t *document;
    bool ok;

    snprintf(full_name, sizeof(full_name), "%s/%s", owner ? owner : "", name ? name : "");
    if (find(documents, full_name))
        return err_set(err, ERR_CONFLICT, "A model with that name and owner already exists.");
    if (count_of_account(documents, account) >= MODEL_DOCUMENTS_MAX)
        return err_set(err, ERR_FORBIDDEN, "An account may have at most %d models",
                       MODEL_DOCUMENTS_MAX);
    if (!registry_put(documents->registry, account, manifest, ret_model, err))
        return false;
    document = json_pack("{s:O, s:[], s:{}}", "manifest", manifest, "deleting", "trained");
    ok = document
             ? store(documents, account, (*ret_model)->full_name, document, STORE_IF_ABSENT, err)
             : err_set(err, ERR_NO_MEMORY, "not enough memory for a model");
    json_decref(document);
    if (!ok)
        registry_remove(documents->registry, (*ret_model)->full_name, NULL);
    return ok;
}

/* The registry and the store get what differs. */
static bool keep(struct model_documents *documents, const struct registry_model *model,
                 const json_t *before, const json_t *after, const struct registry_model **ret_model,
                 struct err *err)
{
    const json_t *manifest = json_object_get(before, "manifest");
    const json_t *next = json_object_get(after, "manifest");
    bool same = json_equal(manifest, next);

    *ret_model = model;
    if (same && json_equal(before, after))
        return true;
    if (!same && !registry_put(documents->registry, model->account, next, ret_model, err))
        return false;
    if (!store(documents, model->account, model->full_name, after, STORE_IF_PRESENT, err)) {
        if (!same)
            registry_put(documents->registry, model->account, manifest, ret_model, NULL);
        return false;
    }
    if (documents->retired && json_array_size(json_object_get(after, "deleting")) >
                                  json_array_size(json_object_get(before, "deleting")))
        documents->retired(documents->retired_context);
    return true;
}

static bool change(struct model_documents *documents, const struct registry_model *model,
                   model_documents_edit *edit, void *context,
                   const struct registry_model **ret_model, struct err *err)
{
    json_t *before, *after;
    bool ok;

    if (!read_document(documents, model->full_name, &before, err))
        return false;
    after = json_deep_copy(before);
    ok = after || err_set(err, ERR_NO_MEMORY, "not enough memory for a model");
    ok = ok && edit(context, after, err) && keep(documents, model, before, after, ret_model, err);
    json_decref(before);
    json_decref(after);
    return ok;
}

static bool delete_one(struct model_documents *documents, const struct registry_model *model,
                       struct err *err)
{
    struct store_document row = { .kind = DOCUMENT_KIND, .id = model->full_name };
    struct store_write write = { .kind = STORE_DOCUMENT_DELETE, .document = &row };
    json_t *document;
    size_t deleting, trained;

    if (!read_document(documents, model->full_name, &document, err))
        return false;
    deleting = json_array_size(json_object_get(document, "deleting"));
    trained = json_object_size(json_object_get(document, "trained"));
    json_decref(document);
    if (deleting > 0)
        return err_set(err, ERR_CONFLICT,
                       "The model's versions are still being deleted; try again in a moment");
    if (trained > 0)
        return err_set(err, ERR_CONFLICT, "A training is making a version of the model");
    return store_write_wait(documents->store, &write, err) &&
           registry_remove(documents->registry, model->full_name, err);
}

/* Takes it off a list of ids, or of objects with one. */
static bool take_off(json_t *list, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *one =
            json_is_object(item) ? json_get_string(item, "id") : json_string_value(item);

        if (one && strcmp(one, id) == 0)
            return json_array_remove(list, i) == 0;
    }
    return false;
}

static bool is_trained(const json_t *document, const char *version)
{
    const char *training;
    json_t *value;

    json_object_foreach(json_object_get(document, "trained"), training, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), version) == 0)
            return true;
    }
    return false;
}

bool model_document_forget_trained(json_t *document, const char *training)
{
    json_t *trained = json_object_get(document, "trained");
    json_t *version = json_incref(json_object_get(trained, training));
    bool ok = true;

    if (!version)
        return true;
    json_object_del(trained, training);
    /* Not another training's as well: the same weights are the same version. */
    if (json_is_string(version) && !is_trained(document, json_string_value(version))) {
        json_t *deleting = json_object_get(document, "deleting");

        take_off(json_object_get(json_object_get(document, "manifest"), "versions"),
                 json_string_value(version));
        take_off(deleting, json_string_value(version));
        ok = json_array_append(deleting, version) == 0;
    }
    json_decref(version);
    return ok;
}

bool model_document_retire(json_t *document, const char *version)
{
    json_t *versions = json_object_get(json_object_get(document, "manifest"), "versions");
    json_t *trained = json_object_get(document, "trained"), *value;
    const char *training;
    void *next;

    if (!take_off(versions, version))
        return false;
    json_object_foreach_safe(trained, next, training, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), version) == 0)
            json_object_del(trained, training);
    }
    return json_array_append_new(json_object_get(document, "deleting"), json_string(version)) == 0;
}

/* ---- The same, with the lock ------------------------------------------------------------------
 */

void model_documents_on_retired(struct model_documents *documents, void (*retired)(void *context),
                                void *context)
{
    pthread_mutex_lock(&documents->lock);
    documents->retired = retired;
    documents->retired_context = context;
    pthread_mutex_unlock(&documents->lock);
}

bool model_documents_create(struct model_documents *documents, const char *account,
                            const json_t *manifest, const struct registry_model **ret_model,
                            struct err *err)
{
    bool ok;

    pthread_mutex_lock(&documents->lock);
    ok = create(documents, account, manifest, ret_model, err);
    pthread_mutex_unlock(&documents->lock);
    return ok;
}

bool model_documents_change(struct model_documents *documents, const char *full_name,
                            model_documents_edit *edit, void *context,
                            const struct registry_model **ret_model, struct err *err)
{
    const struct registry_model *model;
    bool ok;

    pthread_mutex_lock(&documents->lock);
    model = find(documents, full_name);
    ok = model && model->account ? change(documents, model, edit, context, ret_model, err)
                                 : err_set(err, ERR_NOT_FOUND, "There is no such model");
    pthread_mutex_unlock(&documents->lock);
    return ok;
}

bool model_documents_delete(struct model_documents *documents, const char *full_name,
                            struct err *err)
{
    const struct registry_model *model;
    bool ok;

    pthread_mutex_lock(&documents->lock);
    model = find(documents, full_name);
    ok = model && model->account ? delete_one(documents, model, err)
                                 : err_set(err, ERR_NOT_FOUND, "There is no such model");
    pthread_mutex_unlock(&documents->lock);
    return ok;
}

/* Without the lock: each() may change what is listed here. */
static bool each_of(const struct store_document *stored,
                    bool (*each)(void *context, const char *full_name, const char *version),
                    void *context)
{
    const json_t *deleting;
    json_t *document;
    bool more = true;

    if (!parse_document(stored->json, &document, NULL))
        return true; /* told at the start */
    deleting = json_object_get(document, "deleting");
    for (size_t i = 0; more && i < json_array_size(deleting); i++) {
        const char *version = json_string_value(json_array_get(deleting, i));

        more = !version || each(context, stored->id, version);
    }
    json_decref(document);
    return more;
}

bool model_documents_each_deleting(struct model_documents *documents,
                                   bool (*each)(void *context, const char *full_name,
                                                const char *version),
                                   void *context, struct err *err)
{
    struct store_document *stored;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, DOCUMENTS_MEMORY_BYTES);
    ok = store_document_list(documents->store, DOCUMENT_KIND, NULL, DOCUMENTS_ALL_MAX, &arena,
                             &stored, &count, err);
    for (int i = 0; ok && i < count; i++)
        if (!each_of(&stored[i], each, context))
            break;
    arena_done(&arena);
    return ok;
}
