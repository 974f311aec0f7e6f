/* Growing buffers: the limit holds, failure sticks, the content is always 0-terminated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void appends_add_up(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    assert_string_equal(buf_str(&buf).ptr, "");
    assert_true(buf_append_str(&buf, S("ab")) && buf_append_char(&buf, 'c'));
    assert_true(buf_printf(&buf, "-%d-%s", 7, "x") && buf_append(&buf, NULL, 0));
    assert_string_equal(buf.ptr, "abc-7-x");
    for (int i = 0; i < 99; i++)
        assert_true(buf_append(&buf, "1234567890", 10));
    assert_int_equal(buf.len, 997);
    assert_int_equal(buf.ptr[997], 0);
    buf_clear(&buf);
    assert_string_equal(buf.ptr, "");
    buf_done(&buf);
}

static void the_limit_holds_and_failure_sticks(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    assert_true(buf_append_str(&buf, S("12345")));
    assert_false(buf_append_char(&buf, '6'));
    assert_true(buf.failed);
    assert_false(buf_append(&buf, "", 0));
    assert_string_equal(buf.ptr, "12345");
    buf_clear(&buf);
    assert_true(buf_printf(&buf, "%s", "abcde"));
    assert_false(buf_printf(&buf, "%d", 1));
    assert_null(buf_take(&buf, NULL));
    assert_null(buf.ptr);
    buf_init(&buf, 5);
    assert_false(buf_reserve(&buf, SIZE_MAX));
    buf_done(&buf);
    buf_init(&buf, 0);
    assert_true(buf_append(&buf, "", 0));
    assert_false(buf_append_char(&buf, 'x'));
    buf_done(&buf);
}

static void taken_memory_is_the_callers(void **state)
{
    (void)state;
    struct buf buf;
    size_t len = 99;
    buf_init(&buf, 100);
    char *text = buf_take(&buf, &len);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
    free(text);
    assert_true(buf_append_str(&buf, S("mine")));
    text = buf_take(&buf, &len);
    assert_int_equal(len, 4);
    assert_string_equal(text, "mine");
    free(text);
    assert_null(buf.ptr);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_add_up),
        cmocka_unit_test(the_limit_holds_and_failure_sticks),
        cmocka_unit_test(taken_memory_is_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
