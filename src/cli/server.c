/* Wiring. Each step below starts one part and says in its name which. */
#include "cli/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/account.h"
#include "account/tokens.h"
#include "api/api.h"
#include "api/model_documents.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/option.h"
#include "blob/blob.h"
#include "cli/place.h"
#include "predict/predict.h"
#include "pull/process.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "store/store.h"
#include "webhook/webhook.h"

#define DESCRIBE_BYTES_MAX (8u << 20) /* schemas of all native models */
#define DESCRIBE_TIMEOUT_MS 20000
#define SECRET_BYTES 32
#define SECRET_SETTING "link_secret"
#define ARENA_BYTES_MAX (64u << 10)
#define QUEUE_LANES_FACTOR 8 /* all lanes together may hold that many times one lane's limit */
#define WORKERS 16           /* threads for handlers that wait for the store or a file */

struct server {
    int lock_fd;
    struct store *store;
    struct blob_store *blobs;
    struct registry *registry;
    struct model_documents *models;
    struct accounts *accounts;
    struct queue *queue;
    struct predict *predict;
    struct api *api;
    struct webhooks *webhooks;
    struct buf describe; /* what the runner says of its models */
    char data_folder[PLACE_PATH_MAX];
    char runner_path[PLACE_PATH_MAX];
    char weights_folder[PLACE_PATH_MAX];
    char manifests_folder[PLACE_PATH_MAX];
};

static bool places_find(struct server *server, const struct option_values *values, struct err *err)
{
    return place_data_folder(option_string(values, "data"), server->data_folder, err) &&
           place_beside_program(option_string(values, "runner"), "mimeo-runner",
                                server->runner_path, err) &&
           place_in_data(option_string(values, "weights"), server->data_folder, "weights",
                         server->weights_folder, err) &&
           place_in_data(option_string(values, "manifests"), server->data_folder, "models",
                         server->manifests_folder, err);
}

/* ---- Tokens and secrets ---------------------------------------------------------------------- */

/* The token of MIMEO_TOKEN counts from now on; with no token at all one is made and shown. */
static bool tokens_prepare(struct server *server, const struct option_values *values,
                           struct err *err)
{
    const char *chosen = option_string(values, "token");
    const struct store_token wanted = { .name = "first",
                                        .account = TOKENS_ACCOUNT_DEFAULT,
                                        .scopes = STORE_SCOPE_ALL };
    struct tokens_made made;
    bool any = false;

    if (chosen != NULL)
        return tokens_admit(server->store, chosen, err);
    if (!tokens_any(server->store, &any, err))
        return false;
    if (any)
        return true;
    if (!tokens_create(server->store, &wanted, &made, err))
        return false;
    fprintf(stderr, "token (shown only now; `mimeo tokens` makes more): %s\n", made.text);
    return true;
}

static bool secret_load(struct server *server, struct arena *arena, struct str *ret_secret,
                        struct err *err)
{
    unsigned char random[SECRET_BYTES];
    char hex[2 * SECRET_BYTES + 1];
    struct err missing = { 0 };

    if (store_setting_get(server->store, SECRET_SETTING, arena, ret_secret, &missing))
        return true;
    if (missing.kind != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    id_random_bytes(random, sizeof(random));
    hash_hex(random, sizeof(random), hex);
    struct store_write write = {
        .kind = STORE_SETTING_PUT,
        .setting = { .name = SECRET_SETTING, .value = str_from(hex), .only_if_absent = true },
    };
    return store_write_wait(server->store, &write, err) &&
           store_setting_get(server->store, SECRET_SETTING, arena, ret_secret, err);
}

static bool blobs_start(struct server *server, struct err *err)
{
    char folder[PLACE_PATH_MAX];
    struct arena arena;
    struct str secret;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = place_in_data(NULL, server->data_folder, "blobs", folder, err) &&
              secret_load(server, &arena, &secret, err) &&
              blob_open(folder, secret, &server->blobs, err);
    arena_done(&arena);
    return ok;
}

/* ---- Models ---------------------------------------------------------------------------------- */

/* Ask the runner what it can run. A broken runner does not stop the server: models then have no
 * runner, and everything else works. */
static void runner_describe(struct server *server)
{
    const char *argv[] = { server->runner_path, "--describe", NULL };
    struct process_options options = { .argv = argv,
                                       .timeout_ms = DESCRIBE_TIMEOUT_MS,
                                       .output = &server->describe };
    struct err err = { 0 };

    if (process_run(&options, &err))
        return;
    log_error(LOG_WARN, "runner_describe_failed", &err, "runner=\"%s\"", server->runner_path);
    buf_clear(&server->describe);
}

static bool registry_start(struct server *server, struct err *err)
{
    runner_describe(server);
    struct registry_options options = {
        .folder = server->manifests_folder,
        .describe = server->describe.len > 0 ? server->describe.ptr : NULL,
    };
    return registry_open(&options, &server->registry, err);
}

/* What users have made over the API, before predictions of it are taken up again. */
static bool models_start(struct server *server, struct err *err)
{
    struct model_documents_options options = {
        .store = server->store,
        .registry = server->registry,
        .weights_folder = server->weights_folder,
    };

    return model_documents_open(&options, &server->models, err);
}

/* ---- Accounts -------------------------------------------------------------------------------- */

static bool accounts_read(struct server *server, const struct option_values *values,
                          struct accounts_options *ret_options, struct err *err)
{
    struct accounts_options options = {
        .store = server->store,
        .default_plan = option_string(values, "default-plan"),
        .creates_per_minute = (int)option_integer(values, "creates-per-minute"),
        .calls_per_minute = (int)option_integer(values, "calls-per-minute"),
    };
    int count = option_list_count(values, "plan");

