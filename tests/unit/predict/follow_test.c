/* Following predictions: who is told, what has come since a position, and that nothing is lost or
 * doubled between memory and the store. */
#include "unit/predict/bench.h"

#include <stdatomic.h>

#include "predict/follow.h"
#include "predict/logs.h"

/* ---- Logs by position ----------------------------------------------------------------------- */

static struct str read_all(const struct logs_view *view, int64_t from, size_t limit,
                           struct buf *out, int64_t *ret_next)
{
    bool more = true;
    buf_clear(out);
    for (*ret_next = from; more;) {
        int64_t before = *ret_next;
        struct str piece = logs_read(view, before, limit, ret_next, &more);
        assert_true(piece.len <= limit);
        assert_true(!more || *ret_next > before);
        buf_append_str(out, piece);
    }
    return buf_str(out);
}

static void logs_are_read_by_position(void **state)
{
    struct logs logs;
    struct buf out;
    int64_t next;
    bool more;
    (void)state;
    logs_init(&logs);
    buf_init(&out, 4 << 20);
    logs_append(&logs, S("one\ntwo\r\xe2\x82\xac\n"));
    struct logs_view view = logs_view(&logs);
    assert_text(read_all(&view, 0, 5, &out, &next), "one\ntwo\n\xe2\x82\xac\n");
    assert_int_equal(next, 12);
    assert_text(logs_read(&view, 4, 100, &next, &more), "two\n\xe2\x82\xac\n");
    assert_false(more);
    assert_text(logs_read(&view, 4, 5, &next, &more), "two\n"); /* not a part of the euro */
    assert_int_equal(next, 8);
    assert_true(more);
    assert_text(logs_read(&view, 12, 5, &next, &more), "");
    assert_int_equal(next, 12);
    assert_text(logs_read(&view, 99, 5, &next, &more), ""); /* after the data was removed */
    assert_int_equal(next, 99);
    assert_false(more);
    assert_text(logs_read(&view, -7, 4, &next, &more), "one\n");
    logs_done(&logs);
    buf_done(&out);
}

/* More than is kept: memory and what is written give the same at every position. */
static void logs_left_out_are_skipped_alike_in_memory_and_store(void **state)
{
    struct logs logs;
    struct buf whole, written, out, again;
    char line[64];
    (void)state;
    logs_init(&logs);
    buf_init(&whole, 16 << 20);
    buf_init(&written, 4 << 20);
    buf_init(&out, 4 << 20);
    buf_init(&again, 4 << 20);
    for (int i = 0; whole.len < 3 * LIMIT_LOGS_BYTES; i++) {
        int len = snprintf(line, sizeof line, "line %d \xe2\x82\xac\xe2\x82\xac\n", i);
        logs_append(&logs, (struct str){ line, (size_t)len });
        buf_append(&whole, line, (size_t)len);
    }
    assert_true(logs.dropped > 0);
    assert_int_equal(logs.total, whole.len);
    assert_true(logs_write(&logs, &written));
    assert_true(written.len <= LIMIT_LOGS_BYTES);
    struct logs_view memory = logs_view(&logs), store = logs_view_written(buf_str(&written));
    assert_int_equal(memory.tail_at, store.tail_at);
    assert_true(str_is_utf8(memory.head) && str_is_utf8(memory.tail));
    for (int64_t from = 0; from <= (int64_t)whole.len; from += 100003) {
        int64_t next, store_next;
        read_all(&memory, from, 70000, &out, &next);
        read_all(&store, from, 70000, &again, &store_next);
        assert_true(str_equal(buf_str(&out), buf_str(&again)));
        assert_int_equal(next, whole.len);
        assert_int_equal(store_next, whole.len);
        /* What was not left out is there, byte for byte. */
        int64_t rest = (int64_t)whole.len - (from > memory.tail_at ? from : memory.tail_at);
        assert_memory_equal(out.ptr + out.len - rest, whole.ptr + whole.len - rest, rest);
        if (from < (int64_t)memory.head.len)
            assert_memory_equal(out.ptr, whole.ptr + from, memory.head.len - (size_t)from);
    }
    logs_done(&logs);
    buf_done(&whole);
    buf_done(&written);
    buf_done(&out);
    buf_done(&again);
}

