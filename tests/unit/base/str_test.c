/* Borrowed strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static const struct str none = { NULL, 0 };

static void strings_are_compared(void **state)
{
    (void)state;
    assert_true(str_equal(S(""), none) && str_equal(str_from(NULL), none));
    assert_true(str_equal(S("ab"), str_from("ab")));
    assert_false(str_equal(S("ab"), S("aB")) || str_equal(S("ab"), S("abc")));
    assert_true(str_equal_nocase(S("Ab"), S("aB")) && str_equal_nocase(none, S("")));
    assert_false(str_equal_nocase(S("ab"), S("ac")));
    assert_true(str_equal_constant_time(S("ab"), S("ab")) && str_equal_constant_time(none, none));
    assert_false(str_equal_constant_time(S("ab"), S("ac")));
    assert_false(str_equal_constant_time(S("ab"), S("a")));
}

static void parts_are_found_and_cut(void **state)
{
    (void)state;
    struct str head, tail;
    assert_true(str_starts(S("abc"), S("ab")) && str_starts(S("abc"), none));
    assert_false(str_starts(S("a"), S("ab")));
    assert_true(str_ends(S("abc"), S("bc")) && str_ends(S("abc"), S("")) && str_ends(none, none));
    assert_false(str_ends(S("c"), S("bc")));
    assert_int_equal(str_find(S("abcbc"), S("bc")), 1);
    assert_int_equal(str_find(S("abc"), S("x")), -1);
    assert_int_equal(str_find(none, S("x")), -1);
    assert_int_equal(str_find(none, none), 0);
    assert_true(str_equal(str_skip(S("abc"), 1), S("bc")));
    assert_int_equal(str_skip(S("abc"), 9).len, 0);
    assert_true(str_equal(str_trim(S(" \t a b\r\n")), S("a b")));
    assert_int_equal(str_trim(S("  ")).len, 0);
    assert_true(str_cut(S("k=v=w"), '=', &head, &tail));
    assert_true(str_equal(head, S("k")) && str_equal(tail, S("v=w")));
    assert_true(str_cut(S("k="), '=', &head, &tail) && tail.len == 0);
    assert_false(str_cut(S("k"), '=', &head, &tail) || str_cut(none, '=', &head, &tail));
}

static void a_copy_fits_or_is_empty(void **state)
{
    (void)state;
    char array[4] = "xyz";
    assert_true(str_copy(S("abc"), array, sizeof array));
    assert_string_equal(array, "abc");
    assert_false(str_copy(S("abcd"), array, sizeof array));
    assert_string_equal(array, "");
    assert_true(str_copy(none, array, sizeof array));
}

static void integers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    int64_t value = 5;
    assert_true(str_to_int64(S("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(str_to_int64(S("-12"), &value) && value == -12);
    assert_true(str_to_int64(S("007"), &value) && value == 7);
    static const char *const wrong[] = {
        "", "-", "+1", "1x", " 1", "9223372036854775808", "99999999999999999999", "1.0", "--1"
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(str_to_int64(str_from(wrong[i]), &value));
    assert_int_equal(value, 7);
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char *const right[] = { "",
                                         "a",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\xed\x9f\xbf",
                                         "\xee\x80\x80",
                                         "\xf4\x8f\xbf\xbf" };
    static const char *const wrong[] = { "\x80",
                                         "\xc3",
                                         "\xc3x",
                                         "\xc0\x80",
                                         "\xc1\xbf",
                                         "\xe0\x80\x80",
                                         "\xed\xa0\x80",
                                         "\xf4\x90\x80\x80",
                                         "\xf0\x80\x80\x80",
                                         "\xf8\x88\x80\x80\x80",
                                         "\xff",
                                         "a\xe2\x82" };
    for (size_t i = 0; i < ARRAY_LEN(right); i++)
        assert_true(str_is_utf8(str_from(right[i])));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(str_is_utf8(str_from(wrong[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_compared),
        cmocka_unit_test(parts_are_found_and_cut),
        cmocka_unit_test(a_copy_fits_or_is_empty),
        cmocka_unit_test(integers_are_read_whole_or_not_at_all),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
