/* Predictions over HTTP: create (by version, and by model), get, list, cancel.
 *
 *   create -> [201 starting]                        without Prefer
 *   create -> waits_add -> answer_after_wait -> 201 finished | 202 starting      Prefer: wait
 *
 * A waiting request holds no thread: its call is suspended until the prediction has ended or the
 * time is over. Once a prediction was stored its request is always answered, as clients send a
 * create again when its connection breaks. Not here: what a prediction goes through (predict/). */
#include <string.h>

#include "api/api_private.h"
#include "api/envelope.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/waits.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "domain/limits.h"
#include "predict/predict.h"
#include "registry/registry.h"
#include "registry/validation.h"

#define PREDICTIONS_RECORD_BYTES (256u << 20) /* one record, or a page of them, in memory */
#define PREDICTIONS_CANCEL_WAIT_MS 5000       /* a cancel's answer waits that long for the end */
#define PREDICTIONS_WEB_DAYS 14 /* how far back the list filtered by source=web goes */

/* ---- Create -----------------------------------------------------------------------------------
 */

struct creation { /* in the call's arena: gone once the call is answered */
    struct http_call *call;
    int wait_ms;         /* 0: answer at once */
    bool made;           /* the answer is there, to be given when the record is stored */
    const char *applied; /* the Prefer header's preference, to echo */
};

static void reply_prediction(struct http_call *call, int status, const struct prediction *shown)
{
    struct render_options options = { api_of(call), http_base_url(call), false, false };
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    render_prediction(&options, shown, &body);
    reply_json(call, status, &body);
}

static void set_location(struct http_call *call, const char *id)
{
    const char *url =
        arena_printf(http_arena(call), "%s/v1/predictions/%s", http_base_url(call), id);

    if (url)
        http_set_header(call, "Location", url);
}

/* On the loop, while the record is on its way to the disk. */
static void prepared(void *context, const struct prediction *prediction)
{
    struct creation *creation = context;
    struct http_call *call = creation->call;
    struct render_options options = { api_of(call), http_base_url(call), false, false };
    struct buf body;

    if (creation->wait_ms)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    render_prediction(&options, prediction, &body);
    set_location(call, prediction->id);
    creation->made = reply_json_make(call, 201, &body);
}

static void created(void *context, const struct prediction *prediction,
                    const char *existing_id, const struct err *err)
{
    struct creation *creation = context;
    struct http_call *call = creation->call;
    char id[ID_PREDICTION_LEN + 1];

    (void)existing_id;
    if (err) {
        problem_reply(call, err);
        return;
    }
    if (creation->made) {
        http_reply_made(call);
        return;
    }
    if (creation->applied)
        http_set_header(call, "Preference-Applied", creation->applied);
    set_location(call, prediction->id);
    str_copy(str_from(prediction->id), id, sizeof(id));
    if (creation->wait_ms == 0 || !waits_add(api_of(call)->waits, api_of(call)->predict, call, id,
                                             WAITS_CREATE, creation->wait_ms))
        reply_prediction(call, creation->wait_ms ? 202 : 201, prediction);
}

/* Hand a checked request over. The call may be answered, and its memory gone, before this returns.
 */
static void submit(struct http_call *call, const struct envelope_request *body,
                   const struct registry_version *version)
{
    struct creation *creation = arena_alloc(http_arena(call), sizeof(*creation));
    struct predict_request request = {
        .account = http_account(call),
        .version = version,
        .input = body->input,
        .webhook = body->webhook,
        .webhook_events_filter = body->events_filter,
        .source = "api",
        .prepared = prepared,
    };
    struct validation_error *errors =
        validation_check(version->input_schema, body->input, "input", false, http_arena(call));
    struct err err;

    if (errors) {
        problem_reply_validation(call, errors);
        return;
    }
    if (!creation) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for a request");
        problem_reply(call, &err);
        return;
    }
    creation->call = call;
    creation->wait_ms =
        envelope_prefer_ms(http_header(call, "Prefer"), http_arena(call), &creation->applied);
    predict_create(api_of(call)->predict, &request, created, creation);
}

