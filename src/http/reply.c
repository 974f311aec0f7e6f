/* What handlers see of a call: reading it and answering it. The order of events is call.c's. */
#include "http/server_private.h"

#include "base/err.h"
#include "http/cors_private.h"
#include "http/gzip_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define REPLY_HEADERS_MAX 32

/* ---- Reading ------------------------------------------------------------------------------ */

const char *http_method(const struct http_call *call)
{
    return call->method;
}

struct str http_path(const struct http_call *call)
{
    return call->path;
}

const char *http_param(const struct http_call *call, const char *name)
{
    for (int i = 0; i < call->match.param_count; i++)
        if (strcmp(call->match.param_names[i], name) == 0)
            return call->match.param_values[i];
    return NULL;
}

const char *http_query(const struct http_call *call, const char *name)
{
    /* The arena is the call's own scratch space; the text handed out lives as long as the call. */
    struct arena *arena = &((struct http_call *)(uintptr_t)call)->arena;
    struct str left = str_from(call->query_string), wanted = str_from(name);
    while (left.len) {
        struct str pair, key, value = { NULL, 0 };
        if (!str_cut(left, '&', &pair, &left)) {
            pair = left;
            left.len = 0;
        }
        if (!str_cut(pair, '=', &key, &value))
            key = pair;
        if (!str_equal(key, wanted)) {
            if (!key.len || !memchr(key.ptr, '%', key.len))
                continue;
            const char *decoded = route_percent_decode(arena, key, true);
            if (!decoded || strcmp(decoded, name) != 0)
                continue;
        }
        return route_percent_decode(arena, value, true);
    }
    return NULL;
}

const char *http_query_string(const struct http_call *call)
{
    return call->query_string;
}

const char *http_header(const struct http_call *call, const char *name)
{
    for (int i = 0; i < call->header_count; i++)
        if (strcasecmp(call->headers[i].name, name) == 0)
            return call->headers[i].value;
    return NULL;
}

struct str http_body(const struct http_call *call)
{
    /* On a route that expects none, a small one was read and is ignored. */
    if (!call->match.route || call->match.route->body_max == 0)
        return (struct str){ "", 0 };
    return body_view(&call->body);
}

struct arena *http_arena(struct http_call *call)
{
    return &call->arena;
}

void *http_context(const struct http_call *call)
{
    return call->server->options.context;
}

const char *http_account(const struct http_call *call)
{
    return call->account;
}

void http_set_caller(struct http_call *call, const void *caller)
{
    call->caller = caller;
}

const void *http_caller(const struct http_call *call)
{
    return call->caller;
}

const struct http_route *http_call_route(const struct http_call *call)
{
    return call->match.route;
}

bool http_is_loopback(const struct http_call *call)
{
    return call->loopback;
}

const char *http_request_id(const struct http_call *call)
{
    return call->request_id;
}

bool http_accepts_coding(const struct http_call *call, const char *coding)
{
    return gzip_accepts(http_header(call, MHD_HTTP_HEADER_ACCEPT_ENCODING), str_from(coding));
}

const char *http_base_url(const struct http_call *borrowed)
{
    /* Made when first asked for: most answers without links never need it. */
    struct http_call *call = (struct http_call *)(uintptr_t)borrowed;
    if (call->base_url)
        return call->base_url;
    struct base_url_request request = {
        .host = http_header(call, "Host"),
        .trusted = call->trusted_proxy,
        .route_prefix = call->match.prefix ? call->match.prefix : "",
    };
    if (call->trusted_proxy) {
        request.forwarded_proto = http_header(call, "X-Forwarded-Proto");
        request.forwarded_host = http_header(call, "X-Forwarded-Host");
        request.forwarded_prefix = http_header(call, "X-Forwarded-Prefix");
    }
    const char *url =
        base_url_make(&call->server->base_url, &request, &call->arena, &call->base_url_is_https);
    call->base_url = url ? url : ""; /* no memory: a relative link is the best that is left */
    return call->base_url;
}

bool http_is_https(const struct http_call *call)
{
    http_base_url(call);
    return call->base_url_is_https;
}

/* ---- Answering ---------------------------------------------------------------------------- */

void http_set_header(struct http_call *call, const char *name, const char *value)
{
    if (!call->reply_headers)
        call->reply_headers =
            arena_alloc(&call->arena, REPLY_HEADERS_MAX * sizeof *call->reply_headers);
    if (!call->reply_headers)
        return; /* the answer's own memory will run out next */
    struct call_header *header = NULL;
    for (int i = 0; i < call->reply_header_count; i++)
        if (strcasecmp(call->reply_headers[i].name, name) == 0)
            header = &call->reply_headers[i];
    if (!header) {
        assert(call->reply_header_count < REPLY_HEADERS_MAX);
        header = &call->reply_headers[call->reply_header_count];
        header->name = arena_strdup(&call->arena, str_from(name));
        if (!header->name)
            return;
        call->reply_header_count++;
    }
    const char *copy = arena_strdup(&call->arena, str_from(value));
    header->value = copy ? copy : "";
}

