/* Streams: each follows one prediction for one reader and costs no thread.
 *
 *   predict's watch, drained, heartbeat -> wake -> pump (a job on api->answers) -> http_stream
 *
 * Invariants
 *  (1) A stream has at most one job, queued or running: `busy` until it ends. A wake meanwhile sets
 *      `again`, and the job runs once more. So only one thread at a time writes, and all but
 *      `busy`, `again`, `beat`, `closed` and `references` belongs to the job.
 *  (2) What lives: one reference for the open connection (until `closed` was called), one for a
 *      job, one for whoever walks the list. The last one frees.
 *  (3) The watch ends in on_closed, without the lock: predict waits there for a wake under way.
 * A job reads some 64 KiB of news, and none while the reader has not taken what it got: a slow
 * reader holds back itself alone. Not here: the events' text (stream_events.c). */
#include "api/streams.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/answer.h"
#include "api/api_private.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/stream_events.h"
#include "api/stream_link.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/work.h"
#include "blob/blob.h"
#include "predict/predict.h"

#define NEWS_BYTES ((size_t)64 << 10)         /* per job, about */
#define UNSENT_BYTES_MAX ((size_t)256 << 10)  /* with more of it unread, nothing more is written */
#define EVENTS_BYTES_MAX ((size_t)96 << 20)   /* one job's events: an output's limit, escaped */
#define NEWS_MEMORY_BYTES ((size_t)64 << 20)  /* an ended one's record is read as a whole */
#define RECORD_BYTES ((size_t)256 << 20)      /* likewise, with its input */
#define INLINE_BYTES_MAX (8 << 20)            /* a larger file is given as a link */
#define PENDING_BYTES_MAX ((size_t)256 << 20) /* of all streams; beyond it files become links */
#define STOP_LOOK_MS 20                       /* are they all over? */
#define HEARTBEAT_S 15                        /* clients give up after 30 s of silence */

struct stream {
    struct stream *previous, *next; /* in streams->first; under its lock */
    unsigned tick;                  /* likewise: the heartbeat that has reached it */
    struct streams *streams;
    struct http_stream *http;
    struct predict_watch *watch;
    pthread_mutex_t lock; /* guards the next five */
    bool busy, again, beat, closed;
    int references;
    /* the job's: */
    char id[ID_PREDICTION_LEN + 1];
    bool logs, inline_files;
    bool finished; /* there will be no more news */
    bool ended;    /* nor anything else to write */
    int64_t created_s;
    struct predict_position position;
    char *pending; /* events that are not handed over yet; heap */
    size_t pending_len, pending_sent;
    const char *base_url; /* behind the struct, in its memory */
};

struct streams {
    struct api *api;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the list, closed and stopping */
    pthread_cond_t changed;
    struct stream first; /* list head */
    bool closed;         /* no new ones */
    bool stopping;
    _Atomic size_t pending_bytes; /* of all */
};

/* ---- Lifetime ---------------------------------------------------------------------------------
 */

static void set_pending(struct stream *stream, char *bytes, size_t len)
{
    atomic_fetch_sub(&stream->streams->pending_bytes, stream->pending_len);
    atomic_fetch_add(&stream->streams->pending_bytes, len);
    free(stream->pending);
    stream->pending = bytes;
    stream->pending_len = len;
    stream->pending_sent = 0;
}

