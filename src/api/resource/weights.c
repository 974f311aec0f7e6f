/* Weights on this machine over HTTP: what of each model's is here, fetching them, and removing
 * them. Not here: how they are fetched (installs.c, pull/), what is in them. */
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/installs.h"
#include "api/model_documents.h"
#include "api/model_pages.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/speeds.h"
#include "api/weights_documents.h"
#include "base/err.h"
#include "base/json.h"
#include "predict/manage.h"
#include "pull/pull.h"
#include "registry/registry.h"
#include "registry/weights.h"

#define WEIGHTS_BYTES_MAX (32u << 20) /* some 2 KB for each of the models an account may have */
#define REQUEST_BYTES_MAX (64u << 10)
#define REQUEST_SCHEMA                                                                             \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"                         \
    "\"accept_license\":{\"type\":\"boolean\"},"                                                   \
    "\"parts\":{\"type\":\"array\",\"maxItems\":16,\"items\":{\"type\":\"string\"}}}}"

/* ---- Reading ---------------------------------------------------------------------------------
 */

static void list(struct http_call *call)
{
    const struct registry_model **models;
    struct api *api = api_of(call);
    const char *comma = "";
    struct buf body;
    struct err err;
    int count;

    if (!registry_list(api->registry, &models, &count, &err)) {
        problem_reply(call, &err);
        return;
    }
    buf_init(&body, WEIGHTS_BYTES_MAX);
    buf_printf(&body, "{\"memory_bytes\":%lld,\"results\":[",
               (long long)predict_memory_budget(api->predict));
    for (int i = 0; i < count; i++) {
        if (!model_documents_visible(models[i], http_account(call)))
            continue;
        buf_append_str(&body, str_from(comma));
        weights_document_write(api, models[i], &body);
        comma = ",";
    }
    buf_append_str(&body, S("]}"));
    free(models);
    reply_json(call, 200, &body);
}

static void reply_model(struct http_call *call, int status, const struct registry_model *model)
{
    struct buf body;

    buf_init(&body, WEIGHTS_BYTES_MAX);
    weights_document_write(api_of(call), model, &body);
    reply_json(call, status, &body);
}

static void get(struct http_call *call)
{
    const struct registry_model *model = model_find(call);

    if (model)
        reply_model(call, 200, model);
}

/* ---- Fetching --------------------------------------------------------------------------------
 */

/* The optional parts that were asked for, as the manifest's own strings. False: answered. */
static bool read_parts(struct http_call *call, const struct registry_model *model,
                       const json_t *wanted, const char *ret_parts[INSTALL_PARTS_MAX])
{
    struct registry_weights *weights = NULL;
    size_t found = 0;

    if (json_array_size(wanted) == 0)
        return true;
    if (registry_weights_read(model->manifest, &weights, NULL))
        for (; found < json_array_size(wanted) && found < INSTALL_PARTS_MAX; found++) {
            const char *name = json_string_value(json_array_get(wanted, found));
            int i = 0;
            while (i < weights->part_count &&
                   (!weights->parts[i].name || strcmp(weights->parts[i].name, name) != 0))
                i++;
            if (i == weights->part_count)
                break;
            ret_parts[found] = weights->parts[i].name;
        }
    free(weights);
    if (found == json_array_size(wanted))
        return true;
    body_refuse(call, "enum", "parts",
                arena_printf(http_arena(call), "The weights have no part '%.80s'",
                             json_string_value(json_array_get(wanted, found))));
    return false;
}

/* Is there something to fetch: of what is needed, or of what was asked for? */
static bool is_complete(const struct pull_facts *facts, const char *const *parts, int part_count)
{
    for (int i = 0; i < facts->part_count; i++) {
        bool wanted = !facts->parts[i].optional;
        for (int k = 0; k < part_count; k++)
            wanted = wanted || strcmp(parts[k], facts->parts[i].name) == 0;
        if (wanted && !facts->parts[i].installed)
            return false;
    }
    return true;
}

