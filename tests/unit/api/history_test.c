/* The history: steps, their counts and quantiles, what is kept and what goes; speeds of models. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/history.h"
#include "api/speeds.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "store/store.h"

#define START_S INT64_C(1767225600) /* 2026-01-01, a whole multiple of both steps */

static int64_t now_us;
static struct history_level level;

static int64_t fake_now(void)
{
    return now_us;
}

static void look(void *context, struct history_level *ret_level)
{
    (void)context;
    *ret_level = level;
}

static struct history *history_start(void)
{
    struct history *history;
    struct history_options options = { .look = look, .now_us = fake_now };

    now_us = START_S * 1000000;
    level = (struct history_level){ 0 };
    assert_true(history_new(&options, &history, NULL));
    return history;
}

/* Seconds pass, one look each. */
static void pass(struct history *history, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        now_us += 1000000;
        history_tick(history);
    }
}

/* The document; the caller owns it. */
static json_t *document(struct history *history, bool day)
{
    struct buf text;
    json_t *value;

    buf_init(&text, 1 << 24);
    history_write(history, day, &text);
    assert_true(json_parse(buf_str(&text), &value, NULL));
    buf_done(&text);
    return value;
}

static int64_t count_of(const json_t *value, size_t at, const char *key)
{
    return json_get_integer(json_array_get(json_object_get(value, "points"), at), key, -1);
}

static double number_of(const json_t *value, size_t at, const char *key)
{
    return json_get_number(json_array_get(json_object_get(value, "points"), at), key, -1);
}

static size_t points(const json_t *value)
{
    return json_array_size(json_object_get(value, "points"));
}

static void what_happens_counts_in_its_own_step(void **state)
{
    struct history *history = history_start();
    json_t *value;

    (void)state;
    history_request(history, 200, 1000);
    history_request(history, 503, 1000);
    history_end(history, HISTORY_SUCCEEDED, 2000000, 100000);
    level = (struct history_level){ .waiting = 7, .created = 3, .memory_bytes = 1000 };
    pass(history, 5);
    level.waiting = 2;
    level.memory_bytes = 500;
    pass(history, 5); /* the next step begins */
    history_request(history, 429, 1000);
    history_end(history, HISTORY_FAILED, -1, -1);
    history_end(history, HISTORY_CANCELED, -1, 50000);
    level.created = 4;
    pass(history, 1);

    value = document(history, false);
    assert_int_equal(json_get_integer(value, "step_s", 0), 10);
    assert_int_equal(points(value), 2);
    assert_string_equal(json_get_string(json_array_get(json_object_get(value, "points"), 0), "at"),
                        "2026-01-01T00:00:00Z");
    assert_int_equal(count_of(value, 0, "requests"), 2);
    assert_int_equal(count_of(value, 0, "errors"), 1);
    assert_int_equal(count_of(value, 0, "throttled"), 0);
    assert_int_equal(count_of(value, 0, "created"), 3);
    assert_int_equal(count_of(value, 0, "succeeded"), 1);
    assert_int_equal(count_of(value, 0, "waiting"), 7);
    assert_int_equal(count_of(value, 0, "memory_bytes"), 1000);
    assert_int_equal(count_of(value, 1, "requests"), 1);
    assert_int_equal(count_of(value, 1, "throttled"), 1);
    assert_int_equal(count_of(value, 1, "errors"), 0);
    assert_int_equal(count_of(value, 1, "created"), 1);
    assert_int_equal(count_of(value, 1, "failed"), 1);
    assert_int_equal(count_of(value, 1, "canceled"), 1);
    assert_int_equal(count_of(value, 1, "waiting"), 2);
    assert_int_equal(count_of(value, 1, "memory_bytes"), 500);
    /* Runs that did not succeed have no run time; what never began waited for nothing. */
    assert_true(number_of(value, 1, "run_p50_s") < 0);
    assert_true(number_of(value, 1, "queue_p50_s") > 0.045);
    json_decref(value);

    value = document(history, true);
    assert_int_equal(json_get_integer(value, "step_s", 0), 120);
    assert_int_equal(points(value), 1);
    assert_int_equal(count_of(value, 0, "requests"), 3);
    assert_int_equal(count_of(value, 0, "created"), 4);
    assert_int_equal(count_of(value, 0, "waiting"), 7);
    json_decref(value);
    history_free(history);
}

