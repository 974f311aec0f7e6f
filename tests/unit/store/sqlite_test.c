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
#include "store/sqlite_statements.h"
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

/* A store of the first schema with rows in it, as the program that knew no other left it. */
static void write_first_schema(void)
{
    assert_int_equal(strtol(embed_migrations[0].name, NULL, 10), 1);
    run_sql((const char *)embed_migrations[0].data);
    run_sql("PRAGMA user_version=1; PRAGMA application_id=1296649541;"
            "INSERT INTO predictions (id, account, status, attempts, cancel_requested, "
            "data_removed, created_us, started_us, completed_us, deadline_us, model, version, "
            "source, input, output) VALUES "
            "('aaaaaaaaaaaaaaaaaaaaaaaaaa', 'alice', 0, 0, 0, 0, 10, 0, 0, 0, 'o/m', 'v', 'api', "
            "'{}', NULL), "
            "('bbbbbbbbbbbbbbbbbbbbbbbbbb', 'alice', 2, 1, 0, 0, 20, 21, 22, 0, 'o/m', 'v', "
            "'api', '{}', '[1]');"
            "INSERT INTO model_runs VALUES ('o/m', 2);"
            "INSERT INTO tokens VALUES ('t', x'00', '', 'alice', 'r8_', 1, 0);"
            "INSERT INTO settings VALUES ('name', 'value')");
}

static void a_store_of_the_first_schema_is_migrated_with_its_rows(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct arena arena;
    struct prediction *page, found;
    int count = 0;
    write_first_schema();
    open_and_close();
    assert_true(store_open(location, &store, &err));
    arena_init(&arena, 1 << 20);
    struct store_prediction_query query = { .account = "alice", .limit = 10 };
    assert_true(store_prediction_list(store, &query, &arena, &page, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(page[0].id, "bbbbbbbbbbbbbbbbbbbbbbbbbb");
    assert_int_equal(page[0].output.len, 3);
    assert_false(page[0].is_training);
    assert_null(page[0].token);
    query.kind = STORE_KIND_TRAININGS;
    assert_true(store_prediction_list(store, &query, &arena, &page, &count, &err));
    assert_int_equal(count, 0);
    struct store_usage usage = { .account = "alice", .token = "t", .model = "o/m", .runs = 1 };
    struct store_write end = { .kind = STORE_PREDICTION_MOVE,
                               .move = { .id = "aaaaaaaaaaaaaaaaaaaaaaaaaa",
                                         .from = 1,
                                         .to = PREDICTION_SUCCEEDED,
                                         .output = S("[2]"),
                                         .usage = &usage } };
    assert_true(store_write_wait(store, &end, &err) && end.applied);
    assert_true(
        store_prediction_get(store, "alice", "aaaaaaaaaaaaaaaaaaaaaaaaaa", &arena, &found, &err));
    assert_int_equal(found.status, PREDICTION_SUCCEEDED);
    struct prediction training = { .account = "alice",
                                   .model = "o/m",
                                   .version = "v",
                                   .source = "api",
                                   .created_us = 30,
                                   .is_training = true };
    id_prediction(1, training.id);
    struct store_write insert = { .kind = STORE_PREDICTION_INSERT, .prediction = &training };
    assert_true(store_write_wait(store, &insert, &err));
    int64_t runs = 0;
    assert_true(store_run_count(store, "o/m", &runs, &err));
    assert_int_equal(runs, 3);
    assert_true(store_prediction_list(store, &query, &arena, &page, &count, &err));
    assert_int_equal(count, 1);
    arena_done(&arena);
    store_close(store);
    assert_int_equal(
        ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void every_statement_fits_the_schema(void **state)
{
    (void)state;
    open_and_close();
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_stmt *statement = NULL;
        assert_non_null(sqlite_statement_texts[i]);
        if (sqlite3_prepare_v2(db, sqlite_statement_texts[i], -1, &statement, NULL) != SQLITE_OK)
            fail_msg("%s: %s", sqlite3_errmsg(db), sqlite_statement_texts[i]);
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
}

/* Pages and starts must never read the whole table, nor sort it. */
static void hot_queries_use_their_indexes(void **state)
{
    (void)state;
    static const struct {
        enum sqlite_statement statement;
        const char *index;
    } queries[] = {
        { STATEMENT_PREDICTION_GET, "predictions_id" },
        { STATEMENT_PREDICTION_MOVE, "predictions_id" },
        { STATEMENT_PREDICTION_OLDER, "predictions_page" },
        { STATEMENT_PREDICTION_NEWER, "predictions_page" },
        { STATEMENT_PREDICTION_OUTLINE, "predictions_id" },
        { STATEMENT_UNSUCCESSFUL_OLDER, "predictions_unsuccessful" },
        { STATEMENT_UNSUCCESSFUL_NEWER, "predictions_unsuccessful" },
        { STATEMENT_TRAINING_OLDER, "predictions_trainings" },
        { STATEMENT_TRAINING_NEWER, "predictions_trainings" },
        { STATEMENT_PREDICTION_UNFINISHED, "predictions_unfinished" },
        { STATEMENT_PREDICTION_REMOVABLE, "predictions_removable" },
        { STATEMENT_PREDICTION_COUNT, "COVERING INDEX predictions_page" },
        { STATEMENT_IDEMPOTENCY_FIND, "PRIMARY KEY (account=? AND key=?)" },
        { STATEMENT_IDEMPOTENCY_SWEEP, "COVERING INDEX idempotency_expiry" },
        { STATEMENT_FILE_EXPIRED, "files_expiry" },
        { STATEMENT_TOKEN_FIND, "hash=" },
        { STATEMENT_TOKEN_USED, "(id=?)" },
        { STATEMENT_TOKEN_SWEEP, "tokens_expiry" },
        { STATEMENT_PREDICTION_COUNT_TOKEN, "predictions_page" },
        { STATEMENT_DOCUMENT_GET, "(kind=? AND id=?)" },
        { STATEMENT_DOCUMENT_LIST, "documents_page" },
        { STATEMENT_DELIVERY_GET, "(id=?)" },
        { STATEMENT_DELIVERY_DUE, "deliveries_due" },
        { STATEMENT_DELIVERY_LIST, "deliveries_page" },
        { STATEMENT_DELIVERY_LIST_PREDICTION, "deliveries_prediction" },
        { STATEMENT_DELIVERY_SWEEP, "deliveries_completed" },
        { STATEMENT_USAGE_LIST, "PRIMARY KEY (day>? AND day<?)" },
        { STATEMENT_ACCOUNT_GET, "PRIMARY KEY (account=?)" },
    };
    open_and_close();
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        char sql[2048];
        sqlite3_stmt *plan = NULL;
        bool found = false;
        const char *query = sqlite_statement_texts[queries[i].statement];
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", query);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            found |= strstr(step, queries[i].index) != NULL;
            if (strstr(step, "TEMP B-TREE"))
                fail_msg("sorts: %s", query);
        }
        sqlite3_finalize(plan);
        if (!found)
            fail_msg("does not use %s: %s", queries[i].index, query);
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
        CASE(a_store_of_the_first_schema_is_migrated_with_its_rows),
        CASE(every_statement_fits_the_schema),
        CASE(hot_queries_use_their_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
