/* Names of output files, and progress read out of logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/output.h"
#include "cli/terminal.h"

static void assert_name(const char *given, const char *url, int index, int count,
                        const char *expected)
{
    char path[64];

    assert_true(output_name(given, url, index, count, path, sizeof(path)));
    assert_string_equal(path, expected);
}

static void names_are_numbered_when_there_are_several(void **state)
{
    (void)state;
    assert_name("out.png", "http://h/x", 0, 1, "out.png");
    assert_name("out.png", "http://h/x", 1, 2, "out-1.png");
    assert_name("a.b/out", "http://h/x", 0, 2, "a.b/out-0");
}

static void without_a_name_the_link_gives_it(void **state)
{
    char tight[8];

    (void)state;
    assert_name(NULL, "https://h/outputs/k/out-0.png?x=1#y", 0, 1, "out-0.png");
    assert_name(NULL, "https://h/..", 3, 4, "out-3.bin");
    assert_name(NULL, "https://h/a%2Fb", 0, 1, "out-0.bin");
    assert_name(NULL, "https://h/", 0, 1, "out-0.bin");
    assert_name(NULL, "data:image/webp;base64,AAAA", 2, 3, "out-2.webp");
    assert_false(output_name("long-name.png", "http://h/x", 0, 1, tight, sizeof(tight)));
}

static void progress_is_the_last_bar(void **state)
{
    (void)state;
    assert_int_equal(output_progress_percent(""), -1);
    assert_int_equal(output_progress_percent("loaded 50% of it"), -1);
    assert_int_equal(output_progress_percent("  0%|      | 0/4"), 0);
    assert_int_equal(output_progress_percent("  0%|  | 0/4\r 25%|# | 1/4\r100%|####| 4/4\n"), 100);
    assert_int_equal(output_progress_percent("%|"), -1);
    assert_int_equal(output_progress_percent("999%|"), -1);
}

static void bytes_are_told_in_units(void **state)
{
    char text[TERMINAL_BYTES_SIZE];

    (void)state;
    terminal_format_bytes(500, text);
    assert_string_equal(text, "0.5 kB");
    terminal_format_bytes(88188479, text);
    assert_string_equal(text, "88.2 MB");
    terminal_format_bytes(INT64_MAX, text);
    assert_non_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_numbered_when_there_are_several),
        cmocka_unit_test(without_a_name_the_link_gives_it),
        cmocka_unit_test(progress_is_the_last_bar),
        cmocka_unit_test(bytes_are_told_in_units),
    };
    return cmocka_run_group_tests_name("cli/output", tests, NULL, NULL);
}
