/* Making a prediction (or a training) on behalf of a call.
 *
 *   webhook, input, headers -> 422        quota, credit -> 429, 402
 *   predict_create -> [201 starting]                                             without Prefer
 *   predict_create -> waits_add -> answer_after_wait -> 201 finished | 202       Prefer: wait
 *   a used Idempotency-Key -> the prediction it made, as it is, or waited for
 *
 * It runs on the loop thread, so nothing here may block. A waiting request holds no thread: its
 * call is suspended until the prediction has ended or the time is over. Once a prediction was
 * stored its request is always answered, as clients send a create again when its connection breaks.
 * Not here: which version a route means (resource/), what a prediction goes through (predict/). */
#include "api/create.h"

#include <stdatomic.h>
#include <string.h>

#include "account/account.h"
#include "api/answer.h"
#include "api/api_private.h"
#include "api/auth.h"
#include "api/envelope.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "domain/limits.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "registry/validation.h"
#include "store/store.h"
#include "webhook/webhook.h"

struct creation { /* in the call's arena: gone once the call is answered */
    struct http_call *call;
    const struct registry_version *version;
    enum waits_kind kind;
    int wait_ms;         /* 0: answer at once */
    bool training;       /* for its links */
    bool keyed;          /* it has an Idempotency-Key */
    bool reserved;       /* it has taken from the day's quota */
    bool made;           /* the answer is there, to be given when the record is stored */
    const char *applied; /* the Prefer header's preference, to echo */
};

/* ---- After it was stored ----------------------------------------------------------------------
 */

static void set_location(const struct creation *creation, const char *id)
{
    struct http_call *call = creation->call;
    const char *url = arena_printf(http_arena(call), "%s/v1/%s/%s", http_base_url(call),
                                   creation->training ? "trainings" : "predictions", id);

    if (url && creation->kind != WAITS_FUNCTION)
        http_set_header(call, "Location", url);
}

/* On the loop, while the record is on its way to the disk. */
static void prepared(void *context, const struct prediction *prediction)
{
    struct creation *creation = context;
    struct http_call *call = creation->call;
    struct render_options options = { .api = api_of(call),
                                      .base_url = http_base_url(call),
                                      .version = creation->version };
    struct buf body;

    /* With a key it may turn out that another prediction is to be shown. */
    if (creation->wait_ms || creation->keyed || creation->kind == WAITS_FUNCTION)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    render_prediction(&options, prediction, &body);
    set_location(creation, prediction->id);
    creation->made = reply_json_make(call, 201, &body);
}

/* The limits of the token it came with. */
static const struct account_token *limits_of(const struct http_call *call)
{
    const struct auth_caller *caller = http_caller(call);

    return caller ? &caller->limits : NULL;
}

static void give_back(const struct creation *creation)
{
    struct http_call *call = creation->call;

    if (creation->reserved)
        accounts_unreserve(api_of(call)->accounts, http_account(call), limits_of(call));
}

static void reply_refused(const struct creation *creation, const struct err *err)
{
    give_back(creation);
    if (creation->keyed && err->kind == ERR_CONFLICT)
        problem_reply_detail(creation->call, 422, "Idempotency key reused",
                             "This Idempotency-Key was used before, with another request");
    else
        problem_reply(creation->call, err);
}

/* It is in the store, or was before (prediction: NULL): wait for its end, or show it. */
static void reply_stored(struct creation *creation, const struct prediction *prediction,
                         const char *stored_id)
{
    struct http_call *call = creation->call;
    struct api *api = api_of(call);
    enum waits_kind kind = creation->kind;
    char id[ID_PREDICTION_LEN + 1];

    str_copy(str_from(stored_id), id, sizeof(id));
    if (!prediction) {
        give_back(creation);
        http_set_header(call, "Idempotent-Replayed", "true");
    }
    if (creation->applied)
        http_set_header(call, "Preference-Applied", creation->applied);
    set_location(creation, id);
    if (creation->wait_ms > 0 &&
        waits_add(api->waits, api->predict, call, id, kind, creation->wait_ms))
        return;
    if (!prediction || kind == WAITS_FUNCTION)
        answer_after_wait(call, id, kind == WAITS_CREATE ? WAITS_REPLAY : kind);
    else
        answer_prediction(call, creation->wait_ms ? 202 : 201, prediction);
}

static void created(void *context, const struct prediction *prediction, const char *existing_id,
                    const struct err *err)
{
    struct creation *creation = context;
    struct api *api = api_of(creation->call);

    if (err)
        reply_refused(creation, err);
    else if (creation->made)
        http_reply_made(creation->call);
    else
        reply_stored(creation, prediction, prediction ? prediction->id : existing_id);
    atomic_fetch_sub(&api->creating, 1); /* the last use of api by this create */
}

/* ---- Before -----------------------------------------------------------------------------------
 */

static bool check_webhook(struct http_call *call, const char *webhook)
{
    struct validation_error error = { .type = "format", .field = "webhook" };
    struct err err;

    if (!webhook || webhook_url_check(str_from(webhook), &err))
        return true;
    error.description = err.detail;
    problem_reply_validation(call, &error);
    return false;
}

static bool check_input(struct http_call *call, const struct create_request *request)
{
    const json_t *schema =
        request->destination ? request->version->training_schema : request->version->input_schema;
    struct validation_error *errors =
        validation_check(schema, request->input, "input", false, http_arena(call));

    if (errors)
        problem_reply_validation(call, errors);
    return !errors;
}

