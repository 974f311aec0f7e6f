/* One request: its body is made and signed on a thread of the pool `renders`, it flies in the pool
 * `posts`, and what became of it is left in webhooks->landed for the webhooks' thread. Not here:
 * when one begins, and what follows from its end (live.c, end.c). */
#include "webhook/webhook_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/work.h"
#include "http/post.h"

#define SIGNATURES_BYTES_MAX 256
#define ID_RANDOM_LEN 27 /* as Replicate's are */

bool flight_room(const struct webhooks *webhooks, const struct host *host)
{
    return webhooks->flights < WEBHOOK_FLIGHTS_MAX && host->flying < WEBHOOK_HOST_FLIGHTS_MAX &&
           webhooks->flying_bytes < WEBHOOK_FLYING_BYTES_MAX;
}

/* Any thread, with or without an answer. */
static void land(struct flight *flight, int status, const struct err *err)
{
    struct webhooks *webhooks = flight->webhooks;

    pthread_mutex_lock(&webhooks->lock);
    flight->status = status;
    if (err)
        flight->err = *err;
    flight->next = webhooks->landed;
    webhooks->landed = flight;
    webhooks_poke(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
}

static void on_post(void *context, int status, const struct err *err)
{
    land(context, status, status == 0 ? err : NULL);
}

struct message {
    const char *url, *account, *prediction, *base_url;
    char id[40];
};

static void make_message(const struct flight *flight, struct message *message)
{
    if (flight->end) {
        const struct store_delivery *row = &flight->end->row;

        *message = (struct message){ row->url, row->account, row->prediction, row->base_url, "" };
        str_copy(str_from(row->id), message->id, sizeof(message->id));
    } else {
        const struct live *live = flight->live;

        *message = (struct message){ live->url, live->account, live->id, live->base_url, "msg_" };
        id_random_text(message->id + strlen(message->id), ID_RANDOM_LEN);
    }
}

/* Takes body. */
static bool send_signed(struct flight *flight, const struct message *message, struct buf *body,
                        struct err *err)
{
    struct webhooks *webhooks = flight->webhooks;
    char timestamp[24];
    struct buf signature;
    bool ok;

    snprintf(timestamp, sizeof(timestamp), "%lld", (long long)(clock_now_us() / 1000000));
    buf_init(&signature, SIGNATURES_BYTES_MAX);
    ok = secret_sign(webhooks->options.store, message->account, str_from(message->id),
                     str_from(timestamp), buf_str(body), &signature, err);
    if (ok) {
        const struct post_header headers[] = {
            { "Content-Type", "application/json" },
            { "webhook-id", message->id },
            { "webhook-timestamp", timestamp },
            { "webhook-signature", signature.ptr },
        };
        struct post_request request = { .url = message->url,
                                        .headers = headers,
                                        .header_count = (int)ARRAY_LEN(headers),
                                        .timeout_ms = webhooks->options.timeout_ms,
                                        .done = on_post,
                                        .context = flight };

        request.body = buf_take(body, &request.body_len);
        ok = post_submit(webhooks->posts, &request, err);
        if (!ok)
            free(request.body);
    }
    buf_done(&signature);
    buf_done(body);
    return ok;
}

static bool render(struct flight *flight, const struct message *message, struct buf *body,
                   struct err *err)
{
    const struct webhook_options *options = &flight->webhooks->options;

    if (!options->render(options->context, message->prediction,
                         message->base_url ? message->base_url : "",
                         flight->event == PREDICT_STARTED, body, &flight->over, err))
        return false;
    if (body->failed || body->len == 0)
        return err_set(err, ERR_TOO_LARGE, "The prediction is too large for a webhook.");
    pthread_mutex_lock(&flight->webhooks->lock);
    flight->body_len = body->len;
    flight->webhooks->flying_bytes += body->len;
    pthread_mutex_unlock(&flight->webhooks->lock);
    return true;
}

/* On a thread of `renders`. */
static void run(void *context)
{
    struct flight *flight = context;
    struct webhooks *webhooks = flight->webhooks;
    struct message message;
    struct buf body;
    struct err err = { 0 };
    bool stopping;

    pthread_mutex_lock(&webhooks->lock);
    stopping = webhooks->stopping;
    pthread_mutex_unlock(&webhooks->lock);
    if (stopping) {
        err_set(&err, ERR_CANCELED, "The server ended.");
        land(flight, 0, &err);
        return;
    }
    make_message(flight, &message);
    buf_init(&body, WEBHOOK_BODY_BYTES_MAX);
    if (!render(flight, &message, &body, &err)) {
        buf_done(&body);
        land(flight, 0, &err);
    } else if (flight->over && (flight->event == PREDICT_OUTPUT || flight->event == PREDICT_LOGS)) {
        buf_done(&body);
        land(flight, 0, NULL);
    } else if (!send_signed(flight, &message, &body, &err)) {
        land(flight, 0, &err);
    }
}

bool flight_begin(struct webhooks *webhooks, struct live *live, struct end *end,
                  enum predict_event event)
{
    struct host *host = end ? end->host : live->host;
    struct flight *flight;

    if (!flight_room(webhooks, host))
        return false;
    flight = calloc(1, sizeof(*flight));
    if (!flight)
        return false;
    *flight = (struct flight){ .webhooks = webhooks,
                               .live = live,
                               .end = end,
                               .host = host,
                               .event = event,
                               .began_us = clock_monotonic_us() };
    if (!work_submit(webhooks->renders, run, flight)) {
        free(flight);
        return false;
    }
    webhooks->flights++;
    host->flying++;
    return true;
}
