/* SQLite: is this our file, and is its schema up to date? Migrations are the embedded files
 * sql/NNNN_*.sql; the number of the last one applied is the file's user_version.
 * Not here: statements over the schema. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/embed.h"
#include "store/sqlite_private.h"

#define SQLITE_APPLICATION_ID 0x4d494d45 /* "MIME" in the file's header: whose it is */
#define SQLITE_WAL_TRIES 100             /* times 50 ms */

static_assert(PREDICTION_STARTING == 0 && PREDICTION_PROCESSING == 1 && PREDICTION_SUCCEEDED == 2 &&
                  PREDICTION_ABORTED == 5,
              "statuses are stored as numbers: add a migration before renumbering them");

static bool schema_number(struct sqlite_connection *connection, const char *sql, int64_t *ret_value,
                          struct err *err)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *ret_value = sqlite3_column_int64(statement, 0);
    else
        sqlite_fail(connection, "opened", err);
    sqlite3_finalize(statement);
    return ok;
}

static bool schema_run(struct sqlite_connection *connection, const char *sql, struct err *err)
{
    return sqlite3_exec(connection->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           sqlite_fail(connection, "opened", err);
}

static int migration_number(const struct embed_file *file)
{
    return (int)strtol(file->name, NULL, 10);
}

static bool schema_check_owner(struct sqlite_connection *connection, const char *path,
                               struct err *err)
{
    int64_t application = 0, tables = 0;
    /* In this order: another process may create the store between the two. */
    if (!schema_number(connection, "SELECT count(*) FROM sqlite_schema", &tables, err) ||
        !schema_number(connection, "PRAGMA application_id", &application, err))
        return false;
    if (application != SQLITE_APPLICATION_ID && (application != 0 || tables != 0))
        return err_set(err, ERR_INVALID, "'%s' is a database, but not a store of Mimeo", path);
    return true;
}

/* The switch needs the file alone for a moment, and SQLite does not wait for that by itself. */
static bool schema_use_wal(struct sqlite_connection *connection, const char *path, struct err *err)
{
    for (int i = 0;; i++) {
        int code = sqlite3_exec(connection->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (code == SQLITE_OK)
            break;
        if ((code & 0xff) != SQLITE_BUSY || i == SQLITE_WAL_TRIES)
            return sqlite_fail(connection, "opened", err);
        usleep(50000);
    }
    sqlite3_stmt *statement = NULL;
    bool wal = sqlite3_prepare_v2(connection->db, "PRAGMA journal_mode", -1, &statement, NULL) ==
                   SQLITE_OK &&
               sqlite3_step(statement) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return wal ? true
               : err_set(err, ERR_INVALID, "'%s' is on a file system without shared memory", path);
}

/* Apply what is missing. Inside one transaction: two processes may start at the same time. */
static bool schema_apply(struct sqlite_connection *connection, struct err *err)
{
    int64_t version = 0;
    if (!schema_number(connection, "PRAGMA user_version", &version, err))
        return false;
    for (const struct embed_file *file = embed_migrations; file->name; file++) {
        if (migration_number(file) <= version)
            continue;
        char number[96];
        snprintf(number, sizeof number, "PRAGMA user_version=%d;PRAGMA application_id=%d",
                 migration_number(file), SQLITE_APPLICATION_ID);
        if (!schema_run(connection, (const char *)file->data, err) ||
            !schema_run(connection, number, err))
            return err_while(err, "applying migration %s", file->name);
    }
    return true;
}

bool sqlite_migrate(struct sqlite_connection *connection, const char *path, struct err *err)
{
    int64_t version = 0;
    int newest = 0;
    for (const struct embed_file *file = embed_migrations; file->name; file++)
        newest = migration_number(file);
    if (!schema_check_owner(connection, path, err) ||
        !schema_number(connection, "PRAGMA user_version", &version, err))
        return false;
    if (version > newest)
        return err_set(err, ERR_INVALID,
                       "the store '%s' has schema %lld, newer than this program's %d: use a newer "
                       "program",
                       path, (long long)version, newest);
    if (!schema_use_wal(connection, path, err))
        return false;
    if (version == newest)
        return true;
    if (!schema_run(connection, "BEGIN IMMEDIATE", err))
        return false;
    if (schema_apply(connection, err) && schema_run(connection, "COMMIT", err))
        return true;
    sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
