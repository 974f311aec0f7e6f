/* SQLite: one batch of writes as one transaction, and the writes of predictions, files, tokens and
 * settings.
 *
 * Most writes are one statement, and SQLite undoes a failing statement by itself, so a conflict
 * costs only its own write and no savepoints are needed. Of two statements only the first may fail
 * for the write's own reason: when a later one fails, the batch is torn and nothing of it is
 * stored. What several writes share (run counts, the books, the generation of the tokens) is added
 * up and written once, before the commit.
 * Not here: threads and queues (store.c). Writer thread only. */
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_private.h"

bool sqlite_batch_step(struct sqlite_batch *batch, sqlite3_stmt *statement, int *ret_changed,
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

void sqlite_sum_add(struct sqlite_sum *sums, int *count, const char *name, int64_t amount)
{
    for (int i = 0; i < *count; i++) {
        if (strcmp(sums[i].name, name) == 0) {
            sums[i].amount += amount;
            return;
        }
    }
    sums[(*count)++] = (struct sqlite_sum){ name, amount };
}

/* ---- Predictions --------------------------------------------------------------------------- */

/* Has the account used this key? Then *ret_used, and write->found_* say for what. */
static bool idempotency_find(struct sqlite_batch *batch, struct store_write *write, bool *ret_used)
{
    const struct store_idempotency *idempotency = write->idempotency;
    const struct prediction *p = write->prediction;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_IDEMPOTENCY_FIND, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, p->account ? p->account : "");
    sqlite_bind_text(s, 2, idempotency->key);
    sqlite3_bind_int64(s, 3, p->created_us);
    int code = sqlite3_step(s);
    *ret_used = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        const void *hash = sqlite3_column_blob(s, 1);
        str_copy(str_from((const char *)sqlite3_column_text(s, 0)), write->found_id,
                 sizeof write->found_id);
        write->found_same =
            hash && sqlite3_column_bytes(s, 1) == (int)sizeof idempotency->request_hash &&
            memcmp(hash, idempotency->request_hash, sizeof idempotency->request_hash) == 0;
    } else if (code != SQLITE_DONE) {
        sqlite_fail(batch->connection, "read", &write->err);
    }
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool idempotency_put(struct sqlite_batch *batch, struct store_write *write)
{
    const struct store_idempotency *idempotency = write->idempotency;
    const struct prediction *p = write->prediction;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_IDEMPOTENCY_PUT, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, p->account ? p->account : "");
    sqlite_bind_text(s, 2, idempotency->key);
    sqlite3_bind_blob(s, 3, idempotency->request_hash, sizeof idempotency->request_hash,
                      SQLITE_STATIC);
    sqlite_bind_text(s, 4, p->id);
    sqlite3_bind_int64(s, 5, idempotency->expires_us);
    int changed = 0;
    return sqlite_batch_step(batch, s, &changed, &write->err);
}

/* The row itself; ERR_CONFLICT when its id exists. */
static bool prediction_insert(struct sqlite_batch *batch, struct store_write *write)
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
    sqlite_bind_text(s, 22, p->token);
    sqlite_bind_text(s, 23, p->base_url);
    sqlite3_bind_int(s, 24, p->is_training);
    sqlite_bind_text(s, 25, p->destination);
    int changed = 0;
    if (!sqlite_batch_step(batch, s, &changed, &write->err))
        return false;
    return changed ? true : err_set(&write->err, ERR_CONFLICT, "a prediction with this id exists");
}

static bool write_prediction_insert(struct sqlite_batch *batch, struct store_write *write)
{
    bool used = false;
    if (write->idempotency && !idempotency_find(batch, write, &used))
        return false;
    if (used)
        return true;
    if (!prediction_insert(batch, write))
        return false;
    if (write->idempotency && !idempotency_put(batch, write)) {
        batch->torn = true;
        return false;
    }
    const char *model = write->prediction->model;
    sqlite_sum_add(batch->totals.models, &batch->totals.model_count, model ? model : "", 1);
    write->applied = true;
    return true;
}

/* write->status = the state the prediction is in (COUNT: there is none). */
static bool write_find_status(struct sqlite_batch *batch, struct store_write *write, const char *id)
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

static bool write_prediction_move(struct sqlite_batch *batch, struct store_write *write)
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
    sqlite_bind_str(s, 12, move->timeline);
    int changed = 0;
    if (!sqlite_batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    write->status = move->to;
    if (!write->applied)
        return write_find_status(batch, write, move->id);
    /* A repeated write may find its delivery there, from the time before. */
    bool added = false;
    if (move->delivery && !sqlite_delivery_insert(batch, move->delivery, &added, &write->err)) {
        batch->torn = true;
        return false;
    }
    if (move->usage)
        sqlite_books_add(&batch->totals, move->usage);
    return true;
}

/* The changes of a prediction that need nothing but its id. */
static bool write_mark(struct sqlite_batch *batch, struct store_write *write)
{
    static const enum sqlite_statement which[] = {
        [STORE_PREDICTION_CANCEL_REQUEST] = STATEMENT_PREDICTION_CANCEL,
        [STORE_PREDICTION_REMOVE_DATA] = STATEMENT_PREDICTION_REMOVE_DATA,
        [STORE_PREDICTION_DELETE] = STATEMENT_PREDICTION_DELETE,
    };
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which[write->kind], &write->err);
    if (!s)
        return false;
    sqlite_bind_key(s, 1, write->id);
    int changed = 0;
    if (!sqlite_batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    return write_find_status(batch, write, write->id);
}

