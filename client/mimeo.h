/* The C client library for the Replicate API: works against Mimeo and against replicate.com.
 *
 *     struct mimeo_error error;
 *     struct mimeo_client *client = mimeo_client_new("https://api.replicate.com", token, &error);
 *     json_t *prediction = NULL;
 *     if (!mimeo_prediction_create(client, &options, &prediction, &error)) ...
 *
 * Answers are jansson values the caller owns (json_decref). Every call blocks and returns false
 * with *error filled; outputs are then untouched. One client serves one thread at a time; make one
 * per thread. Programs that use threads call curl_global_init once, before the first client.
 * Not here: choosing a server or a token from the environment; that is the program's business. */
#ifndef MIMEO_H
#define MIMEO_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mimeo_client;

struct mimeo_error {
    int status;       /* the HTTP status; 0: no answer (not reached, canceled, a local file, ...) */
    bool canceled;    /* the flag given to mimeo_client_set_canceled was seen */
    char detail[512]; /* one sentence: the server's own `detail` where it gave one */
};

/* base_url: "http://127.0.0.1:8080", with or without "/v1" at its end, any path prefix before it.
 * token may be NULL. Free with mimeo_client_free (NULL is fine). */
struct mimeo_client *mimeo_client_new(const char *base_url, const char *token,
                                      struct mimeo_error *error);
void mimeo_client_free(struct mimeo_client *client);

/* Calls end soon after *canceled turns true (error->canceled). NULL: never. Borrowed. */
void mimeo_client_set_canceled(struct mimeo_client *client, const atomic_bool *canceled);

/* Any request: path below /v1 ("/hardware") or a whole URL of the same server (a page's `next`).
 * body NULL: none. *ret_answer is NULL for an empty answer; ret_answer may be NULL. */
bool mimeo_request(struct mimeo_client *client, const char *method, const char *path,
                   const json_t *body, json_t **ret_answer, struct mimeo_error *error);

/* ---- Account and models ---------------------------------------------------------------------- */

bool mimeo_account_get(struct mimeo_client *client, json_t **ret_account,
                       struct mimeo_error *error);

/* Pages: {"next", "previous", "results"}. page: the URL of `next` or `previous`; NULL: the first.
 */
bool mimeo_model_list(struct mimeo_client *client, const char *page, json_t **ret_page,
                      struct mimeo_error *error);
bool mimeo_model_get(struct mimeo_client *client, const char *owner, const char *name,
                     json_t **ret_model, struct mimeo_error *error);
bool mimeo_version_list(struct mimeo_client *client, const char *owner, const char *name,
                        const char *page, json_t **ret_page, struct mimeo_error *error);
bool mimeo_version_get(struct mimeo_client *client, const char *owner, const char *name,
                       const char *id, json_t **ret_version, struct mimeo_error *error);

/* ---- Predictions ----------------------------------------------------------------------------- */

struct mimeo_prediction_options {
    const char *version;          /* 64 hex digits, "owner/name" or "owner/name:id" */
    const char *model;            /* instead of version: "owner/name", an official model */
    const json_t *input;          /* object; borrowed */
    int wait_s;                   /* 1..60: Prefer: wait=N; 0: answer at once */
    const char *cancel_after;     /* "90s"; NULL: never */
    const char *webhook;          /* NULL: none */
    const json_t *webhook_events; /* array of names; NULL: all */
};

bool mimeo_prediction_create(struct mimeo_client *client,
                             const struct mimeo_prediction_options *options,
                             json_t **ret_prediction, struct mimeo_error *error);
bool mimeo_prediction_get(struct mimeo_client *client, const char *id, json_t **ret_prediction,
                          struct mimeo_error *error);
bool mimeo_prediction_list(struct mimeo_client *client, const char *page, json_t **ret_page,
                           struct mimeo_error *error);
bool mimeo_prediction_cancel(struct mimeo_client *client, const char *id, json_t **ret_prediction,
                             struct mimeo_error *error);

/* Poll until the prediction is over (succeeded, failed, canceled, aborted). each (may be NULL)
 * sees every answer. A failed prediction is not an error: look at its `status`. An interval of 0
 * stands for 500 ms; answers 429 and 5xx are tried again a few times. */
bool mimeo_prediction_wait(struct mimeo_client *client, const char *id, int interval_ms,
                           void (*each)(void *context, const json_t *prediction), void *context,
                           json_t **ret_prediction, struct mimeo_error *error);
bool mimeo_prediction_is_over(const json_t *prediction);

/* ---- Files ----------------------------------------------------------------------------------- */

/* POST /files. content_type NULL: by the name's ending. Its urls.get may be given as an input. */
bool mimeo_file_upload(struct mimeo_client *client, const char *path, const char *content_type,
                       json_t **ret_file, struct mimeo_error *error);

/* A small file as a "data:" URL (free() it): for inputs up to some 256 KB. */
bool mimeo_file_data_url(const char *path, const char *content_type, char **ret_url,
                         struct mimeo_error *error);

/* Write what an output URL ("http:", "https:" or "data:") stands for to `path`, through a file
 * beside it, so that path is whole or untouched. The token goes only to the client's own server. */
bool mimeo_output_download(struct mimeo_client *client, const char *url, const char *path,
                           struct mimeo_error *error);

#ifdef __cplusplus
}
#endif

#endif