/* False: answered. */
static bool check_wish(struct http_call *call, const struct registry_model *model,
                       const json_t *body, const char *const *parts, int part_count)
{
    struct pull_options options;
    struct pull_facts facts;
    struct err err;

    installs_fill(api_of(call)->installs, model, &options);
    if (!pull_inspect(&options, &facts, &err)) {
        problem_reply(call, &err);
    } else if (!model->native_model) {
        problem_reply_detail(call, 409, "Conflict",
                             "This version of Mimeo has no network for the model, so its weights "
                             "would be of no use.");
    } else if (is_complete(&facts, parts, part_count)) {
        problem_reply_detail(call, 409, "Conflict", "There is nothing to fetch.");
    } else if (weights_document_has_license(model) &&
               !json_get_boolean(body, "accept_license", false)) {
        body_refuse(call, "const", "accept_license",
                    "The licence of the weights must be accepted: accept_license must be true");
    } else {
        return true;
    }
    return false;
}

static void install_checked(struct http_call *call, const struct registry_model *model,
                            const json_t *body)
{
    const char *parts[INSTALL_PARTS_MAX];
    const json_t *wanted = json_object_get(body, "parts");
    int part_count = (int)json_array_size(wanted);
    struct api *api = api_of(call);
    struct install install;
    bool begun = false;
    struct err err;

    /* One that is under way was accepted before, and is answered whatever is asked. */
    if (installs_get(api->installs, model->full_name, &install) &&
        install.state == INSTALL_RUNNING && !install.canceling) {
        reply_model(call, 200, model);
        return;
    }
    if (!read_parts(call, model, wanted, parts) ||
        !check_wish(call, model, body, parts, part_count))
        return;
    if (installs_begin(api->installs, model, parts, part_count, &begun, &err))
        reply_model(call, begun ? 202 : 200, model);
    else
        problem_reply(call, &err);
}

static void install(struct http_call *call)
{
    const struct registry_model *model = model_find(call);
    json_t *body = NULL;

    if (!model)
        return;
    if (http_body(call).len > 0 && !body_read(call, S(REQUEST_SCHEMA), &body))
        return;
    install_checked(call, model, body);
    json_decref(body);
}

static void cancel(struct http_call *call)
{
    const struct registry_model *model = model_find(call);

    if (!model)
        return;
    installs_cancel(api_of(call)->installs, model->full_name);
    reply_model(call, 200, model);
}

/* ---- Removing --------------------------------------------------------------------------------
 */

/* Another model's version may run with what is in this one's folder. */
static const struct registry_model *borrower(const struct api *api,
                                             const struct registry_model *model)
{
    const struct registry_model **models, *found = NULL;
    int count;

    if (!registry_list(api->registry, &models, &count, NULL))
        return NULL;
    for (int i = 0; i < count && !found; i++)
        for (int k = 0; k < models[i]->version_count && !found; k++) {
            const char *folder = models[i]->versions[k].weights_folder;
            if (models[i] != model && folder && strcmp(folder, model->full_name) == 0)
                found = models[i];
        }
    free(models);
    return found;
}

static void remove_weights(struct http_call *call)
{
    const struct registry_model *model = model_find(call), *other;
    struct api *api;
    struct err err;

    if (!model)
        return; /* answered: the call may be gone */
    api = api_of(call);
    other = borrower(api, model);
    if (other)
        problem_reply_detail(call, 409, "Conflict",
                             arena_printf(http_arena(call), "%.150s runs with these weights, too.",
                                          other->full_name));
    else if (predict_model_unload(api->predict, model->full_name, &err) &&
             installs_remove(api->installs, model, &err))
        reply_empty(call);
    else
        problem_reply(call, &err);
}

static const struct http_route routes[] = {
    { "GET", "/v1/weights", list, 0, 0 },
    { "GET", "/v1/weights/{owner}/{name}", get, 0, 0 },
    { "POST", "/v1/weights/{owner}/{name}", install, API_SCOPE_OPERATE, REQUEST_BYTES_MAX },
    { "POST", "/v1/weights/{owner}/{name}/cancel", cancel, API_SCOPE_OPERATE, 0 },
    { "DELETE", "/v1/weights/{owner}/{name}", remove_weights, API_SCOPE_OPERATE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_weights = { routes };