static void stream_free(struct stream *stream)
{
    if (stream->http)
        http_stream_unref(stream->http);
    set_pending(stream, NULL, 0);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

static void unref(struct stream *stream)
{
    bool last;

    pthread_mutex_lock(&stream->lock);
    last = --stream->references == 0;
    pthread_mutex_unlock(&stream->lock);
    if (last)
        stream_free(stream);
}

static void pump(void *context);

/* Any thread; never blocks. */
static void wake(struct stream *stream)
{
    bool submit;

    pthread_mutex_lock(&stream->lock);
    submit = !stream->busy && !stream->closed;
    stream->again = true;
    if (submit) {
        stream->busy = true;
        stream->references++;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!submit || work_submit(stream->streams->api->answers, pump, stream))
        return;
    /* A place per connection, so not in practice; the next heartbeat tries again. */
    pthread_mutex_lock(&stream->lock);
    stream->busy = false;
    pthread_mutex_unlock(&stream->lock);
    unref(stream);
}

static void on_changed(void *context)
{
    wake(context);
}

static void unlist(struct stream *stream)
{
    pthread_mutex_lock(&stream->streams->lock);
    if (stream->next) {
        stream->previous->next = stream->next;
        stream->next->previous = stream->previous;
        stream->next = stream->previous = NULL;
    }
    pthread_mutex_unlock(&stream->streams->lock);
}

static void on_closed(void *context)
{
    struct stream *stream = context;

    pthread_mutex_lock(&stream->lock);
    stream->closed = true;
    pthread_mutex_unlock(&stream->lock);
    unlist(stream);
    predict_unwatch(stream->streams->api->predict, stream->watch);
    unref(stream);
}

/* ---- The job ----------------------------------------------------------------------------------
 */

/* A file as a data: URL? See answer_wants_inline; and it must fit into memory many times over. */
static bool inlines(const struct stream *stream, struct str ref)
{
    const struct streams *streams = stream->streams;
    int64_t size = 0;
    int fd;

    if (!stream->inline_files || atomic_load(&streams->pending_bytes) > PENDING_BYTES_MAX ||
        !blob_read(streams->api->blobs, ref, &fd, &size, NULL))
        return false;
    close(fd);
    return size <= INLINE_BYTES_MAX;
}

/* The data of an output's event: a text as it is, a file as a URL, anything else as JSON. */
static bool output_text(const struct stream *stream, const json_t *item, struct buf *out)
{
    struct render_options options = { .api = stream->streams->api, .base_url = stream->base_url };
    const char *text = json_string_value(item);
    struct str ref;
    struct buf json, rendered;
    json_t *url = NULL;
    bool ok;

    if (text && strncmp(text, "blob:", 5) != 0)
        return buf_append(out, text, json_string_length(item));
    ref = str_from(text ? text + 5 : NULL);
    options.inline_files = text && inlines(stream, ref);
    buf_init(&json, EVENTS_BYTES_MAX);
    buf_init(&rendered, EVENTS_BYTES_MAX);
    ok = json_write(item, false, &json);
    if (ok)
        render_output(&options, buf_str(&json), &rendered);
    ok = ok && !rendered.failed;
    if (ok && text && (ok = json_parse(buf_str(&rendered), &url, NULL)))
        ok = buf_append_str(out, str_from(json_string_value(url)));
    else if (ok)
        ok = buf_append_str(out, buf_str(&rendered));
    json_decref(url);
    buf_done(&json);
    buf_done(&rendered);
    return ok;
}

static void write_outputs(const struct stream *stream, const struct predict_news *news,
                          struct stream_event *event, struct buf *out)
{
    struct buf text;

    event->name = "output";
    for (size_t i = 0; i < json_array_size(news->outputs); i++) {
        buf_init(&text, EVENTS_BYTES_MAX);
        if (!output_text(stream, json_array_get(news->outputs, i), &text))
            out->failed = true;
        event->data = buf_str(&text);
        event->position.outputs = stream->position.outputs + (int)i + 1;
        stream_event_write(event, out);
        buf_done(&text);
    }
}

static void write_end(const struct predict_news *news, struct stream_event *event, struct buf *out)
{
    struct buf text;

    event->name = "done";
    event->data = S("{}");
    if (news->status == PREDICTION_FAILED) {
        buf_init(&text, EVENTS_BYTES_MAX);
        buf_append_str(&text, S("{\"detail\":"));
        json_write_string(str_from(news->error), &text);
        buf_append_char(&text, '}');
        event->name = "error";
        event->data = buf_str(&text);
        stream_event_write(event, out);
        buf_done(&text);
        event->name = "done";
        event->data = S("{\"reason\":\"error\"}");
    } else if (news->status != PREDICTION_SUCCEEDED) {
        event->data = S("{\"reason\":\"canceled\"}");
    }
    stream_event_write(event, out);
}

/* Logs first: models mostly say what they are about to do. */
static void write_news(struct stream *stream, const struct predict_news *news, struct buf *out)
{
    struct stream_event event = { .created_s = stream->created_s,
                                  .position = stream->position,
                                  .logs = stream->logs };

    event.position.logs = news->next.logs;
    if (stream->logs && news->logs.len > 0) {
        event.name = "logs";
        event.data = news->logs;
        stream_event_write(&event, out);
    }
    write_outputs(stream, news, &event, out);
    event.position = stream->position = news->next;
    if (news->finished)
        write_end(news, &event, out);
}

/* Hand over what the reader has room for. False: the stream is over. */
static bool send_pending(struct stream *stream)
{
    while (stream->pending_sent < stream->pending_len) {
        size_t unsent = http_stream_unsent(stream->http);
        size_t len = stream->pending_len - stream->pending_sent;

        if (unsent >= UNSENT_BYTES_MAX)
            return true; /* goes on when it has drained */
        if (len > UNSENT_BYTES_MAX)
            len = UNSENT_BYTES_MAX;
        if (!http_stream_write(stream->http,
                               (struct str){ stream->pending + stream->pending_sent, len }))
            return false;
        stream->pending_sent += len;
    }
    set_pending(stream, NULL, 0);
    stream->ended = stream->finished;
    if (stream->ended)
        http_stream_end(stream->http);
    return !stream->ended;
}

/* Read and write once. *ret_more: there is more to read now. False: the stream is over. */
static bool advance(struct stream *stream, bool beat, bool *ret_more)
{
    struct predict_news news;
    struct arena arena;
    struct buf events;
    size_t len;
    bool ok;

    *ret_more = false;
    if (!send_pending(stream))
        return false;
    if (stream->pending_len > 0 || http_stream_unsent(stream->http) >= UNSENT_BYTES_MAX)
        return true;
    arena_init(&arena, NEWS_MEMORY_BYTES);
    ok = predict_news(stream->streams->api->predict, stream->id, &stream->position, NEWS_BYTES,
                      &arena, &news, NULL);
    if (ok) {
        buf_init(&events, EVENTS_BYTES_MAX);
        write_news(stream, &news, &events);
        if (beat && events.len == 0)
            buf_append_str(&events, S(":\n\n"));
        *ret_more = news.more;
        stream->finished = news.finished;
        json_decref(news.outputs);
        ok = !events.failed;
        char *bytes = events.len > 0 ? buf_take(&events, &len) : NULL;
        set_pending(stream, bytes, bytes ? len : 0);
        buf_done(&events);
    }
    arena_done(&arena);
    return ok && send_pending(stream);
}

static void pump(void *context)
{
    struct stream *stream = context;
    bool go, beat, more = false;

    pthread_mutex_lock(&stream->lock);
    go = !stream->closed && !stream->ended;
    beat = stream->beat;
    stream->again = stream->beat = false;
    pthread_mutex_unlock(&stream->lock);
    if (go && !advance(stream, beat, &more) && !stream->ended) {
        stream->ended = true; /* unreadable, or the reader is gone: clients come again */
        http_stream_end(stream->http);
    }
    pthread_mutex_lock(&stream->lock);
    more = (more || stream->again) && !stream->closed && !stream->ended;
    stream->busy = more;
    pthread_mutex_unlock(&stream->lock);
    /* At the end of the queue: others are to get their turn. */
    if (more && work_submit(stream->streams->api->answers, pump, stream))
        return;
    if (more) {
        pthread_mutex_lock(&stream->lock);
        stream->busy = false;
        pthread_mutex_unlock(&stream->lock);
    }
    unref(stream);
}

/* ---- Heartbeats -------------------------------------------------------------------------------
 */

/* The next stream that this heartbeat has not reached, with a reference; NULL: there is none. */
static struct stream *next_for(struct streams *streams, unsigned tick)
{
    struct stream *stream;

    pthread_mutex_lock(&streams->lock);
    stream = streams->first.next;
    if (stream == &streams->first || stream->tick == tick) {
        stream = NULL;
    } else {
        stream->tick = tick;
        stream->next->previous = stream->previous; /* to the end of the list */
        stream->previous->next = stream->next;
        stream->next = &streams->first;
        stream->previous = streams->first.previous;
        stream->previous->next = streams->first.previous = stream;
        pthread_mutex_lock(&stream->lock);
        stream->references++;
        stream->beat = true;
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&streams->lock);
    return stream;
}

static void *beat(void *context)
{
    struct streams *streams = context;
    struct stream *stream;
    struct timespec until;
    unsigned tick = 0;

    pthread_mutex_lock(&streams->lock);
    while (!streams->stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += HEARTBEAT_S;
        while (!streams->stopping &&
               pthread_cond_timedwait(&streams->changed, &streams->lock, &until) == 0)
            ;
        pthread_mutex_unlock(&streams->lock);
        for (tick++; (stream = next_for(streams, tick)); unref(stream))
            wake(stream);
        pthread_mutex_lock(&streams->lock);
    }
    pthread_mutex_unlock(&streams->lock);
    return NULL;
}

bool streams_new(struct api *api, struct streams **ret_streams, struct err *err)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    pthread_condattr_t attributes;
    int failed;

    if (!streams)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    streams->api = api;
    streams->first.next = streams->first.previous = &streams->first;
    pthread_mutex_init(&streams->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&streams->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    failed = pthread_create(&streams->thread, NULL, beat, streams);
    if (failed) {
        streams_free(streams);
        return err_sys(err, ERR_INTERNAL, failed, "cannot start a thread");
    }
    *ret_streams = streams;
    return true;
}

void streams_stop(struct streams *streams, int64_t end_us)
{
    static const struct timespec look = { .tv_nsec = STOP_LOOK_MS * 1000000 };
    bool empty;

    if (!streams)
        return;
    pthread_mutex_lock(&streams->lock);
    streams->closed = true;
    empty = streams->first.next == &streams->first;
    pthread_mutex_unlock(&streams->lock);
    while (!empty && clock_monotonic_us() < end_us) {
        nanosleep(&look, NULL);
        pthread_mutex_lock(&streams->lock);
        empty = streams->first.next == &streams->first;
        pthread_mutex_unlock(&streams->lock);
    }
    pthread_mutex_lock(&streams->lock);
    streams->stopping = true;
    pthread_cond_signal(&streams->changed);
    pthread_mutex_unlock(&streams->lock);
    pthread_join(streams->thread, NULL);
}

void streams_free(struct streams *streams)
{
    if (!streams)
        return;
    pthread_cond_destroy(&streams->changed);
    pthread_mutex_destroy(&streams->lock);
    free(streams);
}

/* ---- Beginning --------------------------------------------------------------------------------
 */

static bool asks_for_logs(struct http_call *call)
{
    const char *logs = http_query(call, "logs");

    return logs && (strcmp(logs, "1") == 0 || strcmp(logs, "true") == 0);
}

static struct stream *stream_new(struct http_call *call, const struct prediction *prediction)
{
    const char *base_url = http_base_url(call), *last_id = http_header(call, "Last-Event-ID");
    size_t size = strlen(base_url) + 1;
    struct stream *stream = calloc(1, sizeof(*stream) + size);

    if (!stream)
        return NULL;
    if (!last_id)
        last_id = http_query(call, "last_event_id");
    stream->streams = api_of(call)->streams;
    pthread_mutex_init(&stream->lock, NULL);
    stream->busy = true; /* until it is complete: see begin */
    stream->references = 2;
    str_copy(str_from(prediction->id), stream->id, sizeof(stream->id));
    stream->logs = asks_for_logs(call);
    stream->inline_files = answer_wants_inline(call);
    stream->created_s = prediction->created_us / 1000000;
    if (last_id)
        stream_event_parse_id(str_from(last_id), &stream->position);
    stream->base_url = memcpy(stream + 1, base_url, size);
    return stream;
}

/* False: the server ends. What is closed already is not listed: nobody would take it out. */
static bool list(struct stream *stream)
{
    struct streams *streams = stream->streams;
    bool ok;

    pthread_mutex_lock(&streams->lock);
    pthread_mutex_lock(&stream->lock);
    ok = !streams->closed;
    if (ok && !stream->closed) {
        stream->next = &streams->first;
        stream->previous = streams->first.previous;
        stream->previous->next = streams->first.previous = stream;
    }
    pthread_mutex_unlock(&stream->lock);
    pthread_mutex_unlock(&streams->lock);
    return ok;
}

static void set_headers(struct http_call *call)
{
    reply_set_headers(call);
    http_set_header(call, "Access-Control-Allow-Origin", "*");
    http_set_header(call, "X-Accel-Buffering", "no"); /* nginx: pass each event on at once */
}

/* The watch comes first, so that no change is missed; until the end of this function `busy` keeps
 * all wakes from making a job. False: the call is not answered. */
static bool begin(struct http_call *call, const struct prediction *prediction)
{
    struct http_stream_options options = { .drained = on_changed, .closed = on_closed };
    struct api *api = api_of(call);
    struct stream *stream = stream_new(call, prediction);

    if (!stream)
        return false;
    options.context = stream;
    stream->watch = predict_watch(api->predict, stream->id, on_changed, stream);
    set_headers(call);
    if (!stream->watch ||
        !http_reply_stream(call, 200, "text/event-stream", &options, &stream->http)) {
        predict_unwatch(api->predict, stream->watch);
        stream_free(stream);
        return false;
    }
    http_stream_write(stream->http, S(": hi\n\n"));
    if (!list(stream))
        http_stream_end(stream->http);
    pump(stream); /* with our reference */
    return true;
}

void streams_follow(struct http_call *call, struct str token)
{
    struct api *api = api_of(call);
    struct prediction prediction;
    char id[ID_PREDICTION_LEN + 1];
    struct arena arena;
    struct err err;

    if (!stream_link_check(api, token, id)) {
        problem_reply_not_found(call);
        return;
    }
    arena_init(&arena, RECORD_BYTES);
    if (!predict_get(api->predict, NULL, id, &arena, &prediction, &err)) {
        problem_reply(call, &err);
    } else if (prediction.data_removed) {
        problem_reply_not_found(call);
    } else if (!begin(call, &prediction)) {
        err_set(&err, ERR_UNAVAILABLE, "The stream could not be opened.");
        problem_reply(call, &err);
    }
    arena_done(&arena);
}
