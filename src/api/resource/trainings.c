/* Trainings over HTTP: start, get, list, cancel. A training is a prediction that makes a version of
 * its destination. Not here: what it goes through (predict/), the version (trained_versions.c). */
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/create.h"
#include "api/model_pages.h"
#include "api/problem.h"
#include "api/records.h"
#include "api/resource.h"
#include "base/json.h"
#include "domain/limits.h"
#include "registry/registry.h"

/* Keys that are not listed are allowed: some clients repeat the version. */
#define CREATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"destination\",\"input\"],\"properties\":{"               \
    "\"destination\":{\"type\":\"string\"},\"input\":{\"type\":\"object\"},"                       \
    "\"webhook\":{\"type\":\"string\"},\"webhook_events_filter\":{\"type\":\"array\","             \
    "\"items\":{\"type\":\"string\",\"enum\":[\"start\",\"output\",\"logs\",\"completed\"]}}}}"

/* The destination, when it is a model of the caller; NULL: answered. */
static const struct registry_model *find_destination(struct http_call *call, const char *full_name)
{
    const struct registry_model *model = NULL;
    struct str owner, name;

    if (str_cut(str_from(full_name), '/', &owner, &name))
        model = registry_model_find(api_of(call)->registry, owner, name);
    if (model && model->account && strcmp(model->account, http_account(call)) == 0)
        return model;
    problem_reply_destination(call);
    return NULL;
}

static bool check_trainable(struct http_call *call, const struct registry_version *version)
{
    if (version->trainable && version->training_schema)
        return true;
    problem_reply_detail(call, 400, "Bad request",
                         arena_printf(http_arena(call),
                                      "This version of %s cannot be trained: its model has no "
                                      "training",
                                      version->model->full_name));
    return false;
}

static void start(struct http_call *call, const struct registry_version *version,
                  const json_t *body)
{
    const struct registry_model *destination =
        find_destination(call, json_get_string(body, "destination"));
    struct create_request request = {
        .version = version,
        .input = json_object_get(body, "input"),
        .webhook = json_get_string(body, "webhook"),
        .events_filter = json_object_get(body, "webhook_events_filter"),
        .kind = WAITS_CREATE,
        .wait_ms = -1,
    };

    if (!destination || !check_trainable(call, version))
        return;
    request.destination = destination->full_name;
    create_submit(call, &request);
}

static void create(struct http_call *call)
{
    const struct registry_model *model = model_find(call);
    const struct registry_version *version;
    json_t *body;

    if (!model)
        return;
    version = registry_version_find(model, str_from(http_param(call, "id")));
    if (!version) {
        problem_reply_not_found(call);
        return;
    }
    if (!body_read(call, S(CREATE_SCHEMA), &body))
        return;
    start(call, version, body);
    json_decref(body);
}

static void get(struct http_call *call)
{
    records_get(call, STORE_KIND_TRAININGS);
}

static void cancel(struct http_call *call)
{
    records_cancel(call, STORE_KIND_TRAININGS);
}

static void list(struct http_call *call)
{
    records_list(call, STORE_KIND_TRAININGS);
}

static const struct http_route routes[] = {
    { "POST", "/v1/models/{owner}/{name}/versions/{id}/trainings", create, 0,
      LIMIT_JSON_BODY_BYTES },
    { "GET", "/v1/trainings", list, 0, 0 },
    { "GET", "/v1/trainings/{id}", get, 0, 0 },
    { "POST", "/v1/trainings/{id}/cancel", cancel, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_trainings = { routes };
