/* SQLite: tokens, and the codes that are exchanged for one. Not here: what a token's scopes and
 * limits mean (api/auth.c, account/). */
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite_private.h"

/* ---- Writes --------------------------------------------------------------------------------- */

static bool insert(struct sqlite_batch *batch, const struct store_token *token, struct err *err)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_INSERT, err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, token->id);
    sqlite_bind_text(s, 2, token->name ? token->name : "");
    sqlite_bind_text(s, 3, token->account ? token->account : "");
    sqlite_bind_text(s, 4, token->prefix ? token->prefix : "");
    sqlite3_bind_blob(s, 5, token->hash, sizeof token->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, token->created_us);
    sqlite3_bind_int64(s, 7, token->revoked_us);
    sqlite3_bind_int64(s, 8, token->scopes);
    sqlite3_bind_int(s, 9, (int)token->kind);
    sqlite3_bind_int(s, 10, token->creates_per_minute);
    sqlite3_bind_int(s, 11, token->predictions_per_day);
    sqlite3_bind_int64(s, 12, token->expires_us);
    sqlite3_bind_int64(s, 13, token->last_used_us);
    int changed = 0;
    if (!sqlite_batch_step(batch, s, &changed, err))
        return false;
    batch->totals.tokens_changed |= changed > 0;
    return changed > 0 || err_set(err, ERR_CONFLICT, "this token exists");
}

bool sqlite_write_token_insert(struct sqlite_batch *batch, struct store_write *write)
{
    write->applied = insert(batch, write->token, &write->err);
    return write->applied;
}

bool sqlite_write_token_revoke(struct sqlite_batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_REVOKE, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->id);
    sqlite3_bind_int64(s, 2, clock_now_us());
    sqlite_bind_text(s, 3, write->account);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    batch->totals.tokens_changed |= write->applied;
    return ok;
}

bool sqlite_write_token_used(struct sqlite_batch *batch, struct store_write *write)
{
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_USED, &write->err);
    if (!s)
        return false;
    sqlite_bind_text(s, 1, write->token_used.id);
    sqlite3_bind_int64(s, 2, write->token_used.used_us);
    int changed = 0;
    bool ok = sqlite_batch_step(batch, s, &changed, &write->err);
    write->applied = ok && changed > 0;
    return ok;
}

bool sqlite_write_token_exchange(struct sqlite_batch *batch, struct store_write *write)
{
    const struct store_token *token = write->exchange.token;
    sqlite3_stmt *s = sqlite_prepare(batch->connection, STATEMENT_TOKEN_USE_CODE, &write->err);
    if (!s)
        return false;
    sqlite3_bind_blob(s, 1, write->exchange.code_hash, sizeof token->hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, write->exchange.now_us);
    sqlite_bind_text(s, 3, token->account);
    int changed = 0;
    if (!sqlite_batch_step(batch, s, &changed, &write->err))
        return false;
    if (!changed)
        return true;
    /* A code that is used up without its token would be lost: both, or the batch is taken back. */
    batch->torn = !insert(batch, token, &write->err);
    write->applied = !batch->torn;
    return write->applied;
}

/* ---- Reads ---------------------------------------------------------------------------------- */

static void read_token(struct sqlite_read *read, void *row)
{
    struct store_token *token = row;
    sqlite_read_array(read, 0, token->id, sizeof token->id);
    token->name = sqlite_read_text(read, 1);
    token->account = sqlite_read_text(read, 2);
    token->prefix = sqlite_read_text(read, 3);
    const void *hash = sqlite3_column_blob(read->s, 4);
    if (hash && sqlite3_column_bytes(read->s, 4) == (int)sizeof token->hash)
        memcpy(token->hash, hash, sizeof token->hash);
    token->created_us = sqlite3_column_int64(read->s, 5);
    token->revoked_us = sqlite3_column_int64(read->s, 6);
    token->scopes = (unsigned)sqlite3_column_int(read->s, 7) & STORE_SCOPE_ALL;
    token->kind = (enum store_token_kind)sqlite3_column_int(read->s, 8);
    token->creates_per_minute = sqlite3_column_int(read->s, 9);
    token->predictions_per_day = sqlite3_column_int(read->s, 10);
    token->expires_us = sqlite3_column_int64(read->s, 11);
    token->last_used_us = sqlite3_column_int64(read->s, 12);
}

bool sqlite_token_find(void *state, const unsigned char hash[32], struct arena *arena,
                       struct store_token *ret_token, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_TOKEN_FIND, arena, err))
        return false;
    sqlite3_bind_blob(read.s, 1, hash, 32, SQLITE_STATIC);
    return sqlite_read_one(&read, sizeof *ret_token, read_token, "token", ret_token, err);
}

bool sqlite_token_list(void *state, const char *account, int64_t valid_at_us, struct arena *arena,
                       struct store_token **ret_tokens, int *ret_count, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_TOKEN_LIST, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    sqlite3_bind_int64(read.s, 2, valid_at_us);
    return sqlite_read_rows(&read, INT_MAX, sizeof **ret_tokens, read_token, ret_tokens, ret_count,
                            err);
}

bool sqlite_token_generation(void *state, int64_t *ret_generation, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_GENERATION_GET, NULL, err))
        return false;
    bool row = false, ok = sqlite_read_next(&read, &row, err);
    if (ok && row)
        *ret_generation = sqlite3_column_int64(read.s, 0);
    sqlite_read_end(&read);
    return ok && (row || err_set(err, ERR_INTERNAL, "the store's token generation is missing"));
}