/* What is no UTF-8, and what looks like our note, is only text. */
static void strange_logs_are_kept(void **state)
{
    struct logs logs;
    struct buf bytes;
    (void)state;
    logs_init(&logs);
    buf_init(&bytes, 4 << 20);
    while (bytes.len < 2 * LIMIT_LOGS_BYTES)
        buf_append(&bytes, "\x80\x80\x80\x80\x80\x80\x80\x80", 8);
    logs_append(&logs, buf_str(&bytes));
    assert_true(logs.text.len > LIMIT_LOGS_BYTES / 2);
    assert_int_equal(logs.total, bytes.len);
    const struct logs_view view =
        logs_view_written(S("a\n[... 12 bytes left out ...]\nb\n[... x bytes left out ...]\n"));
    assert_int_equal(view.tail.len, 0);
    logs_done(&logs);
    buf_done(&bytes);
}

/* ---- The hub --------------------------------------------------------------------------------- */

static void count(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void followers_are_told_of_their_own_only(void **state)
{
    struct follow *follow = follow_new();
    struct predict_watch *watches[1000];
    atomic_int counts[1000];
    char id[ID_PREDICTION_LEN + 1];
    (void)state;
    follow_tell(follow, "p1"); /* nobody */
    for (int i = 0; i < 1000; i++) {
        atomic_init(&counts[i], 0);
        snprintf(id, sizeof id, "p%d", i % 100);
        watches[i] = follow_add(follow, id, count, &counts[i]);
        assert_non_null(watches[i]);
    }
    follow_tell(follow, "p7");
    follow_tell(follow, "p7");
    follow_tell(follow, "none");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&counts[i]), i % 100 == 7 ? 2 : 0);
    for (int i = 0; i < 1000; i += 2)
        follow_remove(follow, watches[i]);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "p%d", i);
        follow_tell(follow, id);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&counts[i]), (i % 100 == 7 ? 2 : 0) + i % 2);
    for (int i = 1; i < 1000; i += 2)
        follow_remove(follow, watches[i]);
    follow_remove(follow, NULL);
    follow_free(follow);
}

struct slow {
    atomic_int begun, ended;
};

static void be_slow(void *context)
{
    struct slow *slow = context;
    atomic_fetch_add(&slow->begun, 1);
    usleep(20000);
    atomic_fetch_add(&slow->ended, 1);
}

static void *tell_thread(void *follow)
{
    for (int i = 0; i < 5; i++)
        follow_tell(follow, "p");
    return NULL;
}

