/* Deployments over HTTP: list, make, read, change, delete. Only an account's own ones. Not here:
 * keeping them (deployment_documents.c), their predictions (resource/predictions.c). */
#include <pthread.h>
#include <string.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/deployment_documents.h"
#include "api/hardware.h"
#include "api/model_documents.h"
#include "api/model_pages.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "predict/predict.h"
#include "registry/registry.h"

#define DEPLOYMENT_NAME_MAX 100
#define KEPT_INSTANCES_MAX 20 /* per account: they keep their memory whoever else waits for it */
#define PREDICTION_BYTES (256u << 20)        /* one record */
#define DEPLOYMENT_QUIET_DEFAULT_S (15 * 60) /* unused that long before it may be deleted */

#define CONFIGURATION_PROPERTIES                                                                   \
    "\"version\":{\"type\":\"string\"},"                                                           \
    "\"hardware\":{\"type\":\"string\",\"enum\":" HARDWARE_SKUS "},"                               \
    "\"min_instances\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":5},"                        \
    "\"max_instances\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":20}"

#define CREATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"name\",\"model\",\"version\",\"hardware\","              \
    "\"min_instances\",\"max_instances\"],\"additionalProperties\":false,\"properties\":{"         \
    "\"name\":{\"type\":\"string\"},\"model\":{\"type\":\"string\"}," CONFIGURATION_PROPERTIES     \
    "}}"

#define UPDATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":false,"                     \
    "\"properties\":{" CONFIGURATION_PROPERTIES "}}"

/* One change at a time, so that none is built on a release that is out of date. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

static void reply_deployment(struct http_call *call, const json_t *deployment)
{
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    json_write(deployment, false, &body);
    reply_json(call, 200, &body);
}

/* "owner/name" of the path; NULL: answered. Deployments of others do not exist for a caller. */
static const char *read_name(struct http_call *call)
{
    const char *full_name = arena_printf(http_arena(call), "%s/%s", http_param(call, "owner"),
                                         http_param(call, "name"));

    if (full_name && strcmp(http_param(call, "owner"), http_account(call)) == 0)
        return full_name;
    problem_reply_not_found(call);
    return NULL;
}

/* ---- Releases ---------------------------------------------------------------------------------
 */

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= DEPLOYMENT_NAME_MAX && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static json_t *creator(struct http_call *call)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "user", "username", http_account(call),
                     "name", http_account(call), "avatar_url", "", "github_url", "");
}

/* The next release: the former one (NULL: none) with what the body changes. The caller owns it;
 * NULL when memory is short. */
static json_t *next_release(struct http_call *call, const json_t *former, const json_t *body)
{
    static const char *const settings[] = { "hardware", "min_instances", "max_instances" };
    static const char *const named[] = { "model", "version" };
    json_t *release = json_object(), *configuration = json_object();
    const json_t *before = json_object_get(former, "configuration");
    char now[CLOCK_TEXT_SIZE];
    int failed = 0;

    clock_format(clock_now_us(), 6, false, now);
    failed |= json_object_set_new(release, "number",
                                  json_integer(json_get_integer(former, "number", 0) + 1));
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        json_t *value = json_object_get(body, named[i]);

        failed |=
            json_object_set(release, named[i], value ? value : json_object_get(former, named[i]));
    }
    failed |= json_object_set_new(release, "created_at", json_string(now));
    failed |= json_object_set_new(release, "created_by", creator(call));
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        json_t *value = json_object_get(body, settings[i]);

        failed |= json_object_set(configuration, settings[i],
                                  value ? value : json_object_get(before, settings[i]));
    }
    failed |= json_object_set_new(release, "configuration", configuration);
    if (!failed)
        return release;
    json_decref(release);
    return NULL;
}

