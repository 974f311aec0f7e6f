/* What comes with creates and ends: keys that make a create happen once, the books, the webhooks
 * that are owed, and who listens. */
#include "unit/predict/bench.h"

#include "account/account.h"
#include "predict/accounting.h"

#define HOOK "https://receiver.example/hook"

/* ---- Idempotency keys ----------------------------------------------------------------------- */

static struct answer request_with_key(struct bench *bench, const char *account, const char *key,
                                      int hash)
{
    struct predict_request one = { .account = account, .idempotency_key = key };
    memset(one.request_hash, hash, sizeof one.request_hash);
    return request(bench, "noop", "{}", one);
}

static void a_key_makes_one_prediction(void **state)
{
    struct bench *bench = *state;
    struct answer first = request_with_key(bench, "tester", "key", 1);
    assert_true(first.value);
    struct answer again = request_with_key(bench, "tester", "key", 1);
    assert_false(again.value);
    assert_int_equal(again.err.kind, ERR_NONE);
    assert_string_equal(again.existing_id, first.id);
    finish(bench, first.id);
    struct answer other = request_with_key(bench, "tester", "key", 2);
    assert_false(other.value);
    assert_int_equal(other.err.kind, ERR_CONFLICT);
    assert_string_equal(other.err.detail, "This Idempotency-Key was used for another request.");
    assert_true(request_with_key(bench, "somebody else", "key", 2).value);

    close_parts(bench, 1000);
    open_parts(bench);
    again = request_with_key(bench, "tester", "key", 1);
    assert_string_equal(again.existing_id, first.id);
    struct store_prediction_query query = { .account = "tester", .limit = 10 };
    struct prediction *found;
    struct err err = { 0 };
    int count;
    check(store_prediction_list(bench->store, &query, &bench->arena, &found, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(queue_length(bench->queue, NULL), 0);
}

static void *create_with_key(void *context)
{
    struct answer *answer = calloc(1, sizeof *answer);
    *answer = request_with_key(context, "tester", "race", 1);
    return answer;
}

static void of_many_at_once_one_is_made(void **state)
{
    pthread_t threads[8];
    char id[ID_PREDICTION_LEN + 1] = "";
    int made = 0;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, create_with_key, *state), 0);
    for (int i = 0; i < 8; i++) {
        struct answer *answer;
        pthread_join(threads[i], (void **)&answer);
        const char *one = answer->value ? answer->id : answer->existing_id;
        made += answer->value;
        if (id[0])
            assert_string_equal(one, id);
        memcpy(id, one, sizeof id);
        free(answer);
    }
    assert_int_equal(made, 1);
    finish(*state, id);
}

/* The place in the lane of a create that made nothing is free again. */
static void a_used_key_takes_no_place_in_the_lane(void **state)
{
    struct bench *bench = *state;
    struct answer first = request_with_key(bench, "tester", "key", 1);
    finish(bench, first.id);
    for (int i = 0; i < 300; i++) /* the lane has 100 places */
        assert_string_equal(request_with_key(bench, "tester", "key", 1).existing_id, first.id);
    assert_int_equal(run(bench, "noop", "{}").status, PREDICTION_SUCCEEDED);
}

/* ---- The record ------------------------------------------------------------------------------ */

static void a_record_keeps_what_was_asked(void **state)
{
    struct bench *bench = *state;
    struct answer answer = request(bench, "noop", "{}",
                                   (struct predict_request){ .token = "0123456789abcdef",
                                                             .base_url = "https://a.b",
                                                             .deadline_after_us = 60000000 });
    struct prediction prediction = finish(bench, answer.id);
    assert_string_equal(prediction.token, "0123456789abcdef");
    assert_null(prediction.base_url); /* without a webhook nobody needs it */
    assert_false(prediction.is_training);
    assert_int_equal(prediction.deadline_us, prediction.created_us + 60000000);
    answer = request(bench, "noop", "{}",
                     (struct predict_request){ .webhook = HOOK, .base_url = "https://a.b" });
    prediction = finish(bench, answer.id);
    assert_string_equal(prediction.base_url, "https://a.b");
    assert_null(prediction.token);
    assert_int_equal(prediction.deadline_us, 0);
}

