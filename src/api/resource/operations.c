/* What goes on in the server, for those who operate it: queues, runners, totals, the last hours;
 * and loading and unloading runners by hand. Of others' private models and deployments nothing is
 * shown. Not here: the same for machines (resource/metrics.c), steps and quantiles (history.c). */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/body.h"
#include "api/figures.h"
#include "api/history.h"
#include "api/model_documents.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "predict/manage.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "webhook/webhook.h"

#define OPERATIONS_BYTES_MAX (16u << 20)
#define REQUEST_BYTES_MAX 4096
#define REQUEST_SCHEMA                                                                             \
    "{\"type\":\"object\",\"required\":[\"model\"],\"additionalProperties\":false,\"properties\":" \
    "{\"model\":{\"type\":\"string\"},\"version\":{\"type\":[\"string\",\"null\"]}}}"

/* ---- Who may see what ------------------------------------------------------------------------
 */

static bool may_see(const struct http_call *call, const char *model, const char *deployment)
{
    const struct registry_model *found = NULL;
    struct str owner, name;

    if (deployment && (!str_cut(str_from(deployment), '/', &owner, &name) ||
                       !str_equal(owner, str_from(http_account(call)))))
        return false;
    if (str_cut(str_from(model), '/', &owner, &name))
        found = registry_model_find(api_of(call)->registry, owner, name);
    return found && model_documents_visible(found, http_account(call));
}

struct page { /* a list being written */
    const struct http_call *call;
    struct buf *out;
    const char *comma;
};

static void open_list(struct page *page, const char *name)
{
    buf_printf(page->out, ",\"%s\":[", name);
    page->comma = "";
}

static void open_item(struct page *page)
{
    buf_printf(page->out, "%s{", page->comma);
    page->comma = ",";
}

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    if (text)
        json_write_string(str_from(text), out);
    else
        buf_append_str(out, S("null"));
}

static void write_lane_name(struct buf *out, const char *model, const char *version,
                            const char *deployment)
{
    write_text(out, "model", model);
    buf_append_char(out, ',');
    write_text(out, "version", version);
    buf_append_char(out, ',');
    write_text(out, "deployment", deployment);
}

/* ---- Queue, runners, totals ------------------------------------------------------------------
 */

static void each_lane(void *context, const struct predict_lane_info *info)
{
    struct page *page = context;

    if (!may_see(page->call, info->model, info->deployment))
        return;
    open_item(page);
    write_lane_name(page->out, info->model, info->version, info->deployment);
    buf_printf(page->out, ",\"waiting\":%d,\"oldest_wait_s\":%.3f}", info->waiting,
               (double)info->oldest_wait_us / 1e6);
}

static const char *state_name(const char *state)
{
    if (strcmp(state, "starting") == 0)
        return "loading";
    return strcmp(state, "busy") == 0 ? "running" : state;
}

static void each_runner(void *context, const struct predict_runner_info *info)
{
    struct page *page = context;
    bool own = info->account && strcmp(info->account, http_account(page->call)) == 0;

    if (!may_see(page->call, info->model, info->deployment))
        return;
    open_item(page);
    buf_printf(page->out, "\"pid\":%d,", info->pid);
    write_lane_name(page->out, info->model, info->version, info->deployment);
    buf_printf(page->out, ",\"state\":\"%s\",\"memory_bytes\":%lld,", state_name(info->state),
               (long long)info->resident_bytes);
    write_text(page->out, "prediction", own ? info->prediction : NULL);
    buf_append_char(page->out, '}');
}

static void each_total(void *context, const struct predict_totals_info *info)
{
    struct page *page = context;

    if (!may_see(page->call, info->model, NULL))
        return;
    open_item(page);
    write_text(page->out, "model", info->model);
    buf_printf(page->out,
               ",\"succeeded\":%lld,\"failed\":%lld,\"canceled\":%lld,\"predict_s\":%.6f,"
               "\"queue_s\":%.6f}",
               (long long)info->succeeded, (long long)info->failed, (long long)info->canceled,
               (double)info->predict_us / 1e6, (double)info->queue_us / 1e6);
}

static void write_lists(const struct http_call *call, struct buf *out)
{
    struct page page = { .call = call, .out = out };
    struct predict *predict = api_of(call)->predict;

    open_list(&page, "queue");
    predict_each_lane(predict, each_lane, &page);
    buf_append_char(out, ']');
    open_list(&page, "runners");
    predict_each_runner(predict, each_runner, &page);
    buf_append_char(out, ']');
    open_list(&page, "totals");
    predict_each_total(predict, each_total, &page);
    buf_append_char(out, ']');
}

/* ---- The machine -----------------------------------------------------------------------------
 */

static void write_bytes(struct buf *out, const char *name, int64_t bytes) /* below 0: null */
{
    if (bytes < 0)
        buf_printf(out, "\"%s\":null", name);
    else
        buf_printf(out, "\"%s\":%lld", name, (long long)bytes);
}