static void assert_close(double found, double wanted)
{
    if (fabs(found / wanted - 1) > 0.075)
        fail_msg("%g is further than 7.5%% from %g", found, wanted);
}

static void quantiles_are_as_exact_as_promised(void **state)
{
    static const double scales_us[] = { 150, 1234, 9.9e3, 7.7e5, 4.2e7, 3e9 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scales_us); i++) {
        struct history *history = history_start();
        /* 1, 2, ... 100 times the scale's hundredth, in a shuffled order */
        for (int k = 0; k < 100; k++)
            history_end(history, HISTORY_SUCCEEDED,
                        (int64_t)(scales_us[i] * (double)((k * 37) % 100 + 101) / 100.0),
                        (int64_t)scales_us[i]);
        json_t *value = document(history, false);
        assert_close(number_of(value, 0, "run_p50_s"), scales_us[i] * 1.50 / 1e6);
        assert_close(number_of(value, 0, "run_p95_s"), scales_us[i] * 1.95 / 1e6);
        assert_close(number_of(value, 0, "queue_p50_s"), scales_us[i] / 1e6);
        json_decref(value);
        history_free(history);
    }
}

static void one_slow_call_in_a_hundred_is_the_last_percent(void **state)
{
    struct history *history = history_start();

    (void)state;
    for (int i = 0; i < 98; i++)
        history_request(history, 200, 1000);
    history_request(history, 200, 500000);
    history_request(history, 200, 500000);
    json_t *value = document(history, false);
    assert_close(number_of(value, 0, "request_p50_ms"), 1);
    assert_close(number_of(value, 0, "request_p99_ms"), 500);
    json_decref(value);
    history_free(history);
}

static void old_steps_go_and_the_rest_is_in_order(void **state)
{
    struct history *history = history_start();

    (void)state;
    history_request(history, 200, 1000);
    for (int i = 0; i < 3 * 3600; i++)
        pass(history, 1);
    json_t *value = document(history, false);
    assert_int_equal(points(value), 720); /* two hours */
    assert_int_equal(count_of(value, 0, "requests"), 0);
    const json_t *all = json_object_get(value, "points");
    for (size_t i = 1; i < 720; i++) {
        int64_t before, at;
        assert_true(
            clock_parse(str_from(json_get_string(json_array_get(all, i - 1), "at")), &before));
        assert_true(clock_parse(str_from(json_get_string(json_array_get(all, i), "at")), &at));
        assert_int_equal(at - before, 10000000);
    }
    json_decref(value);
    value = document(history, true);
    assert_int_equal(points(value), 91);
    assert_int_equal(count_of(value, 0, "requests"), 1);
    json_decref(value);
    history_free(history);
}

static void a_clock_that_jumps_does_no_harm(void **state)
{
    struct history *history = history_start();

    (void)state;
    pass(history, 30);
    now_us -= 3600 * INT64_C(1000000); /* set back an hour: the newest step goes on */
    history_tick(history);
    history_request(history, 200, 1000);
    json_t *value = document(history, false);
    assert_int_equal(points(value), 4);
    assert_int_equal(count_of(value, 3, "requests"), 1);
    json_decref(value);
    now_us += 10 * 3600 * INT64_C(1000000); /* slept: a gap */
    history_tick(history);
    value = document(history, false);
    assert_int_equal(points(value), 5);
    json_decref(value);
    history_free(history);
}

static void *hammer(void *context)
{
    for (int i = 0; i < 20000; i++) {
        history_request(context, 200, i);
        history_end(context, HISTORY_SUCCEEDED, i, i);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct history *history;
    struct history_options options = { .look = look };
    pthread_t threads[4];
    int64_t requests = 0, succeeded = 0;

    (void)state;
    level = (struct history_level){ .waiting = 1, .created = 5, .memory_bytes = 1 };
    assert_true(history_new(&options, &history, NULL)); /* with its own thread and the real clock */
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, history), 0);
    for (int i = 0; i < 20; i++) {
        history_tick(history);
        json_decref(document(history, i % 2 == 0));
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    json_t *value = document(history, false);
    for (size_t i = 0; i < points(value); i++) {
        requests += count_of(value, i, "requests");
        succeeded += count_of(value, i, "succeeded");
    }
    assert_int_equal(requests, 80000);
    assert_int_equal(succeeded, 80000);
    assert_int_equal(count_of(value, points(value) - 1, "waiting"), 1);
    json_decref(value);
    history_free(history);
}

