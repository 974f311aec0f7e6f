/* Predictions over HTTP: create (by version, by model, by deployment), get, list, cancel, and,
 * beyond the public API, the removal of one's data.
 * Not here: what all creates share (create.c), what a prediction goes through (predict/). */
#include <string.h>

#include "api/api_private.h"
#include "api/create.h"
#include "api/deployment_documents.h"
#include "api/envelope.h"
#include "api/model_documents.h"
#include "api/problem.h"
#include "api/records.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/json.h"
#include "domain/limits.h"
#include "registry/registry.h"
#include "store/store.h"

/* ---- Create -----------------------------------------------------------------------------------
 */

/* Parse and check the body; false: answered. */
static bool read_body(struct http_call *call, bool with_version, struct envelope_request *ret_body)
{
    struct validation_error *errors;
    struct err err;

    if (envelope_parse(api_of(call)->envelope, http_body(call), with_version, http_arena(call),
                       ret_body, &errors, &err))
        return true;
    if (errors)
        problem_reply_validation(call, errors);
    else
        problem_reply_detail(call, 400, "Bad request", err.detail);
    return false;
}

/* Make a prediction of a checked body. Ends the body. The call may be gone when this returns. */
static void submit(struct http_call *call, struct envelope_request *body,
                   const struct registry_version *version, const char *deployment)
{
    struct create_request request = {
        .version = version,
        .ref = body->version,
        .input = body->input,
        .webhook = body->webhook,
        .events_filter = body->events_filter,
        .deployment = deployment,
        .kind = WAITS_CREATE,
        .wait_ms = -1,
    };

    create_submit(call, &request);
    envelope_request_done(body);
}

static bool is_visible(const struct http_call *call, const struct registry_model *model)
{
    return model_documents_visible(model, http_account(call));
}

/* May this model be run by its name alone? */
static bool by_name_allowed(const struct http_call *call, const struct registry_model *model)
{
    return model->is_official || !api_of(call)->official_only_by_name;
}

static void create_by_version(struct http_call *call)
{
    const struct registry_version *version;
    struct envelope_request body;
    struct str ref;

    if (!read_body(call, true, &body))
        return;
    ref = str_from(body.version);
    version = registry_resolve(api_of(call)->registry, ref);
    if (version && (!is_visible(call, version->model) ||
                    (str_find(ref, S("/")) >= 0 && str_find(ref, S(":")) < 0 &&
                     !by_name_allowed(call, version->model))))
        version = NULL;
    if (version) {
        submit(call, &body, version, NULL);
        return;
    }
    problem_reply_version(call);
    envelope_request_done(&body);
}

static void create_by_model(struct http_call *call)
{
    const struct registry_model *model =
        registry_model_find(api_of(call)->registry, str_from(http_param(call, "owner")),
                            str_from(http_param(call, "name")));
    struct envelope_request body;

    if (!model || model->version_count == 0 || !is_visible(call, model) ||
        !by_name_allowed(call, model)) {
        problem_reply_not_found(call);
        return;
    }
    if (read_body(call, false, &body))
        submit(call, &body, model->by_name, NULL);
}

/* The version that a deployment of the caller pins; NULL: there is none, or it is gone. Reads the
 * store. */
static const struct registry_version *deployed_version(struct http_call *call, const char *name)
{
    struct api *api = api_of(call);
    const struct registry_version *version = NULL;
    json_t *deployment;

    if (strcmp(http_param(call, "owner"), http_account(call)) == 0 &&
        deployment_documents_get(api->store, name, &deployment, NULL)) {
        version = deployment_version(api->registry, deployment);
        json_decref(deployment);
    }
    return version;
}

static void create_by_deployment(struct http_call *call)
{
    const char *name = arena_printf(http_arena(call), "%s/%s", http_param(call, "owner"),
                                    http_param(call, "name"));
    const struct registry_version *version = name ? deployed_version(call, name) : NULL;
    struct envelope_request body;

    if (!version)
        problem_reply_not_found(call);
    else if (read_body(call, false, &body))
        submit(call, &body, version, name);
}

/* ---- Get, cancel, remove, list
 * ------------------------------------------------------------------------
 */

static void get(struct http_call *call)
{
    records_get(call, STORE_KIND_BOTH);
}

static void cancel(struct http_call *call)
{
    records_cancel(call, STORE_KIND_BOTH);
}

static void remove_data(struct http_call *call)
{
    records_remove_data(call);
}

static void list(struct http_call *call)
{
    records_list(call, STORE_KIND_PREDICTIONS);
}

static const struct http_route routes[] = {
    { "POST", "/v1/predictions", create_by_version, HTTP_ON_LOOP, LIMIT_JSON_BODY_BYTES },
    { "GET", "/v1/predictions", list, 0, 0 },
    { "GET", "/v1/predictions/{id}", get, 0, 0 },
    { "DELETE", "/v1/predictions/{id}", remove_data, 0, 0 },
    { "POST", "/v1/predictions/{id}/cancel", cancel, 0, 0 },
    { "POST", "/v1/models/{owner}/{name}/predictions", create_by_model, HTTP_ON_LOOP,
      LIMIT_JSON_BODY_BYTES },
    { "POST", "/v1/deployments/{owner}/{name}/predictions", create_by_deployment, 0,
      LIMIT_JSON_BODY_BYTES },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_predictions = { routes };
