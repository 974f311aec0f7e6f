/* The life of one call: its request comes in, a handler is found and run, its answer goes out.
 * The state machine stands in server_private.h. Reading and answering (http_*): reply.c. */
#include "http/server_private.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/work.h"
#include "http/cors_private.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_ARENA_BYTES_MAX (8u << 20)         /* what handlers build from one request */
#define CALL_LOOP_BODY_BYTES_MAX (64u << 10)    /* larger bodies go to a worker */
#define CALL_IGNORED_BODY_BYTES_MAX (64u << 10) /* on routes that expect none */
#define CALL_DISCARD_BYTES_MAX (64 << 20)       /* read for the sake of a clean answer */
#define CALL_SPARES_MAX 64                      /* freed calls that are kept, 6 KiB each */

/* ---- Ownership ---------------------------------------------------------------------------- */

static void call_unlink(struct http_call *call)
{
    struct http_server *server = call->server;
    if (!call->was_parked)
        return; /* without a look at the link, which the other loop may move under the mutex */
    pthread_mutex_lock(&server->mutex);
    *call->parked_link = call->parked_next;
    if (call->parked_next)
        call->parked_next->parked_link = call->parked_link;
    call->was_parked = false;
    pthread_mutex_unlock(&server->mutex);
}

void http_call_unref(struct http_call *call)
{
    if (atomic_fetch_sub(&call->references, 1) != 1)
        return;
    struct http_server *server = call->server;
    if (call->response)
        MHD_destroy_response(call->response);
    body_done(&call->body);
    arena_reset(&call->arena);
    pthread_mutex_lock(&server->mutex);
    bool keep = server->spare_count < CALL_SPARES_MAX;
    if (keep) {
        call->parked_next = server->spare;
        server->spare = call;
        server->spare_count++;
    }
    pthread_mutex_unlock(&server->mutex);
    if (!keep) {
        arena_done(&call->arena);
        free(call);
    }
    http_server_unref(server);
}

void call_free_spares(struct http_server *server)
{
    for (struct http_call *call = server->spare, *next; call; call = next) {
        next = call->parked_next;
        arena_done(&call->arena);
        free(call);
    }
}

/* Zeroed but for its arena, which is empty. A call is larger than what malloc is quick with. */
static struct http_call *call_new(struct http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    struct http_call *call = server->spare;
    if (call) {
        server->spare = call->parked_next;
        server->spare_count--;
    }
    pthread_mutex_unlock(&server->mutex);
    if (!call) {
        call = calloc(1, sizeof *call);
        if (call)
            arena_init(&call->arena, CALL_ARENA_BYTES_MAX);
        return call;
    }
    struct arena arena = call->arena;
    memset(call, 0, sizeof *call);
    call->arena = arena;
    return call;
}

/* Suspend the connection until the answer is there. False: the server is closing. */
static bool park(struct http_call *call)
{
    struct http_server *server = call->server;
    pthread_mutex_lock(&server->mutex);
    if (server->closing) {
        pthread_mutex_unlock(&server->mutex);
        return false;
    }
    MHD_suspend_connection(call->connection);
    call->parked_next = server->parked;
    if (call->parked_next)
        call->parked_next->parked_link = &call->parked_next;
    call->parked_link = &server->parked;
    call->was_parked = true;
    server->parked = call;
    int expected = CALL_OPEN;
    if (!atomic_compare_exchange_strong(&call->state, &expected, CALL_PARKED))
        MHD_resume_connection(call->connection); /* answered meanwhile, by one that saw OPEN */
    pthread_mutex_unlock(&server->mutex);
    return true;
}

void call_resume(struct http_call *call)
{
    struct http_server *server = call->server;
    struct http_call *first = atomic_load(&server->answered);
    do
        call->answered_next = first;
    while (!atomic_compare_exchange_weak(&server->answered, &first, call));
    if (!first)
        MHD_resume_connection(call->connection);
}

void call_resume_answered(struct http_server *server)
{
    struct http_call *call, *next;
    if (!atomic_load(&server->answered))
        return;
    pthread_mutex_lock(&server->mutex); /* call_unlink needs it, so none is freed meanwhile */
    for (call = atomic_exchange(&server->answered, NULL); call; call = next) {
        next = call->answered_next;
        if (next) /* the one without came first, and was resumed by itself */
            MHD_resume_connection(call->connection);
    }
    pthread_mutex_unlock(&server->mutex);
}