/* Parse and check the body; false: answered. */
static bool read_body(struct http_call *call, bool with_version, struct envelope_request *ret_body)
{
    struct validation_error *errors;
    struct err err;

    if (envelope_parse(api_of(call)->envelope, http_body(call), with_version, http_arena(call),
                       ret_body, &errors, &err))
        return true;
    if (errors)
        problem_reply_validation(call, errors);
    else
        problem_reply_detail(call, 400, "Bad request", err.detail);
    return false;
}

/* May this model be run by its name alone? */
static bool by_name_allowed(const struct http_call *call, const struct registry_model *model)
{
    return model->is_official || !api_of(call)->official_only_by_name;
}

static void create_by_version(struct http_call *call)
{
    const struct registry_version *version;
    struct envelope_request body;
    struct str ref;

    if (!read_body(call, true, &body))
        return;
    ref = str_from(body.version);
    version = registry_resolve(api_of(call)->registry, ref);
    if (version && str_find(ref, S("/")) >= 0 && str_find(ref, S(":")) < 0 &&
        !by_name_allowed(call, version->model))
        version = NULL;
    if (version)
        submit(call, &body, version);
    else
        problem_reply_version(call);
    envelope_request_done(&body);
}

static void create_by_model(struct http_call *call)
{
    const struct registry_model *model =
        registry_model_find(api_of(call)->registry, str_from(http_param(call, "owner")),
                            str_from(http_param(call, "name")));
    struct envelope_request body;

    if (!model || model->version_count == 0 || !by_name_allowed(call, model)) {
        problem_reply_not_found(call);
        return;
    }
    if (!read_body(call, false, &body))
        return;
    submit(call, &body, &model->versions[0]);
    envelope_request_done(&body);
}

/* ---- Get, cancel ------------------------------------------------------------------------------
 */

/* The id in the path, when it can be one; NULL: answered. */
static const char *read_id(struct http_call *call)
{
    const char *id = http_param(call, "id");

    if (id_is_prediction(str_from(id)))
        return id;
    problem_reply_not_found(call);
    return NULL;
}

static void get(struct http_call *call)
{
    const char *id = read_id(call);
    struct prediction prediction;
    struct arena arena;
    struct err err;

    if (!id)
        return;
    arena_init(&arena, PREDICTIONS_RECORD_BYTES);
    if (predict_get(api_of(call)->predict, http_account(call), id, &arena, &prediction, &err))
        reply_prediction(call, 200, &prediction);
    else
        problem_reply(call, &err);
    arena_done(&arena);
}

/* A model needs a moment to stop; clients expect the answer to say canceled. */
static void cancel(struct http_call *call)
{
    struct api *api = api_of(call);
    const char *id = read_id(call);
    struct prediction prediction;
    struct arena arena;
    struct err err;

    if (!id)
        return;
    arena_init(&arena, PREDICTIONS_RECORD_BYTES);
    if (!predict_cancel(api->predict, http_account(call), id, &arena, &prediction, &err))
        problem_reply(call, &err);
    else if (prediction_status_is_terminal(prediction.status) ||
             !waits_add(api->waits, api->predict, call, prediction.id, WAITS_CANCEL,
                        PREDICTIONS_CANCEL_WAIT_MS))
        reply_prediction(call, 200, &prediction);
    arena_done(&arena);
}

/* ---- List -------------------------------------------------------------------------------------
 */

static const char *const list_filters[] = { "created_after", "created_before", "source", NULL };

/* A time of the query; false: answered. '+' in an offset often arrives as a space. */
static bool read_time(struct http_call *call, const char *name, int64_t *ret_us)
{
    const char *text = http_query(call, name);
    char copy[64], *space;

    if (!text || !*text)
        return true;
    if (str_copy(str_from(text), copy, sizeof(copy))) {
        space = strrchr(copy, ' ');
        if (space)
            *space = '+';
        if (clock_parse(str_from(copy), ret_us))
            return true;
    }
    problem_reply_detail(call, 400, "Bad request",
                         arena_printf(http_arena(call), "%s must be an ISO 8601 date-time", name));
    return false;
}

