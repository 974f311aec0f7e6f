/* Decisions over accounts: rates, the day's quota, credit, and changes made by another process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "account/account.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"

struct fixture {
    char folder[64];
    struct store *store;
    struct accounts *accounts;
    struct account_token token;
};

static void start(struct fixture *fixture, const char *default_plan)
{
    struct accounts_options options = { .store = fixture->store, .default_plan = default_plan };

    options.plan_count = 1;
    assert_true(account_plan_parse(S("three:per-day=3"), &options.plans[0], NULL));
    assert_true(accounts_new(&options, &fixture->accounts, NULL));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char location[128];

    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/mimeo-account-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(location, sizeof(location), "sqlite:%s/test.db", fixture->folder);
    assert_true(store_open(location, &fixture->store, NULL));
    start(fixture, NULL);
    fixture->token.id = "0123456789abcdef";
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    accounts_free(fixture->accounts);
    store_close(fixture->store);
    file_remove_tree(fixture->folder, NULL);
    free(fixture);
    return 0;
}

/* As `mimeo accounts set` does from another process. */
static void put(struct fixture *fixture, const char *plan, bool metered, int64_t credit_microusd)
{
    struct store_account account = { "acme", plan, metered, credit_microusd };
    struct store_write write = { .kind = STORE_ACCOUNT_PUT, .account_row = &account };

    assert_true(store_write_wait(fixture->store, &write, NULL));
}

static struct account_decision admit(struct fixture *fixture, enum account_call call)
{
    struct account_decision decision;

    accounts_admit(fixture->accounts, "acme", &fixture->token, call, &decision);
    return decision;
}

static struct account_decision reserve(struct fixture *fixture, bool charges)
{
    struct account_decision decision;

    accounts_reserve(fixture->accounts, "acme", &fixture->token, charges, &decision);
    return decision;
}

static void each_kind_of_call_has_its_rate(void **state)
{
    struct fixture *fixture = *state;
    struct account_decision decision;

    assert_false(accounts_known(fixture->accounts, "acme"));
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).remaining, 599);
    assert_true(accounts_known(fixture->accounts, "acme"));
    assert_int_equal(admit(fixture, ACCOUNT_OTHER).remaining, 2999);
    assert_int_equal(admit(fixture, ACCOUNT_READ).remaining, 59999);
    for (int i = 0; i < 700; i++)
        decision = admit(fixture, ACCOUNT_CREATE);
    assert_int_equal(decision.verdict, ACCOUNT_THROTTLED);
    assert_int_equal(decision.retry_after_s, 1);
    assert_string_equal(decision.detail, "Request was throttled. Your rate limit resets in ~1s.");
}

static void a_day_has_so_many_predictions(void **state)
{
    struct fixture *fixture = *state;
    struct account_decision decision;
    char expected[256];

    put(fixture, "three", false, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    decision = reserve(fixture, false);
    assert_int_equal(decision.verdict, ACCOUNT_OVER_QUOTA);
    assert_in_range(decision.retry_after_s, 1, 86400);
    snprintf(expected, sizeof(expected),
             "Request was throttled. The plan \"three\" allows 3 predictions a day. Your rate "
             "limit resets in ~%ds.",
             decision.retry_after_s);
    assert_string_equal(decision.detail, expected);
    accounts_unreserve(fixture->accounts, "acme", &fixture->token);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_OVER_QUOTA);
}

static void a_token_has_a_rate_of_its_own(void **state)
{
    struct fixture *fixture = *state;

    fixture->token.creates_per_minute = 2;
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).remaining, 1);
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).verdict, ACCOUNT_THROTTLED);
    assert_int_equal(admit(fixture, ACCOUNT_OTHER).remaining, 2999);
    fixture->token = (struct account_token){ .id = "fedcba9876543210" };
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).remaining, 599);
    fixture->token = (struct account_token){ .id = "a", .creates_per_minute = 1000000 };
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).remaining, 599); /* not above its account's */
}

/* A prediction that was stored today, with the fixture's token. */
static void add_prediction(struct fixture *fixture, const char *id, const char *token)
{
    struct prediction prediction = { .account = "acme",
                                     .model = "a/b",
                                     .version = "v",
                                     .source = "api",
                                     .token = token,
                                     .input = S("{}"),
                                     .created_us = clock_now_us() };
    struct store_write write = { .kind = STORE_PREDICTION_INSERT, .prediction = &prediction };

    str_copy(str_from(id), prediction.id, sizeof(prediction.id));
    assert_true(store_write_wait(fixture->store, &write, NULL));
}

