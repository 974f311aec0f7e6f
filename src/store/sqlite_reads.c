/* SQLite: what every read does, and the reads of predictions, files and settings. Each
 * borrows a reader connection for the length of one statement and copies what it finds into the
 * caller's arena. Not here: caching (api/ and http/ decide about that); tokens,
 * documents, deliveries and the books, which have files of their own. Any thread. */
#include <limits.h>
#include <string.h>

#include "store/sqlite_private.h"

bool sqlite_read_begin(struct sqlite_read *read, void *state, enum sqlite_statement which,
                       struct arena *arena, struct err *err)
{
    *read = (struct sqlite_read){ .store = state, .arena = arena };
    read->connection = sqlite_reader_take(read->store, err);
    if (!read->connection)
        return false;
    read->s = sqlite_prepare(read->connection, which, err);
    if (!read->s)
        sqlite_reader_give(read->store, read->connection);
    return read->s != NULL;
}

void sqlite_read_end(struct sqlite_read *read)
{
    sqlite3_reset(read->s); /* ends the read transaction */
    sqlite3_clear_bindings(read->s);
    sqlite_reader_give(read->store, read->connection);
}

bool sqlite_read_next(struct sqlite_read *read, bool *ret_row, struct err *err)
{
    int code = sqlite3_step(read->s);
    *ret_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE || sqlite_fail(read->connection, "read", err);
}

bool sqlite_read_check(const struct sqlite_read *read, struct err *err)
{
    return !read->no_memory ? true : err_set(err, ERR_NO_MEMORY, "a record is too large to read");
}

struct str sqlite_read_str(struct sqlite_read *read, int column)
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

const char *sqlite_read_text(struct sqlite_read *read, int column)
{
    if (sqlite3_column_type(read->s, column) == SQLITE_NULL)
        return NULL;
    struct str s = sqlite_read_str(read, column);
    return s.ptr ? s.ptr : "";
}

void sqlite_read_array(struct sqlite_read *read, int column, char *array, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(read->s, column);
    str_copy(str_from(text), array, size);
}

/* Rows are laid out as one array; most pages fit at once. It doubles: an arena gives nothing back,
 * so at most half of what they take is lost. */
#define ROWS_AT_FIRST 128

static void *rows_grow(struct sqlite_read *read, const void *rows, int count, size_t size)
{
    void *larger = arena_alloc(read->arena, (size_t)count * 2 * size);
    if (larger)
        memcpy(larger, rows, (size_t)count * size);
    return larger;
}

bool sqlite_read_rows(struct sqlite_read *read, int limit, size_t size,
                      void (*fill)(struct sqlite_read *read, void *row), void *ret_rows,
                      int *ret_count, struct err *err)
{
    int count = 0, room = limit < ROWS_AT_FIRST ? limit : ROWS_AT_FIRST;
    char *rows = arena_alloc(read->arena, (size_t)(room > 0 ? room : 1) * size);
    bool row = true, ok = true;
    while (rows && count < limit && (ok = sqlite_read_next(read, &row, err)) && row) {
        if (count == room) {
            rows = rows_grow(read, rows, count, size);
            room *= 2;
        }
        if (rows)
            fill(read, rows + (size_t)count++ * size);
    }
    read->no_memory |= !rows;
    ok = ok && sqlite_read_check(read, err);
    sqlite_read_end(read);
    if (ok) {
        memcpy(ret_rows, &rows, sizeof rows);
        *ret_count = count;
    }
    return ok;
}

