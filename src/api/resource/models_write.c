/* Making, changing and deleting models and versions over HTTP. Only an account's own ones: built-in
 * models and those of the manifests' folder are changed where they are. Not here: keeping them
 * (model_documents.c), what a deleted version leaves behind (version_removal.c). */
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/deployment_documents.h"
#include "api/hardware.h"
#include "api/model_documents.h"
#include "api/model_pages.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/registry.h"
#include "store/store.h"

#define TRAINING_BYTES (256u << 20) /* one record */

#define URL_TYPE "{\"type\":\"string\",\"format\":\"uri\"}"
#define TEXT_TYPE "{\"type\":\"string\",\"maxLength\":100000}"

/* `manifest` is ours: what makes the model run at once, as in docs/manifests.md. */
#define CREATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"owner\",\"name\",\"visibility\",\"hardware\"],"          \
    "\"additionalProperties\":false,\"properties\":{"                                              \
    "\"owner\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"                              \
    "\"visibility\":{\"type\":\"string\",\"enum\":[\"public\",\"private\"]},"                      \
    "\"hardware\":{\"type\":\"string\",\"enum\":" HARDWARE_SKUS "},"                               \
    "\"description\":" TEXT_TYPE ",\"github_url\":" URL_TYPE ",\"paper_url\":" URL_TYPE            \
    ",\"license_url\":" URL_TYPE ",\"cover_image_url\":" URL_TYPE ","                              \
    "\"manifest\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"            \
    "\"runner\":{},\"model\":{},\"versions\":{},\"schema\":{},\"weights\":{},\"tags\":{},"         \
    "\"default_example\":{},\"readme\":" TEXT_TYPE ",\"weights_url\":" URL_TYPE "}}}}"

#define UPDATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"                         \
    "\"description\":" TEXT_TYPE ",\"readme\":" TEXT_TYPE ",\"github_url\":" URL_TYPE              \
    ",\"paper_url\":" URL_TYPE ",\"weights_url\":" URL_TYPE ",\"license_url\":" URL_TYPE "}}"

static bool is_own(const struct http_call *call, const struct registry_model *model)
{
    return model->account && strcmp(model->account, http_account(call)) == 0;
}

/* The model of the path, when it is the caller's. NULL: answered. */
static const struct registry_model *find_own(struct http_call *call)
{
    const struct registry_model *model = model_find(call);

    if (!model || is_own(call, model))
        return model;
    problem_reply_detail(call, 403, "Forbidden",
                         model->account
                             ? "Only the account that made a model can change it"
                             : "This model comes with the server; it is changed in its manifest");
    return NULL;
}

/* ---- Create -----------------------------------------------------------------------------------
 */

/* May these versions be a user's? Weights of their own only come from trainings. */
static bool versions_allowed(const json_t *manifest)
{
    const json_t *versions = json_object_get(manifest, "versions");

    for (size_t i = 0; i < json_array_size(versions); i++)
        if (json_object_get(json_array_get(versions, i), "weights_folder"))
            return false;
    return true;
}

/* What the registry takes. The caller owns it; NULL when memory is short. */
static json_t *manifest_of(const json_t *body)
{
    const json_t *extra = json_object_get(body, "manifest");
    json_t *manifest = extra ? json_deep_copy(extra) : json_object(), *value;
    char now[CLOCK_TEXT_SIZE];
    const char *key;
    size_t i;

    clock_format(clock_now_us(), 6, true, now);
    if (!manifest)
        return NULL;
    json_object_foreach((json_t *)body, key, value)
    {
        if (strcmp(key, "manifest") != 0)
            json_object_set(manifest, key, value);
    }
    json_object_set_new(manifest, "created_at", json_string(now));
    /* A version is from now unless it says otherwise. */
    json_array_foreach(json_object_get(manifest, "versions"), i, value)
    {
        if (json_is_object(value) && !json_object_get(value, "created_at"))
            json_object_set_new(value, "created_at", json_string(now));
    }
    return manifest;
}

static bool check_owner(struct http_call *call, const char *owner)
{
    if (strcmp(owner, http_account(call)) == 0)
        return true;
    problem_reply_detail(call, 403, "Forbidden",
                         arena_printf(http_arena(call),
                                      "You can make models only under your own name: owner must be "
                                      "\"%s\"",
                                      http_account(call)));
    return false;
}