static void a_token_has_a_day_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct account_decision decision;

    add_prediction(fixture, "aaaaaaaaaaaaaaaaaaaaaaaaaa", fixture->token.id);
    add_prediction(fixture, "bbbbbbbbbbbbbbbbbbbbbbbbbb", "another");
    add_prediction(fixture, "cccccccccccccccccccccccccc", NULL);
    fixture->token.predictions_per_day = 3; /* one of them is made already */
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    decision = reserve(fixture, false);
    assert_int_equal(decision.verdict, ACCOUNT_OVER_QUOTA);
    assert_non_null(strstr(decision.detail, "This token allows 3 predictions a day."));
    assert_in_range(decision.retry_after_s, 1, 86400);
    accounts_unreserve(fixture->accounts, "acme", &fixture->token);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_OVER_QUOTA);
    fixture->token = (struct account_token){ .id = "fedcba9876543210" };
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
}

static void what_the_account_refuses_takes_nothing_from_the_token(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, "three", false, 0);
    fixture->token.predictions_per_day = 5;
    for (int i = 0; i < 6; i++)
        assert_int_equal(reserve(fixture, false).verdict,
                         i < 3 ? ACCOUNT_ADMITTED : ACCOUNT_OVER_QUOTA);
    put(fixture, "unlimited", false, 0);
    accounts_forget(fixture->accounts, "acme");
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_OVER_QUOTA);
}

static void what_costs_needs_credit(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, NULL, true, 100);
    assert_int_equal(reserve(fixture, true).verdict, ACCOUNT_ADMITTED);
    accounts_charged(fixture->accounts, "acme", 150);
    assert_int_equal(reserve(fixture, true).verdict, ACCOUNT_OUT_OF_CREDIT);
    assert_int_equal(reserve(fixture, false).verdict, ACCOUNT_ADMITTED);
}

static void little_credit_makes_creates_slow(void **state)
{
    struct fixture *fixture = *state;
    struct account_decision decision;

    put(fixture, NULL, true, 4999999);
    assert_int_equal(admit(fixture, ACCOUNT_CREATE).verdict, ACCOUNT_ADMITTED);
    decision = admit(fixture, ACCOUNT_CREATE);
    assert_int_equal(decision.verdict, ACCOUNT_THROTTLED);
    assert_in_range(decision.retry_after_s, 9, 10);
    decision.detail[strlen("Request was throttled. Your rate limit for creating predictions is "
                           "reduced to 6 requests per minute with a burst of 1 requests while you "
                           "have less than $5.0 in credit. Your rate limit resets in ~")] = 0;
    assert_string_equal(decision.detail,
                        "Request was throttled. Your rate limit for creating predictions is "
                        "reduced to 6 requests per minute with a burst of 1 requests while you "
                        "have less than $5.0 in credit. Your rate limit resets in ~");
    assert_int_equal(admit(fixture, ACCOUNT_READ).verdict, ACCOUNT_ADMITTED);
}

static void changes_from_outside_count_soon(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(reserve(fixture, true).verdict, ACCOUNT_ADMITTED);
    put(fixture, NULL, true, 0);
    usleep(2200000);
    assert_int_equal(reserve(fixture, true).verdict, ACCOUNT_OUT_OF_CREDIT);
    put(fixture, NULL, true, 1000000);
    usleep(2200000);
    assert_int_equal(reserve(fixture, true).verdict, ACCOUNT_ADMITTED);
}

static void new_settings_hold_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct accounts_options options = { .store = fixture->store, .creates_per_minute = 5 };

    assert_int_equal(admit(fixture, ACCOUNT_CREATE).remaining, 599);
    assert_true(accounts_reload(fixture->accounts, &options, NULL));
    assert_in_range(admit(fixture, ACCOUNT_CREATE).remaining, 3, 4);
    options.default_plan = "none such";
    assert_false(accounts_reload(fixture->accounts, &options, NULL));
    assert_int_equal(admit(fixture, ACCOUNT_OTHER).verdict, ACCOUNT_ADMITTED);
}

static void an_account_is_told_of(void **state)
{
    struct fixture *fixture = *state;
    struct account_info info;

    assert_true(accounts_info(fixture->accounts, "acme", &info, NULL));
    assert_string_equal(info.plan, "unlimited");
    assert_false(info.metered);
    put(fixture, "three", true, 7);
    assert_true(accounts_info(fixture->accounts, "acme", &info, NULL));
    assert_string_equal(info.plan, "three");
    assert_int_equal(info.predictions_per_day, 3);
    assert_int_equal(info.predictions_today, 0);
    assert_true(info.metered);
    assert_int_equal(info.credit_microusd, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_of_call_has_its_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_day_has_so_many_predictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_has_a_rate_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_has_a_day_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_account_refuses_takes_nothing_from_the_token,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_costs_needs_credit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(little_credit_makes_creates_slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_from_outside_count_soon, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_settings_hold_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_account_is_told_of, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
