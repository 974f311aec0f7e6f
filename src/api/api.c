/* The API as a whole: what handlers share, and starting it on an HTTP server.
 *
 * Routes are the resources' tables, under "" and under the gateway prefix "/replicate". Not here:
 * what a resource does (resource/), errors (problem.c), JSON shapes (render.c). */
#include "api/api_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/answer.h"
#include "api/auth.h"
#include "api/deployment_documents.h"
#include "api/envelope.h"
#include "api/figures.h"
#include "api/history.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/resource.h"
#include "api/site.h"
#include "api/streams.h"
#include "api/sweep.h"
#include "api/version_removal.h"
#include "api/waits.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/log.h"
#include "base/work.h"
#include "predict/predict.h"
#include "store/store.h"

#define API_ANSWER_THREADS 2 /* render what waiting requests get; the work is short */
#define API_CONNECTIONS_DEFAULT 4096
#define API_WORKERS_DEFAULT 8
#define API_LAST_ANSWERS_MS 200 /* for answers under way when the drain is over */
#define API_LOOK_MS 2 /* while it ends: how often it looks whether the last create is stored */
#define API_RECORD_BYTES (256u << 20) /* one record: input and output at their limits */
#define API_SECRET_NAME "files_signing_secret"
#define LOG_PATH_BYTES 200

static const char *const api_prefixes[] = { "", "/replicate", NULL };

/* Some paths are all it takes to read what they name: of those the log has the beginning only. */
static struct str path_to_log(const struct http_call *call)
{
    static const char *const secrets[] = { "/v1/streams/", "/v1/files/", "/outputs/" };
    struct str path = http_path(call);

    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        ptrdiff_t at = str_find(path, str_from(secrets[i]));

        if (at >= 0)
            path.len = (size_t)at + strlen(secrets[i]);
    }
    if (path.len > LOG_PATH_BYTES)
        path.len = LOG_PATH_BYTES;
    return path;
}

static void log_call(struct http_call *call, int status, int64_t duration_us)
{
    struct str path = path_to_log(call);

    metrics_count(api_of(call)->metrics, http_call_route(call), status, duration_us);
    history_request(api_of(call)->history, status, duration_us);
    log_event(LOG_DEBUG, "request", "id=%s method=%s path=\"%.*s\" status=%d us=%lld",
              http_request_id(call), http_method(call), (int)path.len, path.ptr ? path.ptr : "",
              status, (long long)duration_us);
}

/* What goes on without being asked: expired files, deleted versions, deployments. */
static bool start_background(struct api *api, struct err *err)
{
    struct version_removal_options removal = {
        .documents = api->models,
        .store = api->store,
        .blobs = api->blobs,
        .predict = api->predict,
    };

    return sweep_start(api->store, api->blobs, &api->sweep, err) &&
           version_removal_start(&removal, &api->version_removal, err) &&
           deployment_documents_load(api->store, api->predict, api->registry, err);
}

/* The secret that signs download links of files: made once, kept in the store. */
static bool load_secret(struct api *api, struct err *err)
{
    struct store_write write = { .kind = STORE_SETTING_PUT };
    char fresh[API_FILE_SECRET_LEN + 1];
    struct arena arena;
    struct str value;
    bool ok;

    id_random_text(fresh, API_FILE_SECRET_LEN);
    write.setting.name = API_SECRET_NAME;
    write.setting.value = (struct str){ fresh, API_FILE_SECRET_LEN };
    write.setting.only_if_absent = true;
    arena_init(&arena, 1u << 16);
    ok = store_write_wait(api->store, &write, err) &&
         store_setting_get(api->store, API_SECRET_NAME, &arena, &value, err);
    if (ok && !str_copy(value, api->file_secret, sizeof(api->file_secret)))
        ok = err_set(err, ERR_INTERNAL, "the stored secret for files is too long");
    arena_done(&arena);
    return ok;
}

static bool collect_tables(struct api *api, struct err *err)
{
    size_t count = 0;

    while (api_resource_registry[count])
        count++;
    api->tables = calloc(count + 1, sizeof(struct http_route *));
    if (!api->tables)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    for (size_t i = 0; i < count; i++)
        api->tables[i] = api_resource_registry[i]->routes;
    return true;
}

static bool start_site(struct api *api, const struct api_options *options, struct err *err)
{
    return options->without_page || !site_is_built() ||
           site_new(options->public_url, &api->site, err);
}