/* ---- Files, settings ------------------------------------------------------------------------ */

static bool write_file_insert(struct sqlite_batch *batch, struct store_write *write)
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
    if (!sqlite_batch_step(batch, s, &changed, &write->err))
        return false;
    write->applied = changed > 0;
    return changed ? true : err_set(&write->err, ERR_CONFLICT, "a file with this id exists");
}

static bool write_file_delete(struct sqlite_batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_FILE_DELETE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->id);
    sqlite_bind_text(s, 2, write->account);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

static bool write_setting_put(struct sqlite_batch *batch, struct store_write *write)
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
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

/* ---- Sweeping ------------------------------------------------------------------------------- */

static bool sweep_portion(struct sqlite_batch *batch, enum sqlite_statement which, int64_t time_us,
                          struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which, &write->err);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, time_us);
    sqlite3_bind_int(s, 2, STORE_SWEEP_MAX);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied |= ok && changed == STORE_SWEEP_MAX;
    return ok;
}

static bool write_sweep(struct sqlite_batch *batch, struct store_write *write)
{
    return sweep_portion(batch, STATEMENT_IDEMPOTENCY_SWEEP, write->sweep.now_us, write) &&
           sweep_portion(batch, STATEMENT_DELIVERY_SWEEP, write->sweep.deliveries_before_us,
                         write) &&
           sweep_portion(batch, STATEMENT_TOKEN_SWEEP, write->sweep.tokens_before_us, write);
}

/* ---- The batch ------------------------------------------------------------------------------ */

static bool (*const writers[STORE_WRITE_KIND_COUNT])(struct sqlite_batch *batch,
                                                     struct store_write *write) = {
    [STORE_PREDICTION_INSERT] = write_prediction_insert,
    [STORE_PREDICTION_MOVE] = write_prediction_move,
    [STORE_PREDICTION_CANCEL_REQUEST] = write_mark,
    [STORE_PREDICTION_REMOVE_DATA] = write_mark,
    [STORE_PREDICTION_DELETE] = write_mark,
    [STORE_FILE_INSERT] = write_file_insert,
    [STORE_FILE_DELETE] = write_file_delete,
    [STORE_TOKEN_INSERT] = sqlite_write_token_insert,
    [STORE_TOKEN_REVOKE] = sqlite_write_token_revoke,
    [STORE_TOKEN_USED] = sqlite_write_token_used,
    [STORE_TOKEN_EXCHANGE] = sqlite_write_token_exchange,
    [STORE_SETTING_PUT] = write_setting_put,
    [STORE_DOCUMENT_PUT] = sqlite_write_document_put,
    [STORE_DOCUMENT_DELETE] = sqlite_write_document_delete,
    [STORE_DELIVERY_INSERT] = sqlite_write_delivery_insert,
    [STORE_DELIVERY_UPDATE] = sqlite_write_delivery_update,
    [STORE_ACCOUNT_PUT] = sqlite_write_account_put,
    [STORE_ACCOUNT_CREDIT_ADD] = sqlite_write_account_credit_add,
    [STORE_SWEEP] = write_sweep,
};

static bool batch_write_totals(struct sqlite_batch *batch, struct err *err)
{
    int changed = 0;
    for (int i = 0; i < batch->totals.model_count; i++) {
        sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_RUNS_ADD, err);
        if (!s)
            return false;
        sqlite_bind_text(s, 1, batch->totals.models[i].name);
        sqlite3_bind_int64(s, 2, batch->totals.models[i].amount);
        if (!sqlite_batch_step(batch, s, &changed, err))
            return false;
    }
    if (!sqlite_books_write(batch, err))
        return false;
    if (!batch->totals.tokens_changed)
        return true;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_GENERATION_ADD, err);
    return s && sqlite_batch_step(batch, s, &changed, err);
}

/* A write failed. Its own fault (false), or is the transaction lost (true)? */
static bool batch_is_lost(const struct sqlite_batch *batch, const struct err *err)
{
    return batch->torn || sqlite3_get_autocommit(batch->connection->db) ||
           (err->kind != ERR_CONFLICT && err->kind != ERR_TOO_LARGE);
}

static bool batch_run(struct sqlite_batch *batch, enum sqlite_statement which, struct err *err)
{
    int changed = 0;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, which, err);
    return s && sqlite_batch_step(batch, s, &changed, err);
}

static bool batch_write(struct sqlite_batch *batch, struct store_write *const *writes, int count,
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
    struct sqlite_batch batch; /* its arrays are large, and filled as far as they are counted */
    batch.connection = store->writer;
    batch.torn = false;
    batch.totals.model_count = batch.totals.usage_count = batch.totals.charge_count = 0;
    batch.totals.tokens_changed = false;
    if (batch_write(&batch, writes, count, err))
        return STORE_BATCH_COMMITTED;
    int code = err->sys & 0xff;
    if (!sqlite3_get_autocommit(store->writer->db))
        batch_run(&batch, STATEMENT_ROLLBACK, NULL);
    return code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_NOMEM ? STORE_BATCH_SPLIT
                                                                               : STORE_BATCH_FAILED;
}
