/* SQLite: reads. Each borrows a reader connection for the length of one statement and copies what
 * it finds into the caller's arena.
 * Not here: caching (api/ and http/ decide about that). Any thread. */
#include <string.h>

#include "store/sqlite_private.h"

/* One read under way: a connection, its statement, and where strings go. */
struct read {
    struct sqlite_store *store;
    struct sqlite_connection *connection;
    sqlite3_stmt *s;
    struct arena *arena;
    bool no_memory; /* a string did not fit in the arena */
};

static bool read_begin(struct read *read, void *state, enum sqlite_statement which,
                       struct arena *arena, struct err *err)
{
    *read = (struct read){ .store = state, .arena = arena };
    read->connection = sqlite_reader_take(read->store, err);
    if (!read->connection)
        return false;
    read->s = sqlite_prepare(read->connection, which, err);
    if (!read->s)
        sqlite_reader_give(read->store, read->connection);
    return read->s != NULL;
}

static void read_end(struct read *read)
{
    sqlite3_reset(read->s); /* ends the read transaction */
    sqlite3_clear_bindings(read->s);
    sqlite_reader_give(read->store, read->connection);
}

/* True with *ret_row = false at the end of the rows. */
static bool read_next(struct read *read, bool *ret_row, struct err *err)
{
    int code = sqlite3_step(read->s);
    *ret_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE || sqlite_fail(read->connection, "read", err);
}

static bool read_check(const struct read *read, struct err *err)
{
    return !read->no_memory ? true : err_set(err, ERR_NO_MEMORY, "a record is too large to read");
}

static struct str read_str(struct read *read, int column)
{
    const void *bytes = sqlite3_column_blob(read->s, column);
    size_t len = (size_t)sqlite3_column_bytes(read->s, column);
    if (!bytes || !len)
        return (struct str){ NULL, 0 };
    char *copy = arena_strdup(read->arena, (struct str){ bytes, len });
    if (!copy)
        read->no_memory = true;
    return (struct str){ copy, copy ? len : 0 };
}

/* A C string; NULL where the column is. */
static const char *read_text(struct read *read, int column)
{
    if (sqlite3_column_type(read->s, column) == SQLITE_NULL)
        return NULL;
    struct str s = read_str(read, column);
    return s.ptr ? s.ptr : "";
}

/* Into a fixed array of the struct. */
static void read_array(struct read *read, int column, char *array, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(read->s, column);
    str_copy(str_from(text), array, size);
}

/* ---- Predictions --------------------------------------------------------------------------- */

static void read_prediction(struct read *read, struct prediction *p)
{
    *p = (struct prediction){ 0 };
    read_array(read, 0, p->id, sizeof p->id);
    p->account = read_text(read, 1);
    p->status = (enum prediction_status)sqlite3_column_int(read->s, 2);
    p->attempts = sqlite3_column_int(read->s, 3);
    p->cancel_requested = sqlite3_column_int(read->s, 4) != 0;
    p->data_removed = sqlite3_column_int(read->s, 5) != 0;
    p->created_us = sqlite3_column_int64(read->s, 6);
    p->started_us = sqlite3_column_int64(read->s, 7);
    p->completed_us = sqlite3_column_int64(read->s, 8);
    p->deadline_us = sqlite3_column_int64(read->s, 9);
    p->model = read_text(read, 10);
    p->version = read_text(read, 11);
    p->source = read_text(read, 12);
    p->deployment = read_text(read, 13);
    p->webhook = read_text(read, 14);
    p->webhook_events_filter = read_str(read, 15);
    p->metrics = read_str(read, 16);
    p->error = read_text(read, 17);
    p->input = read_str(read, 18);
    p->output = read_str(read, 19);
    p->logs = read_str(read, 20);
}

