/* SQLite: connections, prepared statements, errors, and the back end's table.
 *
 * One connection writes (the store's writer thread), up to SQLITE_READERS_MAX read; in WAL mode
 * they do not wait for each other. Other processes may use the same file at the same time.
 * Not here: the schema (sqlite_schema.c), the SQL (sqlite_statements.c), what is written
 * (sqlite_writes.c) and read (sqlite_reads.c). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/sqlite_private.h"

#define SQLITE_BUSY_TIMEOUT_MS 10000 /* for another process's transaction */

/* synchronous=FULL: a commit is on disk when it returns. The checkpoint every 2,000 pages (8 MiB)
 * costs little beside the commits between two; the log file shrinks again after a burst. Small
 * caches: the kernel's page cache is behind them, and an idle server must stay small. */
#define SQLITE_SETTINGS                                                                            \
    "PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=2000;PRAGMA journal_size_limit=33554432;"   \
    "PRAGMA mmap_size=0;PRAGMA temp_store=MEMORY;PRAGMA trusted_schema=OFF;"

/* ---- Errors and binding -------------------------------------------------------------------- */

bool sqlite_fail(const struct sqlite_connection *connection, const char *what, struct err *err)
{
    int code = sqlite3_extended_errcode(connection->db);
    enum err_kind kind = ERR_INTERNAL;
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
        kind = ERR_UNAVAILABLE;
        break;
    case SQLITE_NOMEM:
        kind = ERR_NO_MEMORY;
        break;
    case SQLITE_TOOBIG:
        kind = ERR_TOO_LARGE;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        err_set(err, ERR_INTERNAL, "the store's file is damaged");
        break;
    default:
        break;
    }
    if ((code & 0xff) != SQLITE_CORRUPT && (code & 0xff) != SQLITE_NOTADB)
        err_set(err, kind, "the store could not be %s", what);
    if (err) {
        err->sys = code;
        snprintf(err->cause, sizeof err->cause, " (%s)", sqlite3_errmsg(connection->db));
    }
    return false;
}

