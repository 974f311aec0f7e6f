/* Option tables: every type, every place a value may come from, precedence, and mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/option.h"

static const char *const levels[] = { "low", "high", NULL };

static const struct option_row rows[] = {
    { .name = "listen",
      .letter = 'l',
      .type = OPTION_STRING,
      .value = "HOST:PORT",
      .fallback = "127.0.0.1:8080",
      .help = "Where to listen." },
    { .name = "data", .type = OPTION_STRING, .value = "DIR", .help = "A folder." },
    { .name = "queue-limit",
      .letter = 'q',
      .type = OPTION_INTEGER,
      .value = "N",
      .fallback = "10",
      .min = 1,
      .max = 100,
      .help = "A limit." },
    { .name = "verbose", .letter = 'v', .type = OPTION_BOOLEAN, .help = "Say more." },
    { .name = "color", .type = OPTION_BOOLEAN, .fallback = "true", .help = "In colour." },
    { .name = "level",
      .type = OPTION_CHOICE,
      .fallback = "low",
      .choices = levels,
      .help = "How much." },
    { .name = "input", .letter = 'i', .type = OPTION_LIST, .value = "KEY=VALUE", .help = "Many." },
    { .name = "token",
      .type = OPTION_STRING,
      .value = "T",
      .fallback = "hidden",
      .secret = true,
      .help = "A secret." },
    { .name = NULL },
};

static struct option_values *values;
static struct err err;
static char **rest;
static int rest_count;

static bool parse_file(const char *path, const char *const *words)
{
    int argc = 0;

    option_values_free(values);
    values = NULL;
    memset(&err, 0, sizeof(err));
    while (words[argc] != NULL)
        argc++;
    return option_parse(rows, argc, (char **)words, path, &values, &rest_count, &rest, &err);
}

#define PARSE(...) parse_file(NULL, (const char *const[]){ "serve", __VA_ARGS__, NULL })
#define PARSE_NOTHING() parse_file(NULL, (const char *const[]){ "serve", NULL })

static int clean(void **state)
{
    (void)state;
    static const char *const variables[] = { "MIMEO_LISTEN", "MIMEO_QUEUE_LIMIT", "MIMEO_VERBOSE",
                                             "MIMEO_INPUT", "MIMEO_LEVEL" };
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    option_values_free(values);
    values = NULL;
    return 0;
}

static void defaults_hold(void **state)
{
    (void)state;
    assert_true(PARSE_NOTHING());
    assert_string_equal(option_string(values, "listen"), "127.0.0.1:8080");
    assert_null(option_string(values, "data"));
    assert_int_equal(option_integer(values, "queue-limit"), 10);
    assert_false(option_boolean(values, "verbose"));
    assert_true(option_boolean(values, "color"));
    assert_string_equal(option_string(values, "level"), "low");
    assert_int_equal(option_list_count(values, "input"), 0);
    assert_false(option_given(values, "listen"));
    assert_int_equal(rest_count, 0);
}

static void every_way_of_writing_works(void **state)
{
    (void)state;
    assert_true(PARSE("--listen", "a:1", "--queue-limit=7", "-v", "--no-color", "--level", "high"));
    assert_string_equal(option_string(values, "listen"), "a:1");
    assert_int_equal(option_integer(values, "queue-limit"), 7);
    assert_true(option_boolean(values, "verbose"));
    assert_false(option_boolean(values, "color"));
    assert_string_equal(option_string(values, "level"), "high");
    assert_true(option_given(values, "listen"));
    assert_true(PARSE("-lb:2", "-q", "9", "--verbose=false", "--color=yes"));
    assert_string_equal(option_string(values, "listen"), "b:2");
    assert_int_equal(option_integer(values, "queue-limit"), 9);
    assert_false(option_boolean(values, "verbose"));
    assert_true(PARSE("--listen", "a", "--listen", "b")); /* the last one counts */
    assert_string_equal(option_string(values, "listen"), "b");
    assert_true(PARSE("--data="));
    assert_string_equal(option_string(values, "data"), "");
}

static void lists_keep_order_and_equals_signs(void **state)
{
    (void)state;
    assert_true(PARSE("-i", "a=1=2", "--input=b=3", "-i", "-5"));
    assert_int_equal(option_list_count(values, "input"), 3);
    assert_string_equal(option_list_at(values, "input", 0), "a=1=2");
    assert_string_equal(option_list_at(values, "input", 1), "b=3");
    assert_string_equal(option_list_at(values, "input", 2), "-5");
}

static void arguments_and_options_mix(void **state)
{
    (void)state;
    assert_true(PARSE("one", "-v", "two", "-", "--", "--listen", "-x"));
    assert_int_equal(rest_count, 5);
    assert_string_equal(rest[0], "one");
    assert_string_equal(rest[1], "two");
    assert_string_equal(rest[2], "-");
    assert_string_equal(rest[3], "--listen");
    assert_string_equal(rest[4], "-x");
}