/* ---- Speeds ---------------------------------------------------------------------------------- */

static struct store *store_start(char folder[64])
{
    char location[128];
    struct store *store;

    snprintf(folder, 64, "/tmp/history-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(location, sizeof(location), "sqlite:%s/mimeo.db", folder);
    assert_true(store_open(location, &store, NULL));
    return store;
}

static void prediction_put(struct store *store, int number, enum prediction_status status,
                           const char *metrics)
{
    struct prediction record = { .account = "local",
                                 .model = "test/old",
                                 .version = "v",
                                 .input = S("{}"),
                                 .source = "api",
                                 .created_us = 1000000 + number };
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &record };
    struct err err;

    id_prediction(number, record.id);
    assert_true(store_write_wait(store, &write, &err));
    write = (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                  .move = { .id = record.id,
                                            .from = 1u << PREDICTION_STARTING,
                                            .to = status,
                                            .started_us = 1000000 + number,
                                            .completed_us = 2000000 + number,
                                            .metrics = str_from(metrics) } };
    assert_true(store_write_wait(store, &write, &err));
    assert_true(write.applied);
}

static void speeds_are_those_of_the_last_hundred(void **state)
{
    char folder[64];
    struct store *store = store_start(folder);
    struct speeds *speeds;
    struct speed speed;

    (void)state;
    assert_true(speeds_new(store, &speeds, NULL));
    assert_false(speeds_get(speeds, "test/none", &speed));
    for (int i = 1; i <= 250; i++)
        speeds_add(speeds, "test/a", i * INT64_C(1000000));
    assert_true(speeds_get(speeds, "test/a", &speed));
    assert_int_equal(speed.runs, 100);
    assert_true(fabs(speed.p50_s - 200) < 0.5);
    assert_true(fabs(speed.p95_s - 245) < 0.5);
    speeds_add(speeds, "test/b", 3000000);
    assert_true(speeds_get(speeds, "test/b", &speed));
    assert_int_equal(speed.runs, 1);
    assert_true(speed.p50_s == 3 && speed.p95_s == 3);
    speeds_free(speeds);
    store_close(store);
    file_remove_tree(folder, NULL);
}

static void speeds_are_known_after_a_restart(void **state)
{
    char folder[64], metrics[64];
    struct store *store = store_start(folder);
    struct speeds *speeds;
    struct speed speed = { 0 };

    (void)state;
    for (int i = 1; i <= 130; i++) { /* the newest hundred are those of 31 s to 130 s */
        snprintf(metrics, sizeof(metrics), "{\"predict_time\":%d.0,\"total_time\":1000}", i);
        prediction_put(store, i, PREDICTION_SUCCEEDED, metrics);
    }
    prediction_put(store, 200, PREDICTION_FAILED, "{\"predict_time\":5000}");
    prediction_put(store, 201, PREDICTION_SUCCEEDED, "{}");
    assert_true(speeds_new(store, &speeds, NULL));
    for (int i = 0; i < 500 && speed.runs < 100; i++) {
        usleep(10000);
        speeds_get(speeds, "test/old", &speed);
    }
    assert_int_equal(speed.runs, 100);
    assert_true(speed.p50_s == 80);
    assert_true(speed.p95_s == 125);
    for (int i = 0; i < 100; i++) /* and newer ones take their place */
        speeds_add(speeds, "test/old", 1000000);
    assert_true(speeds_get(speeds, "test/old", &speed));
    assert_true(speed.p95_s == 1);
    speeds_free(speeds);
    store_close(store);
    file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happens_counts_in_its_own_step),
        cmocka_unit_test(quantiles_are_as_exact_as_promised),
        cmocka_unit_test(one_slow_call_in_a_hundred_is_the_last_percent),
        cmocka_unit_test(old_steps_go_and_the_rest_is_in_order),
        cmocka_unit_test(a_clock_that_jumps_does_no_harm),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(speeds_are_those_of_the_last_hundred),
        cmocka_unit_test(speeds_are_known_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
