/* GET /metrics in Prometheus' text format: calls, queues, runs, runners, webhooks, this process.
 * Without a token only over loopback, and not through a proxy there; with one, without the lines of
 * models and deployments that the token's account may not see. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/auth.h"
#include "api/model_documents.h"
#include "api/problem.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/err.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "store/store.h"
#include "webhook/webhook.h"

#define METRICS_BYTES_MAX (16u << 20)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void write_head(const char *name, const char *type, const char *help, struct buf *out)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `name{a="b"` and so on: pairs of label and value, NULL-ended; a NULL value is "". */
static void write_name(struct buf *out, const char *name, const char *const *labels)
{
    buf_printf(out, "%s{", name);
    for (int i = 0; labels[i]; i += 2) {
        buf_printf(out, "%s%s=\"", i > 0 ? "," : "", labels[i]);
        metrics_write_label(labels[i + 1], out);
        buf_append_char(out, '"');
    }
    buf_append_str(out, S("} "));
}

static void write_integer(struct buf *out, const char *name, const char *const *labels,
                          int64_t value)
{
    write_name(out, name, labels);
    buf_printf(out, "%" PRId64 "\n", value);
}

static void write_seconds(struct buf *out, const char *name, const char *const *labels, int64_t us)
{
    write_name(out, name, labels);
    buf_printf(out, "%.6f\n", (double)us / 1e6);
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

/* ---- Predictions ------------------------------------------------------------------------------
 */

/* Lines of one metric must stand together: each is written to a buffer of its own. */
struct sections {
    const struct registry *registry;
    const char *account; /* who asks; NULL: the machine itself, which sees all */
    struct buf a, b, c;
};

/* Others' private models and deployments are not even known to a caller with a token. */
static bool may_see(const struct sections *sections, const char *model, const char *deployment)
{
    const struct registry_model *found = NULL;
    struct str owner, name;

    if (!sections->account)
        return true;
    if (deployment && (!str_cut(str_from(deployment), '/', &owner, &name) ||
                       !str_equal(owner, str_from(sections->account))))
        return false;
    if (str_cut(str_from(model), '/', &owner, &name))
        found = registry_model_find(sections->registry, owner, name);
    return found && model_documents_visible(found, sections->account);
}

static void sections_open(struct sections *sections)
{
    buf_init(&sections->a, METRICS_BYTES_MAX);
    buf_init(&sections->b, METRICS_BYTES_MAX);
    buf_init(&sections->c, METRICS_BYTES_MAX);
}

static void sections_close(struct sections *sections, struct buf *out)
{
    buf_append_str(out, buf_str(&sections->a));
    buf_append_str(out, buf_str(&sections->b));
    buf_append_str(out, buf_str(&sections->c));
    buf_done(&sections->a);
    buf_done(&sections->b);
    buf_done(&sections->c);
}

static void each_lane(void *context, const struct predict_lane_info *info)
{
    const char *const labels[] = { "model",      text_of(info->model),
                                   "version",    text_of(info->version),
                                   "deployment", text_of(info->deployment),
                                   NULL };
    struct sections *sections = context;

    if (!may_see(sections, info->model, info->deployment))
        return;
    write_integer(&sections->a, "mimeo_queue_waiting", labels, info->waiting);
    write_seconds(&sections->b, "mimeo_queue_oldest_wait_seconds", labels, info->oldest_wait_us);
}

static void each_total(void *context, const struct predict_totals_info *info)
{
    struct sections *sections = context;
    const struct {
        const char *outcome;
        int64_t count;
    } outcomes[] = { { "succeeded", info->succeeded },
                     { "failed", info->failed },
                     { "canceled", info->canceled } };
    const char *const labels[] = { "model", text_of(info->model), NULL };

    if (!may_see(sections, info->model, NULL))
        return;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        const char *const pair[] = { "model", text_of(info->model), "outcome", outcomes[i].outcome,
                                     NULL };

        write_integer(&sections->a, "mimeo_predictions_total", pair, outcomes[i].count);
    }
    write_seconds(&sections->b, "mimeo_predict_seconds_total", labels, info->predict_us);
    write_seconds(&sections->c, "mimeo_queue_seconds_total", labels, info->queue_us);
}

static void each_runner(void *context, const struct predict_runner_info *info)
{
    char pid[16];
    const char *const labels[] = { "model",      text_of(info->model),
                                   "state",      text_of(info->state),
                                   "deployment", text_of(info->deployment),
                                   "pid",        pid,
                                   NULL };
    struct sections *sections = context;

    if (!may_see(sections, info->model, info->deployment))
        return;
    snprintf(pid, sizeof(pid), "%d", info->pid);
    write_integer(&sections->a, "mimeo_runner_resident_bytes", labels, info->resident_bytes);
}

