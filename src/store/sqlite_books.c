/* SQLite: the books, that is usage and what accounts may spend, written and read.
 *
 * What the runs of one batch add is summed in memory and written once per row before the commit.
 * Charges go in order with what sets an account's credit: a put writes the sums so far first.
 * Not here: prices and plans (account/). */
#include <limits.h>
#include <string.h>

#include "store/sqlite_private.h"

/* ---- Sums of a batch ------------------------------------------------------------------------ */

static struct store_usage *usage_row(struct sqlite_totals *totals, const struct store_usage *usage)
{
    const char *account = usage->account ? usage->account : "";
    const char *token = usage->token ? usage->token : "";
    const char *model = usage->model ? usage->model : "";
    for (int i = 0; i < totals->usage_count; i++) {
        struct store_usage *row = &totals->usage[i];
        if (row->day == usage->day && strcmp(row->model, model) == 0 &&
            strcmp(row->account, account) == 0 && strcmp(row->token, token) == 0)
            return row;
    }
    struct store_usage *row = &totals->usage[totals->usage_count++];
    *row = (struct store_usage){
        .account = account, .token = token, .model = model, .day = usage->day
    };
    return row;
}

void sqlite_books_add(struct sqlite_totals *totals, const struct store_usage *usage)
{
    struct store_usage *row = usage_row(totals, usage);
    row->runs += usage->runs;
    row->succeeded += usage->succeeded;
    row->failed += usage->failed;
    row->predict_us += usage->predict_us;
    row->images += usage->images;
    row->cost_microusd += usage->cost_microusd;
    if (usage->cost_microusd != 0)
        sqlite_sum_add(totals->charges, &totals->charge_count, row->account, usage->cost_microusd);
}

/* Add to a metered account's credit. *ret_changed: 0 when there is no such account. */
static bool credit_add(struct sqlite_batch *batch, const char *account, int64_t amount_microusd,
                       int *ret_changed, struct err *err)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_ACCOUNT_CREDIT, err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, account);
    sqlite3_bind_int64(s, 2, amount_microusd);
    return sqlite_batch_step(batch, s, ret_changed, err);
}

static bool write_charges(struct sqlite_batch *batch, struct err *err)
{
    int changed = 0;
    for (int i = 0; i < batch->totals.charge_count; i++) {
        const struct sqlite_sum *charge = &batch->totals.charges[i];
        if (!credit_add(batch, charge->name, -charge->amount, &changed, err))
            return false;
    }
    batch->totals.charge_count = 0;
    return true;
}

static bool write_usage(struct sqlite_batch *batch, const struct store_usage *row, struct err *err)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_USAGE_ADD, err);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, row->day);
    sqlite_bind_text(s, 2, row->account);
    sqlite_bind_text(s, 3, row->token);
    sqlite_bind_text(s, 4, row->model);
    sqlite3_bind_int64(s, 5, row->runs);
    sqlite3_bind_int64(s, 6, row->succeeded);
    sqlite3_bind_int64(s, 7, row->failed);
    sqlite3_bind_int64(s, 8, row->predict_us);
    sqlite3_bind_int64(s, 9, row->images);
    sqlite3_bind_int64(s, 10, row->cost_microusd);
    int changed = 0;
    return sqlite_batch_step(batch, s, &changed, err);
}

bool sqlite_books_write(struct sqlite_batch *batch, struct err *err)
{
    for (int i = 0; i < batch->totals.usage_count; i++)
        if (!write_usage(batch, &batch->totals.usage[i], err))
            return false;
    return write_charges(batch, err);
}

/* ---- Accounts ------------------------------------------------------------------------------- */

bool sqlite_write_account_put(struct sqlite_batch *batch, struct store_write *write)
{
    const struct store_account *account = write->account_row;
    int changed = 0;
    if (!write_charges(batch, &write->err)) {
        batch->torn = true;
        return false;
    }
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_ACCOUNT_PUT, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, account->account);
    sqlite_bind_text(s, 2, account->plan);
    sqlite3_bind_int(s, 3, account->metered);
    sqlite3_bind_int64(s, 4, account->credit_microusd);
    write->applied = sqlite_batch_step(batch, s, &changed, &write->err);
    batch->totals.tokens_changed |= write->applied;
    return write->applied;
}

bool sqlite_write_account_credit_add(struct sqlite_batch *batch, struct store_write *write)
{
    const struct store_account *account = write->account_row;
    int changed = 0;
    bool ok = credit_add(batch, account->account, account->credit_microusd, &changed, &write->err);
    write->applied = ok && changed > 0;
    batch->totals.tokens_changed |= write->applied;
    return ok;
}

static void read_account(struct sqlite_read *read, void *row)
{
    struct store_account *account = row;
    account->account = sqlite_read_text(read, 0);
    account->plan = sqlite_read_text(read, 1);
    account->metered = sqlite3_column_int(read->s, 2) != 0;
    account->credit_microusd = sqlite3_column_int64(read->s, 3);
}

bool sqlite_account_get(void *state, const char *account, struct arena *arena,
                        struct store_account *ret_account, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_ACCOUNT_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    return sqlite_read_one(&read, sizeof *ret_account, read_account, "account", ret_account, err);
}

bool sqlite_account_list(void *state, struct arena *arena, struct store_account **ret_accounts,
                         int *ret_count, struct err *err)
{
    struct sqlite_read read;
    return sqlite_read_begin(&read, state, STATEMENT_ACCOUNT_LIST, arena, err) &&
           sqlite_read_rows(&read, INT_MAX, sizeof **ret_accounts, read_account, ret_accounts,
                            ret_count, err);
}

/* ---- Usage ---------------------------------------------------------------------------------- */

static void read_usage(struct sqlite_read *read, void *row)
{
    struct store_usage *usage = row;
    usage->day = sqlite3_column_int64(read->s, 0);
    usage->account = sqlite_read_text(read, 1);
    usage->token = sqlite_read_text(read, 2);
    usage->model = sqlite_read_text(read, 3);
    usage->runs = sqlite3_column_int64(read->s, 4);
    usage->succeeded = sqlite3_column_int64(read->s, 5);
    usage->failed = sqlite3_column_int64(read->s, 6);
    usage->predict_us = sqlite3_column_int64(read->s, 7);
    usage->images = sqlite3_column_int64(read->s, 8);
    usage->cost_microusd = sqlite3_column_int64(read->s, 9);
}

bool sqlite_usage_list(void *state, const char *account, int64_t first_day, int64_t last_day,
                       struct arena *arena, struct store_usage **ret_rows, int *ret_count,
                       struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_USAGE_LIST, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    sqlite3_bind_int64(read.s, 2, first_day);
    sqlite3_bind_int64(read.s, 3, last_day);
    return sqlite_read_rows(&read, INT_MAX, sizeof **ret_rows, read_usage, ret_rows, ret_count,
                            err);
}