bool sqlite_read_one(struct sqlite_read *read, size_t size,
                     void (*fill)(struct sqlite_read *read, void *row), const char *what,
                     void *ret_row, struct err *err)
{
    void *rows = NULL;
    int count = 0;
    if (!sqlite_read_rows(read, 1, size, fill, &rows, &count, err))
        return false;
    if (count == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no such %s", what);
    memcpy(ret_row, rows, size);
    return true;
}

/* ---- Predictions --------------------------------------------------------------------------- */

static void read_prediction(struct sqlite_read *read, void *row)
{
    struct prediction *p = row;
    sqlite_read_array(read, 0, p->id, sizeof p->id);
    p->account = sqlite_read_text(read, 1);
    p->status = (enum prediction_status)sqlite3_column_int(read->s, 2);
    p->attempts = sqlite3_column_int(read->s, 3);
    p->cancel_requested = sqlite3_column_int(read->s, 4) != 0;
    p->data_removed = sqlite3_column_int(read->s, 5) != 0;
    p->created_us = sqlite3_column_int64(read->s, 6);
    p->started_us = sqlite3_column_int64(read->s, 7);
    p->completed_us = sqlite3_column_int64(read->s, 8);
    p->deadline_us = sqlite3_column_int64(read->s, 9);
    p->model = sqlite_read_text(read, 10);
    p->version = sqlite_read_text(read, 11);
    p->source = sqlite_read_text(read, 12);
    p->deployment = sqlite_read_text(read, 13);
    p->webhook = sqlite_read_text(read, 14);
    p->webhook_events_filter = sqlite_read_str(read, 15);
    p->metrics = sqlite_read_str(read, 16);
    p->error = sqlite_read_text(read, 17);
    p->input = sqlite_read_str(read, 18);
    p->output = sqlite_read_str(read, 19);
    p->logs = sqlite_read_str(read, 20);
    p->token = sqlite_read_text(read, 21);
    p->base_url = sqlite_read_text(read, 22);
    p->is_training = sqlite3_column_int(read->s, 23) != 0;
    p->destination = sqlite_read_text(read, 24);
}

bool sqlite_prediction_get(void *state, const char *account, const char *id, struct arena *arena,
                           struct prediction *ret_prediction, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_PREDICTION_GET, arena, err))
        return false;
    sqlite_bind_key(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    return sqlite_read_one(&read, sizeof *ret_prediction, read_prediction, "prediction",
                           ret_prediction, err);
}

static void read_outline(struct sqlite_read *read, void *row)
{
    struct prediction *p = row;
    sqlite_read_array(read, 0, p->id, sizeof p->id);
    p->account = sqlite_read_text(read, 1);
    p->status = (enum prediction_status)sqlite3_column_int(read->s, 2);
    p->created_us = sqlite3_column_int64(read->s, 3);
    p->started_us = sqlite3_column_int64(read->s, 4);
    p->completed_us = sqlite3_column_int64(read->s, 5);
    p->is_training = sqlite3_column_int(read->s, 6) != 0;
    p->logs = sqlite_read_str(read, 7);
    p->timeline = sqlite_read_str(read, 8);
}

bool sqlite_prediction_outline(void *state, const char *account, const char *id,
                               struct arena *arena, struct prediction *ret_outline, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_PREDICTION_OUTLINE, arena, err))
        return false;
    sqlite_bind_key(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    return sqlite_read_one(&read, sizeof *ret_outline, read_outline, "prediction", ret_outline,
                           err);
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

/* Statuses that have an index of their own. */
#define UNFINISHED (1u << PREDICTION_STARTING | 1u << PREDICTION_PROCESSING)
#define UNSUCCESSFUL                                                                               \
    (1u << PREDICTION_FAILED | 1u << PREDICTION_CANCELED | 1u << PREDICTION_ABORTED)

static enum sqlite_statement query_statement(const struct store_prediction_query *query, bool newer)
{
    if (query->kind == STORE_KIND_TRAININGS)
        return newer ? STATEMENT_TRAINING_NEWER : STATEMENT_TRAINING_OLDER;
    if (query->account && query->statuses && !(query->statuses & ~UNFINISHED))
        return newer ? STATEMENT_UNFINISHED_NEWER : STATEMENT_UNFINISHED_OLDER;
    if (query->account && query->statuses && !(query->statuses & ~UNSUCCESSFUL))
        return newer ? STATEMENT_UNSUCCESSFUL_NEWER : STATEMENT_UNSUCCESSFUL_OLDER;
    if (query->account)
        return newer ? STATEMENT_PREDICTION_NEWER : STATEMENT_PREDICTION_OLDER;
    return newer ? STATEMENT_PREDICTION_NEWER_ANY : STATEMENT_PREDICTION_OLDER_ANY;
}

bool sqlite_prediction_list(void *state, const struct store_prediction_query *query,
                            struct arena *arena, struct prediction **ret_predictions,
                            int *ret_count, struct err *err)
{
    bool newer = query->after.created_us != 0 && query->before.created_us == 0;
    struct store_position low, high;
    query_bounds(query, &low, &high);
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, query_statement(query, newer), arena, err))
        return false;
    sqlite_bind_text(read.s, 1, query->account);
    sqlite3_bind_int64(read.s, 2, low.created_us);
    sqlite_bind_text(read.s, 3, low.id);
    sqlite3_bind_int64(read.s, 4, high.created_us);
    sqlite_bind_text(read.s, 5, high.id);
    sqlite_bind_text(read.s, 6, query->source);
    sqlite3_bind_int(read.s, 7, query->limit);
    sqlite3_bind_int(read.s, 8, (int)query->kind);
    sqlite_bind_text(read.s, 9, query->version);
    sqlite_bind_text(read.s, 10, query->deployment);
    sqlite_bind_text(read.s, 11, query->model);
    sqlite3_bind_int(read.s, 12, (int)query->statuses);
    sqlite_bind_text(read.s, 13, query->token);
    if (!sqlite_read_rows(&read, query->limit, sizeof **ret_predictions, read_prediction,
                          ret_predictions, ret_count, err))
        return false;
    if (newer)
        reverse(*ret_predictions, *ret_count);
    return true;
}