void call_abandon_all(struct http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->closing = true;
    for (struct http_call *call = server->parked; call; call = call->parked_next) {
        int expected = CALL_PARKED;
        if (atomic_compare_exchange_strong(&call->state, &expected, CALL_ABANDONED))
            MHD_resume_connection(call->connection);
    }
    stream_cut_all(server);
    pthread_mutex_unlock(&server->mutex);
}

/* ---- Refusing ----------------------------------------------------------------------------- */

/* Answer a call that no handler will see. The answer is made now and sent when the body is in. */
static void refuse(struct http_call *call, int status, const struct err *problem)
{
    struct http_server *server = call->server;
    call->discarding = true;
    atomic_fetch_add(&call->references, 1);
    if (server->options.problem)
        server->options.problem(call, status, problem);
    else
        http_reply(call, status, "text/plain; charset=utf-8", str_from(problem->detail));
}

static void refuse_plainly(struct http_call *call, int status, enum err_kind kind,
                           const char *detail)
{
    struct err problem = { .kind = ERR_NONE };
    err_set(&problem, kind, "%s", detail);
    refuse(call, status, &problem);
}

static enum MHD_Result send_answer(struct http_call *call)
{
    if (atomic_load(&call->state) != CALL_ANSWERED || !call->response)
        return MHD_NO;
    if (atomic_load_explicit(&call->server->draining, memory_order_relaxed))
        MHD_add_response_header(call->response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result ret =
        MHD_queue_response(call->connection, (unsigned)call->status, call->response);
    if (ret == MHD_YES)
        call->sent_status = call->status;
    if (ret == MHD_YES && call->stream)
        stream_begin(call);
    return ret;
}

/* ---- Headers ------------------------------------------------------------------------------ */

void *call_new_for_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct http_call *call = call_new(server);
    if (!call)
        return NULL;
    call->server = server;
    call->connection = connection;
    call->started_us = clock_monotonic_us();
    atomic_init(&call->state, CALL_OPEN);
    atomic_init(&call->references, 1);
    atomic_fetch_add(&server->references, 1);
    body_init(&call->body, 0, NULL);
    call->query_string = "";
    struct str whole = str_from(uri), query;
    char *copy = arena_strdup(&call->arena, whole);
    if (!copy) {
        http_call_unref(call);
        return NULL;
    }
    call->path = (struct str){ copy, whole.len };
    if (str_cut(call->path, '?', &call->path, &query))
        call->query_string = query.len ? query.ptr : "";
    return call;
}

struct header_copy {
    struct http_call *call;
    int capacity;
    bool failed;
};

static enum MHD_Result copy_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    struct header_copy *copy = context;
    struct http_call *call = copy->call;
    if (call->header_count == copy->capacity)
        return MHD_NO;
    struct call_header *header = &call->headers[call->header_count++];
    header->name = arena_strdup(&call->arena, str_from(name));
    header->value = arena_strdup(&call->arena, str_from(value));
    copy->failed = copy->failed || !header->name || !header->value;
    return copy->failed ? MHD_NO : MHD_YES;
}

/* Copied, because a call may outlive its connection (invariant 4). */
static bool copy_headers(struct http_call *call)
{
    int count = MHD_get_connection_values(call->connection, MHD_HEADER_KIND, NULL, NULL);
    if (count <= 0)
        return true;
    struct header_copy copy = { .call = call, .capacity = count };
    call->headers = arena_alloc(&call->arena, (size_t)count * sizeof *call->headers);
    if (!call->headers)
        return false;
    MHD_get_connection_values(call->connection, MHD_HEADER_KIND, copy_header, &copy);
    return !copy.failed;
}

static void make_request_id(struct http_call *call)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number =
        (uint64_t)call->server->run_id << 32 |
        atomic_fetch_add_explicit(&call->server->next_request, 1, memory_order_relaxed);
    for (int i = 0; i < 16; i++)
        call->request_id[i] = digits[number >> (60 - 4 * i) & 15];
}