void reply_add_headers(struct http_call *call, struct MHD_Response *response,
                       const char *content_type)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER, "mimeo");
    if (content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    /* libmicrohttpd refuses values with line ends, so nothing can be injected here. */
    for (int i = 0; i < call->reply_header_count; i++)
        MHD_add_response_header(response, call->reply_headers[i].name,
                                call->reply_headers[i].value);
    if (call->server->options.cors_origins)
        cors_add_headers(call, response);
    call->reply_header_count = 0; /* they belong to this answer */
}

bool reply_give(struct http_call *call)
{
    struct http_server *server = call->server;
    /* The server is not stopped while a thread is between taking the state and the resume. */
    atomic_fetch_add(&server->replier_count, 1);
    int before = atomic_load(&call->state);
    do {
        assert(before != CALL_ANSWERED);
        if (before == CALL_ABANDONED && call->stream) {
            atomic_fetch_sub(&server->replier_count, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&call->state, &before, CALL_ANSWERED));
    if (before == CALL_PARKED)
        call_resume(call);
    atomic_fetch_sub(&server->replier_count, 1);
    http_call_unref(call);
    return true;
}

/* A NULL response (no memory) ends the connection. */
static void answer(struct http_call *call, int status, const char *content_type,
                   struct MHD_Response *response)
{
    if (response)
        reply_add_headers(call, response, content_type);
    if (call->response)
        MHD_destroy_response(call->response); /* made, but not given */
    call->response = response;
    call->status = status;
    reply_give(call);
}

static bool may_compress(const struct http_call *call, int status, const char *content_type,
                         size_t len)
{
    size_t min = call->server->options.gzip_min_bytes;
    if (!min || len < min || status == MHD_HTTP_PARTIAL_CONTENT || !gzip_suits_type(content_type))
        return false;
    for (int i = 0; i < call->reply_header_count; i++)
        if (strcasecmp(call->reply_headers[i].name, MHD_HTTP_HEADER_CONTENT_ENCODING) == 0)
            return false;
    return true;
}

/* The response with the gzip form of body, or NULL: as it is, then. *ret_vary: it might have been
 * compressed for another client. */
static struct MHD_Response *make_compressed(const struct http_call *call, struct str body,
                                            bool *ret_vary)
{
    size_t len;
    *ret_vary = true;
    if (!gzip_is_accepted(http_header(call, MHD_HTTP_HEADER_ACCEPT_ENCODING)))
        return NULL;
    char *compressed = gzip_compress(body, &len);
    if (!compressed)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, compressed, MHD_RESPMEM_MUST_FREE);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    else
        free(compressed);
    return response;
}

/* Takes body when it is told to free it and a response was made. */
static struct MHD_Response *make_response(struct http_call *call, int status,
                                          const char *content_type, struct str body,
                                          enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = NULL;
    bool vary = false;
    if (may_compress(call, status, content_type, body.len))
        response = make_compressed(call, body, &vary);
    if (response && mode == MHD_RESPMEM_MUST_FREE)
        free((void *)(uintptr_t)body.ptr);
    if (!response)
        response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, mode);
    if (response && vary)
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    return response;
}

bool http_reply_make(struct http_call *call, int status, const char *content_type, char *body,
                     size_t len)
{
    assert(!call->response);
    call->response =
        make_response(call, status, content_type, (struct str){ body, len }, MHD_RESPMEM_MUST_FREE);
    if (!call->response) {
        free(body);
        return false;
    }
    reply_add_headers(call, call->response, content_type);
    call->status = status;
    return true;
}

void http_reply_made(struct http_call *call)
{
    assert(call->response);
    reply_give(call);
}

void http_reply(struct http_call *call, int status, const char *content_type, struct str body)
{
    answer(call, status, content_type,
           make_response(call, status, content_type, body, MHD_RESPMEM_MUST_COPY));
}

void http_reply_static(struct http_call *call, int status, const char *content_type,
                       struct str body)
{
    answer(call, status, content_type,
           MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr,
                                           MHD_RESPMEM_PERSISTENT));
}

void http_reply_file(struct http_call *call, int status, const char *content_type, int fd,
                     int64_t offset, int64_t len)
{
    if (len <= 0) {
        close(fd);
        http_reply(call, status, content_type, (struct str){ "", 0 });
        return;
    }
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64((uint64_t)len, fd, (uint64_t)offset);
    if (!response)
        close(fd);
    answer(call, status, content_type, response);
}