static void create(struct http_call *call)
{
    const struct registry_model *model;
    json_t *body, *manifest;
    struct err err;

    if (!body_read(call, S(CREATE_SCHEMA), &body))
        return;
    if (!check_owner(call, json_get_string(body, "owner"))) {
        json_decref(body);
        return;
    }
    manifest = manifest_of(body);
    if (!manifest) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a model");
        problem_reply(call, &err);
    } else if (!versions_allowed(manifest)) {
        problem_reply_detail(call, 422, "Unprocessable entity",
                             "manifest.versions: 'weights_folder' is only for trained versions");
    } else if (model_documents_create(api_of(call)->models, http_account(call), manifest, &model,
                                      &err)) {
        model_reply(call, 201, model);
    } else if (err.kind == ERR_CONFLICT && strstr(err.detail, "already exists")) {
        problem_reply_model_exists(call);
    } else {
        problem_reply(call, &err);
    }
    json_decref(manifest);
    json_decref(body);
}

/* ---- Change, delete ---------------------------------------------------------------------------
 */

static bool apply(void *context, json_t *document, struct err *err)
{
    return json_object_update(json_object_get(document, "manifest"), context) == 0 ||
           err_set(err, ERR_NO_MEMORY, "not enough memory for a model");
}

static void update(struct http_call *call)
{
    const struct registry_model *model = find_own(call);
    json_t *body;
    struct err err;

    if (!model || !body_read(call, S(UPDATE_SCHEMA), &body))
        return;
    if (model_documents_change(api_of(call)->models, model->full_name, apply, body, &model, &err))
        model_reply(call, 200, model);
    else
        problem_reply(call, &err);
    json_decref(body);
}

static bool is_private(struct http_call *call, const struct registry_model *model)
{
    if (strcmp(model->visibility, "private") == 0)
        return true;
    problem_reply_detail(call, 409, "Conflict",
                         "Only private models, and versions of private models, can be deleted");
    return false;
}

static void delete_model(struct http_call *call)
{
    const struct registry_model *model = find_own(call);
    struct err err;

    if (!model || !is_private(call, model))
        return;
    if (model->version_count > 0)
        problem_reply_detail(call, 409, "Conflict",
                             "A model that has versions cannot be deleted: delete them first");
    else if (model_documents_delete(api_of(call)->models, model->full_name, &err))
        reply_empty(call);
    else
        problem_reply(call, &err);
}

/* ---- Delete a version -------------------------------------------------------------------------
 */

static bool mark(void *context, json_t *document, struct err *err)
{
    return model_document_retire(document, context) ||
           err_set(err, ERR_NOT_FOUND, "There is no such version");
}

/* Was something trained from it? By its account: it is private. */
static bool has_trainings(struct store *store, const char *account, const char *id, bool *ret_has,
                          struct err *err)
{
    struct store_prediction_query query = {
        .account = account, .version = id, .kind = STORE_KIND_TRAININGS, .limit = 1
    };
    struct prediction *found;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, TRAINING_BYTES);
    ok = store_prediction_list(store, &query, &arena, &found, &count, err);
    arena_done(&arena);
    *ret_has = count > 0;
    return ok;
}

/* Does nothing need the version? False: answered. */
static bool is_unused(struct http_call *call, const char *id)
{
    struct store *store = api_of(call)->store;
    bool deployed = false, trained = false;
    struct err err;

    if (!deployment_documents_use(store, id, &deployed, &err) ||
        !has_trainings(store, http_account(call), id, &trained, &err)) {
        problem_reply(call, &err);
        return false;
    }
    if (deployed)
        problem_reply_detail(call, 409, "Conflict",
                             "A deployment uses this version: change or delete it first");
    else if (trained)
        problem_reply_detail(call, 409, "Conflict",
                             "Trainings started from this version: it cannot be deleted");
    return !deployed && !trained;
}

static void delete_version(struct http_call *call)
{
    const struct registry_model *model = find_own(call);
    const struct registry_version *version;
    struct err err;

    if (!model)
        return;
    version = registry_version_find(model, str_from(http_param(call, "id")));
    if (!version) {
        problem_reply_not_found(call);
        return;
    }
    if (!is_private(call, model) || !is_unused(call, version->id))
        return;
    if (!model_documents_change(api_of(call)->models, model->full_name, mark, (void *)version->id,
                                &model, &err)) {
        problem_reply(call, &err);
        return;
    }
    reply_set_headers(call);
    http_reply(call, 202, "text/plain; charset=UTF-8", S(""));
}

static const struct http_route routes[] = {
    { "POST", "/v1/models", create, API_SCOPE_MANAGE, BODY_BYTES_MAX },
    { "PATCH", "/v1/models/{owner}/{name}", update, API_SCOPE_MANAGE, BODY_BYTES_MAX },
    { "DELETE", "/v1/models/{owner}/{name}", delete_model, API_SCOPE_MANAGE, 0 },
    { "DELETE", "/v1/models/{owner}/{name}/versions/{id}", delete_version, API_SCOPE_MANAGE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_models_write = { routes };
