/* Create: the way in. A prediction gets a place in its lane, an entry in the live table and a row
 * in the store, in this order, and then goes into the queue. Until the row is on disk nobody is
 * told of it.
 * Not here: validation (api/), what happens when it leaves the queue (dispatch.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "domain/limits.h"
#include "predict/predict_private.h"
#include "queue/queue.h"
#include "registry/registry.h"

#define TEXT_BYTES 192 /* of account, token and source, and a short webhook's URL */
#define SPARES_MAX 64
#define KEY_LIFETIME_US (INT64_C(86400) * 1000000) /* of an idempotency key, as docs say */

/* One create on its way to the disk: the write, the record and the record's text in one piece,
 * but for the input, which is written once by the JSON writer and kept as it is. */
struct creation {
    struct store_write write;
    struct prediction prediction;
    struct store_idempotency idempotency;
    struct predict *predict;
    const char *lane; /* its place in the queue is there */
    predict_created *done;
    void *context;
    char *input, *filter;
    struct creation *next; /* while it is a spare one */
    size_t text_size;
    char text[];
};

/* ---- Memory -------------------------------------------------------------------------------- */

/* Most creates have the same few bytes of text. They take turns in the memory of the ones before,
 * as a creation is larger than what malloc is quick with. */
static struct creation *creation_take(struct predict *predict, size_t text_size)
{
    struct creation *creation = NULL;
    size_t size = text_size > TEXT_BYTES ? text_size : TEXT_BYTES;
    pthread_mutex_lock(&predict->lock);
    if (size == TEXT_BYTES && (creation = predict->spare)) {
        predict->spare = creation->next;
        predict->spare_count--;
    }
    pthread_mutex_unlock(&predict->lock);
    if (!creation)
        creation = malloc(sizeof *creation + size);
    if (creation)
        *creation = (struct creation){ .predict = predict, .text_size = size };
    return creation;
}

static void creation_free(struct creation *creation)
{
    struct predict *predict = creation->predict;
    free(creation->input);
    free(creation->filter);
    pthread_mutex_lock(&predict->lock);
    bool keep = creation->text_size == TEXT_BYTES && predict->spare_count < SPARES_MAX;
    if (keep) {
        creation->next = predict->spare;
        predict->spare = creation;
        predict->spare_count++;
    }
    pthread_mutex_unlock(&predict->lock);
    if (!keep)
        free(creation);
}

void create_free_spares(struct predict *predict)
{
    for (struct creation *creation = predict->spare, *next; creation; creation = next) {
        next = creation->next;
        free(creation);
    }
    predict->spare = NULL;
}

/* ---- The record ---------------------------------------------------------------------------- */

static char *put_text(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text) + 1;
    char *copy = memcpy(*at, text, len);
    *at += len;
    return copy;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static bool write_value(const json_t *value, char **ret_text, struct str *ret_str)
{
    struct buf text;
    buf_init(&text, LIMIT_JSON_BODY_BYTES + (1u << 20));
    if (!json_write(value, true, &text)) {
        buf_done(&text);
        return false;
    }
    ret_str->ptr = *ret_text = buf_take(&text, &ret_str->len);
    return *ret_text != NULL;
}

static void fill_idempotency(struct creation *creation, const struct predict_request *request,
                             char **at)
{
    creation->idempotency.key = put_text(at, request->idempotency_key);
    creation->idempotency.expires_us = creation->prediction.created_us + KEY_LIFETIME_US;
    memcpy(creation->idempotency.request_hash, request->request_hash, sizeof request->request_hash);
}

static void fill_record(struct creation *creation, const struct predict_request *request)
{
    char *at = creation->text;
    int64_t now_us = clock_now_us();
    struct prediction *prediction = &creation->prediction;
    id_prediction(now_us / 1000, prediction->id);
    prediction->account = put_text(&at, request->account);
    prediction->token = put_text(&at, request->token);
    prediction->source = put_text(&at, request->source);
    prediction->webhook = put_text(&at, request->webhook);
    prediction->base_url = request->webhook ? put_text(&at, request->base_url) : NULL;
    prediction->deployment = put_text(&at, request->deployment);
    prediction->destination = put_text(&at, request->destination);
    prediction->is_training = request->destination != NULL;
    prediction->model = request->version->model->full_name;
    prediction->version = request->version->id;
    prediction->status = PREDICTION_STARTING;
    prediction->created_us = now_us;
    if (request->deadline_after_us > 0)
        prediction->deadline_us = now_us + request->deadline_after_us;
    creation->lane = prediction->deployment ? prediction->deployment : prediction->version;
    if (request->idempotency_key)
        fill_idempotency(creation, request, &at);
}