void sqlite_bind_str(sqlite3_stmt *statement, int index, struct str s)
{
    if (s.len)
        sqlite3_bind_text64(statement, index, s.ptr, s.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void sqlite_bind_key(sqlite3_stmt *statement, int index, const char *id)
{
    char key[ID_PREDICTION_LEN + 1];
    size_t len = strlen(id), half = 13;
    if (len > ID_PREDICTION_LEN)
        len = 0; /* no such id: nothing is stored under "" */
    size_t tail = len > half ? len - half : 0;
    memcpy(key, id + (len - tail), tail);
    memcpy(key + tail, id, len - tail);
    sqlite3_bind_text(statement, index, key, (int)len, SQLITE_TRANSIENT);
}

/* ---- Connections --------------------------------------------------------------------------- */

bool sqlite_connect(const char *path, bool read_only, struct sqlite_connection **ret_connection,
                    struct err *err)
{
    struct sqlite_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the store");
    int code =
        sqlite3_open_v2(path, &connection->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(connection->db, 1);
        sqlite3_busy_timeout(connection->db, SQLITE_BUSY_TIMEOUT_MS);
        code = sqlite3_exec(connection->db, SQLITE_SETTINGS, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(connection->db,
                            read_only ? "PRAGMA query_only=ON;PRAGMA cache_size=-512"
                                      : "PRAGMA cache_size=-4096",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        sqlite_fail(connection, "opened", err);
        sqlite_disconnect(connection);
        return false;
    }
    *ret_connection = connection;
    return true;
}

void sqlite_disconnect(struct sqlite_connection *connection)
{
    if (!connection)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    sqlite3_close(connection->db);
    free(connection);
}

sqlite3_stmt *sqlite_prepare(struct sqlite_connection *connection, enum sqlite_statement which,
                             struct err *err)
{
    sqlite3_stmt *statement = connection->statements[which];
    if (statement) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        return statement;
    }
    if (sqlite3_prepare_v3(connection->db, sqlite_statement_texts[which], -1,
                           SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        sqlite_fail(connection, "prepared", err);
        return NULL;
    }
    connection->statements[which] = statement;
    return statement;
}

struct sqlite_connection *sqlite_reader_take(struct sqlite_store *store, struct err *err)
{
    struct sqlite_connection *connection = NULL;
    pthread_mutex_lock(&store->lock);
    while (!store->idle && store->readers == SQLITE_READERS_MAX)
        pthread_cond_wait(&store->wake, &store->lock);
    if (store->idle) {
        connection = store->idle;
        store->idle = connection->next;
    } else {
        store->readers++;
    }
    pthread_mutex_unlock(&store->lock);
    if (connection || sqlite_connect(store->path, true, &connection, err))
        return connection;
    pthread_mutex_lock(&store->lock);
    store->readers--;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

void sqlite_reader_give(struct sqlite_store *store, struct sqlite_connection *connection)
{
    pthread_mutex_lock(&store->lock);
    connection->next = store->idle;
    store->idle = connection;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->lock);
}

/* ---- Opening and closing ------------------------------------------------------------------- */

/* Make the file, for the owner's eyes only (it holds prompts), and its folders. */
static bool sqlite_create(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct str head = slash ? (struct str){ path, (size_t)(slash - path) } : S(".");
    if (slash == path)
        head = S("/");
    if (!str_copy(head, folder, sizeof folder))
        return err_set(err, ERR_INVALID, "the store's path is too long");
    if (!file_make_folders(folder, 0700, err))
        return false;
    /* Never open and close a file SQLite may hold open: closing would drop its locks. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return true;
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "the store '%s' cannot be created", path);
    close(fd);
    return file_sync_folder(folder, err);
}

static void sqlite_close(void *state)
{
    struct sqlite_store *store = state;
    for (struct sqlite_connection *reader = store->idle; reader;) {
        struct sqlite_connection *next = reader->next;
        sqlite_disconnect(reader);
        reader = next;
    }
    sqlite_disconnect(store->writer); /* last: it then folds the log back into the file */
    pthread_cond_destroy(&store->wake);
    pthread_mutex_destroy(&store->lock);
    free(store->path);
    free(store);
}

static bool sqlite_open(const char *location, void **ret_state, struct err *err)
{
    if (!*location)
        return err_set(err, ERR_INVALID, "the store's location has no path (sqlite:PATH)");
    if (!sqlite_create(location, err))
        return false;
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (!store || !(store->path = strdup(location))) {
        free(store);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the store");
    }
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->wake, NULL);
    if (!sqlite_connect(location, false, &store->writer, err) ||
        !sqlite_migrate(store->writer, location, err)) {
        int code = err ? err->sys & 0xff : 0;
        sqlite_close(store);
        if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
            err->kind = ERR_INVALID; /* the operator named the wrong file, or must restore it */
            snprintf(err->detail, sizeof err->detail, "'%s' is damaged, or is not a store of Mimeo",
                     location);
        }
        return false;
    }
    *ret_state = store;
    return true;
}

const struct store_backend store_backend_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .apply = sqlite_apply,
    .prediction_get = sqlite_prediction_get,
    .prediction_outline = sqlite_prediction_outline,
    .prediction_list = sqlite_prediction_list,
    .prediction_unfinished = sqlite_prediction_unfinished,
    .prediction_removable = sqlite_prediction_removable,
    .file_get = sqlite_file_get,
    .file_list = sqlite_file_list,
    .file_expired = sqlite_file_expired,
    .token_find = sqlite_token_find,
    .token_list = sqlite_token_list,
    .token_generation = sqlite_token_generation,
    .setting_get = sqlite_setting_get,
    .document_get = sqlite_document_get,
    .document_list = sqlite_document_list,
    .delivery_get = sqlite_delivery_get,
    .delivery_due = sqlite_delivery_due,
    .delivery_list = sqlite_delivery_list,
    .usage_list = sqlite_usage_list,
    .account_get = sqlite_account_get,
    .account_list = sqlite_account_list,
    .prediction_count = sqlite_prediction_count,
    .idempotency_find = sqlite_idempotency_find,
    .run_count = sqlite_run_count,
};