/* What a schema cannot say. False: answered. */
static bool check_release(struct http_call *call, const json_t *deployment)
{
    const json_t *release = json_object_get(deployment, "current_release");
    const json_t *settings = json_object_get(release, "configuration");
    const struct registry_version *version = deployment_version(api_of(call)->registry, deployment);
    int64_t min = json_get_integer(settings, "min_instances", 0);
    int64_t max = json_get_integer(settings, "max_instances", 0);

    if (!version || !model_documents_visible(version->model, http_account(call))) {
        problem_reply_version(call);
        return false;
    }
    if (min <= max)
        return true;
    body_refuse(
        call, "number_lte", "min_instances",
        arena_printf(http_arena(call), "Must be less than or equal to %lld", (long long)max));
    return false;
}

static int64_t min_instances_of(const json_t *deployment)
{
    const json_t *release = json_object_get(deployment, "current_release");

    return json_get_integer(json_object_get(release, "configuration"), "min_instances", 0);
}

/* May the account have it, beside its others (or in the place of the one of that name)? False:
 * answered. */
static bool check_room(struct http_call *call, const json_t *deployment)
{
    const char *name = json_get_string(deployment, "name");
    int64_t kept = min_instances_of(deployment);
    json_t *all = NULL;
    size_t others = 0;
    struct err err;

    if (!deployment_documents_list(api_of(call)->store, http_account(call), &all, &err)) {
        problem_reply(call, &err);
        return false;
    }
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *other = json_array_get(all, i);

        if (strcmp(json_get_string(other, "name"), name) == 0)
            continue;
        others++;
        kept += min_instances_of(other);
    }
    json_decref(all);
    if (others >= DEPLOYMENTS_MAX)
        problem_reply_detail(call, 403, "Forbidden", "An account may have at most 200 deployments");
    else if (kept > KEPT_INSTANCES_MAX && min_instances_of(deployment) > 0)
        problem_reply_detail(call, 403, "Forbidden",
                             "The min_instances of all of an account's deployments may be at most "
                             "20 together");
    else
        return true;
    return false;
}

/* Store it and have it run. */
static bool keep(struct http_call *call, const json_t *deployment, enum store_condition condition,
                 struct err *err)
{
    struct api *api = api_of(call);

    return deployment_documents_put(api->store, deployment, condition, err) &&
           deployment_set(api->predict, api->registry, deployment, err);
}

/* ---- Create -----------------------------------------------------------------------------------
 */

static void create_checked(struct http_call *call, const json_t *body)
{
    json_t *deployment =
        json_pack("{s:s, s:O, s:o}", "owner", http_account(call), "name",
                  json_object_get(body, "name"), "current_release", next_release(call, NULL, body));
    struct err err;

    if (!deployment) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a deployment");
        problem_reply(call, &err);
        return;
    }
    pthread_mutex_lock(&changing);
    if (check_release(call, deployment) && check_room(call, deployment)) {
        if (keep(call, deployment, STORE_IF_ABSENT, &err))
            reply_deployment(call, deployment);
        else
            problem_reply(call, &err);
    }
    pthread_mutex_unlock(&changing);
    json_decref(deployment);
}

static void create(struct http_call *call)
{
    json_t *body;

    if (!body_read(call, S(CREATE_SCHEMA), &body))
        return;
    if (is_name(json_get_string(body, "name")))
        create_checked(call, body);
    else
        body_refuse(call, "pattern", "name",
                    "Does not match pattern '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$'");
    json_decref(body);
}

/* ---- Read, change, delete ---------------------------------------------------------------------
 */

/* The deployment of the path; the caller owns it. NULL: answered. */
static json_t *find(struct http_call *call)
{
    const char *full_name = read_name(call);
    json_t *deployment = NULL;
    struct err err;

    if (full_name && !deployment_documents_get(api_of(call)->store, full_name, &deployment, &err))
        problem_reply(call, &err);
    return deployment;
}

static void get(struct http_call *call)
{
    json_t *deployment = find(call);

    if (deployment)
        reply_deployment(call, deployment);
    json_decref(deployment);
}