bool sqlite_prediction_get(void *state, const char *account, const char *id, struct arena *arena,
                           struct prediction *ret_prediction, struct err *err)
{
    struct read read;
    struct prediction found;
    if (!read_begin(&read, state, STATEMENT_PREDICTION_GET, arena, err))
        return false;
    sqlite_bind_key(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    bool row = false, ok = read_next(&read, &row, err);
    if (ok && row) {
        read_prediction(&read, &found);
        ok = read_check(&read, err);
    } else if (ok) {
        ok = err_set(err, ERR_NOT_FOUND, "there is no such prediction");
    }
    read_end(&read);
    if (ok)
        *ret_prediction = found;
    return ok;
}

static bool position_is_later(const struct store_position *a, const struct store_position *b)
{
    return a->created_us != b->created_us ? a->created_us > b->created_us
                                          : strcmp(a->id, b->id) > 0;
}

/* The open interval of positions that a query asks for. */
static void query_bounds(const struct store_prediction_query *query, struct store_position *ret_low,
                         struct store_position *ret_high)
{
    *ret_low = (struct store_position){ .created_us = INT64_MIN };
    *ret_high = (struct store_position){ .created_us = INT64_MAX };
    /* Every id is later than "", so these bounds include their own microsecond. */
    if (query->created_after_us)
        ret_low->created_us = query->created_after_us;
    if (query->created_before_us && query->created_before_us < INT64_MAX)
        ret_high->created_us = query->created_before_us + 1;
    if (query->after.created_us && position_is_later(&query->after, ret_low))
        *ret_low = query->after;
    if (query->before.created_us && position_is_later(ret_high, &query->before))
        *ret_high = query->before;
}

static void reverse(struct prediction *predictions, int count)
{
    for (int i = 0; i < count / 2; i++) {
        struct prediction held = predictions[i];
        predictions[i] = predictions[count - 1 - i];
        predictions[count - 1 - i] = held;
    }
}

bool sqlite_prediction_list(void *state, const struct store_prediction_query *query,
                            struct arena *arena, struct prediction **ret_predictions,
                            int *ret_count, struct err *err)
{
    bool newer = query->after.created_us != 0 && query->before.created_us == 0;
    enum sqlite_statement which =
        query->account ? STATEMENT_PREDICTION_OLDER : STATEMENT_PREDICTION_OLDER_ANY;
    if (newer)
        which = query->account ? STATEMENT_PREDICTION_NEWER : STATEMENT_PREDICTION_NEWER_ANY;
    struct store_position low, high;
    query_bounds(query, &low, &high);
    struct prediction *found = arena_alloc(arena, sizeof *found * (size_t)query->limit);
    if (!found)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a page of predictions");
    struct read read;
    if (!read_begin(&read, state, which, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, query->account ? query->account : "");
    sqlite3_bind_int64(read.s, 2, low.created_us);
    sqlite_bind_text(read.s, 3, low.id);
    sqlite3_bind_int64(read.s, 4, high.created_us);
    sqlite_bind_text(read.s, 5, high.id);
    sqlite_bind_text(read.s, 6, query->source);
    sqlite3_bind_int(read.s, 7, query->limit);
    bool row = true, ok = true;
    int count = 0;
    while (count < query->limit && (ok = read_next(&read, &row, err)) && row)
        read_prediction(&read, &found[count++]);
    ok = ok && read_check(&read, err);
    read_end(&read);
    if (!ok)
        return false;
    if (newer)
        reverse(found, count);
    *ret_predictions = found;
    *ret_count = count;
    return true;
}

bool sqlite_prediction_unfinished(void *state,
                                  bool (*each)(void *context, const struct prediction *prediction),
                                  void *context, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_PREDICTION_UNFINISHED, NULL, err))
        return false;
    bool row = true, ok = true;
    while ((ok = read_next(&read, &row, err)) && row) {
        struct prediction p = { 0 };
        read_array(&read, 0, p.id, sizeof p.id);
        p.version = (const char *)sqlite3_column_text(read.s, 1);
        p.status = (enum prediction_status)sqlite3_column_int(read.s, 2);
        p.attempts = sqlite3_column_int(read.s, 3);
        p.cancel_requested = sqlite3_column_int(read.s, 4) != 0;
        p.created_us = sqlite3_column_int64(read.s, 5);
        if (!each(context, &p))
            break;
    }
    read_end(&read);
    return ok;
}

