/* What the client library's files share. Names start with mimeo_ as all of the library's do. */
#ifndef MIMEO_CLIENT_PRIVATE_H
#define MIMEO_CLIENT_PRIVATE_H

#include <curl/curl.h>

#include "base/buf.h"
#include "mimeo.h"

#define MIMEO_ANSWER_BYTES_MAX (128u << 20) /* a JSON answer: outputs may be data URLs */
#define MIMEO_PATH_BYTES_MAX 4096           /* a URL or a path below /v1 */

struct mimeo_client {
    char *base_url;      /* ends in "/v1" */
    char *authorization; /* a whole header line; NULL: no token */
    CURL *curl;          /* one easy handle, so that connections are reused */
    const atomic_bool *canceled;
};

/* Fill *error (which may be NULL) and return false. */
bool mimeo_fail(struct mimeo_error *error, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reset the handle to what all requests share: the URL (path below /v1, or whole of the client's
 * own server), timeouts, cancel. */
bool mimeo_prepare(struct mimeo_client *client, const char *path, struct mimeo_error *error);

/* Run the prepared request with `headers` (freed here) and the token, judge the status, and parse
 * what came. *ret_answer is NULL for an empty body; ret_answer may be NULL. */
bool mimeo_perform(struct mimeo_client *client, struct curl_slist *headers, json_t **ret_answer,
                   struct mimeo_error *error);

/* mimeo_request with more headers (freed here). */
bool mimeo_request_with(struct mimeo_client *client, const char *method, const char *path,
                        const json_t *body, struct curl_slist *headers, json_t **ret_answer,
                        struct mimeo_error *error);

/* Is that URL on the client's own server (same scheme, host and port)? */
bool mimeo_is_own_url(const struct mimeo_client *client, const char *url);

/* Sets *error from what curl_easy_perform gave; false. */
bool mimeo_fail_curl(struct mimeo_client *client, CURLcode code, const char *text,
                     struct mimeo_error *error);

/* "/models/{a}/{b}..." with each part percent-encoded; NULL ends the parts. */
bool mimeo_build_path(struct mimeo_client *client, char ret_path[MIMEO_PATH_BYTES_MAX],
                      struct mimeo_error *error, const char *first, ...) __attribute__((sentinel));

#endif