static void assert_refused(bool parsed, const char *words)
{
    assert_false(parsed);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.detail, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.detail, words);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_refused(PARSE("--lisen", "x"), "did you mean '--listen'?");
    assert_refused(PARSE("--queue"), "did you mean '--queue-limit'?");
    assert_refused(PARSE("--zzzzzzzz"), "unknown option '--zzzzzzzz'");
    assert_refused(PARSE("-z"), "unknown option '-z'");
    assert_refused(PARSE("--listen"), "--listen needs a value (HOST:PORT)");
    assert_refused(PARSE("-l"), "-l needs a value");
    assert_refused(PARSE("--queue-limit", "many"), "--queue-limit must be an integer, not 'many'");
    assert_refused(PARSE("--queue-limit", "0"), "between 1 and 100");
    assert_refused(PARSE("--queue-limit", "101"), "between 1 and 100");
    assert_refused(PARSE("--queue-limit", "99999999999999999999"), "must be an integer");
    assert_refused(PARSE("--level", "middle"), "--level must be one of low, high");
    assert_refused(PARSE("--verbose=perhaps"), "--verbose must be true or false");
    assert_refused(PARSE("--no-listen"), "unknown option");
    char name[5000];
    memset(name, 'x', sizeof(name) - 1);
    name[0] = name[1] = '-';
    name[sizeof(name) - 1] = 0;
    assert_refused(PARSE(name), "unknown option");
}

static void environment_stands_below_the_line(void **state)
{
    (void)state;
    setenv("MIMEO_LISTEN", "env:1", 1);
    setenv("MIMEO_QUEUE_LIMIT", "33", 1);
    setenv("MIMEO_VERBOSE", "1", 1);
    setenv("MIMEO_INPUT", "a=1, b=2", 1);
    assert_true(PARSE_NOTHING());
    assert_string_equal(option_string(values, "listen"), "env:1");
    assert_int_equal(option_integer(values, "queue-limit"), 33);
    assert_true(option_boolean(values, "verbose"));
    assert_int_equal(option_list_count(values, "input"), 2);
    assert_string_equal(option_list_at(values, "input", 1), "b=2");
    assert_true(PARSE("--listen", "line:2", "-i", "c=3"));
    assert_string_equal(option_string(values, "listen"), "line:2");
    assert_int_equal(option_list_count(values, "input"), 1); /* replaced, not added to */
    setenv("MIMEO_QUEUE_LIMIT", "x", 1);
    assert_refused(PARSE_NOTHING(), "MIMEO_QUEUE_LIMIT must be an integer");
    setenv("MIMEO_QUEUE_LIMIT", "", 1); /* empty is none */
    assert_true(PARSE_NOTHING());
    assert_int_equal(option_integer(values, "queue-limit"), 10);
}

static bool parse_with_file(const char *text, const char *const *words)
{
    char path[] = "/tmp/option-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    bool parsed = parse_file(path, words);
    unlink(path);
    return parsed;
}

static void files_stand_below_the_environment(void **state)
{
    const char *const none[] = { "serve", NULL };
    const char *const line[] = { "serve", "--queue-limit", "3", NULL };

    (void)state;
    assert_true(parse_with_file(
        "listen: file:9\nqueue-limit: 44\nverbose: true\ninput: [a=1, b=2]\n", none));
    assert_string_equal(option_string(values, "listen"), "file:9");
    assert_int_equal(option_integer(values, "queue-limit"), 44);
    assert_true(option_boolean(values, "verbose"));
    assert_int_equal(option_list_count(values, "input"), 2);
    setenv("MIMEO_LISTEN", "env:1", 1);
    assert_true(parse_with_file("listen: file:9\nqueue-limit: 44\n", line));
    assert_string_equal(option_string(values, "listen"), "env:1");
    assert_int_equal(option_integer(values, "queue-limit"), 3);
    assert_true(parse_with_file("", none));
    assert_refused(parse_with_file("lsten: x\n", none), "unknown option 'lsten'; did you mean");
    assert_refused(parse_with_file("- a\n", none), "must hold");
    assert_refused(parse_with_file("listen: {a: 1}\n", none), "must be a plain value");
    assert_refused(parse_with_file("queue-limit: 1000\n", none), "between 1 and 100");
    assert_refused(parse_with_file("a: [\n", none), "");
}

static void a_missing_file_is_an_error(void **state)
{
    (void)state;
    assert_false(parse_file("/nonexistent/mimeo.yaml", (const char *const[]){ "serve", NULL }));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void help_shows_defaults_but_no_secrets(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    option_print_help(rows, out);
    fclose(out);
    assert_non_null(strstr(text, "-l, --listen HOST:PORT"));
    assert_non_null(strstr(text, "[127.0.0.1:8080]"));
    assert_non_null(strstr(text, "(low, high)"));
    assert_null(strstr(text, "hidden"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(defaults_hold, clean),
        cmocka_unit_test_teardown(every_way_of_writing_works, clean),
        cmocka_unit_test_teardown(lists_keep_order_and_equals_signs, clean),
        cmocka_unit_test_teardown(arguments_and_options_mix, clean),
        cmocka_unit_test_teardown(mistakes_are_named, clean),
        cmocka_unit_test_teardown(environment_stands_below_the_line, clean),
        cmocka_unit_test_teardown(files_stand_below_the_environment, clean),
        cmocka_unit_test_teardown(a_missing_file_is_an_error, clean),
        cmocka_unit_test_teardown(help_shows_defaults_but_no_secrets, clean),
    };
    return cmocka_run_group_tests_name("base/option", tests, NULL, NULL);
}