bool sqlite_prediction_removable(void *state, int64_t completed_by_us, int limit,
                                 struct arena *arena, struct prediction **ret_predictions,
                                 int *ret_count, struct err *err)
{
    struct prediction *found = arena_alloc(arena, sizeof *found * (size_t)limit);
    struct read read;
    if (!found)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a page of predictions");
    if (!read_begin(&read, state, STATEMENT_PREDICTION_REMOVABLE, arena, err))
        return false;
    sqlite3_bind_int64(read.s, 1, completed_by_us);
    sqlite3_bind_int(read.s, 2, limit);
    bool row = true, ok = true;
    int count = 0;
    while (count < limit && (ok = read_next(&read, &row, err)) && row) {
        read_array(&read, 0, found[count].id, sizeof found[count].id);
        found[count].account = read_text(&read, 1);
        found[count++].output = read_str(&read, 2);
    }
    ok = ok && read_check(&read, err);
    read_end(&read);
    if (ok) {
        *ret_predictions = found;
        *ret_count = count;
    }
    return ok;
}

bool sqlite_run_count(void *state, const char *model, int64_t *ret_count, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_RUNS_GET, NULL, err))
        return false;
    sqlite_bind_text(read.s, 1, model);
    bool row = false, ok = read_next(&read, &row, err);
    if (ok)
        *ret_count = row ? sqlite3_column_int64(read.s, 0) : 0;
    read_end(&read);
    return ok;
}

/* ---- Files --------------------------------------------------------------------------------- */

static void read_file(struct read *read, struct store_file *file)
{
    *file = (struct store_file){ 0 };
    read_array(read, 0, file->id, sizeof file->id);
    file->account = read_text(read, 1);
    file->name = read_text(read, 2);
    file->content_type = read_text(read, 3);
    file->metadata = read_str(read, 4);
    file->size = sqlite3_column_int64(read->s, 5);
    file->created_us = sqlite3_column_int64(read->s, 6);
    file->expires_us = sqlite3_column_int64(read->s, 7);
    read_array(read, 8, file->sha256, sizeof file->sha256);
    read_array(read, 9, file->md5, sizeof file->md5);
    file->blob = read_text(read, 10);
}

/* The rows of a bound statement, at most `limit`; ends the read. */
static bool read_files(struct read *read, int limit, struct store_file **ret_files, int *ret_count,
                       struct err *err)
{
    struct store_file *found = arena_alloc(read->arena, sizeof *found * (size_t)limit);
    bool row = true;
    bool ok = found ? true : err_set(err, ERR_NO_MEMORY, "not enough memory for a page of files");
    int count = 0;
    while (ok && count < limit && (ok = read_next(read, &row, err)) && row)
        read_file(read, &found[count++]);
    ok = ok && read_check(read, err);
    read_end(read);
    if (ok) {
        *ret_files = found;
        *ret_count = count;
    }
    return ok;
}

bool sqlite_file_get(void *state, const char *account, const char *id, struct arena *arena,
                     struct store_file *ret_file, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_FILE_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    struct store_file *found = NULL;
    int count = 0;
    if (!read_files(&read, 1, &found, &count, err))
        return false;
    if (count == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    *ret_file = *found;
    return true;
}

bool sqlite_file_list(void *state, const char *account, struct store_position before, int limit,
                      int64_t now_us, struct arena *arena, struct store_file **ret_files,
                      int *ret_count, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, account ? STATEMENT_FILE_PAGE : STATEMENT_FILE_PAGE_ANY, arena,
                    err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    sqlite3_bind_int64(read.s, 2, before.created_us ? before.created_us : INT64_MAX);
    sqlite_bind_text(read.s, 3, before.id);
    sqlite3_bind_int64(read.s, 4, now_us);
    sqlite3_bind_int(read.s, 5, limit);
    return read_files(&read, limit, ret_files, ret_count, err);
}

bool sqlite_file_expired(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_file **ret_files, int *ret_count, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_FILE_EXPIRED, arena, err))
        return false;
    sqlite3_bind_int64(read.s, 1, now_us);
    sqlite3_bind_int(read.s, 2, limit);
    return read_files(&read, limit, ret_files, ret_count, err);
}

