/* How many sign-in codes may be wrong in a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/attempts.h"

#define MINUTE_US INT64_C(60000000)

static void ten_a_minute_may_fail(void **state)
{
    struct attempts attempts;
    int wait_s = 0;

    (void)state;
    attempts_init(&attempts);
    for (int i = 0; i < ATTEMPTS_PER_MINUTE; i++)
        assert_true(attempts_take(&attempts, 5 + i, &wait_s));
    assert_false(attempts_take(&attempts, 20000005, &wait_s));
    assert_int_equal(wait_s, 40);
    assert_false(attempts_take(&attempts, 4 + MINUTE_US, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_true(attempts_take(&attempts, 5 + MINUTE_US, &wait_s));
    attempts_done(&attempts);
}

static void what_succeeds_does_not_count(void **state)
{
    struct attempts attempts;
    int wait_s;

    (void)state;
    attempts_init(&attempts);
    for (int i = 0; i < 5 * ATTEMPTS_PER_MINUTE; i++) {
        assert_true(attempts_take(&attempts, i, &wait_s));
        attempts_give_back(&attempts);
    }
    attempts_done(&attempts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_a_minute_may_fail),
        cmocka_unit_test(what_succeeds_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