static bool read_deadline(struct http_call *call, int64_t *ret_after_us)
{
    const char *header = http_header(call, "Cancel-After");

    if (!header || envelope_cancel_after_us(str_from(header), ret_after_us))
        return true;
    problem_reply_detail(call, 422, "Invalid Cancel-After",
                         "Cancel-After must be a time between 5 seconds and 24 hours, written as "
                         "30, 90s, 5m or 1h30m45s");
    return false;
}

static void hash_part(struct hash_stream *stream, struct str part)
{
    hash_stream_update(stream, part);
    hash_stream_update(stream, (struct str){ "", 1 }); /* no part holds a zero byte */
}

/* What was asked, whatever the order of its keys: target, and body. False: no memory. */
static bool hash_request(struct http_call *call, const struct create_request *request,
                         unsigned char ret_hash[HASH_SHA256_BYTES])
{
    struct hash_stream *stream = hash_stream_new();
    struct buf text;
    bool ok;

    if (!stream)
        return false;
    buf_init(&text, 2u * LIMIT_JSON_BODY_BYTES);
    ok = json_write(request->input, true, &text) &&
         (!request->events_filter || json_write(request->events_filter, true, &text));
    hash_part(stream, http_path(call));
    hash_part(stream, str_from(request->ref));
    hash_part(stream, str_from(request->destination));
    hash_part(stream, str_from(request->webhook));
    hash_part(stream, buf_str(&text));
    hash_stream_finish(stream, ret_hash, NULL);
    buf_done(&text);
    return ok;
}

static bool read_key(struct http_call *call, const struct create_request *asked,
                     struct predict_request *request)
{
    const char *key = http_header(call, "Idempotency-Key");
    struct err err;

    if (!key)
        return true;
    if (!envelope_key_is_valid(str_from(key))) {
        problem_reply_detail(call, 422, "Invalid Idempotency-Key",
                             "Idempotency-Key must have 1 to 255 printable characters");
        return false;
    }
    if (!hash_request(call, asked, request->request_hash)) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a request");
        problem_reply(call, &err);
        return false;
    }
    request->idempotency_key = key;
    return true;
}

static bool has_price(const struct registry_price *price)
{
    return price->per_second_microusd > 0 || price->per_image_microusd > 0 ||
           price->per_run_microusd > 0;
}

/* The account may make no more, but this may be the same create sent again, which makes nothing:
 * then it is answered as ever. Reads the store on this thread, once per create that is refused. */
static bool reply_replay(struct creation *creation, const struct predict_request *wanted)
{
    struct api *api = api_of(creation->call);
    struct store_idempotency idempotency = { .key = wanted->idempotency_key };
    char id[ID_PREDICTION_LEN + 1];

    if (!wanted->idempotency_key)
        return false;
    memcpy(idempotency.request_hash, wanted->request_hash, sizeof(idempotency.request_hash));
    if (!store_idempotency_find(api->store, wanted->account, &idempotency, clock_now_us(), id,
                                NULL))
        return false;
    reply_stored(creation, NULL, id);
    return true;
}

static bool reserve(struct creation *creation, const struct predict_request *wanted)
{
    struct http_call *call = creation->call;
    struct account_decision decision;

    accounts_reserve(api_of(call)->accounts, http_account(call), limits_of(call),
                     has_price(&wanted->version->model->price), &decision);
    creation->reserved = decision.verdict == ACCOUNT_ADMITTED;
    if (creation->reserved)
        return true;
    if (reply_replay(creation, wanted))
        return false;
    if (decision.verdict == ACCOUNT_OUT_OF_CREDIT)
        problem_reply_no_credit(call);
    else
        problem_reply_throttled(call, decision.detail, decision.retry_after_s);
    return false;
}

static struct creation *creation_new(struct http_call *call, const struct create_request *request)
{
    struct creation *creation = arena_alloc(http_arena(call), sizeof(*creation));
    struct err err;

    if (!creation) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a request");
        problem_reply(call, &err);
        return NULL;
    }
    creation->call = call;
    creation->version = request->version;
    creation->kind = request->kind;
    creation->training = request->destination != NULL;
    creation->wait_ms = request->wait_ms;
    if (request->wait_ms < 0)
        creation->wait_ms =
            envelope_prefer_ms(http_header(call, "Prefer"), http_arena(call), &creation->applied);
    return creation;
}

/* What a person makes on the page stays until that person removes it: retention is for the API. */
static const char *source_of(struct http_call *call)
{
    const char *source = http_header(call, "Mimeo-Source");

    return source && strcmp(source, "web") == 0 ? "web" : "api";
}

void create_submit(struct http_call *call, const struct create_request *request)
{
    const struct auth_caller *caller = http_caller(call);
    struct api *api = api_of(call);
    struct predict_request wanted = {
        .account = http_account(call),
        .version = request->version,
        .input = request->input,
        .webhook = request->webhook,
        .webhook_events_filter = request->events_filter,
        .source = source_of(call),
        .token = caller ? caller->token : NULL,
        .base_url = request->webhook ? http_base_url(call) : NULL,
        .deployment = request->deployment,
        .destination = request->destination,
        .prepared = prepared,
    };
    struct creation *creation;

    if (!check_webhook(call, request->webhook) || !check_input(call, request) ||
        !read_deadline(call, &wanted.deadline_after_us) || !read_key(call, request, &wanted))
        return;
    creation = creation_new(call, request);
    if (!creation)
        return;
    creation->keyed = wanted.idempotency_key != NULL;
    if (api->accounts && !reserve(creation, &wanted))
        return;
    atomic_fetch_add(&api->creating, 1);
    predict_create(api->predict, &wanted, created, creation);
}
