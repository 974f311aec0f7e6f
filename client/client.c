/* The client itself: one request and its answer, for all the calls of mimeo.h. */
#include "client_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define CONNECT_TIMEOUT_S 10L
#define STALL_S 90L /* a held `Prefer: wait` is silent for up to 60 s */
#define ERROR_TEXT_MAX 200

bool mimeo_fail(struct mimeo_error *error, int status, const char *fmt, ...)
{
    va_list arguments;

    if (error == NULL)
        return false;
    memset(error, 0, sizeof(*error));
    error->status = status;
    va_start(arguments, fmt);
    vsnprintf(error->detail, sizeof(error->detail), fmt, arguments);
    va_end(arguments);
    return false;
}

static char *base_url_make(const char *base_url)
{
    struct str base = str_trim(str_from(base_url));
    struct buf out;

    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    buf_init(&out, MIMEO_PATH_BYTES_MAX);
    buf_append_str(&out, base);
    if (!str_ends(base, S("/v1")))
        buf_append_str(&out, S("/v1"));
    return buf_take(&out, NULL);
}

static char *authorization_make(const char *token)
{
    struct buf out;

    buf_init(&out, MIMEO_PATH_BYTES_MAX);
    buf_printf(&out, "Authorization: Bearer %s", token);
    return buf_take(&out, NULL);
}

struct mimeo_client *mimeo_client_new(const char *base_url, const char *token,
                                      struct mimeo_error *error)
{
    struct str base = str_from(base_url);

    if (!str_starts(base, S("http://")) && !str_starts(base, S("https://"))) {
        mimeo_fail(error, 0, "the server's address must start with http:// or https://");
        return NULL;
    }
    if (token != NULL && strpbrk(token, "\r\n") != NULL) {
        mimeo_fail(error, 0, "the token holds a line break");
        return NULL;
    }
    struct mimeo_client *client = calloc(1, sizeof(*client));
    if (client != NULL) {
        client->base_url = base_url_make(base_url);
        client->curl = curl_easy_init();
        if (token != NULL && token[0] != 0)
            client->authorization = authorization_make(token);
    }
    if (client == NULL || client->base_url == NULL || client->curl == NULL ||
        (token != NULL && token[0] != 0 && client->authorization == NULL)) {
        mimeo_client_free(client);
        mimeo_fail(error, 0, "memory is short");
        return NULL;
    }
    return client;
}

void mimeo_client_free(struct mimeo_client *client)
{
    if (client == NULL)
        return;
    if (client->curl != NULL)
        curl_easy_cleanup(client->curl);
    free(client->authorization);
    free(client->base_url);
    free(client);
}

void mimeo_client_set_canceled(struct mimeo_client *client, const atomic_bool *canceled)
{
    client->canceled = canceled;
}

/* ---- One request ----------------------------------------------------------------------------- */

/* The length of "scheme://host:port" at the start of a URL. */
static size_t origin_length(const char *url)
{
    const char *host = strstr(url, "://");

    return host == NULL ? 0 : (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
}

bool mimeo_is_own_url(const struct mimeo_client *client, const char *url)
{
    struct str own = { client->base_url, origin_length(client->base_url) };
    struct str other = { url, origin_length(url) };

    return str_equal_nocase(own, other);
}

static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                       curl_off_t upload_now)
{
    const struct mimeo_client *client = context;

    (void)total;
    (void)now;
    (void)upload_total;
    (void)upload_now;
    return client->canceled != NULL && atomic_load(client->canceled);
}

bool mimeo_prepare(struct mimeo_client *client, const char *path, struct mimeo_error *error)
{
    struct buf url;
    CURL *curl = client->curl;

    buf_init(&url, 2 * MIMEO_PATH_BYTES_MAX);
    if (path[0] == '/')
        buf_printf(&url, "%s%s", client->base_url, path);
    else if (mimeo_is_own_url(client, path))
        buf_append_str(&url, str_from(path));
    else {
        buf_done(&url);
        return mimeo_fail(error, 0, "the address is not on this server");
    }
    if (url.failed) {
        buf_done(&url);
        return mimeo_fail(error, 0, "the address is too long");
    }
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url.ptr);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mimeo/" MIMEO_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    buf_done(&url);
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *answer = context;

    return buf_append(answer, bytes, size * count) ? size * count : 0;
}

bool mimeo_fail_curl(struct mimeo_client *client, CURLcode code, const char *text,
                     struct mimeo_error *error)
{
    bool canceled = code == CURLE_ABORTED_BY_CALLBACK;