static void write_predictions(const struct api *api, const char *account, struct buf *out)
{
    struct sections sections = { .registry = api->registry, .account = account };
    struct predict *predict = api->predict;

    sections_open(&sections);
    write_head("mimeo_queue_waiting", "gauge", "Predictions that wait for a runner.", &sections.a);
    write_head("mimeo_queue_oldest_wait_seconds", "gauge", "How long the first of them has waited.",
               &sections.b);
    predict_each_lane(predict, each_lane, &sections);
    sections_close(&sections, out);
    sections_open(&sections);
    write_head("mimeo_predictions_total", "counter", "Ended runs.", &sections.a);
    write_head("mimeo_predict_seconds_total", "counter", "Their compute time.", &sections.b);
    write_head("mimeo_queue_seconds_total", "counter", "Their time in the queue.", &sections.c);
    predict_each_total(predict, each_total, &sections);
    sections_close(&sections, out);
    sections_open(&sections);
    write_head("mimeo_runner_resident_bytes", "gauge", "Memory of each runner process.",
               &sections.a);
    predict_each_runner(predict, each_runner, &sections);
    sections_close(&sections, out);
}

/* ---- The rest ---------------------------------------------------------------------------------
 */

static void write_plain(struct buf *out, const char *name, const char *type, const char *help,
                        int64_t value)
{
    write_head(name, type, help, out);
    buf_printf(out, "%s %" PRId64 "\n", name, value);
}

static void write_webhooks(struct webhooks *webhooks, struct buf *out)
{
    struct webhook_totals totals;

    if (!webhooks)
        return;
    webhooks_totals(webhooks, &totals);
    write_plain(out, "mimeo_webhooks_delivered_total", "counter", "Webhooks that were taken.",
                totals.delivered);
    write_plain(out, "mimeo_webhooks_failed_attempts_total", "counter",
                "Attempts that were not taken.", totals.failed_attempts);
    write_plain(out, "mimeo_webhooks_given_up_total", "counter", "Ends that were given up.",
                totals.given_up);
    write_plain(out, "mimeo_webhooks_dropped_total", "counter",
                "Intermediate events left out in favour of newer ones.", totals.dropped);
    write_plain(out, "mimeo_webhooks_pending", "gauge", "Ends in the ledger still to be sent.",
                totals.pending);
}

static void write_store(struct store *store, struct buf *out)
{
    struct store_totals totals;

    store_totals(store, &totals);
    write_head("mimeo_store_commit_seconds", "summary",
               "How long transactions took until they were on disk.", out);
    buf_printf(
        out, "mimeo_store_commit_seconds_sum %.6f\nmimeo_store_commit_seconds_count %" PRId64 "\n",
        (double)totals.commit_us / 1e6, totals.commits);
    write_plain(out, "mimeo_store_writes_total", "counter", "Changes in them.", totals.writes);
    write_plain(out, "mimeo_store_waiting", "gauge", "Changes not yet taken by one.",
                totals.waiting);
}

static void write_process(struct buf *out)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%ld %ld", &pages, &resident) == 2)
        write_plain(out, "process_resident_memory_bytes", "gauge", "Memory of the server.",
                    (int64_t)resident * sysconf(_SC_PAGESIZE));
    if (file)
        fclose(file);
    write_head("mimeo_build_info", "gauge", "Always 1.", out);
    buf_append_str(out, S("mimeo_build_info{version=\"" MIMEO_VERSION "\"} 1\n"));
}

/* A proxy on this machine connects over loopback, too, and says whom for. */
static bool is_local(const struct http_call *call)
{
    return http_is_loopback(call) && !http_header(call, "X-Forwarded-For") &&
           !http_header(call, "Forwarded") && !http_header(call, "X-Real-IP");
}

static void get(struct http_call *call)
{
    struct api *api = api_of(call);
    const char *account = NULL;
    struct buf body;
    struct err err;

    if (!is_local(call) && !auth_check(call, &account))
        return;
    buf_init(&body, METRICS_BYTES_MAX);
    metrics_write(api->metrics, &body);
    write_predictions(api, account, &body);
    write_webhooks(api->webhooks, &body);
    write_store(api->store, &body);
    write_process(&body);
    if (body.failed) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for the metrics");
        problem_reply(call, &err);
    } else {
        reply_set_headers(call);
        http_reply(call, 200, METRICS_TYPE, buf_str(&body));
    }
    buf_done(&body);
}

static const struct http_route routes[] = {
    { "GET", "/metrics", get, HTTP_PUBLIC | HTTP_ROOT_ONLY, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_metrics = { routes };
