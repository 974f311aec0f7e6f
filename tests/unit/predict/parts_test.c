/* The small parts of predict/: data URLs, our own links, waiters, logs, the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#include "base/err.h"
#include "domain/limits.h"
#include "predict/data_url.h"
#include "predict/inputs.h"
#include "predict/logs.h"
#include "predict/runner_process.h"
#include "predict/table.h"
#include "predict/waiters.h"

/* ---- Data URLs ------------------------------------------------------------------------------ */

static void assert_decodes(const char *url, const char *type, const char *expected)
{
    struct data_url parsed;
    struct buf out;
    struct err err = { 0 };
    buf_init(&out, 100);
    assert_true(data_url_is(str_from(url)));
    if (!data_url_parse(str_from(url), &parsed, &err) || !data_url_decode(&parsed, &out, &err))
        fail_msg("%s: %s", url, err.detail);
    assert_string_equal(parsed.media_type, type);
    assert_true(str_equal(buf_str(&out), str_from(expected)));
    buf_done(&out);
}

static void data_urls_are_decoded(void **state)
{
    (void)state;
    assert_decodes("data:image/png;base64,aGVsbG8=", "image/png", "hello");
    assert_decodes("data:image/png;base64,aGVsbG8", "image/png", "hello");
    assert_decodes("DATA:Image/PNG;name=a.png;BASE64,aGVsbG8%3D", "image/png", "hello");
    assert_decodes("data:,a%20b", "text/plain", "a b");
    assert_decodes("data:text/plain;charset=utf-8,%e2%82%ac,", "text/plain", "\xe2\x82\xac,");
    assert_decodes("data:;base64,", "text/plain", "");
    assert_decodes("data:base64,abc", "base64", "abc"); /* a type, not an encoding */
}

static void assert_refused(const char *url, enum err_kind kind)
{
    struct data_url parsed;
    struct buf out;
    struct err err = { 0 };
    buf_init(&out, 8);
    assert_false(data_url_parse(str_from(url), &parsed, &err) &&
                 data_url_decode(&parsed, &out, &err));
    assert_int_equal(err.kind, kind);
    buf_done(&out);
}

static void broken_data_urls_are_refused(void **state)
{
    (void)state;
    assert_refused("data:image/png;base64", ERR_INVALID);
    assert_refused("data:image/png;base64,a!b", ERR_INVALID);
    assert_refused("data:,%4", ERR_INVALID);
    assert_refused("data:,%zz", ERR_INVALID);
    assert_refused("data:,123456789", ERR_TOO_LARGE);
    assert_refused("data:;base64,MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", ERR_TOO_LARGE);
    assert_refused("data:;base64,%", ERR_INVALID);
}

/* ---- Our own links -------------------------------------------------------------------------- */

static void own_links_are_recognised_by_their_path(void **state)
{
    (void)state;
    struct str found;
    const char *id = "0123456789abcdef0123456789abcdef0123456789ABCDEF";
    char url[256];
    snprintf(url, sizeof url, "https://any.host:1/replicate/v1/files/%s?x=1#y", id);
    assert_true(inputs_file_id(str_from(url), &found));
    assert_true(str_equal(found, str_from(id)));
    snprintf(url, sizeof url, "https://any.host/v1/files/%s/download", id);
    assert_false(inputs_file_id(str_from(url), &found));
    assert_false(inputs_file_id(S("https://any.host/v1/files/short"), &found));
    assert_false(inputs_file_id(S("/v1/files/x"), &found));
    assert_false(inputs_file_id(S("https://host-only"), &found));
    assert_true(inputs_output_path(S("http://h/outputs/k/1-s/a.png?q"), &found));
    assert_true(str_equal(found, S("/outputs/k/1-s/a.png")));
    assert_false(inputs_output_path(S("http://h/other/k"), &found));
}

/* ---- Waiters -------------------------------------------------------------------------------- */

struct count {
    int finished, late;
};

static void count_call(void *context, bool finished)
{
    struct count *count = context;
    count->finished += finished;
    count->late += !finished;
}

static void each_waiter_is_called_once(void **state)
{
    (void)state;
    struct waiters *waiters = waiters_new();
    struct count counts[1000] = { 0 };
    char id[ID_PREDICTION_LEN + 1];
    bool first;
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "p%d", i % 100);
        assert_true(
            waiters_add(waiters, id, 1000 + (i * 7919) % 1000, count_call, &counts[i], &first));
        if (i == 0)
            assert_true(first);
    }
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "p%d", i);
        waiters_finish(waiters, id);
        waiters_finish(waiters, id);
    }
    int64_t now_us = 1000, next_us;
    while ((next_us = waiters_expire(waiters, now_us)) >= 0) {
        assert_true(next_us > now_us);
        now_us = next_us;
    }
    assert_true(now_us <= 1999);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(counts[i].finished, i % 100 < 50);
        assert_int_equal(counts[i].late, i % 100 >= 50);
    }
    struct count last = { 0 };
    assert_true(waiters_add(waiters, "x", 5, count_call, &last, &first));
    waiters_give_up(waiters);
    assert_int_equal(last.late, 1);
    waiters_free(waiters);
}