    if (canceled)
        mimeo_fail(error, 0, "canceled");
    else if (code == CURLE_WRITE_ERROR)
        mimeo_fail(error, 0, "the answer is too large or cannot be written");
    else
        mimeo_fail(error, 0, "%.*s: %s", (int)origin_length(client->base_url), client->base_url,
                   text[0] != 0 ? text : curl_easy_strerror(code));
    if (error != NULL)
        error->canceled = canceled;
    return false;
}

/* The server's own words where it gave some: {"detail"} or {"title"}. */
static bool fail_status(int status, const json_t *answer, struct str body,
                        struct mimeo_error *error)
{
    const char *detail = json_get_string(answer, "detail");

    if (detail == NULL)
        detail = json_get_string(answer, "title");
    if (detail != NULL)
        return mimeo_fail(error, status, "%.400s", detail);
    body = str_trim(body);
    return mimeo_fail(error, status, "HTTP status %d%s%.*s", status, body.len > 0 ? ": " : "",
                      (int)(body.len < ERROR_TEXT_MAX ? body.len : ERROR_TEXT_MAX),
                      body.len > 0 ? body.ptr : "");
}

static bool answer_judge(int status, struct str body, json_t **ret_answer,
                         struct mimeo_error *error)
{
    struct err parse_error = { 0 };
    json_t *answer = NULL;
    bool parsed = str_trim(body).len == 0 || json_parse(body, &answer, &parse_error);

    if (status < 200 || status > 299) {
        fail_status(status, answer, body, error);
        json_decref(answer);
        return false;
    }
    if (!parsed && ret_answer != NULL)
        return mimeo_fail(error, status, "the answer is not JSON: %s", parse_error.detail);
    if (ret_answer != NULL)
        *ret_answer = answer;
    else
        json_decref(answer);
    return true;
}

bool mimeo_perform(struct mimeo_client *client, struct curl_slist *headers, json_t **ret_answer,
                   struct mimeo_error *error)
{
    struct buf answer;
    char text[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *curl = client->curl;

    buf_init(&answer, MIMEO_ANSWER_BYTES_MAX);
    if (client->authorization != NULL)
        headers = curl_slist_append(headers, client->authorization);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_reset(curl); /* nothing on this stack stays referenced */
    bool ok = code == CURLE_OK ? answer_judge((int)status, buf_str(&answer), ret_answer, error)
                               : mimeo_fail_curl(client, code, text, error);
    curl_slist_free_all(headers);
    buf_done(&answer);
    return ok;
}

bool mimeo_request_with(struct mimeo_client *client, const char *method, const char *path,
                        const json_t *body, struct curl_slist *headers, json_t **ret_answer,
                        struct mimeo_error *error)
{
    struct buf text;
    bool ok;

    if (!mimeo_prepare(client, path, error)) {
        curl_slist_free_all(headers);
        return false;
    }
    buf_init(&text, MIMEO_ANSWER_BYTES_MAX);
    if (body != NULL && !json_write(body, false, &text)) {
        curl_slist_free_all(headers);
        buf_done(&text);
        return mimeo_fail(error, 0, "the request is too large");
    }
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
    if (body != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:"); /* no round trip before the body */
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, text.ptr);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)text.len);
    } else if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, "");
    }
    ok = mimeo_perform(client, headers, ret_answer, error);
    buf_done(&text);
    return ok;
}

bool mimeo_request(struct mimeo_client *client, const char *method, const char *path,
                   const json_t *body, json_t **ret_answer, struct mimeo_error *error)
{
    return mimeo_request_with(client, method, path, body, NULL, ret_answer, error);
}

bool mimeo_build_path(struct mimeo_client *client, char ret_path[MIMEO_PATH_BYTES_MAX],
                      struct mimeo_error *error, const char *first, ...)
{
    struct buf path;
    va_list parts;
    const char *part;
    bool ok = true;

    buf_init(&path, MIMEO_PATH_BYTES_MAX);
    buf_append_str(&path, str_from(first));
    va_start(parts, first);
    while ((part = va_arg(parts, const char *)) != NULL) {
        /* A part that starts with "/" is ours; others are names from the user. */
        char *escaped = part[0] == '/' ? NULL : curl_easy_escape(client->curl, part, 0);
        ok = ok && part[0] != 0 && (part[0] == '/' || escaped != NULL);
        buf_append_str(&path, str_from(part[0] == '/' ? part : escaped));
        curl_free(escaped);
    }
    va_end(parts);
    ok = ok && !path.failed && str_copy(buf_str(&path), ret_path, MIMEO_PATH_BYTES_MAX);
    buf_done(&path);
    return ok || mimeo_fail(error, 0, "the name is empty or too long");
}
