/* The state machine: every pair of states, and the names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domain/prediction.h"

/* Rows: from; columns: to; in the order of the enum. */
static const bool legal[PREDICTION_STATUS_COUNT][PREDICTION_STATUS_COUNT] = {
    [PREDICTION_STARTING] = { false, true, true, true, true, true },
    [PREDICTION_PROCESSING] = { true, false, true, true, true, false },
};

static void exactly_the_legal_moves_are_allowed(void **state)
{
    (void)state;
    for (int from = 0; from < PREDICTION_STATUS_COUNT; from++) {
        for (int to = 0; to < PREDICTION_STATUS_COUNT; to++)
            assert_int_equal(
                prediction_may_move((enum prediction_status)from, (enum prediction_status)to),
                legal[from][to]);
    }
}

static void no_state_beyond_the_last_is_reachable(void **state)
{
    (void)state;
    assert_false(prediction_may_move(PREDICTION_STARTING, PREDICTION_STATUS_COUNT));
    assert_false(prediction_may_move(PREDICTION_PROCESSING, PREDICTION_STATUS_COUNT));
    assert_false(prediction_may_move(PREDICTION_STATUS_COUNT, PREDICTION_STARTING));
}

static void final_states_are_those_nothing_leaves(void **state)
{
    (void)state;
    for (int from = 0; from < PREDICTION_STATUS_COUNT; from++) {
        bool leaves = false;
        for (int to = 0; to < PREDICTION_STATUS_COUNT; to++)
            leaves |= prediction_may_move((enum prediction_status)from, (enum prediction_status)to);
        assert_int_equal(prediction_status_is_terminal((enum prediction_status)from), !leaves);
    }
    assert_false(prediction_status_is_terminal(PREDICTION_STATUS_COUNT));
}

static void names_read_back(void **state)
{
    (void)state;
    enum prediction_status status = PREDICTION_STATUS_COUNT;
    for (int i = 0; i < PREDICTION_STATUS_COUNT; i++) {
        const char *name = prediction_status_name((enum prediction_status)i);
        assert_true(prediction_status_from_name(str_from(name), &status));
        assert_int_equal(status, i);
    }
    status = PREDICTION_FAILED;
    assert_false(prediction_status_from_name(S("Succeeded"), &status));
    assert_false(prediction_status_from_name(S(""), &status));
    assert_int_equal(status, PREDICTION_FAILED);
    assert_string_equal(prediction_status_name(PREDICTION_STATUS_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_legal_moves_are_allowed),
        cmocka_unit_test(no_state_beyond_the_last_is_reachable),
        cmocka_unit_test(final_states_are_those_nothing_leaves),
        cmocka_unit_test(names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
