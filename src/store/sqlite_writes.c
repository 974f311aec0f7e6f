/* SQLite: one batch of writes as one transaction.
 *
 * Every write is one statement, and SQLite undoes a failing statement by itself, so a conflict
 * costs only its own write and no savepoints are needed. What several writes share (run counts, the
 * generation of the tokens) is added up and written once, before the commit.
 * Not here: threads and queues (store.c). Writer thread only. */
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_private.h"

/* What the batch adds to shared rows. Names are borrowed from the writes. */
struct batch_totals {
    struct {
        const char *model;
        int64_t runs;
    } models[STORE_BATCH_MAX];
    int model_count;
    bool tokens_changed;
};

struct batch {
    struct sqlite_connection *connection;
    struct batch_totals totals;
};

/* Run a statement that gives no rows. *ret_changed: how many rows it changed. False: *err. */
static bool batch_step(struct batch *batch, sqlite3_stmt *statement, int *ret_changed,
                       struct err *err)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        sqlite_fail(batch->connection, "written", err);
        sqlite3_reset(statement);
        return false;
    }
    *ret_changed = sqlite3_changes(batch->connection->db);
    sqlite3_reset(statement);
    return true;
}

static void totals_count_run(struct batch_totals *totals, const char *model)
{
    for (int i = 0; i < totals->model_count; i++) {
        if (strcmp(totals->models[i].model, model) == 0) {
            totals->models[i].runs++;
            return;
        }
    }
    totals->models[totals->model_count].model = model;
    totals->models[totals->model_count++].runs = 1;
}

static bool write_prediction_insert(struct batch *batch, struct store_write *write)
{
    const struct prediction *p = write->prediction;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_PREDICTION_INSERT, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, p->id);
    sqlite_bind_text(s, 2, p->account ? p->account : "");
    sqlite3_bind_int(s, 3, (int)p->status);
    sqlite3_bind_int(s, 4, p->attempts);
    sqlite3_bind_int(s, 5, p->cancel_requested);
    sqlite3_bind_int(s, 6, p->data_removed);
    sqlite3_bind_int64(s, 7, p->created_us);
    sqlite3_bind_int64(s, 8, p->started_us);
    sqlite3_bind_int64(s, 9, p->completed_us);
    sqlite3_bind_int64(s, 10, p->deadline_us);
    sqlite_bind_text(s, 11, p->model ? p->model : "");
    sqlite_bind_text(s, 12, p->version ? p->version : "");
    sqlite_bind_text(s, 13, p->source ? p->source : "");
    sqlite_bind_text(s, 14, p->deployment);
    sqlite_bind_text(s, 15, p->webhook);
    sqlite_bind_str(s, 16, p->webhook_events_filter);
    sqlite_bind_str(s, 17, p->metrics);
    sqlite_bind_text(s, 18, p->error);
    sqlite_bind_str(s, 19, p->input);
    sqlite_bind_str(s, 20, p->output);
    sqlite_bind_str(s, 21, p->logs);
    int changed = 0;
    if (!batch_step(batch, s, &changed, &write->err))
        return false;
    if (!changed)
        return err_set(&write->err, ERR_CONFLICT, "a prediction with this id exists");
    totals_count_run(&batch->totals, p->model ? p->model : "");
    write->applied = true;
    return true;
}

/* write->status = the state the prediction is in (COUNT: there is none). */
static bool write_find_status(struct batch *batch, struct store_write *write, const char *id)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_PREDICTION_STATUS, &write->err);
    if (!s)
        return false;
    sqlite_bind_key(s, 1, id);
    int code = sqlite3_step(s);
    write->status = PREDICTION_STATUS_COUNT;
    if (code == SQLITE_ROW)
        write->status = (enum prediction_status)sqlite3_column_int(s, 0);
    else if (code != SQLITE_DONE)
        sqlite_fail(batch->connection, "read", &write->err);
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool write_prediction_move(struct batch *batch, struct store_write *write)
{
    const struct store_prediction_move *move = &write->move;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_PREDICTION_MOVE, &write->err);
    if (!s)
        return false;
    sqlite_bind_key(s, 1, move->id);
    sqlite3_bind_int(s, 2, (int)move->from);
    sqlite3_bind_int(s, 3, (int)move->to);
    sqlite3_bind_int(s, 4, move->attempts_add);
    sqlite3_bind_int(s, 5, move->clear_started);
    sqlite3_bind_int64(s, 6, move->started_us);
    sqlite3_bind_int64(s, 7, move->completed_us);
    sqlite_bind_str(s, 8, move->output);
    sqlite_bind_str(s, 9, move->logs);
    sqlite_bind_str(s, 10, move->metrics);
    sqlite_bind_text(s, 11, move->error);
    int changed = 0;
    if (!batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    write->status = move->to;
    return write->applied || write_find_status(batch, write, move->id);
}

/* Both changes of a prediction that need nothing but its id. */
static bool write_mark(struct batch *batch, struct store_write *write)
{
    enum sqlite_statement which = write->kind == STORE_PREDICTION_CANCEL_REQUEST
                                      ? STATEMENT_PREDICTION_CANCEL
                                      : STATEMENT_PREDICTION_REMOVE_DATA;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which, &write->err);
    if (!s)
        return false;
    sqlite_bind_key(s, 1, write->id);
    int changed = 0;
    if (!batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    return write_find_status(batch, write, write->id);
}

