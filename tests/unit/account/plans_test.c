/* Plans as they are written, the built-in ones, and what runs cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/account_private.h"
#include "registry/registry.h"

static void a_plan_is_read(void **state)
{
    struct account_plan plan;

    (void)state;
    assert_true(account_plan_parse(S("team: per-day=500, creates=60,calls=600,reads=7,credit=yes"),
                                   &plan, NULL));
    assert_string_equal(plan.name, "team");
    assert_int_equal(plan.predictions_per_day, 500);
    assert_int_equal(plan.creates_per_minute, 60);
    assert_int_equal(plan.calls_per_minute, 600);
    assert_int_equal(plan.reads_per_minute, 7);
    assert_true(plan.metered);
    assert_true(account_plan_parse(S("bare"), &plan, NULL));
    assert_int_equal(plan.predictions_per_day, 0);
    assert_false(plan.metered);
}

static void a_wrong_plan_is_told(void **state)
{
    static const char *const rows[] = {
        "",
        ":per-day=1",
        "a b:per-day=1",
        "a:per-day",
        "a:per-day=",
        "a:per-day=0",
        "a:per-day=-1",
        "a:creates=1e3",
        "a:credit=1",
        "a:speed=3",
        "a:,",
        "a:calls=99999999999",
        "a23456789012345678901234567890123",
    };
    struct account_plan plan;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        err = (struct err){ 0 };
        assert_false(account_plan_parse(str_from(rows[i]), &plan, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_true(err.detail[0] != 0);
    }
}

static void built_in_plans_have_the_public_rates(void **state)
{
    struct accounts_options options = { 0 };
    struct plans plans;
    struct err err;

    (void)state;
    assert_true(plans_fill(&plans, &options, &err));
    assert_string_equal(plans.fallback->name, "unlimited");
    assert_int_equal(plans.fallback->creates_per_minute, 600);
    assert_int_equal(plans.fallback->calls_per_minute, 3000);
    assert_int_equal(plans.fallback->reads_per_minute, 60000);
    assert_int_equal(plans.fallback->predictions_per_day, 0);
    assert_int_equal(plans_find(&plans, "free")->predictions_per_day, 50);
    assert_ptr_equal(plans_find(&plans, "gone"), plans.fallback);
    options.default_plan = "gone";
    assert_false(plans_fill(&plans, &options, &err));
}

static void a_plan_of_a_built_in_name_takes_its_place(void **state)
{
    struct accounts_options options = { .default_plan = "free", .plan_count = 1 };
    struct plans plans;

    (void)state;
    assert_true(account_plan_parse(S("free:per-day=3"), &options.plans[0], NULL));
    assert_true(plans_fill(&plans, &options, NULL));
    assert_int_equal(plans.count, 2);
    assert_int_equal(plans.fallback->predictions_per_day, 3);
}

static void runs_cost_what_the_price_says(void **state)
{
    const struct registry_price time = { .per_second_microusd = 225 };
    const struct registry_price images = { .per_image_microusd = 3000, .per_run_microusd = 50 };
    const struct registry_price none = { 0 };

    (void)state;
    assert_int_equal(account_cost_microusd(&time, 2000000, 0, true), 450);
    assert_int_equal(account_cost_microusd(&time, 2000000, 0, false), 450);
    assert_int_equal(account_cost_microusd(&time, 2222, 0, true), 0); /* 0.49995 */
    assert_int_equal(account_cost_microusd(&time, 2223, 0, true), 1);
    assert_int_equal(account_cost_microusd(&images, 9000000, 4, true), 12050);
    assert_int_equal(account_cost_microusd(&images, 9000000, 4, false), 0);
    assert_int_equal(account_cost_microusd(&none, 9000000, 4, true), 0);
    assert_int_equal(account_cost_microusd(&images, -5, -4, true), 50);
    assert_true(account_cost_microusd(&time, INT64_MAX, 0, true) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_read),
        cmocka_unit_test(a_wrong_plan_is_told),
        cmocka_unit_test(built_in_plans_have_the_public_rates),
        cmocka_unit_test(a_plan_of_a_built_in_name_takes_its_place),
        cmocka_unit_test(runs_cost_what_the_price_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