static void update_found(struct http_call *call, json_t *deployment, const json_t *body)
{
    json_t *release = next_release(call, json_object_get(deployment, "current_release"), body);
    struct err err;

    if (!release || json_object_set_new(deployment, "current_release", release) != 0) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a deployment");
        problem_reply(call, &err);
    } else if (check_release(call, deployment) && check_room(call, deployment)) {
        if (keep(call, deployment, STORE_IF_PRESENT, &err))
            reply_deployment(call, deployment);
        else
            problem_reply(call, &err);
    }
}

static void update(struct http_call *call)
{
    json_t *body, *deployment;

    if (!body_read(call, S(UPDATE_SCHEMA), &body))
        return;
    pthread_mutex_lock(&changing);
    deployment = find(call);
    if (deployment)
        update_found(call, deployment, body);
    pthread_mutex_unlock(&changing);
    json_decref(deployment);
    json_decref(body);
}

/* Has it had a prediction lately? False: answered. */
static bool is_quiet(struct http_call *call, const char *full_name)
{
    int quiet_s = api_of(call)->deployment_quiet_s;
    struct store_prediction_query query = { .deployment = full_name,
                                            .kind = STORE_KIND_PREDICTIONS,
                                            .limit = 1 };
    struct prediction *found;
    struct arena arena;
    struct err err;
    int count = 0;
    bool ok;

    if (quiet_s < 0)
        return true;
    if (quiet_s == 0)
        quiet_s = DEPLOYMENT_QUIET_DEFAULT_S;
    query.account = http_account(call);
    query.created_after_us = clock_now_us() - quiet_s * INT64_C(1000000);
    arena_init(&arena, PREDICTION_BYTES);
    ok = store_prediction_list(api_of(call)->store, &query, &arena, &found, &count, &err);
    arena_done(&arena);
    if (!ok) {
        problem_reply(call, &err);
        return false;
    }
    if (count > 0)
        problem_reply_detail(call, 409, "Conflict",
                             arena_printf(http_arena(call),
                                          "The deployment was used less than %d seconds ago; it "
                                          "can be deleted when it has been unused that long",
                                          quiet_s));
    return count == 0;
}

static void delete_found(struct http_call *call, const json_t *deployment)
{
    const json_t *release = json_object_get(deployment, "current_release");
    const json_t *settings = json_object_get(release, "configuration");
    const char *full_name = read_name(call);
    struct api *api = api_of(call);
    struct err err;

    if (json_get_integer(settings, "min_instances", 0) > 0) {
        problem_reply_detail(call, 409, "Conflict",
                             "The deployment is online: set min_instances to 0 before it is "
                             "deleted");
        return;
    }
    if (!full_name || !is_quiet(call, full_name))
        return;
    if (predict_deployment_remove(api->predict, full_name, &err) &&
        deployment_documents_delete(api->store, full_name, &err))
        reply_empty(call);
    else
        problem_reply(call, &err);
}

static void delete_one(struct http_call *call)
{
    json_t *deployment;

    pthread_mutex_lock(&changing);
    deployment = find(call);
    if (deployment)
        delete_found(call, deployment);
    pthread_mutex_unlock(&changing);
    json_decref(deployment);
}

static void list(struct http_call *call)
{
    json_t *all;
    struct buf body;
    struct err err;

    if (!deployment_documents_list(api_of(call)->store, http_account(call), &all, &err)) {
        problem_reply(call, &err);
        return;
    }
    page_open_single(call, &body);
    for (size_t i = 0; i < json_array_size(all); i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        json_write(json_array_get(all, i), false, &body);
    }
    page_close(&body);
    json_decref(all);
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/v1/deployments", list, 0, 0 },
    { "POST", "/v1/deployments", create, API_SCOPE_MANAGE, BODY_BYTES_MAX },
    { "GET", "/v1/deployments/{owner}/{name}", get, 0, 0 },
    { "PATCH", "/v1/deployments/{owner}/{name}", update, API_SCOPE_MANAGE, BODY_BYTES_MAX },
    { "DELETE", "/v1/deployments/{owner}/{name}", delete_one, API_SCOPE_MANAGE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_deployments = { routes };