static void write_disk(struct api *api, struct buf *out)
{
    struct statvfs disk;
    int64_t free_bytes = -1;

    if (statvfs(api->data_folder, &disk) == 0)
        free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    buf_append_str(out, S(",\"disk\":{"));
    write_bytes(out, "free_bytes", free_bytes);
    buf_append_char(out, ',');
    write_bytes(out, "data_bytes", figures_data_bytes(api));
    buf_append_char(out, '}');
}

static void write_machine(struct api *api, struct buf *out)
{
    struct history_level level;
    int64_t server = figures_server_bytes();

    figures_look(api, &level);
    buf_printf(out,
               "\"memory\":{\"budget_bytes\":%lld,\"used_bytes\":%lld,\"server_bytes\":%lld},"
               "\"cpu_count\":%ld",
               (long long)predict_memory_budget(api->predict),
               (long long)(level.memory_bytes > server ? level.memory_bytes - server : 0),
               (long long)server, sysconf(_SC_NPROCESSORS_ONLN));
    write_disk(api, out);
}

static void write_webhooks(struct webhooks *webhooks, struct buf *out)
{
    struct webhook_totals totals = { 0 };

    if (webhooks)
        webhooks_totals(webhooks, &totals);
    buf_printf(out,
               ",\"webhooks\":{\"pending\":%lld,\"delivered\":%lld,\"failed_attempts\":%lld,"
               "\"given_up\":%lld}}",
               (long long)totals.pending, (long long)totals.delivered,
               (long long)totals.failed_attempts, (long long)totals.given_up);
}

static void get(struct http_call *call)
{
    struct api *api = api_of(call);
    char started[CLOCK_TEXT_SIZE];
    struct buf body;

    clock_format(history_started_us(api->history), 3, false, started);
    buf_init(&body, OPERATIONS_BYTES_MAX);
    buf_printf(&body, "{\"version\":\"" MIMEO_VERSION "\",\"started_at\":\"%s\",\"draining\":%s,",
               started, atomic_load(&api->draining) ? "true" : "false");
    write_machine(api, &body);
    write_lists(call, &body);
    write_webhooks(api->webhooks, &body);
    reply_json(call, 200, &body);
}

static void history(struct http_call *call)
{
    const char *span = http_query(call, "span");
    bool day = span && strcmp(span, "1d") == 0;
    struct buf body;

    if (span && *span && !day && strcmp(span, "2h") != 0) {
        problem_reply_detail(call, 400, "Bad request", "span must be \"2h\" or \"1d\"");
        return;
    }
    buf_init(&body, OPERATIONS_BYTES_MAX);
    history_write(api_of(call)->history, day, &body);
    reply_json(call, 200, &body);
}

/* ---- Runners by hand -------------------------------------------------------------------------
 */

/* NULL: answered. */
static const struct registry_version *read_version(struct http_call *call, const json_t *body)
{
    const struct registry_model *model = NULL;
    const char *id = json_get_string(body, "version");
    struct str owner, name;

    if (str_cut(str_from(json_get_string(body, "model")), '/', &owner, &name))
        model = registry_model_find(api_of(call)->registry, owner, name);
    if (!model || !model_documents_visible(model, http_account(call))) {
        body_refuse(call, "enum", "model", "There is no such model");
        return NULL;
    }
    const struct registry_version *version =
        id ? registry_version_find(model, str_from(id)) : model->by_name;
    if (!version)
        body_refuse(call, "enum", id ? "version" : "model",
                    id ? "The model has no such version" : "The model has no version");
    return version;
}

static void load(struct http_call *call)
{
    const struct registry_version *version;
    struct buf answer;
    struct err err;
    json_t *body;

    if (!body_read(call, S(REQUEST_SCHEMA), &body))
        return;
    version = read_version(call, body);
    json_decref(body);
    if (!version)
        return;
    if (!predict_runner_load(api_of(call)->predict, version, &err)) {
        problem_reply(call, &err);
        return;
    }
    buf_init(&answer, 16);
    buf_append_str(&answer, S("{}"));
    reply_json(call, 202, &answer);
}

struct search {
    const struct http_call *call;
    int64_t pid;
    bool found;
};

static void look_at_runner(void *context, const struct predict_runner_info *info)
{
    struct search *search = context;

    search->found = search->found || (info->pid == search->pid &&
                                      may_see(search->call, info->model, info->deployment));
}

static void unload(struct http_call *call)
{
    struct search search = { .call = call };
    struct predict *predict = api_of(call)->predict;
    struct err err;

    if (str_to_int64(str_from(http_param(call, "pid")), &search.pid))
        predict_each_runner(predict, look_at_runner, &search);
    if (!search.found)
        problem_reply_not_found(call);
    else if (predict_runner_unload(predict, (int)search.pid, &err))
        reply_empty(call);
    else
        problem_reply(call, &err);
}

static const struct http_route routes[] = {
    { "GET", "/v1/operations", get, API_SCOPE_OPERATE, 0 },
    { "GET", "/v1/operations/history", history, API_SCOPE_OPERATE, 0 },
    { "POST", "/v1/operations/runners", load, API_SCOPE_OPERATE, REQUEST_BYTES_MAX },
    { "DELETE", "/v1/operations/runners/{pid}", unload, API_SCOPE_OPERATE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_operations = { routes };