/* ---- The books ------------------------------------------------------------------------------- */

static struct store_usage usage_of(struct bench *bench, const char *account, const char *token,
                                   const char *model)
{
    struct store_usage *rows, sum = { 0 };
    struct err err = { 0 };
    int count;
    check(store_usage_list(bench->store, account, 0, 1000000, &bench->arena, &rows, &count, &err),
          &err);
    for (int i = 0; i < count; i++) {
        if (strcmp(rows[i].token, token) != 0 || strcmp(rows[i].model, model) != 0)
            continue;
        assert_string_equal(rows[i].account, account);
        int64_t today = clock_now_us() / 86400000000;
        assert_true(rows[i].day == today || rows[i].day == today - 1);
        sum.runs += rows[i].runs;
        sum.succeeded += rows[i].succeeded;
        sum.failed += rows[i].failed;
        sum.predict_us += rows[i].predict_us;
        sum.images += rows[i].images;
        sum.cost_microusd += rows[i].cost_microusd;
    }
    return sum;
}

static void every_end_is_in_the_books(void **state)
{
    struct bench *bench = *state;
    char busy[ID_PREDICTION_LEN + 1], queued[ID_PREDICTION_LEN + 1];
    run(bench, "noop", "{}");
    run(bench, "noop", "{}");
    struct store_usage usage = usage_of(bench, "tester", "", "test/noop");
    assert_int_equal(usage.runs, 2);
    assert_int_equal(usage.succeeded, 2);
    assert_int_equal(usage.images, 0);
    assert_int_equal(usage.cost_microusd, 0);

    run(bench, "exit", "{\"status\": 7}");
    usage = usage_of(bench, "tester", "", "test/exit");
    assert_int_equal(usage.runs, 1);
    assert_int_equal(usage.failed, 1);

    create(bench, "sleep", "{\"seconds\": 20}", busy);
    for (int i = 0; i < 8; i++)
        create(bench, "sleep", "{\"seconds\": 20}", queued); /* the last one has no run */
    wait_until_processing(bench, busy);
    usleep(200000);
    cancel(bench, queued);
    finish(bench, queued);
    usage = usage_of(bench, "tester", "", "test/sleep");
    assert_int_equal(usage.runs, 1);
    assert_int_equal(usage.predict_us, 0);
    cancel(bench, busy);
    finish(bench, busy);
    usage = usage_of(bench, "tester", "", "test/sleep");
    assert_int_equal(usage.runs, 2);
    assert_int_equal(usage.succeeded + usage.failed, 0);
    assert_true(usage.predict_us >= 190000);
}

static void pictures_are_counted_and_paid_for(void **state)
{
    struct bench *bench = *state;
    struct answer answer =
        request(bench, "priced", "{\"image\": \"data:image/png;base64,aGVsbG8=\"}",
                (struct predict_request){ .token = "thetoken" });
    struct prediction prediction = finish(bench, answer.id);
    json_t *metrics;
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(json_parse(prediction.metrics, &metrics, NULL));
    assert_int_equal(json_get_integer(metrics, "image_count", 0), 1);
    assert_true(json_get_number(metrics, "total_time", 0) >=
                json_get_number(metrics, "predict_time", 1e9));
    json_decref(metrics);
    struct store_usage usage = usage_of(bench, "tester", "thetoken", "test/priced");
    const struct registry_version *version = registry_resolve(bench->registry, S("test/priced"));
    assert_int_equal(usage.images, 1);
    assert_true(usage.cost_microusd > 0);
    assert_int_equal(usage.cost_microusd,
                     account_cost_microusd(&version->model->price, usage.predict_us, 1, true));
    assert_int_equal(usage_of(bench, "tester", "", "test/priced").runs, 0);

    /* What is no picture is none. */
    prediction = run(bench, "copy_file", "{\"image\": \"data:text/plain,hello\"}");
    assert_int_equal(prediction.status, PREDICTION_SUCCEEDED);
    assert_true(str_find(prediction.metrics, S("image_count")) < 0);
}

