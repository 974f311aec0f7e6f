/* Deadlines, queued and running and over a restart; and predictions that nobody knows of. */
#include "unit/predict/bench.h"

#include "predict/deadlines.h"
#include "predict/predict_private.h"

static void create_until(struct bench *bench, double seconds, int64_t deadline_ms, char *ret_id)
{
    char input[64];
    snprintf(input, sizeof input, "{\"seconds\": %g}", seconds);
    struct answer answer = request(
        bench, "sleep", input, (struct predict_request){ .deadline_after_us = deadline_ms * 1000 });
    check(answer.value, &answer.err);
    memcpy(ret_id, answer.id, sizeof answer.id);
}

static void assert_ended(struct prediction prediction, enum prediction_status status,
                         int64_t after_ms)
{
    int64_t took_ms = (prediction.completed_us - prediction.created_us) / 1000;
    assert_string_equal(prediction_status_name(prediction.status), prediction_status_name(status));
    assert_true(took_ms >= after_ms - 2 && took_ms < after_ms + 5000);
    assert_true(str_find(prediction.metrics, S("total_time")) >= 0);
}

static void one_that_runs_is_canceled_at_its_deadline(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    create_until(bench, 20, 800, id);
    wait_until_processing(bench, id);
    int pid = count_runners(bench).pid;
    struct prediction prediction = finish(bench, id);
    assert_ended(prediction, PREDICTION_CANCELED, 800);
    assert_true(prediction.started_us > 0);
    create_until(bench, 0, 20000, id); /* in time; and the runner has stayed */
    assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED);
    assert_int_equal(count_runners(bench).pid, pid);
}

static void queued_ones_end_at_their_deadlines(struct bench *bench, enum prediction_status status)
{
    char busy[ID_PREDICTION_LEN + 1], ids[8][ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", busy);
    wait_until_processing(bench, busy);
    for (int i = 0; i < 8; i++) /* some are made ready, the others are in the queue */
        create_until(bench, 20, 700 - 50 * i, ids[i]);
    for (int i = 7; i >= 0; i--) {
        struct prediction prediction = finish(bench, ids[i]);
        assert_ended(prediction, status, 700 - 50 * i);
        assert_int_equal(prediction.started_us, 0);
    }
    assert_int_equal(get(bench, busy).status, PREDICTION_PROCESSING);
    cancel(bench, busy);
    finish(bench, busy);
}

static void queued_ones_are_canceled(void **state)
{
    queued_ones_end_at_their_deadlines(*state, PREDICTION_CANCELED);
}

static void queued_ones_are_aborted_where_that_is_wanted(void **state)
{
    struct bench *bench = *state;
    close_parts(bench, 0);
    bench->options.abort_unstarted = true;
    open_parts(bench);
    queued_ones_end_at_their_deadlines(bench, PREDICTION_ABORTED);
    char id[ID_PREDICTION_LEN + 1];
    create_until(bench, 20, 800, id); /* what has begun is canceled all the same */
    wait_until_processing(bench, id);
    assert_ended(finish(bench, id), PREDICTION_CANCELED, 800);
}

static void a_deadline_is_kept_over_a_restart(void **state)
{
    struct bench *bench = *state;
    char ids[3][ID_PREDICTION_LEN + 1];
    create_until(bench, 20, 1500, ids[0]);
    create_until(bench, 20, 1500, ids[1]);
    create_until(bench, 20, 200, ids[2]); /* it passes while no server runs */
    wait_until_processing(bench, ids[0]);
    close_parts(bench, 0);
    usleep(300000);
    open_parts(bench);
    assert_true(get(bench, ids[2]).status == PREDICTION_CANCELED);
    for (int i = 0; i < 2; i++)
        assert_ended(finish(bench, ids[i]), PREDICTION_CANCELED, 1500);
}

static void a_deadline_at_once_ends_it_too(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    struct answer answer =
        request(bench, "sleep", "{}", (struct predict_request){ .deadline_after_us = 1 });
    memcpy(id, answer.id, sizeof id);
    assert_int_equal(finish(bench, id).status, PREDICTION_CANCELED);
}

/* ---- Predictions that nobody knows of ------------------------------------------------------- */

static void put_record(struct bench *bench, const char *id, int64_t age_s)
{
    const struct registry_version *version = registry_resolve(bench->registry, S("test/noop"));
    struct prediction prediction = { .account = "tester",
                                     .model = version->model->full_name,
                                     .version = version->id,
                                     .input = S("{}"),
                                     .source = "api",
                                     .created_us = clock_now_us() - age_s * 1000000 };
    struct err err = { 0 };
    memcpy(prediction.id, id, sizeof prediction.id);
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &prediction };
    check(store_write_wait(bench->store, &write, &err), &err);
}

static void one_that_nobody_knows_of_is_adopted_after_a_minute(void **state)
{
    struct bench *bench = *state;
    const char *old = "aaaaaaaaaaaaaaaaaaaaaaaaa1", *young = "aaaaaaaaaaaaaaaaaaaaaaaaa2";
    char known[ID_PREDICTION_LEN + 1];
    create(bench, "sleep", "{\"seconds\": 20}", known);
    wait_until_processing(bench, known);
    put_record(bench, old, 61);
    put_record(bench, young, 10);
    leftovers_reconcile(bench->predict); /* what happens once a minute */
    assert_int_equal(finish(bench, old).status, PREDICTION_SUCCEEDED);
    leftovers_reconcile(bench->predict);
    assert_int_equal(get(bench, young).status, PREDICTION_STARTING);
    assert_int_equal(get(bench, known).status, PREDICTION_PROCESSING);
    assert_int_equal(get(bench, known).attempts, 1);
    cancel(bench, known);
    finish(bench, known);
}

/* ---- The heap ------------------------------------------------------------------------------- */

static void the_heap_gives_the_earliest_whatever_is_taken_out(void **state)
{
    enum { COUNT = 500 };
    static struct deadline all[COUNT];
    struct deadlines deadlines = { 0 };
    unsigned random = 12345;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1103515245 + 12345;
        assert_true(deadlines_put(&deadlines, &all[i], 1 + (int64_t)(random >> 8) % 1000));
    }
    for (int i = 0; i < COUNT; i += 3) {
        deadlines_remove(&deadlines, &all[i]);
        deadlines_remove(&deadlines, &all[i]); /* absent is fine */
    }
    int64_t last_us = 0;
    int count = 0;
    for (struct deadline *first; (first = deadlines_first(&deadlines)); count++) {
        assert_true(first->at_us >= last_us);
        last_us = first->at_us;
        deadlines_remove(&deadlines, first);
    }
    assert_int_equal(count, COUNT - (COUNT + 2) / 3);
    deadlines_done(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_runs_is_canceled_at_its_deadline),
        TEST(queued_ones_are_canceled),
        TEST(queued_ones_are_aborted_where_that_is_wanted),
        TEST(a_deadline_is_kept_over_a_restart),
        TEST(a_deadline_at_once_ends_it_too),
        TEST(one_that_nobody_knows_of_is_adopted_after_a_minute),
        cmocka_unit_test(the_heap_gives_the_earliest_whatever_is_taken_out),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
