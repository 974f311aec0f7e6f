/* SQLite as a back end: what its files share. sqlite.c: connections, statements, errors;
 * sqlite_schema.c: creating and migrating; sqlite_writes.c: one batch; sqlite_reads.c: reads. */
#ifndef MIMEO_STORE_SQLITE_PRIVATE_H
#define MIMEO_STORE_SQLITE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "store/store_backend.h"

/* Every statement, prepared once per connection on first use. Their texts: sqlite.c. */
enum sqlite_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_PREDICTION_INSERT,
    STATEMENT_PREDICTION_MOVE,
    STATEMENT_PREDICTION_CANCEL,
    STATEMENT_PREDICTION_STATUS,
    STATEMENT_PREDICTION_REMOVE_DATA,
    STATEMENT_PREDICTION_REMOVABLE,
    STATEMENT_PREDICTION_GET,
    STATEMENT_PREDICTION_OLDER,
    STATEMENT_PREDICTION_NEWER,
    STATEMENT_PREDICTION_OLDER_ANY,
    STATEMENT_PREDICTION_NEWER_ANY,
    STATEMENT_PREDICTION_UNFINISHED,
    STATEMENT_RUNS_ADD,
    STATEMENT_RUNS_GET,
    STATEMENT_FILE_INSERT,
    STATEMENT_FILE_DELETE,
    STATEMENT_FILE_GET,
    STATEMENT_FILE_PAGE,
    STATEMENT_FILE_PAGE_ANY,
    STATEMENT_FILE_EXPIRED,
    STATEMENT_TOKEN_INSERT,
    STATEMENT_TOKEN_REVOKE,
    STATEMENT_TOKEN_FIND,
    STATEMENT_TOKEN_LIST,
    STATEMENT_GENERATION_ADD,
    STATEMENT_GENERATION_GET,
    STATEMENT_SETTING_PUT,
    STATEMENT_SETTING_ADD,
    STATEMENT_SETTING_GET,
    STATEMENT_COUNT
};

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

enum store_batch_result sqlite_apply(void *state, struct store_write *const *writes, int count,
                                     struct err *err);

bool sqlite_prediction_get(void *state, const char *account, const char *id, struct arena *arena,
                           struct prediction *ret_prediction, struct err *err);
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
bool sqlite_token_list(void *state, struct arena *arena, struct store_token **ret_tokens,
                       int *ret_count, struct err *err);
bool sqlite_token_generation(void *state, int64_t *ret_generation, struct err *err);
bool sqlite_setting_get(void *state, const char *name, struct arena *arena, struct str *ret_value,
                        struct err *err);
bool sqlite_run_count(void *state, const char *model, int64_t *ret_count, struct err *err);

#endif
