/* SQLite: webhook deliveries that are owed, written and read. Not here: sending (webhook/). */
#include <assert.h>

#include "store/sqlite_private.h"

static_assert(DELIVERY_PENDING == 0 && DELIVERY_DELIVERED == 1 && DELIVERY_FAILED == 2,
              "states are stored as numbers: add a migration before renumbering them");

bool sqlite_delivery_insert(struct sqlite_batch *batch, const struct store_delivery *delivery,
                            bool *ret_added, struct err *err)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_DELIVERY_INSERT, err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, delivery->id);
    sqlite_bind_text(s, 2, delivery->prediction ? delivery->prediction : "");
    sqlite_bind_text(s, 3, delivery->account ? delivery->account : "");
    sqlite_bind_text(s, 4, delivery->url ? delivery->url : "");
    sqlite_bind_text(s, 5, delivery->base_url);
    sqlite3_bind_int(s, 6, (int)delivery->state);
    sqlite3_bind_int(s, 7, delivery->attempts);
    sqlite3_bind_int(s, 8, delivery->last_status);
    sqlite_bind_text(s, 9, delivery->last_error);
    sqlite3_bind_int64(s, 10, delivery->created_us);
    sqlite3_bind_int64(s, 11, delivery->next_us);
    sqlite3_bind_int64(s, 12, delivery->completed_us);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, err);
    *ret_added = ok && changed > 0;
    return ok;
}

bool sqlite_write_delivery_insert(struct sqlite_batch *batch, struct store_write *write)
{
    if (!sqlite_delivery_insert(batch, write->delivery, &write->applied, &write->err))
        return false;
    return write->applied ? true
                          : err_set(&write->err, ERR_CONFLICT, "a delivery with this id exists");
}

bool sqlite_write_delivery_update(struct sqlite_batch *batch, struct store_write *write)
{
    const struct store_delivery *delivery = write->delivery;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_DELIVERY_UPDATE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, delivery->id);
    sqlite3_bind_int(s, 2, (int)delivery->state);
    sqlite3_bind_int(s, 3, delivery->attempts);
    sqlite3_bind_int(s, 4, delivery->last_status);
    sqlite_bind_text(s, 5, delivery->last_error);
    sqlite3_bind_int64(s, 6, delivery->next_us);
    sqlite3_bind_int64(s, 7, delivery->completed_us);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

static void read_delivery(struct sqlite_read *read, void *row)
{
    struct store_delivery *delivery = row;
    sqlite_read_array(read, 0, delivery->id, sizeof delivery->id);
    delivery->prediction = sqlite_read_text(read, 1);
    delivery->account = sqlite_read_text(read, 2);
    delivery->url = sqlite_read_text(read, 3);
    delivery->base_url = sqlite_read_text(read, 4);
    delivery->state = (enum store_delivery_state)sqlite3_column_int(read->s, 5);
    delivery->attempts = sqlite3_column_int(read->s, 6);
    delivery->last_status = sqlite3_column_int(read->s, 7);
    delivery->last_error = sqlite_read_text(read, 8);
    delivery->created_us = sqlite3_column_int64(read->s, 9);
    delivery->next_us = sqlite3_column_int64(read->s, 10);
    delivery->completed_us = sqlite3_column_int64(read->s, 11);
}

bool sqlite_delivery_get(void *state, const char *account, const char *id, struct arena *arena,
                         struct store_delivery *ret_delivery, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_DELIVERY_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    return sqlite_read_one(&read, sizeof *ret_delivery, read_delivery, "webhook delivery",
                           ret_delivery, err);
}

/* One row more than asked for is read: another that is due, or the first that will be. */
bool sqlite_delivery_due(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_delivery **ret_deliveries, int *ret_count,
                         int64_t *ret_next_us, struct err *err)
{
    struct sqlite_read read;
    struct store_delivery *rows = NULL;
    int count = 0, due = 0;
    if (!sqlite_read_begin(&read, state, STATEMENT_DELIVERY_DUE, arena, err))
        return false;
    sqlite3_bind_int64(read.s, 1, now_us);
    sqlite3_bind_int(read.s, 2, limit + 1);
    if (!sqlite_read_rows(&read, limit + 1, sizeof *rows, read_delivery, &rows, &count, err))
        return false;
    while (due < count && due < limit && rows[due].next_us <= now_us)
        due++;
    *ret_deliveries = rows;
    *ret_count = due;
    *ret_next_us = due < count ? rows[due].next_us : 0;
    return true;
}

bool sqlite_delivery_list(void *state, const char *account, const char *prediction, int limit,
                          struct arena *arena, struct store_delivery **ret_deliveries,
                          int *ret_count, struct err *err)
{
    enum sqlite_statement which = account ? STATEMENT_DELIVERY_LIST : STATEMENT_DELIVERY_LIST_ANY;
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, prediction ? STATEMENT_DELIVERY_LIST_PREDICTION : which,
                           arena, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    if (prediction)
        sqlite_bind_key(read.s, 2, prediction);
    sqlite3_bind_int(read.s, 3, limit);
    return sqlite_read_rows(&read, limit, sizeof **ret_deliveries, read_delivery, ret_deliveries,
                            ret_count, err);
}