/* Find the route; refuse when there is none. */
static void find_route(struct http_call *call)
{
    struct err problem = { .kind = ERR_NONE };
    enum route_result result = ROUTE_BAD_PATH;
    if (route_escapes_are_valid(str_from(call->query_string)))
        result =
            route_find(call->server->routes, call->method, call->path, &call->arena, &call->match);
    switch (result) {
    case ROUTE_FOUND:
        return;
    case ROUTE_OPTIONS:
        http_set_header(call, "Allow", call->match.allow);
        cors_set_preflight(call, call->match.allow);
        call->discarding = true;
        atomic_fetch_add(&call->references, 1);
        http_reply(call, 204, NULL, (struct str){ NULL, 0 });
        return;
    case ROUTE_WRONG_METHOD:
        http_set_header(call, "Allow", call->match.allow);
        err_set(&problem, ERR_INVALID, "Method \"%.20s\" not allowed: this URL takes %s.",
                call->method, call->match.allow);
        refuse(call, 405, &problem);
        return;
    case ROUTE_BAD_PATH:
        refuse_plainly(call, 400, ERR_INVALID, "The URL is malformed.");
        return;
    case ROUTE_NO_MEMORY:
        refuse_plainly(call, 503, ERR_UNAVAILABLE, "The server is out of memory.");
        return;
    case ROUTE_NOT_FOUND:
        break;
    }
    refuse_plainly(call, 404, ERR_NOT_FOUND, "The requested resource could not be found.");
}

/* A page of somebody else's, whose name was made to point at this machine, is not to be answered.
 */
static void check_host(struct http_call *call)
{
    struct http_server *server = call->server;
    const char *host = http_header(call, "Host");
    if (!server->options.check_host || !server->loopback || !host ||
        host_is_ours(&server->hosts, str_from(host)))
        return;
    refuse_plainly(call, 421, ERR_INVALID,
                   "This server is not known by that host name: use localhost, or name it with "
                   "--hosts or --public-url.");
}

/* How long the client says the body is: -1 when it does not say (chunked), -2 when what it says
 * cannot be trusted: both a length and chunks, which two servers in a row may read differently. */
static int64_t told_length(const struct http_call *call)
{
    const char *length = http_header(call, "Content-Length");
    int64_t value;
    if (http_header(call, "Transfer-Encoding"))
        return length ? -2 : -1;
    return length && str_to_int64(str_from(length), &value) && value >= 0 ? value : 0;
}

static void prepare_body(struct http_call *call, int64_t told)
{
    const struct http_route *route = call->match.route;
    struct err problem = { .kind = ERR_NONE };
    size_t max = route->body_max ? route->body_max : CALL_IGNORED_BODY_BYTES_MAX;
    const char *spill = route->flags & HTTP_BODY_FILE ? call->server->options.spill_folder : NULL;
    body_init(&call->body, max, spill);
    if (told == -2) {
        refuse_plainly(call, 400, ERR_INVALID,
                       "Content-Length and Transfer-Encoding exclude each "
                       "other.");
    } else if (told > 0 && (uint64_t)told > max) {
        err_set(&problem, ERR_TOO_LARGE, "The request body must be at most %zu bytes.", max);
        refuse(call, 413, &problem);
    } else if (told > 0) {
        body_expect(&call->body, (size_t)told);
    }
}

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in6 *v6 = (const void *)address;
    const struct sockaddr_in *v4 = (const void *)address;

    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

/* May the caller call this? False: answered. Asked once per call. */
static bool admit(struct http_call *call)
{
    struct http_server *server = call->server;
    const char *account = NULL;
    if (call->match.route->flags & HTTP_PUBLIC || !server->options.authenticate || call->admitted)
        return true;
    if (!server->options.authenticate(call, &account))
        return false;
    call->account = account;
    call->admitted = true;
    return true;
}

/* Who may not call does not get to send much: a large body, or one of no told length, is only taken
 * from a caller who may. */
static void admit_early(struct http_call *call, int64_t told)
{
    if (told >= 0 && told <= CALL_LOOP_BODY_BYTES_MAX)
        return;
    atomic_fetch_add(&call->references, 1);
    if (admit(call))
        http_call_unref(call);
    else
        call->discarding = true;
}