bool sqlite_prediction_unfinished(void *state,
                                  bool (*each)(void *context, const struct prediction *prediction),
                                  void *context, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_PREDICTION_UNFINISHED, NULL, err))
        return false;
    bool row = true, ok = true;
    while ((ok = sqlite_read_next(&read, &row, err)) && row) {
        struct prediction p = { 0 };
        sqlite_read_array(&read, 0, p.id, sizeof p.id);
        p.version = (const char *)sqlite3_column_text(read.s, 1);
        p.status = (enum prediction_status)sqlite3_column_int(read.s, 2);
        p.attempts = sqlite3_column_int(read.s, 3);
        p.cancel_requested = sqlite3_column_int(read.s, 4) != 0;
        p.created_us = sqlite3_column_int64(read.s, 5);
        p.account = (const char *)sqlite3_column_text(read.s, 6);
        p.deployment = (const char *)sqlite3_column_text(read.s, 7);
        p.deadline_us = sqlite3_column_int64(read.s, 8);
        p.is_training = sqlite3_column_int(read.s, 9) != 0;
        if (!each(context, &p))
            break;
    }
    sqlite_read_end(&read);
    return ok;
}

static void read_removable(struct sqlite_read *read, void *row)
{
    struct prediction *p = row;
    sqlite_read_array(read, 0, p->id, sizeof p->id);
    p->account = sqlite_read_text(read, 1);
    p->output = sqlite_read_str(read, 2);
}

bool sqlite_prediction_removable(void *state, int64_t completed_by_us, int limit,
                                 struct arena *arena, struct prediction **ret_predictions,
                                 int *ret_count, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_PREDICTION_REMOVABLE, arena, err))
        return false;
    sqlite3_bind_int64(read.s, 1, completed_by_us);
    sqlite3_bind_int(read.s, 2, limit);
    return sqlite_read_rows(&read, limit, sizeof **ret_predictions, read_removable, ret_predictions,
                            ret_count, err);
}

bool sqlite_prediction_count(void *state, const char *account, const char *token, int64_t since_us,
                             int64_t *ret_count, struct err *err)
{
    struct sqlite_read read;
    enum sqlite_statement which =
        token ? STATEMENT_PREDICTION_COUNT_TOKEN : STATEMENT_PREDICTION_COUNT;
    if (!sqlite_read_begin(&read, state, which, NULL, err))
        return false;
    if (token)
        sqlite_bind_text(read.s, 3, token);
    sqlite_bind_text(read.s, 1, account);
    sqlite3_bind_int64(read.s, 2, since_us);
    bool row = false, ok = sqlite_read_next(&read, &row, err);
    if (ok)
        *ret_count = row ? sqlite3_column_int64(read.s, 0) : 0;
    sqlite_read_end(&read);
    return ok;
}

