/* Predictions: create, look, cancel, wait. */
#include "client_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

#define INTERVAL_DEFAULT_MS 500
#define WAIT_RETRIES 5     /* bad answers in a row while polling */
#define CANCEL_LOOK_MS 100 /* how often a sleep looks at the cancel flag */

static struct curl_slist *create_headers(const struct mimeo_prediction_options *options)
{
    struct curl_slist *headers = NULL;
    char line[64];

    if (options->wait_s > 0) {
        snprintf(line, sizeof(line), "Prefer: wait=%d", options->wait_s);
        headers = curl_slist_append(headers, line);
    }
    if (options->cancel_after != NULL) {
        snprintf(line, sizeof(line), "Cancel-After: %s", options->cancel_after);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

static json_t *create_body(const struct mimeo_prediction_options *options)
{
    json_t *body = json_object();

    if (options->version != NULL)
        json_object_set_new(body, "version", json_string(options->version));
    if (options->input != NULL)
        json_object_set(body, "input", (json_t *)options->input);
    else
        json_object_set_new(body, "input", json_object());
    if (options->webhook != NULL)
        json_object_set_new(body, "webhook", json_string(options->webhook));
    if (options->webhook_events != NULL)
        json_object_set(body, "webhook_events_filter", (json_t *)options->webhook_events);
    return body;
}

bool mimeo_prediction_create(struct mimeo_client *client,
                             const struct mimeo_prediction_options *options,
                             json_t **ret_prediction, struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX] = "/predictions";
    struct str owner, name;

    if ((options->version == NULL) == (options->model == NULL))
        return mimeo_fail(error, 0, "give either a version or a model");
    if (options->model != NULL) {
        char part[256];
        if (!str_cut(str_from(options->model), '/', &owner, &name) ||
            !str_copy(owner, part, sizeof(part)))
            return mimeo_fail(error, 0, "a model is written owner/name");
        if (!mimeo_build_path(client, path, error, "/models/", part, "/",
                              options->model + owner.len + 1, "/predictions", NULL))
            return false;
    }
    json_t *body = create_body(options);
    bool ok = mimeo_request_with(client, "POST", path, body, create_headers(options),
                                 ret_prediction, error);
    json_decref(body);
    return ok;
}

bool mimeo_prediction_get(struct mimeo_client *client, const char *id, json_t **ret_prediction,
                          struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX];

    return mimeo_build_path(client, path, error, "/predictions/", id, NULL) &&
           mimeo_request(client, "GET", path, NULL, ret_prediction, error);
}

bool mimeo_prediction_list(struct mimeo_client *client, const char *page, json_t **ret_page,
                           struct mimeo_error *error)
{
    return mimeo_request(client, "GET", page != NULL ? page : "/predictions", NULL, ret_page,
                         error);
}

bool mimeo_prediction_cancel(struct mimeo_client *client, const char *id, json_t **ret_prediction,
                             struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX];

    return mimeo_build_path(client, path, error, "/predictions/", id, "/cancel", NULL) &&
           mimeo_request(client, "POST", path, NULL, ret_prediction, error);
}

bool mimeo_prediction_is_over(const json_t *prediction)
{
    static const char *const over[] = { "succeeded", "failed", "canceled", "aborted" };
    const char *status = json_get_string(prediction, "status");

    for (size_t i = 0; status != NULL && i < ARRAY_LEN(over); i++)
        if (strcmp(status, over[i]) == 0)
            return true;
    return false;
}

/* False when canceled meanwhile. */
static bool wait_sleep(const struct mimeo_client *client, int interval_ms)
{
    for (int slept_ms = 0; slept_ms < interval_ms; slept_ms += CANCEL_LOOK_MS) {
        int left_ms = interval_ms - slept_ms;
        int nap_ms = left_ms < CANCEL_LOOK_MS ? left_ms : CANCEL_LOOK_MS;
        struct timespec nap = { .tv_nsec = nap_ms * 1000000L };
        if (client->canceled != NULL && atomic_load(client->canceled))
            return false;
        nanosleep(&nap, NULL);
    }
    return client->canceled == NULL || !atomic_load(client->canceled);
}

static bool worth_retry(const struct mimeo_error *error)
{
    return !error->canceled && (error->status == 429 || error->status >= 500 || error->status == 0);
}

bool mimeo_prediction_wait(struct mimeo_client *client, const char *id, int interval_ms,
                           void (*each)(void *context, const json_t *prediction), void *context,
                           json_t **ret_prediction, struct mimeo_error *error)
{
    struct mimeo_error last = { 0 };
    int bad = 0;

    for (;;) {
        json_t *prediction = NULL;
        if (mimeo_prediction_get(client, id, &prediction, &last)) {
            bad = 0;
            if (each != NULL)
                each(context, prediction);
            if (mimeo_prediction_is_over(prediction)) {
                *ret_prediction = prediction;
                return true;
            }
            json_decref(prediction);
        } else if (!worth_retry(&last) || ++bad > WAIT_RETRIES) {
            if (error != NULL)
                *error = last;
            return false;
        }
        if (!wait_sleep(client, interval_ms > 0 ? interval_ms : INTERVAL_DEFAULT_MS)) {
            mimeo_fail(error, 0, "canceled");
            if (error != NULL)
                error->canceled = true;
            return false;
        }
    }
}