    if (count > ACCOUNT_PLANS_MAX)
        return err_set(err, ERR_INVALID, "there may be %d plans at most", ACCOUNT_PLANS_MAX);
    for (int i = 0; i < count; i++)
        if (!account_plan_parse(str_from(option_list_at(values, "plan", i)),
                                &options.plans[options.plan_count++], err))
            return false;
    *ret_options = options;
    return true;
}

static bool accounts_start(struct server *server, const struct option_values *values,
                           struct err *err)
{
    struct accounts_options options;

    return accounts_read(server, values, &options, err) &&
           accounts_new(&options, &server->accounts, err);
}

/* ---- Predictions ----------------------------------------------------------------------------- */

static bool queue_start(struct server *server, const struct option_values *values, struct err *err)
{
    size_t lane_max = (size_t)option_integer(values, "queue-limit");

    return queue_new(lane_max, lane_max * QUEUE_LANES_FACTOR, &server->queue, err);
}

static bool predict_start(struct server *server, const struct option_values *values,
                          struct err *err)
{
    struct predict_options options = {
        .store = server->store,
        .accounts = server->accounts,
        .queue = server->queue,
        .blobs = server->blobs,
        .registry = server->registry,
        .data_folder = server->data_folder,
        .runner_path = server->runner_path,
        .weights_folder = server->weights_folder,
        .precision = option_string(values, "precision"),
        .threads = (int)option_integer(values, "threads"),
        .idle_timeout_s = (int)option_integer(values, "idle-timeout"),
        .memory_budget_bytes = option_integer(values, "memory-budget") << 20,
        .start_timeout_s = (int)option_integer(values, "start-timeout"),
        .run_timeout_s = (int)option_integer(values, "run-timeout"),
        .cancel_grace_ms = (int)option_integer(values, "cancel-grace"),
        .allow_private_urls = option_boolean(values, "allow-private-urls"),
        .picture_metadata =
            str_equal(str_from(option_string(values, "picture-metadata")), S("yes")),
        .abort_unstarted = option_boolean(values, "abort-unstarted"),
        .retention_s = (int)option_integer(values, "retention"),
        .trained = model_documents_trained,
        .trained_context = server->models,
    };

    return predict_new(&options, &server->predict, err);
}

static enum api_output_form output_form(const char *name)
{
    struct str form = str_from(name);

