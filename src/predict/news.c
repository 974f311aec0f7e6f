/* What is known of a prediction now: its record with the state of its run (predict_get), and what
 * has come since somebody looked last (predict_news).
 *
 * Positions mean the same in both places, so a reader does not notice when a prediction goes from
 * memory to the store: outputs are counted as items of the output, one that is no list is one item
 * and comes with the end; logs as bytes ever logged (logs.h). A run can be read in memory until its
 * end is stored: it leaves the live table after that. What a run gave and its record will not have
 * (it failed or was canceled) is kept by follow.c for those who follow it. */
#include <string.h>

#include "base/json.h"
#include "domain/limits.h"
#include "predict/predict_private.h"

#define LOOKS_MAX 8 /* about: into the record of one that has ended, to see all of it */

/* ---- Get ----------------------------------------------------------------------------------- */

static bool copy_text(struct arena *arena, struct buf *text, struct str *ret_copy)
{
    char *copy = text->failed ? NULL : arena_strdup(arena, buf_str(text));
    if (copy)
        *ret_copy = (struct str){ copy, text->len };
    buf_done(text);
    return copy != NULL;
}

/* Add what a running prediction has written and given so far. Lock held. */
static bool add_live_state(const struct run *run, struct arena *arena,
                           struct prediction *prediction)
{
    struct buf text;
    if (run->stage != RUN_RUNNING && run->stage != RUN_ENDING)
        return true;
    if (run->started && prediction->status == PREDICTION_STARTING) { /* not on disk yet */
        prediction->status = PREDICTION_PROCESSING;
        prediction->started_us = run->started_us;
    }
    if (run->logs.total > 0) {
        buf_init(&text, LIMIT_LOGS_BYTES * 2);
        logs_write(&run->logs, &text);
        if (!copy_text(arena, &text, &prediction->logs))
            return false;
    }
    /* Files get their links when the run has ended; texts come one by one. */
    buf_init(&text, LIMIT_OUTPUT_JSON_BYTES * 2);
    if (run->output_ready)
        buf_append_str(&text, buf_str(&run->end_output));
    else if (run->form == WIRE_OUTPUT_TEXT_LIST && run->texts)
        text.failed |= !json_write(run->texts, false, &text);
    if (text.len == 0 && !text.failed) {
        buf_done(&text);
        return true;
    }
    return copy_text(arena, &text, &prediction->output);
}

/* *ret_live: it has not ended, and what is known of its run was added. */
static bool get_live_state(struct predict *predict, struct arena *arena,
                           struct prediction *prediction, bool *ret_live)
{
    bool ok = true;
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, prediction->id);
    *ret_live = live != NULL;
    if (live && live->run)
        ok = add_live_state(live->run, arena, prediction);
    pthread_mutex_unlock(&predict->lock);
    return ok;
}

bool predict_get(struct predict *predict, const char *account, const char *id, struct arena *arena,
                 struct prediction *ret_prediction, struct err *err)
{
    struct prediction prediction;
    bool is_live = false;
    /* Twice: it may end between the look into the store and the one into the live table. */
    for (int i = 0; i < 2 && !is_live; i++) {
        if (!store_prediction_get(predict->options.store, account, id, arena, &prediction, err))
            return false;
        if (prediction_status_is_terminal(prediction.status))
            break;
        if (!get_live_state(predict, arena, &prediction, &is_live))
            return err_set(err, ERR_NO_MEMORY, "There is no memory for the prediction's logs.");
    }
    *ret_prediction = prediction;
    return true;
}

/* ---- News ---------------------------------------------------------------------------------- */

struct reading { /* one call of predict_news */
    const struct predict_position *since;
    size_t limit_bytes;
    struct arena *arena;
    struct predict_news *news;
};

/* Items from `since` on, until there are limit_bytes of them. Copies, as others may own the values.
 */
static bool add_items(struct reading *reading, const json_t *items)
{
    struct predict_news *news = reading->news;
    size_t bytes = 0, count = json_array_size(items), at = (size_t)news->next.outputs;
    for (; at < count && bytes < reading->limit_bytes; at++) {
        json_t *item = json_array_get(items, at);
        json_t *copy = json_is_string(item)
                           ? json_stringn_nocheck(json_string_value(item), json_string_length(item))
                           : json_deep_copy(item);
        if (json_array_append_new(news->outputs, copy) != 0)
            return false;
        bytes += 4 + json_string_length(item);
        news->next.outputs = (int)at + 1;
    }
    news->more |= at < count;
    return true;
}

