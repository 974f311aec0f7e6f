/* Errors as values: what is filled, what is kept, and that nothing overflows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void setting_fills_everything_anew(void **state)
{
    (void)state;
    struct err err;
    memset(&err, 'x', sizeof err);
    assert_false(err_set(&err, ERR_INVALID, "seed must be at most %d", 7));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.detail, "seed must be at most 7");
    assert_string_equal(err.field, "");
    assert_string_equal(err.cause, "");
    assert_non_null(strstr(err.file, "err_test.c"));
    assert_true(err.line > 0);
}

static void a_system_error_stays_out_of_the_detail(void **state)
{
    (void)state;
    struct err err;
    assert_false(err_sys(&err, ERR_UNAVAILABLE, ENOSPC, "it cannot be kept"));
    assert_int_equal(err.sys, ENOSPC);
    assert_string_equal(err.detail, "it cannot be kept");
    assert_string_equal(err.cause, " (No space left on device)");
}

static void breadcrumbs_add_up_and_never_overflow(void **state)
{
    (void)state;
    struct err err;
    err_set(&err, ERR_NOT_FOUND, "no such file");
    assert_false(err_while(&err, "loading '%s'", "x"));
    assert_false(err_while(&err, "starting"));
    assert_string_equal(err.cause, " while loading 'x' while starting");
    for (int i = 0; i < 100; i++)
        err_while(&err, "doing step %d of a long way", i);
    assert_true(strlen(err.cause) < sizeof err.cause);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(err.detail, "no such file");
}

static void no_place_for_the_error_is_fine(void **state)
{
    (void)state;
    assert_false(err_set(NULL, ERR_INVALID, "x"));
    assert_false(err_sys(NULL, ERR_INVALID, EIO, "x"));
    assert_false(err_while(NULL, "x"));
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_KIND_COUNT; i++)
        assert_true(strlen(err_kind_name((enum err_kind)i)) > 0);
    assert_string_equal(err_kind_name(ERR_NOT_FOUND), "not_found");
    assert_string_equal(err_kind_name(ERR_KIND_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_fills_everything_anew),
        cmocka_unit_test(a_system_error_stays_out_of_the_detail),
        cmocka_unit_test(breadcrumbs_add_up_and_never_overflow),
        cmocka_unit_test(no_place_for_the_error_is_fine),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
