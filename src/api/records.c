/* What predictions and trainings share: reading one, canceling it, removing its data, and lists of
 * them. */
#include "api/records.h"

#include <string.h>

#include "api/answer.h"
#include "api/api_private.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/waits.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/limits.h"
#include "predict/predict.h"

#define RECORD_BYTES (256u << 20)   /* one record, or a page of them, in memory */
#define RECORDS_CANCEL_WAIT_MS 5000 /* a cancel's answer waits that long for the end */
#define RECORDS_WEB_DAYS 14         /* how far back the list filtered by source=web goes */
#define RECORDS_NAME_MAX 200        /* bytes of a model's name; the longest are half as long */
#define RECORDS_TOKEN_ID_LEN 16
#define RECORDS_SHOWN_US 1000 /* created_at is shown in milliseconds */

/* ---- One --------------------------------------------------------------------------------------
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

/* The record, when it is the caller's and of that kind; false: answered. */
static bool read_record(struct http_call *call, enum store_kind kind, struct arena *arena,
                        struct prediction *ret_record)
{
    const char *id = read_id(call);
    struct err err;

    if (!id)
        return false;
    if (!predict_get(api_of(call)->predict, http_account(call), id, arena, ret_record, &err)) {
        problem_reply(call, &err);
        return false;
    }
    if (kind == STORE_KIND_BOTH || (kind == STORE_KIND_TRAININGS) == ret_record->is_training)
        return true;
    problem_reply_not_found(call);
    return false;
}

void records_get(struct http_call *call, enum store_kind kind)
{
    struct prediction record;
    struct arena arena;

    arena_init(&arena, RECORD_BYTES);
    if (read_record(call, kind, &arena, &record))
        answer_prediction(call, 200, &record);
    arena_done(&arena);
}

/* A model needs a moment to stop; clients expect the answer to say canceled. */
void records_cancel(struct http_call *call, enum store_kind kind)
{
    struct api *api = api_of(call);
    const char *id = read_id(call);
    struct prediction record;
    struct arena arena;
    struct err err;

    if (!id)
        return;
    arena_init(&arena, RECORD_BYTES);
    if (kind != STORE_KIND_BOTH && !read_record(call, kind, &arena, &record)) {
        arena_done(&arena);
        return;
    }
    if (!predict_cancel(api->predict, http_account(call), id, &arena, &record, &err))
        problem_reply(call, &err);
    else if (prediction_status_is_terminal(record.status) ||
             !waits_add(api->waits, api->predict, call, record.id, WAITS_CANCEL,
                        RECORDS_CANCEL_WAIT_MS))
        answer_prediction(call, 200, &record);
    arena_done(&arena);
}

void records_remove_data(struct http_call *call)
{
    const char *id = read_id(call);
    struct err err;

    if (!id)
        return;
    if (predict_remove_data(api_of(call)->predict, http_account(call), id, &err))
        reply_empty(call);
    else
        problem_reply(call, &err);
}

/* ---- List -------------------------------------------------------------------------------------
 */

/* Links repeat these; the last four are of predictions, and beyond the public API. */
static const char *const list_filters[] = { "created_after", "created_before", "source", "model",
                                            "status",        "token",          "limit",  NULL };
static const char *const list_filters_trainings[] = { "created_after", "created_before", "source",
                                                      NULL };

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

static bool refuse(struct http_call *call, const char *sentence)
{
    problem_reply_detail(call, 400, "Bad request", sentence);
    return false;
}

/* "owner/name": one slash, and something on both sides of it. */
static bool is_model_name(struct str text)
{
    struct str owner, name;

    return text.len <= RECORDS_NAME_MAX && str_cut(text, '/', &owner, &name) && owner.len > 0 &&
           name.len > 0 && str_find(name, S("/")) < 0;
}

/* "failed,canceled" as bits. */
static bool read_statuses(struct str list, unsigned *ret_statuses)
{
    enum prediction_status status;
    struct str each;

    *ret_statuses = 0;
    for (bool more = true; more;) {
        more = str_cut(list, ',', &each, &list);
        if (!prediction_status_from_name(more ? each : list, &status))
            return false;
        *ret_statuses |= 1u << status;
    }
    return true;
}

static bool is_token_id(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (str_hex_value(text.ptr[i]) < 0)
            return false;
    return text.len == RECORDS_TOKEN_ID_LEN;
}

