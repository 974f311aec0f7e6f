/* SQLite's own side of the store: whose file it is, its schema, damage, memory, query plans.
 * The contract itself: tests/conformance/store_test.c. */
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/embed.h"
#include "base/file.h"
#include "store/store.h"

static char folder[256], path[300], location[320];
static struct err err;

static int setup(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mimeo-sqlite-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/store.db", folder);
    snprintf(location, sizeof location, "sqlite:%s", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static void open_and_close(void)
{
    struct store *store = NULL;
    if (!store_open(location, &store, &err))
        fail_msg("%s%s", err.detail, err.cause);
    store_close(store);
}

static void assert_refused(const char *words)
{
    struct store *store = NULL;
    assert_false(store_open(location, &store, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    if (!strstr(err.detail, words))
        fail_msg("'%s' does not say '%s'", err.detail, words);
    assert_null(store);
}

static void run_sql(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t ask(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void a_new_store_is_private_and_up_to_date(void **state)
{
    (void)state;
    struct stat status;
    int newest = 0;
    open_and_close();
    open_and_close();
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    for (const struct embed_file *file = embed_migrations; file->name; file++) {
        int number = (int)strtol(file->name, NULL, 10);
        assert_int_equal(number, newest + 1); /* numbered without gaps */
        newest = number;
    }
    assert_int_equal(ask("PRAGMA user_version"), newest);
}

static void a_newer_schema_is_refused(void **state)
{
    (void)state;
    open_and_close();
    run_sql("PRAGMA user_version=9999");
    assert_refused("newer");
}

static void a_foreign_or_damaged_file_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct buf bytes;
    run_sql("CREATE TABLE recipes (name)");
    assert_refused("not a store of Mimeo");
    assert_int_equal(ask("SELECT count(*) FROM recipes"), 0);
    char noise[8192];
    memset(noise, 'n', sizeof noise);
    assert_true(file_write_atomic(path, (struct str){ noise, sizeof noise }, 0600, &err));
    assert_refused("damaged");
    buf_init(&bytes, 1 << 20);
    assert_true(file_read(path, &bytes, &err));
    assert_int_equal(bytes.len, sizeof noise);
    assert_memory_equal(bytes.ptr, noise, sizeof noise);
    buf_done(&bytes);
}

static void damage_found_later_is_an_error_not_a_crash(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct arena arena;
    struct prediction p = {
        .account = "a", .model = "m", .version = "v", .source = "api", .created_us = 1
    };
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &p };
    assert_true(store_open(location, &store, &err));
    id_prediction(1, p.id);
    assert_true(store_write_wait(store, &write, &err));
    store_close(store); /* folds the log into the file */
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    for (int page = 1; page < 30; page++) /* all but the first, which names the tables */
        assert_int_equal(pwrite(fd, noise, sizeof noise, page * 4096), 4096);
    close(fd);
    arena_init(&arena, 1 << 20);
    if (store_open(location, &store, &err)) {
        assert_false(store_prediction_get(store, NULL, p.id, &arena, &p, &err));
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_non_null(strstr(err.detail, "damaged"));
        assert_false(store_write_wait(store, &write, &err));
        store_close(store);
    } else {
        assert_int_equal(err.kind, ERR_INVALID);
    }
    arena_done(&arena);
}

static void places_that_cannot_hold_a_store_are_refused(void **state)
{
    (void)state;
    struct store *store = NULL;
    assert_false(store_open("sqlite:", &store, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(file_write_atomic(path, S(""), 0600, &err)); /* an empty file becomes a store */
    open_and_close();
    snprintf(location, sizeof location, "sqlite:%s/store.db/x.db", folder);
    assert_false(store_open(location, &store, &err));
    assert_null(store);
    snprintf(location, sizeof location, "sqlite:%s", folder);
    assert_false(store_open(location, &store, &err));
    assert_null(store);
}

/* Pages and starts must never read the whole table, nor sort it. */
static void hot_queries_use_their_indexes(void **state)
{
    (void)state;
    static const char *const queries[][2] = {
        { "SELECT * FROM predictions WHERE substr(id, 14) || substr(id, 1, 13) = 'x'",
          "predictions_id" },
        { "SELECT * FROM predictions WHERE account = 'a' AND (created_us, id) > (1, '') AND "
          "(created_us, id) < (9, '') ORDER BY created_us DESC, id DESC LIMIT 9",
          "predictions_page" },
        { "SELECT id FROM predictions WHERE status < 2 ORDER BY created_us, row",
          "predictions_unfinished" },
        { "SELECT id FROM predictions WHERE status >= 2 AND data_removed = 0 AND source = 'api' "
          "AND "
          "completed_us <= 1 ORDER BY completed_us LIMIT 9",
          "predictions_removable" },
        { "SELECT * FROM files WHERE expires_us <= 1 ORDER BY expires_us LIMIT 9", "files_expiry" },
        { "SELECT * FROM tokens WHERE hash = x'00' AND revoked_us = 0", "hash=" },
    };
    open_and_close();
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        char sql[512];
        sqlite3_stmt *plan = NULL;
        bool found = false;
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", queries[i][0]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            found |= strstr(step, queries[i][1]) != NULL;
            if (strstr(step, "TEMP B-TREE"))
                fail_msg("sorts: %s", queries[i][0]);
        }
        sqlite3_finalize(plan);
        if (!found)
            fail_msg("does not use %s: %s", queries[i][1], queries[i][0]);
    }
    sqlite3_close(db);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_store_is_private_and_up_to_date),
        CASE(a_newer_schema_is_refused),
        CASE(a_foreign_or_damaged_file_is_refused_and_left_alone),
        CASE(damage_found_later_is_an_error_not_a_crash),
        CASE(places_that_cannot_hold_a_store_are_refused),
        CASE(hot_queries_use_their_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