/* ---- Webhooks that are owed ------------------------------------------------------------------ */

static int deliveries_of(struct bench *bench, const char *id, struct store_delivery *ret_first)
{
    struct store_delivery *found;
    struct err err = { 0 };
    int count;
    check(store_delivery_list(bench->store, NULL, id, 10, &bench->arena, &found, &count, &err),
          &err);
    if (count > 0)
        *ret_first = found[0];
    return count;
}

static void an_end_owes_its_webhook(void **state)
{
    struct bench *bench = *state;
    struct store_delivery delivery;
    const struct predict_request hooked = { .webhook = HOOK, .base_url = "https://me/base" };
    struct answer answer = request(bench, "noop", "{}", hooked);
    assert_true(wait_for(bench, answer.id, 25000)); /* the end is stored, and with it the debt */
    assert_int_equal(deliveries_of(bench, answer.id, &delivery), 1);
    assert_int_equal(strlen(delivery.id), 31);
    assert_memory_equal(delivery.id, "msg_", 4);
    assert_int_equal(delivery.state, DELIVERY_PENDING);
    assert_string_equal(delivery.prediction, answer.id);
    assert_string_equal(delivery.account, "tester");
    assert_string_equal(delivery.url, HOOK);
    assert_string_equal(delivery.base_url, "https://me/base");
    assert_true(delivery.next_us > 0 && delivery.next_us <= clock_now_us());

    assert_int_equal(deliveries_of(bench, run(bench, "noop", "{}").id, &delivery), 0);
    struct predict_request filtered = hooked;
    filtered.webhook_events_filter = json_pack("[s,s]", "start", "logs");
    answer = request(bench, "noop", "{}", filtered);
    finish(bench, answer.id);
    assert_int_equal(deliveries_of(bench, answer.id, &delivery), 0);
    json_decref((json_t *)(uintptr_t)filtered.webhook_events_filter);

    answer = request(bench, "exit", "{\"status\": 1}", hooked);
    finish(bench, answer.id);
    assert_int_equal(deliveries_of(bench, answer.id, &delivery), 1);
}

static void a_canceled_one_that_never_ran_owes_it_too(void **state)
{
    struct bench *bench = *state;
    struct store_delivery delivery;
    struct answer answer;
    for (int i = 0; i < 8; i++)
        answer = request(bench, "sleep", "{\"seconds\": 20}",
                         (struct predict_request){ .webhook = HOOK, .base_url = "https://me" });
    cancel(bench, answer.id);
    finish(bench, answer.id);
    assert_int_equal(deliveries_of(bench, answer.id, &delivery), 1);
}

/* What a dead server left, and this one gives up at once. */
static void a_leftover_owes_it_too(void **state)
{
    struct bench *bench = *state;
    const struct registry_version *version = registry_resolve(bench->registry, S("test/noop"));
    struct prediction prediction = { .account = "tester",
                                     .token = "thetoken",
                                     .model = version->model->full_name,
                                     .version = version->id,
                                     .input = S("{}"),
                                     .source = "api",
                                     .webhook = HOOK,
                                     .base_url = "https://me",
                                     .created_us = clock_now_us(),
                                     .id = "aaaaaaaaaaaaaaaaaaaaaaaaa1" };
    struct store_delivery delivery;
    struct err err = { 0 };
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &prediction };
    check(store_write_wait(bench->store, &write, &err), &err);
    write = (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                  .move = { .id = prediction.id,
                                            .from = 1u << PREDICTION_STARTING,
                                            .to = PREDICTION_PROCESSING,
                                            .started_us = clock_now_us(),
                                            .attempts_add = LIMIT_ATTEMPTS } };
    check(store_write_wait(bench->store, &write, &err), &err);
    close_parts(bench, 0);
    open_parts(bench);
    assert_int_equal(finish(bench, prediction.id).status, PREDICTION_FAILED);
    assert_int_equal(deliveries_of(bench, prediction.id, &delivery), 1);
    assert_int_equal(usage_of(bench, "tester", "thetoken", "test/noop").failed, 1);
}