    if (str_equal(form, S("url")))
        return API_OUTPUT_URL;
    return str_equal(form, S("data")) ? API_OUTPUT_DATA : API_OUTPUT_AUTO;
}

/* Those of `mimeo pull`. Empty is as good as unset. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != 0 ? value : NULL;
}

static bool api_begin(struct server *server, const struct option_values *values, struct err *err)
{
    struct api_options options = {
        .store = server->store,
        .blobs = server->blobs,
        .predict = server->predict,
        .registry = server->registry,
        .models = server->models,
        .accounts = server->accounts,
        .listen = option_string(values, "listen"),
        .public_url = option_string(values, "public-url"),
        .trusted_proxies = option_string(values, "trusted-proxies"),
        .tls_certificate_path = option_string(values, "tls-cert"),
        .tls_key_path = option_string(values, "tls-key"),
        .data_folder = server->data_folder,
        .weights_folder = server->weights_folder,
        .hf_endpoint = environment("HF_ENDPOINT"),
        .github_endpoint = environment("GITHUB_ENDPOINT"),
        .hf_token = environment("HF_TOKEN"),
        .sync_output_form = output_form(option_string(values, "sync-output")),
        .link_lifetime_s = (int)option_integer(values, "link-lifetime"),
        .official_only_by_name = option_boolean(values, "strict-names"),
        /* 0 on the command line is none, which is below 0 here. */
        .deployment_quiet_s = option_integer(values, "deployment-quiet") > 0
                                  ? (int)option_integer(values, "deployment-quiet")
                                  : -1,
        .cors_origins = option_string(values, "cors-origins"),
        .hosts = option_string(values, "hosts"),
        .without_page = option_boolean(values, "without-ui"),
        .gzip_min_bytes = (size_t)option_integer(values, "gzip-min"),
        .workers = WORKERS,
        .connections_max = (int)option_integer(values, "connections"),
    };

    return api_start(&options, &server->api, err);
}

/* Last, as their bodies are made by the API. What ended before this is in the ledger. */
static bool webhooks_begin(struct server *server, const struct option_values *values,
                           struct err *err)
{
    struct webhook_options options = {
        .store = server->store,
        .allow_private_urls = option_boolean(values, "allow-private-urls"),
        .timeout_ms = (int)option_integer(values, "webhook-timeout"),
        .first_retry_ms = (int)option_integer(values, "webhook-first-retry"),
        .give_up_s = option_integer(values, "webhook-give-up"),
        .render = api_render,
        .context = server->api,
    };

    if (!webhooks_start(&options, &server->webhooks, err))
        return false;
    predict_listen(server->predict, webhooks_listener, server->webhooks);
    api_set_webhooks(server->api, server->webhooks);
    return true;
}

static void webhooks_end(struct server *server)
{
    if (server->webhooks == NULL)
        return;
    predict_listen(server->predict, NULL, NULL);
    api_set_webhooks(server->api, NULL);
    webhooks_stop(server->webhooks);
}

/* ---- All of it ------------------------------------------------------------------------------- */

bool server_start(const struct option_values *values, struct server **ret_server, struct err *err)
{
    struct server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    server->lock_fd = -1;
    buf_init(&server->describe, DESCRIBE_BYTES_MAX);
    bool ok = places_find(server, values, err) &&
              place_lock_data(server->data_folder, &server->lock_fd, err) &&
              place_open_store(server->data_folder, &server->store, err) &&
              tokens_prepare(server, values, err) && blobs_start(server, err) &&
              registry_start(server, err) && models_start(server, err) &&
              accounts_start(server, values, err) && queue_start(server, values, err) &&
              predict_start(server, values, err) && api_begin(server, values, err) &&
              webhooks_begin(server, values, err);
    if (!ok) {
        server_stop(server, 0);
        return false;
    }
    *ret_server = server;
    return true;
}

bool server_reload(struct server *server, const struct option_values *values, struct err *err)
{
    struct accounts_options options;

    return accounts_read(server, values, &options, err) && registry_reload(server->registry, err) &&
           accounts_reload(server->accounts, &options, err);
}

int server_port(const struct server *server)
{
    return api_port(server->api);
}

bool server_sign_in_code(struct server *server, char ret_code[TOKENS_TEXT_SIZE], struct err *err)
{
    if (!api_has_local_page(server->api))
        return err_set(err, ERR_NOT_FOUND, "there is no page to sign in to from this machine");
    return tokens_create_code(server->store, TOKENS_ACCOUNT_DEFAULT, ret_code, err);
}

void server_stop(struct server *server, int drain_ms)
{
    if (server == NULL)
        return;
    int64_t end_us = clock_monotonic_us() + drain_ms * INT64_C(1000);
    webhooks_end(server);
    if (server->api != NULL)
        api_stop(server->api, drain_ms);
    int64_t left_ms = (end_us - clock_monotonic_us()) / 1000;
    if (server->predict != NULL)
        predict_free(server->predict, left_ms > 0 ? (int)left_ms : 0);
    if (server->queue != NULL)
        queue_free(server->queue);
    model_documents_close(server->models);
    if (server->accounts != NULL)
        accounts_free(server->accounts);
    if (server->registry != NULL)
        registry_close(server->registry);
    if (server->blobs != NULL)
        blob_close(server->blobs);
    store_close(server->store);
    buf_done(&server->describe);
    if (server->lock_fd >= 0)
        close(server->lock_fd);
    free(server);
}
