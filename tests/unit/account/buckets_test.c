/* Token buckets: how many pass at once, how fast more come, and that a rejected call takes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/account_private.h"

#define NOW INT64_C(5000000000) /* any moment */

static struct buckets *buckets;

static int set_up(void **state)
{
    (void)state;
    return buckets_new(&buckets, NULL) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    buckets_free(buckets);
    return 0;
}

/* How many of `tries` pass at one moment. */
static int pass(const char *token, enum bucket_kind kind, int per_minute, int64_t now_us, int tries)
{
    int passed = 0, remaining;
    int64_t wait_us;

    for (int i = 0; i < tries; i++)
        passed += buckets_take(buckets, token, kind, per_minute, per_minute, now_us, &remaining,
                               &wait_us);
    return passed;
}

static void a_minute_of_calls_passes_at_once(void **state)
{
    int remaining;
    int64_t wait_us;

    (void)state;
    assert_true(buckets_take(buckets, "a", BUCKET_CREATE, 600, 600, NOW, &remaining, &wait_us));
    assert_int_equal(remaining, 599);
    assert_int_equal(pass("a", BUCKET_CREATE, 600, NOW, 1000), 599);
    assert_false(buckets_take(buckets, "a", BUCKET_CREATE, 600, 600, NOW, &remaining, &wait_us));
    assert_int_equal(remaining, 0);
    assert_int_equal(wait_us, 100000);
}

static void it_refills_continuously(void **state)
{
    (void)state;
    assert_int_equal(pass("a", BUCKET_OTHER, 3000, NOW, 4000), 3000);
    assert_int_equal(pass("a", BUCKET_OTHER, 3000, NOW + 19999, 10), 0);
    assert_int_equal(pass("a", BUCKET_OTHER, 3000, NOW + 20000, 10), 1);
    assert_int_equal(pass("a", BUCKET_OTHER, 3000, NOW + 1020000, 100), 50);
    /* Never more than it holds. */
    assert_int_equal(pass("a", BUCKET_OTHER, 3000, NOW + 3600000000, 4000), 3000);
}

static void a_rejected_call_takes_nothing(void **state)
{
    (void)state;
    assert_int_equal(pass("a", BUCKET_CREATE, 60, NOW, 60), 60);
    assert_int_equal(pass("a", BUCKET_CREATE, 60, NOW, 100000), 0);
    assert_int_equal(pass("a", BUCKET_CREATE, 60, NOW + 1000000, 10), 1);
}

static void tokens_and_kinds_do_not_share(void **state)
{
    (void)state;
    assert_int_equal(pass("a", BUCKET_CREATE, 5, NOW, 10), 5);
    assert_int_equal(pass("b", BUCKET_CREATE, 5, NOW, 10), 5);
    assert_int_equal(pass("a", BUCKET_OTHER, 5, NOW, 10), 5);
    assert_int_equal(pass("a", BUCKET_READ, 5, NOW, 10), 5);
}

static void a_burst_of_one_spaces_calls_out(void **state)
{
    int remaining;
    int64_t wait_us;

    (void)state;
    assert_true(buckets_take(buckets, "a", BUCKET_CREATE_LOW, 6, 1, NOW, &remaining, &wait_us));
    assert_int_equal(remaining, 0);
    assert_false(
        buckets_take(buckets, "a", BUCKET_CREATE_LOW, 6, 1, NOW + 3000000, &remaining, &wait_us));
    assert_int_equal(wait_us, 7000000);
    assert_true(
        buckets_take(buckets, "a", BUCKET_CREATE_LOW, 6, 1, NOW + 10000000, &remaining, &wait_us));
}

static void more_tokens_than_fit_are_still_served(void **state)
{
    char token[24];

    (void)state;
    for (int i = 0; i < 40000; i++) {
        snprintf(token, sizeof(token), "%016x", i * 2654435761u);
        assert_int_equal(pass(token, BUCKET_CREATE, 2, NOW + i, 3), 2);
    }
}

static void a_smaller_rate_holds_at_once(void **state)
{
    (void)state;
    assert_int_equal(pass("a", BUCKET_CREATE, 6, NOW, 6), 6);
    /* Its rate is larger now: what was owed for a minute at most is forgiven by then. */
    assert_int_equal(pass("a", BUCKET_CREATE, 600, NOW + 60000000, 700), 600);
    assert_int_equal(pass("a", BUCKET_CREATE, 6, NOW + 60000000, 6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_minute_of_calls_passes_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_refills_continuously, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rejected_call_takes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_and_kinds_do_not_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_of_one_spaces_calls_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_tokens_than_fit_are_still_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_smaller_rate_holds_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