/* What the request asks for; false: answered. */
static bool read_query(struct http_call *call, struct page_cursor *cursor,
                       struct store_prediction_query *query)
{
    const char *source = http_query(call, "source");
    int64_t oldest_us = clock_now_us() - (int64_t)PREDICTIONS_WEB_DAYS * 86400 * 1000000;

    if (!page_cursor_read(call, cursor) ||
        !read_time(call, "created_after", &query->created_after_us) ||
        !read_time(call, "created_before", &query->created_before_us))
        return false;
    query->account = http_account(call);
    if (cursor->newer)
        query->after = cursor->position;
    else
        query->before = cursor->position;
    if (!source || !*source)
        return true;
    if (strcmp(source, "web") != 0) {
        problem_reply_detail(call, 400, "Bad request", "source must be \"web\"");
        return false;
    }
    query->source = "web";
    if (query->created_after_us < oldest_us)
        query->created_after_us = oldest_us;
    return true;
}

/* A page as large as memory allows: records with pictures in their inputs can be huge. One more
 * than shown is read, to know whether there are others. */
static bool read_page(struct store *store, struct store_prediction_query *query,
                      struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                      struct err *err)
{
    for (int shown = LIMIT_PAGE_PREDICTIONS;; shown /= 5) {
        query->limit = shown + 1;
        if (store_prediction_list(store, query, arena, ret_predictions, ret_count, err))
            return true;
        if (shown < 5 || (err->kind != ERR_NO_MEMORY && err->kind != ERR_TOO_LARGE))
            return false;
        arena_done(arena);
        arena_init(arena, PREDICTIONS_RECORD_BYTES);
    }
}

static struct page_cursor cursor_at(const struct prediction *prediction, bool newer)
{
    struct page_cursor cursor = { .newer = newer };

    cursor.position.created_us = prediction->created_us;
    str_copy(str_from(prediction->id), cursor.position.id, sizeof(cursor.position.id));
    return cursor;
}

static void reply_page(struct http_call *call, const struct page_cursor *cursor,
                       const struct prediction *predictions, int count, int limit)
{
    struct render_options options = { api_of(call), http_base_url(call), false, false };
    bool more = count == limit; /* one more than is shown, on the far side */
    bool has_next = cursor->newer || more;
    bool has_previous = cursor->newer ? more : cursor->position.created_us != 0;
    struct page_cursor next, previous;
    struct buf body;

    if (more && cursor->newer)
        predictions++;
    if (more)
        count--;
    if (count > 0) {
        next = cursor_at(&predictions[count - 1], false);
        previous = cursor_at(&predictions[0], true);
    }
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "/v1/predictions", list_filters, has_next && count > 0 ? &next : NULL,
              has_previous && count > 0 ? &previous : NULL, &body);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        render_prediction(&options, &predictions[i], &body);
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

static void list(struct http_call *call)
{
    struct store_prediction_query query = { 0 };
    struct prediction *predictions;
    struct page_cursor cursor;
    struct arena arena;
    struct err err;
    int count;

    if (!read_query(call, &cursor, &query))
        return;
    arena_init(&arena, PREDICTIONS_RECORD_BYTES);
    if (read_page(api_of(call)->store, &query, &arena, &predictions, &count, &err))
        reply_page(call, &cursor, predictions, count, query.limit);
    else
        problem_reply(call, &err);
    arena_done(&arena);
}

static const struct http_route routes[] = {
    { "POST", "/v1/predictions", create_by_version, HTTP_ON_LOOP, LIMIT_JSON_BODY_BYTES },
    { "GET", "/v1/predictions", list, 0, 0 },
    { "GET", "/v1/predictions/{id}", get, 0, 0 },
    { "POST", "/v1/predictions/{id}/cancel", cancel, 0, 0 },
    { "POST", "/v1/models/{owner}/{name}/predictions", create_by_model, HTTP_ON_LOOP,
      LIMIT_JSON_BODY_BYTES },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_predictions = { routes };