/* ---- Tokens and settings ------------------------------------------------------------------- */

static void read_token(struct read *read, struct store_token *token)
{
    *token = (struct store_token){ 0 };
    read_array(read, 0, token->id, sizeof token->id);
    token->name = read_text(read, 1);
    token->account = read_text(read, 2);
    token->prefix = read_text(read, 3);
    const void *hash = sqlite3_column_blob(read->s, 4);
    if (hash && sqlite3_column_bytes(read->s, 4) == (int)sizeof token->hash)
        memcpy(token->hash, hash, sizeof token->hash);
    token->created_us = sqlite3_column_int64(read->s, 5);
    token->revoked_us = sqlite3_column_int64(read->s, 6);
}

bool sqlite_token_find(void *state, const unsigned char hash[32], struct arena *arena,
                       struct store_token *ret_token, struct err *err)
{
    struct read read;
    struct store_token found;
    if (!read_begin(&read, state, STATEMENT_TOKEN_FIND, arena, err))
        return false;
    sqlite3_bind_blob(read.s, 1, hash, 32, SQLITE_STATIC);
    bool row = false, ok = read_next(&read, &row, err);
    if (ok && row) {
        read_token(&read, &found);
        ok = read_check(&read, err);
    } else if (ok) {
        ok = err_set(err, ERR_NOT_FOUND, "there is no such token");
    }
    read_end(&read);
    if (ok)
        *ret_token = found;
    return ok;
}

/* Rows of unknown number: kept as a list while reading, then laid out as one array. */
struct token_node {
    struct store_token token;
    struct token_node *next;
};

bool sqlite_token_list(void *state, struct arena *arena, struct store_token **ret_tokens,
                       int *ret_count, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_TOKEN_LIST, arena, err))
        return false;
    struct token_node *first = NULL, **last = &first;
    bool row = true, ok = true;
    int count = 0;
    while ((ok = read_next(&read, &row, err)) && row) {
        struct token_node *node = arena_alloc(arena, sizeof *node);
        if (!node) {
            read.no_memory = true;
            break;
        }
        read_token(&read, &node->token);
        *last = node;
        last = &node->next;
        count++;
    }
    ok = ok && read_check(&read, err);
    read_end(&read);
    struct store_token *found = ok ? arena_alloc(arena, sizeof *found * (size_t)(count + 1)) : NULL;
    if (ok && !found)
        ok = err_set(err, ERR_NO_MEMORY, "not enough memory for the tokens");
    if (!ok)
        return false;
    for (int i = 0; first; first = first->next)
        found[i++] = first->token;
    *ret_tokens = found;
    *ret_count = count;
    return true;
}

bool sqlite_token_generation(void *state, int64_t *ret_generation, struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_GENERATION_GET, NULL, err))
        return false;
    bool row = false, ok = read_next(&read, &row, err);
    if (ok && row)
        *ret_generation = sqlite3_column_int64(read.s, 0);
    read_end(&read);
    return ok && (row || err_set(err, ERR_INTERNAL, "the store's token generation is missing"));
}

bool sqlite_setting_get(void *state, const char *name, struct arena *arena, struct str *ret_value,
                        struct err *err)
{
    struct read read;
    if (!read_begin(&read, state, STATEMENT_SETTING_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, name);
    bool row = false, ok = read_next(&read, &row, err);
    struct str value = { NULL, 0 };
    if (ok && row) {
        value = read_str(&read, 0);
        ok = read_check(&read, err);
    } else if (ok) {
        ok = err_set(err, ERR_NOT_FOUND, "there is no such setting");
    }
    read_end(&read);
    if (ok)
        *ret_value = value;
    return ok;
}