static void nobody_is_called_after_he_was_removed(void **state)
{
    struct follow *follow = follow_new();
    struct slow slow[3] = { 0 };
    struct predict_watch *watches[3];
    pthread_t threads[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        watches[i] = follow_add(follow, "p", be_slow, &slow[i]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, tell_thread, follow), 0);
    for (int i = 0; i < 3; i++) {
        while (atomic_load(&slow[i].begun) == 0)
            usleep(1000);
        follow_remove(follow, watches[i]);
        int begun = atomic_load(&slow[i].begun);
        assert_int_equal(atomic_load(&slow[i].ended), begun);
        usleep(30000);
        assert_int_equal(atomic_load(&slow[i].begun), begun);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    follow_free(follow);
}

/* ---- News ------------------------------------------------------------------------------------ */

struct reader { /* what one follower has seen of a prediction */
    struct bench *bench;
    const char *id;
    struct predict_position position;
    struct buf outputs, logs;
    atomic_int changes;
    bool finished;
    enum prediction_status status;
    char error[256];
    int looks;
};

static void reader_init(struct reader *reader, struct bench *bench, const char *id)
{
    *reader = (struct reader){ .bench = bench, .id = id };
    atomic_init(&reader->changes, 0);
    buf_init(&reader->outputs, 4 << 20);
    buf_init(&reader->logs, 4 << 20);
}

static void reader_done(struct reader *reader)
{
    buf_done(&reader->outputs);
    buf_done(&reader->logs);
}

static bool look(struct reader *reader, size_t limit)
{
    struct predict_news news;
    struct arena arena;
    struct err err = { 0 };
    size_t i;
    json_t *item;
    arena_init(&arena, 32 << 20);
    check(predict_news(reader->bench->predict, reader->id, &reader->position, limit, &arena, &news,
                       &err),
          &err);
    json_array_foreach(news.outputs, i, item)
        buf_printf(&reader->outputs, "%s|", json_string_value(item));
    assert_int_equal(news.next.outputs - reader->position.outputs,
                     (int)json_array_size(news.outputs));
    buf_append_str(&reader->logs, news.logs);
    reader->position = news.next;
    reader->status = news.status;
    reader->looks++;
    snprintf(reader->error, sizeof reader->error, "%s", news.error ? news.error : "");
    assert_false(news.finished && news.more);
    bool more = news.more;
    reader->finished = news.finished;
    json_decref(news.outputs);
    arena_done(&arena);
    return more;
}

/* Looks at moments of its own until the end. */
static void *poll_thread(void *context)
{
    struct reader *reader = context;
    unsigned seed = (unsigned)(uintptr_t)reader;
    while (!reader->finished) {
        if (!look(reader, 1 + (size_t)rand_r(&seed) % 40))
            usleep((unsigned)rand_r(&seed) % 4000);
    }
    return NULL;
}

static void reader_follow(struct reader *reader)
{
    struct predict_watch *watch =
        predict_watch(reader->bench->predict, reader->id, count, &reader->changes);
    assert_non_null(watch);
    int seen;
    do {
        seen = atomic_load(&reader->changes);
        while (look(reader, 1000))
            continue;
        while (!reader->finished && atomic_load(&reader->changes) == seen)
            usleep(500);
    } while (!reader->finished);
    predict_unwatch(reader->bench->predict, watch);
}

#define WORDS 40

static void words(char *ret_input, size_t size, char *ret_expected, size_t expected_size)
{
    struct buf input, expected;
    buf_init(&input, size);
    buf_init(&expected, expected_size);
    buf_printf(&input, "{\"pause_ms\":3,\"text\":\"");
    for (int i = 0; i < WORDS; i++) {
        buf_printf(&input, "%sw%d", i ? " " : "", i);
        buf_printf(&expected, "w%d|", i);
    }
    buf_printf(&input, "\"}");
    snprintf(ret_input, size, "%s", input.ptr);
    snprintf(ret_expected, expected_size, "%s", expected.ptr);
    buf_done(&input);
    buf_done(&expected);
}

/* One that is told and four that look when they like: each sees all, in order and once. */
static void followers_see_everything_once_and_in_order(void **state)
{
    struct bench *bench = *state;
    char input[1000], expected[1000], id[ID_PREDICTION_LEN + 1];
    words(input, sizeof input, expected, sizeof expected);
    run(bench, "text_list", "{\"text\":\"a\"}"); /* so that it starts at once */
    for (int round = 0; round < 5; round++) {
        struct reader readers[5];
        pthread_t threads[4];
        create(bench, "text_list", input, id);
        for (int i = 0; i < 5; i++)
            reader_init(&readers[i], bench, id);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, poll_thread, &readers[i]), 0);
        reader_follow(&readers[4]);
        assert_true(readers[4].looks > WORDS / 4); /* it came bit by bit */
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        struct prediction prediction = get(bench, id);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(readers[i].status, PREDICTION_SUCCEEDED);
            assert_text(buf_str(&readers[i].outputs), expected);
            assert_true(str_equal(buf_str(&readers[i].logs), prediction.logs));
            reader_done(&readers[i]);
        }
    }
}

