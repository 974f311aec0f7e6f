/* Answers that go on: what is written is kept until the connection's loop takes it.
 *
 *   any thread                    the connection's loop
 *   http_stream_write() -------> take(): copies what is pending into libmicrohttpd's buffer
 *     resumes if parked           nothing pending: parks the connection (MHD_suspend_connection)
 *
 * Invariants
 *  (1) parked says that the connection is suspended; who clears it resumes it. Both happen under
 *      the stream's mutex, and a suspended connection never ends by itself, so the connection is
 *      there whenever it is resumed.
 *  (2) A stream that is cut (the client or the server is going) is resumed and ends at the next
 *      take(). libmicrohttpd then completes the request, always: closed is called there, once.
 *  (3) Locks are taken in this order: server or guard, then stream, then libmicrohttpd's. No
 *      callback of the owner is called under any.
 *  (4) Two references: the owner's, and the connection's until closed was called. */
#include "http/server_private.h"

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_KEPT_BYTES (8u << 10)  /* a drained stream holds no larger buffer */
#define STREAM_BLOCK_BYTES (2u << 10) /* taken at once, for clients without chunks (HTTP/1.0) */

struct http_stream {
    struct http_stream *next, **link; /* in the server's list, under its mutex */
    struct MHD_Connection *connection;
    struct http_stream_options options;
    atomic_int references;
    pthread_mutex_t mutex; /* all below */
    struct buf pending;
    size_t taken; /* bytes of pending that the connection has already */
    bool ended, cut, closed;
    bool parked;
    bool written; /* since drained was called last */
};

static void stream_free(struct http_stream *stream)
{
    buf_done(&stream->pending);
    pthread_mutex_destroy(&stream->mutex);
    free(stream);
}

void http_stream_unref(struct http_stream *stream)
{
    if (atomic_fetch_sub(&stream->references, 1) == 1)
        stream_free(stream);
}

/* Under the mutex. */
static void wake(struct http_stream *stream)
{
    if (!stream->parked)
        return;
    stream->parked = false;
    MHD_resume_connection(stream->connection);
}

/* ---- On the loop -------------------------------------------------------------------------- */

/* Move up to max pending bytes; 0: there are none. Under the mutex. */
static size_t take_pending(struct http_stream *stream, char *bytes, size_t max)
{
    size_t len = stream->pending.len - stream->taken;
    if (len > max)
        len = max;
    if (!len)
        return 0;
    memcpy(bytes, stream->pending.ptr + stream->taken, len);
    stream->taken += len;
    if (stream->taken < stream->pending.len)
        return len;
    stream->taken = 0;
    buf_clear(&stream->pending);
    if (stream->pending.capacity > STREAM_KEPT_BYTES) {
        buf_done(&stream->pending);
        buf_init(&stream->pending, HTTP_STREAM_BYTES_MAX);
    }
    return len;
}

/* libmicrohttpd asks for more. It may ask again before a parked connection really sleeps. */
static ssize_t take(void *context, uint64_t position, char *bytes, size_t max)
{
    struct http_stream *stream = context;
    ssize_t ret = 0;
    (void)position;
    pthread_mutex_lock(&stream->mutex);
    for (;;) {
        if (stream->cut)
            ret = MHD_CONTENT_READER_END_WITH_ERROR;
        else
            ret = (ssize_t)take_pending(stream, bytes, max);
        if (ret != 0)
            break;
        if (stream->written && stream->options.drained) {
            stream->written = false;
            pthread_mutex_unlock(&stream->mutex);
            stream->options.drained(stream->options.context);
            pthread_mutex_lock(&stream->mutex);
            continue; /* it may have written, or ended */
        }
        if (stream->ended) {
            ret = MHD_CONTENT_READER_END_OF_STREAM;
        } else if (!stream->parked) {
            stream->parked = true;
            MHD_suspend_connection(stream->connection);
        }
        break;
    }
    pthread_mutex_unlock(&stream->mutex);
    return ret;
}

static void stream_cut(void *context)
{
    struct http_stream *stream = context;
    pthread_mutex_lock(&stream->mutex);
    stream->cut = true;
    wake(stream);
    pthread_mutex_unlock(&stream->mutex);
}

void stream_begin(struct http_call *call)
{
    guard_watch_end(call->server->guard, call->watched, stream_cut, call->stream);
}