/* A write that failed is filled again and keeps its name, so that a receiver never gets two. */
static void a_repeated_write_owes_the_same_webhook(void **state)
{
    struct bench *bench = *state;
    const struct registry_version *version = registry_resolve(bench->registry, S("test/priced"));
    const struct prediction record = { .account = "tester",
                                       .model = "test/priced",
                                       .webhook = HOOK,
                                       .base_url = "https://me",
                                       .id = "aaaaaaaaaaaaaaaaaaaaaaaaa1" };
    struct accounting accounting = { 0 };
    char id[sizeof accounting.delivery.id];
    for (int i = 0; i < 2; i++) {
        struct store_write write = { .kind = STORE_PREDICTION_MOVE,
                                     .move = { .id = record.id,
                                               .to = PREDICTION_SUCCEEDED,
                                               .completed_us = INT64_C(86400000000) * 3 + 1 } };
        accounting_fill(&accounting, &write, &record, version, 5, 2);
        assert_ptr_equal(write.move.usage, &accounting.usage);
        assert_ptr_equal(write.move.delivery, &accounting.delivery);
        assert_int_equal(accounting.usage.day, 3);
        assert_int_equal(accounting.usage.runs, 1);
        if (i > 0)
            assert_string_equal(accounting.delivery.id, id);
        memcpy(id, accounting.delivery.id, sizeof id);
    }
}

/* A server that makes and ends predictions until it is killed. */
static void be_busy(struct bench *bench)
{
    char id[ID_PREDICTION_LEN + 1];
    open_parts(bench);
    for (;;) {
        struct answer answer =
            request(bench, "noop", "{}",
                    (struct predict_request){ .webhook = HOOK, .base_url = "https://me" });
        memcpy(id, answer.id, sizeof id);
        if (!answer.value)
            usleep(1000);
    }
}

/* Whenever it was killed: each that has ended is in the books and owes one webhook, no other. */
static void a_kill_loses_and_doubles_nothing(void **state)
{
    struct bench *bench = *state;
    struct err err = { 0 };
    for (int round = 0; round < 3; round++) {
        close_parts(bench, 0);
        pid_t server = fork();
        if (server == 0)
            be_busy(bench);
        usleep(400000 + (useconds_t)round * 70001);
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        check(store_open(bench->store_path, &bench->store, &err), &err);
        struct store_prediction_query query = { .limit = 1000 };
        struct prediction *found;
        int count, ended = 0;
        struct store_delivery delivery;
        check(store_prediction_list(bench->store, &query, &bench->arena, &found, &count, &err),
              &err);
        for (int i = 0; i < count; i++) {
            bool is_over = prediction_status_is_terminal(found[i].status);
            ended += is_over;
            if (i % 7 == 0)
                assert_int_equal(deliveries_of(bench, found[i].id, &delivery), is_over);
        }
        if (count < 1000) /* else this is not all of them */
            assert_int_equal(usage_of(bench, "tester", "", "test/noop").runs, ended);
        store_close(bench->store);
        open_parts(bench);
    }
}

/* ---- Who listens ----------------------------------------------------------------------------- */

struct heard {
    pthread_mutex_t lock;
    char events[4096], id[ID_PREDICTION_LEN + 1], webhook[128];
};

static void on_event(void *context, const char *id, const struct prediction *record,
                     enum predict_event event)
{
    struct heard *heard = context;
    pthread_mutex_lock(&heard->lock);
    size_t len = strlen(heard->events);
    if (len + 2 < sizeof heard->events)
        memcpy(heard->events + len, &"SOLC"[event], 1);
    snprintf(heard->id, sizeof heard->id, "%s", id);
    snprintf(heard->webhook, sizeof heard->webhook, "%s", record->webhook);
    pthread_mutex_unlock(&heard->lock);
}