static bool add_logs(struct reading *reading, const struct logs_view *view)
{
    struct predict_news *news = reading->news;
    bool more;
    struct str piece =
        logs_read(view, reading->since->logs, reading->limit_bytes, &news->next.logs, &more);
    char *copy = arena_strdup(reading->arena, piece);
    news->logs = (struct str){ copy, copy ? piece.len : 0 };
    news->more |= more;
    return copy != NULL;
}

/* Lock held. */
static bool read_run(struct reading *reading, const struct run *run)
{
    if (run->started)
        reading->news->status = PREDICTION_PROCESSING;
    const struct logs_view view = logs_view(&run->logs);
    return add_logs(reading, &view) &&
           (run->form != WIRE_OUTPUT_TEXT_LIST || !run->texts || add_items(reading, run->texts));
}

/* *ret_live: it has not ended, and was read. */
static bool read_live(struct predict *predict, const char *id, struct reading *reading,
                      bool *ret_live)
{
    bool ok = true;
    pthread_mutex_lock(&predict->lock);
    struct live *live = predict_live_find(predict, id);
    *ret_live = live != NULL;
    if (live && live->run)
        ok = read_run(reading, live->run);
    pthread_mutex_unlock(&predict->lock);
    return ok;
}

/* The output as a list of items; a new reference. */
static json_t *items_of(struct predict *predict, const struct prediction *record)
{
    json_t *value = NULL;
    if (record->output.len == 0) {
        json_t *kept = record->data_removed ? NULL : follow_kept(predict->follow, record->id);
        return kept ? kept : json_array();
    }
    if (json_parse(record->output, &value, NULL) && json_is_array(value))
        return value;
    json_t *items = json_array();
    if (value)
        json_array_append_new(items, value);
    return items;
}

static bool read_record(struct predict *predict, const char *id, struct reading *reading,
                        struct err *err)
{
    struct predict_news *news = reading->news;
    struct prediction record;
    json_t *items = NULL;
    if (!store_prediction_get(predict->options.store, NULL, id, reading->arena, &record, err))
        return false;
    news->status = record.status;
    news->error = record.error;
    news->data_removed = record.data_removed;
    if (!prediction_status_is_terminal(record.status))
        return true; /* it waits for the next start of the server */
    /* Not too little of a large one, as each look reads the whole of it. */
    size_t share = (record.output.len + record.logs.len) / LOOKS_MAX;
    if (share > reading->limit_bytes)
        reading->limit_bytes = share;
    const struct logs_view view = logs_view_written(record.logs);
    items = items_of(predict, &record);
    bool ok = items && add_logs(reading, &view) && add_items(reading, items);
    json_decref(items);
    news->finished = ok && !news->more;
    return ok || err_set(err, ERR_NO_MEMORY, "There is no memory for the prediction's news.");
}

bool predict_news(struct predict *predict, const char *id, const struct predict_position *since,
                  size_t limit_bytes, struct arena *arena, struct predict_news *ret_news,
                  struct err *err)
{
    bool is_live;
    *ret_news = (struct predict_news){ .outputs = json_array(),
                                       .next = *since,
                                       .status = PREDICTION_STARTING };
    if (since->outputs < 0) /* positions come from clients */
        ret_news->next.outputs = 0;
    struct reading reading = { since, limit_bytes > 0 ? limit_bytes : 1, arena, ret_news };
    bool ok = ret_news->outputs && read_live(predict, id, &reading, &is_live);
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for the prediction's news.");
    else if (!is_live)
        ok = read_record(predict, id, &reading, err);
    if (!ok) {
        json_decref(ret_news->outputs);
        ret_news->outputs = NULL;
    }
    return ok;
}

/* ---- Watch --------------------------------------------------------------------------------- */

struct predict_watch *predict_watch(struct predict *predict, const char *id,
                                    void (*changed)(void *context), void *context)
{
    return follow_add(predict->follow, id, changed, context);
}

void predict_unwatch(struct predict *predict, struct predict_watch *watch)
{
    follow_remove(predict->follow, watch);
}
