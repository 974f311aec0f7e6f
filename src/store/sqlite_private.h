/* SQLite as a back end: what its files share. sqlite.c: connections and errors;
 * sqlite_statements.c: the SQL; sqlite_schema.c: creating and migrating; sqlite_writes.c: one
 * batch; sqlite_reads.c: reads. Both sides of tokens, documents, deliveries and the books:
 * sqlite_tokens.c, sqlite_documents.c, sqlite_deliveries.c, sqlite_books.c. */
#ifndef MIMEO_STORE_SQLITE_PRIVATE_H
#define MIMEO_STORE_SQLITE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "store/sqlite_statements.h"
#include "store/store_backend.h"

struct sqlite_connection {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct sqlite_connection *next; /* in the list of idle readers */
};

#define SQLITE_READERS_MAX 4 /* connections; more readers than that wait for one another */

struct sqlite_store {
    char *path;
    struct sqlite_connection *writer; /* the writer thread's alone */
    pthread_mutex_t lock;             /* guards what follows */
    pthread_cond_t wake;
    struct sqlite_connection *idle;
    int readers; /* open ones, idle or not */
};

/* A connection with our settings. The file must exist. */
bool sqlite_connect(const char *path, bool read_only, struct sqlite_connection **ret_connection,
                    struct err *err);
void sqlite_disconnect(struct sqlite_connection *connection);

/* Borrow a reader (waits when all are taken), and give it back. */
struct sqlite_connection *sqlite_reader_take(struct sqlite_store *store, struct err *err);
void sqlite_reader_give(struct sqlite_store *store, struct sqlite_connection *connection);

/* The statement, reset and with nothing bound; NULL and *err when it cannot be prepared. */
sqlite3_stmt *sqlite_prepare(struct sqlite_connection *connection, enum sqlite_statement which,
                             struct err *err);

/* Fill *err from the connection's last failure. `what`: "read", "written", ... Returns false. */
bool sqlite_fail(const struct sqlite_connection *connection, const char *what, struct err *err);

/* Binding: text that is borrowed until the statement is reset; NULL (or empty) binds NULL. */
void sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text);
void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s);

/* Bind a prediction's id the way the index holds it (halves swapped; see sql/0001_start.sql). */
void sqlite_bind_key(sqlite3_stmt *statement, int index, const char *id);

/* Bring the schema up to date. ERR_INVALID: damaged, foreign, or newer than this program. */
bool sqlite_migrate(struct sqlite_connection *connection, const char *path, struct err *err);

/* ---- Writes (writer thread only) ------------------------------------------------------------ */

/* A sum for a name; names are borrowed from the batch's writes. */
struct sqlite_sum {
    const char *name;
    int64_t amount;
};

/* What the batch adds to shared rows, written once per row before the commit. */
struct sqlite_totals {
    struct sqlite_sum models[STORE_BATCH_MAX]; /* runs begun */
    int model_count;
    struct store_usage usage[STORE_BATCH_MAX];
    int usage_count;
    struct sqlite_sum charges[STORE_BATCH_MAX]; /* per account, micro dollars */
    int charge_count;
    bool tokens_changed;
};

struct sqlite_batch {
    struct sqlite_connection *connection;
    bool torn; /* a write failed with half of it done: the transaction must not be committed */
    struct sqlite_totals totals;
};

/* Run a statement that gives no rows. *ret_changed: how many rows it changed. False: *err. */
bool sqlite_batch_step(struct sqlite_batch *batch, sqlite3_stmt *statement, int *ret_changed,
                       struct err *err);

/* Add to the sum of that name. There is room for one name of every write. */
void sqlite_sum_add(struct sqlite_sum *sums, int *count, const char *name, int64_t amount);

/* One writer per kind: sets applied and status; false with write->err: nothing of it is stored, or
 * the batch is torn. */