/* The headers are in. */
static enum MHD_Result begin(struct http_call *call, const char *method)
{
    struct http_server *server = call->server;
    call->begun = true;
    atomic_fetch_add(&server->live_count, 1);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    call->watched = info ? info->socket_context : NULL;
    make_request_id(call);
    call->method = arena_strdup(&call->arena, str_from(method));
    if (!call->method || !copy_headers(call))
        return MHD_NO;
    info = MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    call->loopback = info && is_loopback(info->client_addr);
    if (server->base_url.net_count)
        call->trusted_proxy = info && base_url_trusts(&server->base_url, info->client_addr);
    int64_t told = told_length(call);
    guard_set_deadline(call->watched, told ? HTTP_BODY_ALLOWED_MS : 0);
    check_host(call);
    if (!call->discarding)
        find_route(call);
    if (!call->discarding)
        prepare_body(call, told);
    if (!call->discarding)
        admit_early(call, told);
    if (!call->discarding || told == 0)
        return MHD_YES;
    /* The answer is known before the body. A client that waits for "100 Continue" gets it at once
     * and sends nothing. Others get it when their body is read, unless that would take for ever:
     * then at once too, while the guard keeps the socket open so that no reset overtakes it. */
    if (http_header(call, "Expect"))
        return send_answer(call);
    if (told <= CALL_DISCARD_BYTES_MAX && told != -2)
        return MHD_YES;
    guard_linger(server->guard, call->watched);
    return send_answer(call);
}

/* ---- The body, and the handler ------------------------------------------------------------ */

static enum MHD_Result take_body(struct http_call *call, struct str bytes)
{
    struct err problem = { .kind = ERR_NONE };
    guard_earn(call->watched, (int64_t)bytes.len);
    if (!call->discarding && !body_append(&call->body, bytes, &problem)) {
        body_done(&call->body);
        refuse(call, problem.kind == ERR_TOO_LARGE ? 413 : 503, &problem);
    }
    if (call->discarding)
        call->discarded += (int64_t)bytes.len;
    return call->discarded > CALL_DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
}

/* On the loop or on a worker. The call may be gone when this returns. */
static void run_handler(void *context)
{
    struct http_call *call = context;
    if (admit(call))
        call->match.route->handler(call);
}

static enum MHD_Result dispatch_on_loop(struct http_call *call)
{
    atomic_fetch_add(&call->references, 1);
    run_handler(call);
    if (atomic_load(&call->state) == CALL_ANSWERED)
        return send_answer(call);
    if (park(call))
        return MHD_YES;
    int expected = CALL_OPEN;
    if (atomic_compare_exchange_strong(&call->state, &expected, CALL_ABANDONED))
        return MHD_NO;
    return send_answer(call);
}

static enum MHD_Result dispatch_to_worker(struct http_call *call)
{
    if (!park(call))
        return MHD_NO;
    atomic_fetch_add(&call->references, 1);
    if (work_submit(call->server->workers, run_handler, call))
        return MHD_YES;
    atomic_fetch_sub(&call->references, 1);
    refuse_plainly(call, 503, ERR_UNAVAILABLE, "The server is busy. Try again in a moment.");
    return MHD_YES;
}

/* The request is whole, or its connection was resumed. */
static enum MHD_Result finish(struct http_call *call)
{
    struct err problem = { .kind = ERR_NONE };
    if (call->discarding || call->dispatched) {
        call_resume_answered(call->server);
        return send_answer(call);
    }
    call->dispatched = true;
    guard_set_deadline(call->watched, 0);
    if (!body_finish(&call->body, &problem)) {
        refuse(call, 503, &problem);
        return send_answer(call);
    }
    if (call->match.route->flags & HTTP_ON_LOOP && call->body.len <= CALL_LOOP_BODY_BYTES_MAX)
        return dispatch_on_loop(call);
    return dispatch_to_worker(call);
}

enum MHD_Result call_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **ret_call)
{
    (void)context, (void)connection, (void)url, (void)version;
    struct http_call *call = *ret_call;
    if (!call)
        return MHD_NO;
    if (!call->begun)
        return begin(call, method);
    if (*upload_len) {
        enum MHD_Result ret = take_body(call, (struct str){ upload, *upload_len });
        *upload_len = 0;
        return ret;
    }
    return finish(call);
}

void call_on_completed(void *context, struct MHD_Connection *connection, void **ret_call,
                       enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    struct http_server *server = context;
    struct http_call *call = *ret_call;
    *ret_call = NULL;
    if (!call)
        return;
    call_resume_answered(server);
    call_unlink(call);
    if (call->stream && atomic_load(&call->state) == CALL_ANSWERED)
        stream_close(call);
    guard_set_deadline(call->watched, HTTP_HEADER_ALLOWED_MS);
    if (call->begun) {
        if (server->options.finished)
            server->options.finished(call, call->sent_status,
                                     clock_monotonic_us() - call->started_us);
        atomic_fetch_sub(&server->live_count, 1);
    }
    http_call_unref(call);
}