/* A parameter of the query; NULL when it is absent or empty. */
static const char *read_filter(struct http_call *call, const char *name)
{
    const char *text = http_query(call, name);

    return text && *text ? text : NULL;
}

/* What only lists of predictions have; false: answered. */
static bool read_filters(struct http_call *call, struct store_prediction_query *query)
{
    const char *statuses = read_filter(call, "status"), *limit = read_filter(call, "limit");
    int64_t number = LIMIT_PAGE_PREDICTIONS;

    query->model = read_filter(call, "model");
    query->token = read_filter(call, "token");
    if (query->model && !is_model_name(str_from(query->model)))
        return refuse(call, "model must be the name of a model: owner/name");
    if (statuses && !read_statuses(str_from(statuses), &query->statuses))
        return refuse(call, "status must be a list of starting, processing, succeeded, failed, "
                            "canceled and aborted, with commas between them");
    if (query->token && !is_token_id(str_from(query->token)))
        return refuse(call, "token must be the id of a token: 16 hexadecimal digits");
    if (limit &&
        (!str_to_int64(str_from(limit), &number) || number < 1 || number > LIMIT_PAGE_PREDICTIONS))
        return refuse(call, "limit must be a number from 1 to 100");
    query->limit = (int)number;
    return true;
}

/* What the request asks for; false: answered. */
static bool read_query(struct http_call *call, struct page_cursor *cursor,
                       struct store_prediction_query *query)
{
    const char *source = http_query(call, "source");
    int64_t oldest_us = clock_now_us() - (int64_t)RECORDS_WEB_DAYS * 86400 * 1000000;

    query->limit = LIMIT_PAGE_PREDICTIONS;
    if (!page_cursor_read(call, cursor) ||
        (query->kind == STORE_KIND_PREDICTIONS && !read_filters(call, query)) ||
        !read_time(call, "created_after", &query->created_after_us) ||
        !read_time(call, "created_before", &query->created_before_us))
        return false;
    /* A record is created somewhere within the millisecond that it shows: all of it is included. */
    if (query->created_before_us)
        query->created_before_us +=
            RECORDS_SHOWN_US - 1 - query->created_before_us % RECORDS_SHOWN_US;
    query->account = http_account(call);
    if (cursor->newer)
        query->after = cursor->position;
    else
        query->before = cursor->position;
    if (!source || !*source)
        return true;
    if (strcmp(source, "web") != 0 && strcmp(source, "api") != 0)
        return refuse(call, "source must be \"web\", or (beyond the public API) \"api\"");
    query->source = source;
    if (strcmp(source, "web") == 0 && query->created_after_us < oldest_us)
        query->created_after_us = oldest_us;
    return true;
}

/* A page as large as memory allows: records with pictures in their inputs can be huge. One more
 * than shown is read, to know whether there are others. */
static bool read_page(struct store *store, struct store_prediction_query *query,
                      struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                      struct err *err)
{
    for (int shown = query->limit;; shown /= 5) {
        query->limit = shown + 1;
        if (store_prediction_list(store, query, arena, ret_predictions, ret_count, err))
            return true;
        if (shown < 5 || (err->kind != ERR_NO_MEMORY && err->kind != ERR_TOO_LARGE))
            return false;
        arena_done(arena);
        arena_init(arena, RECORD_BYTES);
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
                       const struct prediction *predictions, int count,
                       const struct store_prediction_query *query)
{
    struct render_options options = { .api = api_of(call), .base_url = http_base_url(call) };
    bool trainings = query->kind == STORE_KIND_TRAININGS;
    bool more = count == query->limit; /* one more than is shown, on the far side */
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
    page_open(call, trainings ? "/v1/trainings" : "/v1/predictions",
              trainings ? list_filters_trainings : list_filters,
              has_next && count > 0 ? &next : NULL, has_previous && count > 0 ? &previous : NULL,
              &body);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        render_prediction(&options, &predictions[i], &body);
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

void records_list(struct http_call *call, enum store_kind kind)
{
    struct store_prediction_query query = { .kind = kind };
    struct prediction *predictions;
    struct page_cursor cursor;
    struct arena arena;
    struct err err;
    int count;

    if (!read_query(call, &cursor, &query))
        return;
    arena_init(&arena, RECORD_BYTES);
    if (read_page(api_of(call)->store, &query, &arena, &predictions, &count, &err))
        reply_page(call, &cursor, predictions, count, &query);
    else
        problem_reply(call, &err);
    arena_done(&arena);
}