static bool write_file_insert(struct batch *batch, struct store_write *write)
{
    const struct store_file *file = write->file;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_FILE_INSERT, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, file->id);
    sqlite_bind_text(s, 2, file->account ? file->account : "");
    sqlite_bind_text(s, 3, file->name ? file->name : "");
    sqlite_bind_text(s, 4, file->content_type ? file->content_type : "");
    sqlite_bind_str(s, 5, file->metadata.len ? file->metadata : S("{}"));
    sqlite3_bind_int64(s, 6, file->size);
    sqlite3_bind_int64(s, 7, file->created_us);
    sqlite3_bind_int64(s, 8, file->expires_us);
    sqlite_bind_text(s, 9, file->sha256);
    sqlite_bind_text(s, 10, file->md5);
    sqlite_bind_text(s, 11, file->blob ? file->blob : "");
    int changed = 0;
    if (!batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    return changed ? true : err_set(&write->err, ERR_CONFLICT, "a file with this id exists");
}

static bool write_file_delete(struct batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_FILE_DELETE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->id);
    sqlite_bind_text(s, 2, write->account);
    int changed = 0;
    bool ok = batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

static bool write_token_insert(struct batch *batch, struct store_write *write)
{
    const struct store_token *token = write->token;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_INSERT, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, token->id);
    sqlite_bind_text(s, 2, token->name ? token->name : "");
    sqlite_bind_text(s, 3, token->account ? token->account : "");
    sqlite_bind_text(s, 4, token->prefix ? token->prefix : "");
    sqlite3_bind_blob(s, 5, token->hash, sizeof token->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, token->created_us);
    sqlite3_bind_int64(s, 7, token->revoked_us);
    int changed = 0;
    if (!batch_step(batch, s, &changed, &write->err))
        return false;
    if (!changed)
        return err_set(&write->err, ERR_CONFLICT, "this token exists");
    batch->totals.tokens_changed = true;
    write->applied = true;
    return true;
}

static bool write_token_revoke(struct batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_REVOKE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->id);
    sqlite3_bind_int64(s, 2, clock_now_us());
    int changed = 0;
    bool ok = batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    batch->totals.tokens_changed |= write->applied;
    return ok;
}

static bool write_setting_put(struct batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(
        batch->connection,
        write->setting.only_if_absent ? STATEMENT_SETTING_ADD : STATEMENT_SETTING_PUT, &write->err);
    if (!s)
        return false;
    struct str value = write->setting.value;
    sqlite_bind_text(s, 1, write->setting.name);
    sqlite3_bind_blob64(s, 2, value.len ? value.ptr : "", value.len, SQLITE_STATIC);
    int changed = 0;
    bool ok = batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

static bool (*const writers[STORE_WRITE_KIND_COUNT])(struct batch *batch,
                                                     struct store_write *write) = {
    [STORE_PREDICTION_INSERT] = write_prediction_insert,
    [STORE_PREDICTION_MOVE] = write_prediction_move,
    [STORE_PREDICTION_CANCEL_REQUEST] = write_mark,
    [STORE_PREDICTION_REMOVE_DATA] = write_mark,
    [STORE_FILE_INSERT] = write_file_insert,
    [STORE_FILE_DELETE] = write_file_delete,
    [STORE_TOKEN_INSERT] = write_token_insert,
    [STORE_TOKEN_REVOKE] = write_token_revoke,
    [STORE_SETTING_PUT] = write_setting_put,
};

static bool batch_write_totals(struct batch *batch, struct err *err)
{
    int changed = 0;
    for (int i = 0; i < batch->totals.model_count; i++) {
        sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_RUNS_ADD, err);
        if (!s)
            return false;
        sqlite_bind_text(s, 1, batch->totals.models[i].model);
        sqlite3_bind_int64(s, 2, batch->totals.models[i].runs);
        if (!batch_step(batch, s, &changed, err))
            return false;
    }
    if (!batch->totals.tokens_changed)
        return true;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_GENERATION_ADD, err);
    return s && batch_step(batch, s, &changed, err);
}

/* A write failed. Its own fault (false), or is the transaction lost (true)? */
static bool batch_is_lost(const struct batch *batch, const struct err *err)
{
    return sqlite3_get_autocommit(batch->connection->db) ||
           (err->kind != ERR_CONFLICT && err->kind != ERR_TOO_LARGE);
}

static bool batch_run(struct batch *batch, enum sqlite_statement which, struct err *err)
{
    int changed = 0;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which, err);
    return s && batch_step(batch, s, &changed, err);
}

static bool batch_write(struct batch *batch, struct store_write *const *writes, int count,
                        struct err *err)
{
    if (!batch_run(batch, STATEMENT_BEGIN, err))
        return false;
    for (int i = 0; i < count; i++) {
        writes[i]->ok = writers[writes[i]->kind](batch, writes[i]);
        if (!writes[i]->ok && batch_is_lost(batch, &writes[i]->err)) {
            *err = writes[i]->err;
            return false;
        }
    }
    return batch_write_totals(batch, err) && batch_run(batch, STATEMENT_COMMIT, err);
}

enum store_batch_result sqlite_apply(void *state, struct store_write *const *writes, int count,
                                     struct err *err)
{
    struct sqlite_store *store = state;
    struct batch batch;
    batch.connection = store->writer;
    batch.totals.model_count = 0;
    batch.totals.tokens_changed = false;
    if (batch_write(&batch, writes, count, err))
        return STORE_BATCH_COMMITTED;
    int code = err->sys & 0xff;
    if (!sqlite3_get_autocommit(store->writer->db))
        batch_run(&batch, STATEMENT_ROLLBACK, NULL);
    return code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_NOMEM ? STORE_BATCH_SPLIT
                                                                               : STORE_BATCH_FAILED;
}