static void a_late_follower_sees_all_of_it(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct reader reader;
    create(bench, "text_list", "{\"text\":\"a b c\"}", id);
    finish(bench, id);
    reader_init(&reader, bench, id);
    while (look(&reader, 1))
        continue;
    assert_true(reader.finished);
    assert_text(buf_str(&reader.outputs), "a|b|c|");
    assert_true(reader.looks > 3 && reader.looks < 10); /* bit by bit, but not byte by byte */
    look(&reader, 1000);                                /* again: nothing new */
    assert_true(reader.finished);
    assert_text(buf_str(&reader.outputs), "a|b|c|");
    reader_done(&reader);

    struct predict_news news;
    struct err err = { 0 };
    assert_false(predict_news(bench->predict, "00000000000000000000000000",
                              &(struct predict_position){ 0 }, 10, &bench->arena, &news, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void an_output_that_is_no_list_is_one_item_at_the_end(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct reader reader;
    create(bench, "noop", "{\"text\":\"hello you\"}", id);
    reader_init(&reader, bench, id);
    reader_follow(&reader);
    assert_text(buf_str(&reader.outputs), "hello you|");
    reader_done(&reader);
    create(bench, "copy_file", "{\"image\": \"data:image/png;base64,aGVsbG8=\"}", id);
    reader_init(&reader, bench, id);
    reader_follow(&reader);
    assert_true(str_starts(buf_str(&reader.outputs), S("blob:")));
    assert_true(str_ends(buf_str(&reader.outputs), S("/out-0.png|")));
    reader_done(&reader);
}

/* The record of one that was canceled has no output, but who follows it gets what it gave. */
static void what_a_canceled_one_gave_is_not_lost_to_its_followers(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct reader follower, late;
    create(bench, "text_list", "{\"text\":\"a b c d e f g h i j k\",\"pause_ms\":100}", id);
    reader_init(&follower, bench, id);
    reader_init(&late, bench, id);
    struct predict_watch *watch = predict_watch(bench->predict, id, count, &follower.changes);
    wait_until_processing(bench, id);
    usleep(250000);
    cancel(bench, id);
    finish(bench, id);
    look(&follower, 1000); /* for the first time */
    assert_true(follower.finished);
    assert_int_equal(follower.status, PREDICTION_CANCELED);
    assert_true(str_starts(buf_str(&follower.outputs), S("a|b|")));
    predict_unwatch(bench->predict, watch);
    look(&late, 1000);
    assert_int_equal(late.outputs.len, 0);
    reader_done(&follower);
    reader_done(&late);
}

static void a_failure_is_told_with_its_error(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct reader reader;
    create(bench, "exit", "{\"status\": 7}", id);
    reader_init(&reader, bench, id);
    reader_follow(&reader);
    assert_int_equal(reader.status, PREDICTION_FAILED);
    assert_non_null(strstr(reader.error, "exit status 7"));
    reader_done(&reader);
}

static void a_thousand_may_follow_one(void **state)
{
    struct bench *bench = *state;
    static struct predict_watch *watches[1000];
    char input[1000], expected[1000], id[ID_PREDICTION_LEN + 1];
    atomic_int changes;
    words(input, sizeof input, expected, sizeof expected);
    atomic_init(&changes, 0);
    create(bench, "text_list", input, id);
    for (int i = 0; i < 1000; i++)
        watches[i] = predict_watch(bench->predict, id, count, &changes);
    finish(bench, id);
    for (int i = 0; i < 1000; i++)
        predict_unwatch(bench->predict, watches[i]);
    assert_true(atomic_load(&changes) >= 1000 * WORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_are_read_by_position),
        cmocka_unit_test(logs_left_out_are_skipped_alike_in_memory_and_store),
        cmocka_unit_test(strange_logs_are_kept),
        cmocka_unit_test(followers_are_told_of_their_own_only),
        cmocka_unit_test(nobody_is_called_after_he_was_removed),
        TEST(followers_see_everything_once_and_in_order),
        TEST(a_late_follower_sees_all_of_it),
        TEST(an_output_that_is_no_list_is_one_item_at_the_end),
        TEST(what_a_canceled_one_gave_is_not_lost_to_its_followers),
        TEST(a_failure_is_told_with_its_error),
        TEST(a_thousand_may_follow_one),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