/* What was heard until the end came, and forget it. */
static void assert_heard(struct heard *heard, const char *expected)
{
    char events[sizeof heard->events] = "";
    for (int i = 0; i < 1000 && strlen(events) < strlen(expected); i++) {
        usleep(1000); /* the listener is told after those who wait */
        pthread_mutex_lock(&heard->lock);
        memcpy(events, heard->events, sizeof events);
        pthread_mutex_unlock(&heard->lock);
    }
    assert_string_equal(events, expected);
    pthread_mutex_lock(&heard->lock);
    memset(heard->events, 0, sizeof heard->events);
    pthread_mutex_unlock(&heard->lock);
}

static void the_listener_hears_of_those_with_a_webhook(void **state)
{
    struct bench *bench = *state;
    struct heard heard = { .lock = PTHREAD_MUTEX_INITIALIZER };
    const struct predict_request hooked = { .webhook = HOOK, .base_url = "https://me" };
    predict_listen(bench->predict, on_event, &heard);
    run(bench, "text_list", "{\"text\":\"a b c\"}");
    struct answer answer = request(bench, "text_list", "{\"text\":\"a b c\"}", hooked);
    finish(bench, answer.id);
    assert_heard(&heard, "SOLOLOLC");
    assert_string_equal(heard.id, answer.id);
    assert_string_equal(heard.webhook, HOOK);
    answer = request(bench, "copy_file", "{\"image\": \"data:image/png;base64,aGVsbG8=\"}", hooked);
    finish(bench, answer.id);
    assert_heard(&heard, "SOC");
    for (int i = 0; i < 8; i++) /* the last one never begins */
        answer = request(bench, "sleep", "{\"seconds\": 20}", hooked);
    cancel(bench, answer.id);
    predict_listen(bench->predict, NULL, NULL);
    assert_non_null(strchr(heard.events, 'C'));
    memset(heard.events, 0, sizeof heard.events);
    answer = request(bench, "noop", "{}", hooked);
    finish(bench, answer.id);
    assert_string_equal(heard.events, "");
}

static void a_filter_says_which_events_are_wanted(void **state)
{
    (void)state;
    assert_true(predict_wants(S(""), PREDICT_OUTPUT));
    assert_true(predict_wants(S(""), PREDICT_COMPLETED));
    assert_false(predict_wants(S(""), PREDICT_STARTED));
    assert_false(predict_wants(S(""), PREDICT_LOGS));
    assert_true(predict_wants(S("[\"start\",\"logs\"]"), PREDICT_STARTED));
    assert_true(predict_wants(S("[\"start\",\"logs\"]"), PREDICT_LOGS));
    assert_false(predict_wants(S("[\"start\",\"logs\"]"), PREDICT_COMPLETED));
    assert_false(predict_wants(S("[\"start\",\"logs\"]"), PREDICT_OUTPUT));
    assert_false(predict_wants(S("[]"), PREDICT_COMPLETED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_makes_one_prediction),
        TEST(of_many_at_once_one_is_made),
        TEST(a_used_key_takes_no_place_in_the_lane),
        TEST(a_record_keeps_what_was_asked),
        TEST(every_end_is_in_the_books),
        TEST(pictures_are_counted_and_paid_for),
        TEST(an_end_owes_its_webhook),
        TEST(a_canceled_one_that_never_ran_owes_it_too),
        TEST(a_leftover_owes_it_too),
        TEST(a_repeated_write_owes_the_same_webhook),
        TEST(a_kill_loses_and_doubles_nothing),
        TEST(the_listener_hears_of_those_with_a_webhook),
        cmocka_unit_test(a_filter_says_which_events_are_wanted),
    };
    log_set_level(getenv("MIMEO_TEST_LOG") ? LOG_DEBUG : LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
