/* Lanes of deployments: how many runners they keep and start, what a change does to them; and what
 * cannot run says so. */
#include "unit/predict/bench.h"

#define SLEEP(seconds) "{\"seconds\": " #seconds "}"

static void set(struct bench *bench, const char *model, int min, int max)
{
    char name[128];
    struct err err = { 0 };
    snprintf(name, sizeof name, "test/%s", model);
    const struct predict_deployment deployment = {
        .name = "tester/team",
        .version = registry_resolve(bench->registry, str_from(name)),
        .min_runners = min,
        .max_runners = max,
    };
    assert_non_null(deployment.version);
    check(predict_deployment_set(bench->predict, &deployment, &err), &err);
}

static void deploy(struct bench *bench, const char *model, const char *input, char *ret_id)
{
    struct answer answer =
        request(bench, model, input, (struct predict_request){ .deployment = "tester/team" });
    check(answer.value, &answer.err);
    memcpy(ret_id, answer.id, sizeof answer.id);
}

static void wait_for_runners(struct bench *bench, int count)
{
    for (int i = 0; i < 1000 && count_runners(bench).count != count; i++)
        usleep(10000);
    assert_int_equal(count_runners(bench).count, count);
}

struct seen {
    char model[128], deployment[128], state[32];
};

static void on_seen(void *context, const struct predict_runner_info *info)
{
    struct seen *seen = context;
    snprintf(seen->model, sizeof seen->model, "%s", info->model);
    snprintf(seen->state, sizeof seen->state, "%s", info->state);
    snprintf(seen->deployment, sizeof seen->deployment, "%s",
             info->deployment ? info->deployment : "");
}

static struct seen look(struct bench *bench)
{
    struct seen seen = { 0 };
    predict_each_runner(bench->predict, on_seen, &seen);
    return seen;
}

static void wait_for_model(struct bench *bench, const char *model)
{
    for (int i = 0; i < 1000; i++) {
        struct seen seen = look(bench);
        if (count_runners(bench).count == 1 && strcmp(seen.model, model) == 0 &&
            strcmp(seen.state, "idle") == 0)
            return;
        usleep(10000);
    }
    fail_msg("no runner of %s alone", model);
}

static void two_run_at_the_same_time_and_a_third_waits(void **state)
{
    struct bench *bench = *state;
    char ids[3][ID_PREDICTION_LEN + 1];
    set(bench, "sleep", 0, 2);
    for (int i = 0; i < 3; i++)
        deploy(bench, "sleep", SLEEP(20), ids[i]);
    wait_until_processing(bench, ids[0]);
    wait_until_processing(bench, ids[1]);
    usleep(200000);
    assert_int_equal(get(bench, ids[2]).status, PREDICTION_STARTING);
    assert_int_equal(count_runners(bench).count, 2);
    assert_int_equal(count_runners(bench).busy, 2);
    assert_string_equal(look(bench).deployment, "tester/team");
    cancel(bench, ids[0]);
    wait_until_processing(bench, ids[2]);
    for (int i = 0; i < 3; i++) {
        cancel(bench, ids[i]);
        assert_int_equal(finish(bench, ids[i]).status, PREDICTION_CANCELED);
    }
}

static void one_that_finds_a_free_runner_starts_no_other(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    set(bench, "sleep", 0, 4);
    for (int i = 0; i < 3; i++) {
        deploy(bench, "sleep", SLEEP(0), id);
        assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED);
    }
    assert_int_equal(count_runners(bench).count, 1);
}

static void the_least_number_is_ready_and_stays(void **state)
{
    struct bench *bench = *state;
    char ids[3][ID_PREDICTION_LEN + 1];
    close_parts(bench, 0);
    bench->options.idle_timeout_s = 1;
    open_parts(bench);
    set(bench, "sleep", 2, 3);
    wait_for_runners(bench, 2);
    for (int i = 0; i < 3; i++)
        deploy(bench, "sleep", SLEEP(1), ids[i]);
    wait_for_runners(bench, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(finish(bench, ids[i]).status, PREDICTION_SUCCEEDED);
    usleep(2500000); /* twice the time after which what is unused goes */
    assert_int_equal(count_runners(bench).count, 2);
    kill(count_runners(bench).pid, SIGKILL); /* one that is lost is made up for */
    usleep(200000);
    wait_for_runners(bench, 2);
    set(bench, "sleep", 0, 3);
    wait_for_runners(bench, 0);
}

static void kept_runners_make_no_room(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    close_parts(bench, 0);
    bench->options.memory_budget_bytes = 257 << 20; /* one runner of unknown size */
    open_parts(bench);
    set(bench, "slow_load", 1, 1);
    wait_for_model(bench, "test/slow_load");
    create(bench, "noop", "{}", id);
    assert_false(wait_for(bench, id, 500));
    assert_string_equal(look(bench).model, "test/slow_load");
    set(bench, "slow_load", 0, 1); /* now it may go */
    assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED);
}