bool sqlite_write_token_insert(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_token_revoke(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_token_used(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_token_exchange(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_document_put(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_document_delete(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_delivery_insert(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_delivery_update(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_account_put(struct sqlite_batch *batch, struct store_write *write);
bool sqlite_write_account_credit_add(struct sqlite_batch *batch, struct store_write *write);

/* The row of a delivery. *ret_added: false when one with its id was there. */
bool sqlite_delivery_insert(struct sqlite_batch *batch, const struct store_delivery *delivery,
                            bool *ret_added, struct err *err);

/* Remember what a run adds to the books; written by sqlite_books_write before the commit. */
void sqlite_books_add(struct sqlite_totals *totals, const struct store_usage *usage);
bool sqlite_books_write(struct sqlite_batch *batch, struct err *err);

enum store_batch_result sqlite_apply(void *state, struct store_write *const *writes, int count,
                                     struct err *err);

/* ---- Reads (any thread) --------------------------------------------------------------------- */

/* One read under way: a connection, its statement, and where strings go. */
struct sqlite_read {
    struct sqlite_store *store;
    struct sqlite_connection *connection;
    sqlite3_stmt *s;
    struct arena *arena;
    bool no_memory; /* a string did not fit in the arena */
};

bool sqlite_read_begin(struct sqlite_read *read, void *state, enum sqlite_statement which,
                       struct arena *arena, struct err *err);
void sqlite_read_end(struct sqlite_read *read);

/* True with *ret_row = false at the end of the rows. */
bool sqlite_read_next(struct sqlite_read *read, bool *ret_row, struct err *err);

/* False with ERR_NO_MEMORY when a string did not fit. */
bool sqlite_read_check(const struct sqlite_read *read, struct err *err);

struct str sqlite_read_str(struct sqlite_read *read, int column);
const char *sqlite_read_text(struct sqlite_read *read, int column); /* NULL where the column is */
void sqlite_read_array(struct sqlite_read *read, int column, char *array, size_t size);

/* Rows of a bound statement as one array in the arena, at most `limit`; `fill` makes one of `size`
 * bytes, zeroed before, from the current row. Ends the read. */
bool sqlite_read_rows(struct sqlite_read *read, int limit, size_t size,
                      void (*fill)(struct sqlite_read *read, void *row), void *ret_rows,
                      int *ret_count, struct err *err);

/* The same for one row; `what` is missing: ERR_NOT_FOUND. */
bool sqlite_read_one(struct sqlite_read *read, size_t size,
                     void (*fill)(struct sqlite_read *read, void *row), const char *what,
                     void *ret_row, struct err *err);

bool sqlite_prediction_get(void *state, const char *account, const char *id, struct arena *arena,
                           struct prediction *ret_prediction, struct err *err);
bool sqlite_prediction_outline(void *state, const char *account, const char *id,
                               struct arena *arena, struct prediction *ret_outline,
                               struct err *err);
bool sqlite_prediction_list(void *state, const struct store_prediction_query *query,
                            struct arena *arena, struct prediction **ret_predictions,
                            int *ret_count, struct err *err);
bool sqlite_prediction_unfinished(void *state,
                                  bool (*each)(void *context, const struct prediction *prediction),
                                  void *context, struct err *err);
bool sqlite_prediction_removable(void *state, int64_t completed_by_us, int limit,
                                 struct arena *arena, struct prediction **ret_predictions,
                                 int *ret_count, struct err *err);
bool sqlite_file_get(void *state, const char *account, const char *id, struct arena *arena,
                     struct store_file *ret_file, struct err *err);
bool sqlite_file_list(void *state, const char *account, struct store_position before, int limit,
                      int64_t now_us, struct arena *arena, struct store_file **ret_files,
                      int *ret_count, struct err *err);
bool sqlite_file_expired(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_file **ret_files, int *ret_count, struct err *err);
bool sqlite_token_find(void *state, const unsigned char hash[32], struct arena *arena,
                       struct store_token *ret_token, struct err *err);
bool sqlite_token_list(void *state, const char *account, int64_t valid_at_us, struct arena *arena,
                       struct store_token **ret_tokens, int *ret_count, struct err *err);
bool sqlite_token_generation(void *state, int64_t *ret_generation, struct err *err);
bool sqlite_setting_get(void *state, const char *name, struct arena *arena, struct str *ret_value,
                        struct err *err);
bool sqlite_document_get(void *state, const char *kind, const char *id, struct arena *arena,
                         struct store_document *ret_document, struct err *err);
bool sqlite_document_list(void *state, const char *kind, const char *account, int limit,
                          struct arena *arena, struct store_document **ret_documents,
                          int *ret_count, struct err *err);
bool sqlite_delivery_get(void *state, const char *account, const char *id, struct arena *arena,
                         struct store_delivery *ret_delivery, struct err *err);
bool sqlite_delivery_due(void *state, int64_t now_us, int limit, struct arena *arena,
                         struct store_delivery **ret_deliveries, int *ret_count,
                         int64_t *ret_next_us, struct err *err);
bool sqlite_delivery_list(void *state, const char *account, const char *prediction, int limit,
                          struct arena *arena, struct store_delivery **ret_deliveries,
                          int *ret_count, struct err *err);
bool sqlite_usage_list(void *state, const char *account, int64_t first_day, int64_t last_day,
                       struct arena *arena, struct store_usage **ret_rows, int *ret_count,
                       struct err *err);
bool sqlite_account_get(void *state, const char *account, struct arena *arena,
                        struct store_account *ret_account, struct err *err);
bool sqlite_account_list(void *state, struct arena *arena, struct store_account **ret_accounts,
                         int *ret_count, struct err *err);
bool sqlite_prediction_count(void *state, const char *account, const char *token, int64_t since_us,
                             int64_t *ret_count, struct err *err);
bool sqlite_idempotency_find(void *state, const char *account,
                             const struct store_idempotency *idempotency, int64_t now_us,
                             char ret_id[ID_PREDICTION_LEN + 1], struct err *err);
bool sqlite_run_count(void *state, const char *model, int64_t *ret_count, struct err *err);

#endif