static void unlink_stream(struct http_server *server, struct http_stream *stream)
{
    pthread_mutex_lock(&server->mutex);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    pthread_mutex_unlock(&server->mutex);
}

void stream_close(struct http_call *call)
{
    struct http_stream *stream = call->stream;
    guard_unwatch_end(call->server->guard, call->watched);
    unlink_stream(call->server, stream);
    pthread_mutex_lock(&stream->mutex);
    assert(!stream->parked);
    stream->closed = true;
    stream->taken = 0;
    buf_done(&stream->pending);
    buf_init(&stream->pending, HTTP_STREAM_BYTES_MAX);
    pthread_mutex_unlock(&stream->mutex);
    call->stream = NULL;
    if (stream->options.closed)
        stream->options.closed(stream->options.context);
    http_stream_unref(stream);
}

void stream_cut_all(struct http_server *server)
{
    for (struct http_stream *stream = server->streams; stream; stream = stream->next)
        stream_cut(stream);
}

/* ---- Any thread --------------------------------------------------------------------------- */

static bool link_stream(struct http_server *server, struct http_stream *stream)
{
    pthread_mutex_lock(&server->mutex);
    bool open = !server->closing;
    if (open) {
        stream->next = server->streams;
        if (stream->next)
            stream->next->link = &stream->next;
        stream->link = &server->streams;
        server->streams = stream;
    }
    pthread_mutex_unlock(&server->mutex);
    return open;
}

bool http_reply_stream(struct http_call *call, int status, const char *content_type,
                       const struct http_stream_options *options, struct http_stream **ret_stream)
{
    assert(!call->response);
    struct http_server *server = call->server; /* a reference is held until the answer is given */
    struct http_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return false;
    stream->connection = call->connection;
    stream->options = *options;
    atomic_init(&stream->references, 2);
    pthread_mutex_init(&stream->mutex, NULL);
    buf_init(&stream->pending, HTTP_STREAM_BYTES_MAX);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, take, stream, NULL);
    if (!response || !link_stream(server, stream)) {
        if (response)
            MHD_destroy_response(response);
        stream_free(stream);
        return false;
    }
    /* After the headers for HEAD libmicrohttpd would send an empty last chunk. */
    if (strcmp(call->method, "HEAD") == 0)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    struct http_stream *before = *ret_stream;
    reply_add_headers(call, response, content_type);
    call->response = response;
    call->status = status;
    call->stream = stream;
    *ret_stream = stream; /* closed may be called before this returns */
    if (reply_give(call))
        return true;
    *ret_stream = before;
    call->stream = NULL;
    call->response = NULL;
    unlink_stream(server, stream);
    MHD_destroy_response(response);
    stream_free(stream);
    return false;
}

/* Append; what the connection has taken makes room first. Under the mutex. */
static bool keep(struct http_stream *stream, struct str bytes)
{
    struct buf *pending = &stream->pending;
    if (bytes.len > HTTP_STREAM_BYTES_MAX - (pending->len - stream->taken))
        return false;
    size_t room = pending->capacity < pending->max ? pending->capacity : pending->max;
    if (stream->taken && pending->len + bytes.len >= room) {
        pending->len -= stream->taken;
        memmove(pending->ptr, pending->ptr + stream->taken, pending->len);
        stream->taken = 0;
    }
    bool ok = buf_append_str(pending, bytes);
    pending->failed = false;
    return ok;
}

bool http_stream_write(struct http_stream *stream, struct str bytes)
{
    pthread_mutex_lock(&stream->mutex);
    bool ok = !stream->closed && !stream->cut && !stream->ended && keep(stream, bytes);
    if (ok && bytes.len) {
        stream->written = true;
        wake(stream);
    }
    pthread_mutex_unlock(&stream->mutex);
    return ok;
}

size_t http_stream_unsent(const struct http_stream *borrowed)
{
    struct http_stream *stream = (struct http_stream *)(uintptr_t)borrowed; /* for its mutex */
    pthread_mutex_lock(&stream->mutex);
    size_t unsent = stream->pending.len - stream->taken;
    pthread_mutex_unlock(&stream->mutex);
    return unsent;
}

void http_stream_end(struct http_stream *stream)
{
    pthread_mutex_lock(&stream->mutex);
    stream->ended = true;
    if (!stream->closed)
        wake(stream);
    pthread_mutex_unlock(&stream->mutex);
}