bool sqlite_idempotency_find(void *state, const char *account,
                             const struct store_idempotency *idempotency, int64_t now_us,
                             char ret_id[ID_PREDICTION_LEN + 1], struct err *err)
{
    const size_t size = sizeof idempotency->request_hash;
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_IDEMPOTENCY_FIND, NULL, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    sqlite_bind_text(read.s, 2, idempotency->key);
    sqlite3_bind_int64(read.s, 3, now_us);
    bool row = false, ok = sqlite_read_next(&read, &row, err);
    if (ok && !row)
        ok = err_set(err, ERR_NOT_FOUND, "this key was not used");
    if (ok && (sqlite3_column_bytes(read.s, 1) != (int)size ||
               memcmp(sqlite3_column_blob(read.s, 1), idempotency->request_hash, size) != 0))
        ok = err_set(err, ERR_CONFLICT, "this key was used for another request");
    if (ok)
        sqlite_read_array(&read, 0, ret_id, ID_PREDICTION_LEN + 1);
    sqlite_read_end(&read);
    return ok;
}

bool sqlite_run_count(void *state, const char *model, int64_t *ret_count, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_RUNS_GET, NULL, err))
        return false;
    sqlite_bind_text(read.s, 1, model);
    bool row = false, ok = sqlite_read_next(&read, &row, err);
    if (ok)
        *ret_count = row ? sqlite3_column_int64(read.s, 0) : 0;
    sqlite_read_end(&read);
    return ok;
}

/* ---- Files --------------------------------------------------------------------------------- */

static void read_file(struct sqlite_read *read, void *row)
{
    struct store_file *file = row;
    sqlite_read_array(read, 0, file->id, sizeof file->id);
    file->account = sqlite_read_text(read, 1);
    file->name = sqlite_read_text(read, 2);
    file->content_type = sqlite_read_text(read, 3);
    file->metadata = sqlite_read_str(read, 4);
    file->size = sqlite3_column_int64(read->s, 5);
    file->created_us = sqlite3_column_int64(read->s, 6);
    file->expires_us = sqlite3_column_int64(read->s, 7);
    sqlite_read_array(read, 8, file->sha256, sizeof file->sha256);
    sqlite_read_array(read, 9, file->md5, sizeof file->md5);
    file->blob = sqlite_read_text(read, 10);
}

bool sqlite_file_get(void *state, const char *account, const char *id, struct arena *arena,
                     struct store_file *ret_file, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_FILE_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, id);
    sqlite_bind_text(read.s, 2, account);
    return sqlite_read_one(&read, sizeof *ret_file, read_file, "file", ret_file, err);
}

bool sqlite_file_list(void *state, const char *account, struct store_position before, int limit,
                      int64_t now_us, struct arena *arena, struct store_file **ret_files,
                      int *ret_count, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, account ? STATEMENT_FILE_PAGE : STATEMENT_FILE_PAGE_ANY,
                           arena, err))
        return false;
    sqlite_bind_text(read.s, 1, account);
    sqlite3_bind_int64(read.s, 2, before.created_us ? before.created_us : INT64_MAX);
    sqlite_bind_text(read.s, 3, before.id);
    sqlite3_bind_int64(read.s, 4, now_us);
    sqlite3_bind_int(read.s, 5, limit);
    return sqlite_read_rows(&read, limit, sizeof **ret_files, read_file, ret_files, ret_count, err);
}

bool sqlite_file_expired(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_file **ret_files, int *ret_count, struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_FILE_EXPIRED, arena, err))
        return false;
    sqlite3_bind_int64(read.s, 1, now_us);
    sqlite3_bind_int(read.s, 2, limit);
    return sqlite_read_rows(&read, limit, sizeof **ret_files, read_file, ret_files, ret_count, err);
}

/* ---- Settings ------------------------------------------------------------------------------ */

bool sqlite_setting_get(void *state, const char *name, struct arena *arena, struct str *ret_value,
                        struct err *err)
{
    struct sqlite_read read;
    if (!sqlite_read_begin(&read, state, STATEMENT_SETTING_GET, arena, err))
        return false;
    sqlite_bind_text(read.s, 1, name);
    bool row = false, ok = sqlite_read_next(&read, &row, err);
    struct str value = { NULL, 0 };
    if (ok && row) {
        value = sqlite_read_str(&read, 0);
        ok = sqlite_read_check(&read, err);
    } else if (ok) {
        ok = err_set(err, ERR_NOT_FOUND, "there is no such setting");
    }
    sqlite_read_end(&read);
    if (ok)
        *ret_value = value;
    return ok;
}
