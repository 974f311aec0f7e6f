/* RFC 3339 both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static void assert_format(int64_t unix_us, int digits, bool trim, const char *expected)
{
    char text[CLOCK_TEXT_SIZE];
    clock_format(unix_us, digits, trim, text);
    assert_string_equal(text, expected);
}

static void times_are_written_with_the_digits_asked_for(void **state)
{
    (void)state;
    int64_t t = 1713784515329000;
    assert_format(t, 3, true, "2024-04-22T11:15:15.329Z");
    assert_format(t, 6, false, "2024-04-22T11:15:15.329000Z");
    assert_format(t, 6, true, "2024-04-22T11:15:15.329Z");
    assert_format(t, 0, false, "2024-04-22T11:15:15Z");
    assert_format(1713784501040000, 3, true, "2024-04-22T11:15:01.04Z");
    assert_format(1713784501000999, 3, true, "2024-04-22T11:15:01Z"); /* cut, not rounded */
    assert_format(1713784501000999, 3, false, "2024-04-22T11:15:01.000Z");
    assert_format(0, 6, true, "1970-01-01T00:00:00Z");
    assert_format(-1, 6, false, "1969-12-31T23:59:59.999999Z");
    assert_format(951782400000000, 0, false, "2000-02-29T00:00:00Z");
    assert_format(253402300799000000, 0, false, "9999-12-31T23:59:59Z");
}

static void every_day_agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t day = -800000; day < 2900000; day += 13) { /* from before 0 to 9900 */
        time_t seconds = day * 86400 + 3661;
        struct tm parts;
        char expected[40], text[CLOCK_TEXT_SIZE];
        int64_t back;
        gmtime_r(&seconds, &parts);
        if (parts.tm_year + 1900 < 1)
            continue;
        strftime(expected, sizeof expected, "%H:%M:%SZ", &parts);
        clock_format(seconds * 1000000, 0, false, text);
        assert_string_equal(text + 11, expected);
        assert_true(clock_parse(str_from(text), &back));
        assert_int_equal(back, (int64_t)seconds * 1000000);
        assert_int_equal((text[8] - '0') * 10 + text[9] - '0', parts.tm_mday);
        assert_int_equal((text[5] - '0') * 10 + text[6] - '0', parts.tm_mon + 1);
    }
}

static void assert_parse(const char *text, int64_t expected)
{
    int64_t t = -1;
    if (!clock_parse(str_from(text), &t))
        fail_msg("refused: %s", text);
    assert_int_equal(t, expected);
}

static void any_rfc_3339_form_is_read(void **state)
{
    (void)state;
    assert_parse("2024-04-22T11:15:15.329Z", 1713784515329000);
    assert_parse("2024-04-22T11:15:15.329000999Z", 1713784515329000);
    assert_parse("2024-04-22t11:15:15z", 1713784515000000);
    assert_parse("2024-04-22 11:15:15Z", 1713784515000000);
    assert_parse("2024-04-22T13:15:15+02:00", 1713784515000000);
    assert_parse("2024-04-22T05:45:15-05:30", 1713784515000000);
    assert_parse("2024-04-22", 1713744000000000);
    assert_parse("1970-01-01T00:00:00.000001Z", 1);
    assert_parse("2016-12-31T23:59:60Z", 1483228800000000);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2024",
        "2024-04",
        "2024-4-22",
        "2024-13-01",
        "2024-02-30",
        "2023-02-29",
        "2024-00-10",
        "0000-01-01",
        "2024-04-22T",
        "2024-04-22T11:15",
        "2024-04-22T11:15:15",
        "2024-04-22T24:00:00Z",
        "2024-04-22T11:60:00Z",
        "2024-04-22T11:15:61Z",
        "2024-04-22T11:15:15.Z",
        "2024-04-22T11:15:15+2:00",
        "2024-04-22T11:15:15+0200",
        "2024-04-22T11:15:15+24:00",
        "2024-04-22T11:15:15Zx",
        "2024-04-22x",
        "+024-04-22",
        "1713784515",
    };
    int64_t t = 7;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (clock_parse(str_from(wrong[i]), &t))
            fail_msg("accepted: %s", wrong[i]);
    }
    assert_false(clock_parse((struct str){ "2024-04-22\0", 11 }, &t));
    assert_int_equal(t, 7);
}

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t first = clock_monotonic_us();
    assert_true(clock_monotonic_us() >= first);
    assert_true(clock_now_us() > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_with_the_digits_asked_for),
        cmocka_unit_test(every_day_agrees_with_libc),
        cmocka_unit_test(any_rfc_3339_form_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