static void without_runners_predictions_wait_until_there_may_be_one(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    set(bench, "noop", 0, 0);
    deploy(bench, "noop", "{}", id);
    assert_false(wait_for(bench, id, 300));
    assert_int_equal(count_runners(bench).count, 0);
    set(bench, "noop", 0, 1);
    assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED);
}

static void a_lower_maximum_is_kept_to_when_runners_get_free(void **state)
{
    struct bench *bench = *state;
    char ids[6][ID_PREDICTION_LEN + 1];
    set(bench, "sleep", 0, 2);
    for (int i = 0; i < 6; i++)
        deploy(bench, "sleep", SLEEP(0.3), ids[i]);
    wait_until_processing(bench, ids[0]);
    wait_until_processing(bench, ids[1]);
    set(bench, "sleep", 0, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(finish(bench, ids[i]).status, PREDICTION_SUCCEEDED);
    int64_t end_us = get(bench, ids[4]).completed_us;
    assert_true(get(bench, ids[5]).started_us >= end_us - 50000); /* one after the other */
    assert_int_equal(count_runners(bench).count, 1);
}

static void another_version_takes_over_when_the_old_is_idle(void **state)
{
    struct bench *bench = *state;
    char running[ID_PREDICTION_LEN + 1], waiting[ID_PREDICTION_LEN + 1], later[27];
    set(bench, "sleep", 1, 1);
    deploy(bench, "sleep", SLEEP(1), running);
    deploy(bench, "sleep", SLEEP(0), waiting);
    wait_until_processing(bench, running);
    set(bench, "noop", 1, 1);
    deploy(bench, "noop", "{\"text\": \"new\"}", later);
    assert_int_equal(finish(bench, running).status, PREDICTION_SUCCEEDED);
    assert_int_equal(finish(bench, waiting).status, PREDICTION_SUCCEEDED); /* with the old one */
    struct prediction prediction = finish(bench, later);
    assert_text(prediction.output, "\"new\"");
    wait_for_model(bench, "test/noop");
    set(bench, "crash", 1, 1); /* and without anything to run */
    wait_for_model(bench, "test/crash");
}

static void one_that_is_removed_fails_what_waits(void **state)
{
    struct bench *bench = *state;
    char running[ID_PREDICTION_LEN + 1], waiting[6][ID_PREDICTION_LEN + 1];
    struct err err = { 0 };
    set(bench, "sleep", 1, 1);
    deploy(bench, "sleep", SLEEP(20), running);
    wait_until_processing(bench, running);
    assert_false(predict_deployment_remove(bench->predict, "tester/team", &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    set(bench, "sleep", 0, 0); /* so that nothing starts when this one ends */
    for (int i = 0; i < 6; i++)
        deploy(bench, "sleep", SLEEP(0), waiting[i]);
    cancel(bench, running);
    finish(bench, running);
    for (int i = 0; i < 100 && count_runners(bench).busy > 0; i++)
        usleep(10000);
    check(predict_deployment_remove(bench->predict, "tester/team", &err), &err);
    for (int i = 0; i < 6; i++)
        assert_failed(finish(bench, waiting[i]), "The deployment tester/team was deleted.");
    wait_for_runners(bench, 0);
    deploy(bench, "sleep", SLEEP(0), running);
    assert_failed(finish(bench, running), "The deployment tester/team was deleted.");
    set(bench, "sleep", 0, 1); /* one of the same name may be made again */
    deploy(bench, "sleep", SLEEP(0), running);
    assert_int_equal(finish(bench, running).status, PREDICTION_SUCCEEDED);
}

static void a_restart_goes_on_in_the_deployments_lane(void **state)
{
    struct bench *bench = *state;
    char ids[2][ID_PREDICTION_LEN + 1];
    set(bench, "sleep", 0, 0);
    for (int i = 0; i < 2; i++)
        deploy(bench, "sleep", SLEEP(1), ids[i]);
    close_parts(bench, 0);
    open_parts(bench);
    assert_false(wait_for(bench, ids[0], 300));
    set(bench, "sleep", 0, 2);
    wait_for_runners(bench, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish(bench, ids[i]).status, PREDICTION_SUCCEEDED);
}

static void a_restart_without_the_deployment_uses_the_versions_lane(void **state)
{
    struct bench *bench = *state;
    char id[ID_PREDICTION_LEN + 1];
    set(bench, "sleep", 0, 0);
    deploy(bench, "sleep", SLEEP(0), id);
    close_parts(bench, 0);
    open_parts(bench);
    assert_int_equal(finish(bench, id).status, PREDICTION_SUCCEEDED); /* after the grace period */
    assert_string_equal(look(bench).deployment, "");
}

/* ---- What cannot run ------------------------------------------------------------------------ */

static void what_has_no_network_here_says_so(void **state)
{
    struct bench *bench = *state;
    assert_failed(
        run(bench, "networkless", "{}"),
        "This version of Mimeo cannot run test/networkless yet: it has no network for it. "
        "`mimeo models` lists what it can run.");
    assert_int_equal(count_runners(bench).count, 0);
}

static void what_was_not_pulled_says_what_to_type(void **state)
{
    struct bench *bench = *state;
    char folder[256], path[300];
    for (int i = 0; i < 3; i++)
        assert_failed(run(bench, "unpulled", "{}"),
                      "The weights of test/unpulled are not here: run `mimeo pull test/unpulled`.");
    assert_int_equal(count_runners(bench).count, 0);
    snprintf(folder, sizeof folder, "%s/test/unpulled", bench->weights_path);
    snprintf(path, sizeof path, "%s/b.safetensors", folder); /* any variant will do */
    assert_true(file_make_folders(folder, 0700, NULL));
    fclose(fopen(path, "w"));
    assert_int_equal(run(bench, "unpulled", "{}").status, PREDICTION_SUCCEEDED);
}

static void a_part_that_was_not_pulled_is_named(void **state)
{
    static const char *const files[] = { "a.pth", "b.param", "b.bin" }; /* c.pth is optional */
    static const char *const missing[] = { "first", "second", "second" };
    struct bench *bench = *state;
    char folder[256], path[300], sentence[200];
    snprintf(folder, sizeof folder, "%s/test/unpulled_part", bench->weights_path);
    assert_true(file_make_folders(folder, 0700, NULL));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(sentence, sizeof sentence,
                 "The weights of test/unpulled_part (%s) are not here: run `mimeo pull "
                 "test/unpulled_part`.",
                 missing[i]);
        assert_failed(run(bench, "unpulled_part", "{}"), sentence);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        fclose(fopen(path, "w"));
    }
    assert_int_equal(run(bench, "unpulled_part", "{}").status, PREDICTION_SUCCEEDED);
}

/* ---- What is counted ------------------------------------------------------------------------ */

struct counted {
    int lanes, waiting;
    int64_t oldest_us;
    int64_t succeeded, failed, canceled, predict_us;
};

static void on_lane(void *context, const struct predict_lane_info *info)
{
    struct counted *counted = context;
    if (!info->deployment)
        return;
    assert_string_equal(info->deployment, "tester/team");
    assert_string_equal(info->model, "test/sleep");
    counted->lanes++;
    counted->waiting += info->waiting;
    counted->oldest_us = info->oldest_wait_us;
}

static void on_total(void *context, const struct predict_totals_info *info)
{
    struct counted *counted = context;
    assert_string_equal(info->model, "test/sleep");
    counted->succeeded += info->succeeded;
    counted->failed += info->failed;
    counted->canceled += info->canceled;
    counted->predict_us += info->predict_us;
}

static void what_waits_and_what_has_ended_is_counted(void **state)
{
    struct bench *bench = *state;
    char ids[5][ID_PREDICTION_LEN + 1];
    struct counted counted = { 0 };
    set(bench, "sleep", 0, 1);
    deploy(bench, "sleep", SLEEP(0.2), ids[0]);
    finish(bench, ids[0]);
    for (int i = 0; i < 5; i++)
        deploy(bench, "sleep", SLEEP(20), ids[i]);
    wait_until_processing(bench, ids[0]);
    usleep(100000);
    predict_each_lane(bench->predict, on_lane, &counted);
    assert_int_equal(counted.lanes, 1);
    assert_int_equal(counted.waiting, 4);
    assert_true(counted.oldest_us >= 100000 && counted.oldest_us < 20000000);
    for (int i = 4; i >= 0; i--) {
        cancel(bench, ids[i]);
        finish(bench, ids[i]);
    }
    counted = (struct counted){ 0 };
    predict_each_lane(bench->predict, on_lane, &counted);
    assert_int_equal(counted.lanes, 0);
    predict_each_total(bench->predict, on_total, &counted);
    assert_int_equal(counted.succeeded, 1);
    assert_int_equal(counted.canceled, 5);
    assert_int_equal(counted.failed, 0);
    assert_true(counted.predict_us >= 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_run_at_the_same_time_and_a_third_waits),
        TEST(one_that_finds_a_free_runner_starts_no_other),
        TEST(the_least_number_is_ready_and_stays),
        TEST(kept_runners_make_no_room),
        TEST(without_runners_predictions_wait_until_there_may_be_one),
        TEST(a_lower_maximum_is_kept_to_when_runners_get_free),
        TEST(another_version_takes_over_when_the_old_is_idle),
        TEST(one_that_is_removed_fails_what_waits),
        TEST(a_restart_goes_on_in_the_deployments_lane),
        TEST(a_restart_without_the_deployment_uses_the_versions_lane),
        TEST(what_has_no_network_here_says_so),
        TEST(what_was_not_pulled_says_what_to_type),
        TEST(a_part_that_was_not_pulled_is_named),
        TEST(what_waits_and_what_has_ended_is_counted),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