static bool start_server(struct api *api, const struct api_options *options, int connections_max,
                         struct err *err)
{
    struct http_server_options server = {
        .listen = options->listen,
        .tls_certificate_path = options->tls_certificate_path,
        .tls_key_path = options->tls_key_path,
        .public_url = options->public_url,
        .trusted_proxies = options->trusted_proxies,
        .prefixes = api_prefixes,
        .tables = api->tables,
        .workers = options->workers > 0 ? options->workers : API_WORKERS_DEFAULT,
        .connections_max = connections_max,
        .spill_folder = options->data_folder,
        .check_host = true,
        .hosts = options->hosts,
        .cors_origins = options->cors_origins,
        .gzip_min_bytes = options->gzip_min_bytes,
        .context = api,
        .authenticate = auth_check,
        .problem = problem_reply_server,
        .finished = log_call,
    };

    if (!http_server_start(&server, &api->server, err))
        return false;
    if (http_server_connections_max(api->server) < connections_max)
        log_event(LOG_WARN, "connections_limited", "wanted=%d possible=%d reason=\"open files\"",
                  connections_max, http_server_connections_max(api->server));
    return true;
}

bool api_start(const struct api_options *options, struct api **ret_api, struct err *err)
{
    struct api *api = calloc(1, sizeof(*api));
    int connections_max =
        options->connections_max > 0 ? options->connections_max : API_CONNECTIONS_DEFAULT;

    if (!api)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    attempts_init(&api->sign_in_attempts);
    api->store = options->store;
    api->blobs = options->blobs;
    api->predict = options->predict;
    api->registry = options->registry;
    api->models = options->models;
    api->accounts = options->accounts;
    api->data_folder = options->data_folder;
    api->deployment_quiet_s = options->deployment_quiet_s;
    api->sync_output_form = options->sync_output_form;
    api->link_lifetime_s = options->link_lifetime_s;
    api->official_only_by_name = options->official_only_by_name;
    if (!auth_new(api->store, &api->auth, err) || !envelope_new(&api->envelope, err) ||
        !load_secret(api, err) || !collect_tables(api, err) ||
        !work_pool_new("answers", API_ANSWER_THREADS, (size_t)connections_max, &api->answers,
                       err) ||
        !waits_new(answer_after_wait, answer_now, &api->waits, err) ||
        !streams_new(api, &api->streams, err) || !metrics_new(api->tables, &api->metrics, err) ||
        !openapi_new(&api->openapi, err) || !start_site(api, options, err) ||
        !start_background(api, err) || !figures_start(api, options, err) ||
        !start_server(api, options, connections_max, err)) {
        api_stop(api, 0);
        return false;
    }
    *ret_api = api;
    return true;
}

void api_set_webhooks(struct api *api, struct webhooks *webhooks)
{
    atomic_store(&api->webhooks, webhooks);
}

bool api_render(void *context, const char *id, const char *base_url, bool as_started,
                struct buf *out, bool *ret_over, struct err *err)
{
    const struct api *api = context;
    struct render_options options = { .api = api, .base_url = base_url };
    struct prediction prediction;
    struct arena arena;
    bool ok;

    arena_init(&arena, API_RECORD_BYTES);
    ok = predict_get(api->predict, NULL, id, &arena, &prediction, err);
    if (ok) {
        *ret_over = prediction_status_is_terminal(prediction.status);
        if (as_started) {
            prediction.status = PREDICTION_PROCESSING;
            prediction.output = prediction.logs = prediction.metrics = S("");
            prediction.error = NULL;
            prediction.completed_us = 0;
        }
        render_prediction(&options, &prediction, out);
    }
    arena_done(&arena);
    return ok;
}

int api_port(const struct api *api)
{
    return http_server_port(api->server);
}

bool api_has_local_page(const struct api *api)
{
    return api->site && http_server_is_loopback(api->server);
}

/* The store always ends what it was given, so this ends. */
static void wait_for_creates(const struct api *api)
{
    const struct timespec look = { .tv_nsec = API_LOOK_MS * 1000000L };

    while (atomic_load(&api->creating) > 0)
        nanosleep(&look, NULL);
}

void api_stop(struct api *api, int drain_ms)
{
    if (!api)
        return;
    int64_t end_us = clock_monotonic_us() + drain_ms * INT64_C(1000);
    atomic_store(&api->draining, true);
    if (api->server)
        http_server_quiesce(api->server);
    waits_stop(api->waits, drain_ms);
    streams_stop(api->streams, end_us);
    int64_t left_ms = (end_us - clock_monotonic_us()) / 1000;
    if (api->server)
        http_server_stop(api->server,
                         left_ms > API_LAST_ANSWERS_MS ? (int)left_ms : API_LAST_ANSWERS_MS);
    wait_for_creates(api);
    figures_stop(api);
    if (api->answers)
        work_pool_free(api->answers);
    streams_free(api->streams);
    waits_free(api->waits);
    version_removal_stop(api->version_removal);
    sweep_stop(api->sweep);
    envelope_free(api->envelope);
    auth_free(api->auth);
    openapi_free(api->openapi);
    metrics_free(api->metrics);
    site_free(api->site);
    attempts_done(&api->sign_in_attempts);
    free(api->tables);
    free(api);
}