static struct creation *creation_new(struct predict *predict, const struct predict_request *request)
{
    size_t size = text_bytes(request->account) + text_bytes(request->token) +
                  text_bytes(request->source) + text_bytes(request->webhook) +
                  text_bytes(request->base_url) + text_bytes(request->deployment) +
                  text_bytes(request->destination) + text_bytes(request->idempotency_key);
    struct creation *creation = creation_take(predict, size);
    if (!creation)
        return NULL;
    struct prediction *prediction = &creation->prediction;
    fill_record(creation, request);
    if (!write_value(request->input, &creation->input, &prediction->input) ||
        (request->webhook_events_filter &&
         !write_value(request->webhook_events_filter, &creation->filter,
                      &prediction->webhook_events_filter))) {
        creation_free(creation);
        return NULL;
    }
    return creation;
}

/* ---- Create -------------------------------------------------------------------------------- */

/* Its key was used before: nothing was stored, and nothing is queued. */
static void tell_existing(struct creation *creation)
{
    struct err err = { 0 };
    if (creation->write.found_same) {
        creation->done(creation->context, NULL, creation->write.found_id, NULL);
    } else {
        err_set(&err, ERR_CONFLICT, "This Idempotency-Key was used for another request.");
        creation->done(creation->context, NULL, NULL, &err);
    }
}

/* Writer thread. */
static void on_created(struct store_write *write)
{
    struct creation *creation = write->context;
    struct predict *predict = creation->predict;
    struct queue *queue = predict->options.queue;
    const char *id = creation->prediction.id;
    if (!write->ok || !write->applied) {
        predict_live_remove(predict, id);
        queue_release(queue, creation->lane);
        if (write->ok)
            tell_existing(creation);
        else
            creation->done(creation->context, NULL, NULL, &write->err);
    } else {
        atomic_fetch_add(&predict->created, 1);
        if (!queue_push(queue, creation->lane, id, false, true))
            log_event(LOG_ERROR, "prediction_not_queued", "id=%s", id); /* the next start will */
        else if (queue_length(queue, creation->lane) == 1)
            predict_wake(predict); /* behind another one it changes nothing for the supervisor */
        creation->done(creation->context, &creation->prediction, NULL, NULL);
    }
    creation_free(creation);
    predict_write_finished(predict);
}

static void refuse(predict_created *done, void *context, enum err_kind kind, const char *detail)
{
    struct err err = { 0 };
    err_set(&err, kind, "%s", detail);
    done(context, NULL, NULL, &err);
}

void predict_create(struct predict *predict, const struct predict_request *request,
                    predict_created *done, void *context)
{
    const char *lane = request->deployment ? request->deployment : request->version->id;
    if (!queue_reserve(predict->options.queue, lane)) {
        refuse(done, context, ERR_RATE_LIMITED,
               "Too many predictions are waiting for this model; please try again later.");
        return;
    }
    struct creation *creation = creation_new(predict, request);
    if (!creation || !predict_live_add(predict, creation->prediction.id, request->version,
                                       request->deployment, creation->prediction.deadline_us)) {
        queue_release(predict->options.queue, lane);
        if (creation)
            creation_free(creation);
        refuse(done, context, ERR_UNAVAILABLE, "The server cannot take predictions at the moment.");
        return;
    }
    creation->done = done;
    creation->context = context;
    if (request->prepared)
        request->prepared(context, &creation->prediction);
    creation->write = (struct store_write){
        .kind = STORE_PREDICTION_INSERT,
        .prediction = &creation->prediction,
        .idempotency = creation->idempotency.key ? &creation->idempotency : NULL,
        .done = on_created,
        .context = creation,
    };
    predict_write_submit(predict, &creation->write);
}