struct race {
    struct waiters *waiters;
    struct count counts[2000];
};

static void *finish_all(void *context)
{
    struct race *race = context;
    char id[ID_PREDICTION_LEN + 1];
    for (int i = 0; i < 4000; i++) {
        snprintf(id, sizeof id, "p%d", i % 10);
        waiters_finish(race->waiters, id);
        waiters_expire(race->waiters, i);
    }
    return NULL;
}

static void waiters_may_come_and_end_on_many_threads(void **state)
{
    (void)state;
    static struct race race;
    pthread_t threads[2];
    char id[ID_PREDICTION_LEN + 1];
    bool first;
    race.waiters = waiters_new();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, finish_all, &race);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "p%d", i % 10);
        waiters_add(race.waiters, id, i, count_call, &race.counts[i], &first);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    waiters_give_up(race.waiters);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(race.counts[i].finished + race.counts[i].late, 1);
    waiters_free(race.waiters);
}

/* ---- Logs ----------------------------------------------------------------------------------- */

static void logs_keep_their_head_and_tail(void **state)
{
    (void)state;
    struct logs logs;
    struct buf out;
    char line[64];
    logs_init(&logs);
    buf_init(&out, 4 << 20);
    logs_append(&logs, S("first\r50%\r\0x\n"));
    for (int i = 0; i < 400000; i++) {
        int len = snprintf(line, sizeof line, "line %d \xe2\x82\xac\n", i);
        logs_append(&logs, (struct str){ line, (size_t)len });
    }
    assert_true(logs_write(&logs, &out));
    struct str text = buf_str(&out);
    assert_true(text.len <= LIMIT_LOGS_BYTES && text.len > LIMIT_LOGS_BYTES / 2);
    assert_true(str_starts(text, S("first\n50%\n x\nline 0 ")));
    assert_true(str_ends(text, S("line 399999 \xe2\x82\xac\n")));
    assert_true(str_find(text, S(" bytes left out ...]\n")) > 0);
    assert_true(str_is_utf8(text));
    buf_clear(&out);
    logs_done(&logs);
    logs_init(&logs);
    logs_append(&logs, S("short"));
    assert_true(logs_write(&logs, &out));
    assert_true(str_equal(buf_str(&out), S("short")));
    buf_done(&out);
    logs_done(&logs);
}

/* ---- The table, processes ------------------------------------------------------------------- */

static void a_table_finds_what_was_put_in(void **state)
{
    (void)state;
    static struct table_entry entries[1000];
    struct table table = { 0 };
    assert_null(table_find(&table, "x"));
    assert_null(table_remove(&table, "x"));
    for (int i = 0; i < 1000; i++) {
        snprintf(entries[i].id, sizeof entries[i].id, "id-%d", i);
        assert_true(table_put(&table, &entries[i]));
    }
    for (int i = 0; i < 1000; i += 2)
        assert_ptr_equal(table_remove(&table, entries[i].id), &entries[i]);
    for (int i = 0; i < 1000; i++)
        assert_ptr_equal(table_find(&table, entries[i].id), i % 2 ? &entries[i] : NULL);
    assert_int_equal(table.count, 500);
    for (struct table_entry *entry; (entry = table_any(&table));)
        table_remove(&table, entry->id);
    table_done(&table);
}

static void ends_of_processes_are_sentences(void **state)
{
    (void)state;
    char text[256];
    runner_process_describe_end(9, true, text, sizeof text);
    assert_string_equal(text, "The model ran out of memory and was stopped.");
    runner_process_describe_end(11, false, text, sizeof text);
    assert_string_equal(text, "The model's process was killed by signal 11 (segmentation fault); "
                              "please try again.");
    runner_process_describe_end(3 << 8, false, text, sizeof text);
    assert_string_equal(text, "The model's process ended unexpectedly (exit status 3); please try "
                              "again.");
    assert_true(runner_process_memory_budget() > 64 << 20);
    assert_true(runner_process_resident_bytes(getpid()) > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_urls_are_decoded),
        cmocka_unit_test(broken_data_urls_are_refused),
        cmocka_unit_test(own_links_are_recognised_by_their_path),
        cmocka_unit_test(each_waiter_is_called_once),
        cmocka_unit_test(waiters_may_come_and_end_on_many_threads),
        cmocka_unit_test(logs_keep_their_head_and_tail),
        cmocka_unit_test(a_table_finds_what_was_put_in),
        cmocka_unit_test(ends_of_processes_are_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
