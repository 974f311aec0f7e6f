/* The words of 422 answers, against what was captured from the public API and its validator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "registry/validation.h"

/* All errors as "type|field|description" lines. */
static void check(const char *schema_text, const char *value_text, const char *root,
                  bool names_from_root, const char *expected)
{
    json_t *schema = NULL, *value = NULL;
    struct arena arena;
    struct buf lines;

    assert_true(json_parse(str_from(schema_text), &schema, NULL));
    assert_true(json_parse(str_from(value_text), &value, NULL));
    arena_init(&arena, 1 << 20);
    buf_init(&lines, 1 << 20);
    buf_append_str(&lines, S(""));
    for (struct validation_error *error =
             validation_check(schema, value, root, names_from_root, &arena);
         error; error = error->next)
        buf_printf(&lines, "%s|%s|%s\n", error->type, error->field, error->description);
    assert_string_equal(lines.ptr ? lines.ptr : "", expected);
    buf_done(&lines);
    arena_done(&arena);
    json_decref(schema);
    json_decref(value);
}

static void check_input(const char *property, const char *value, const char *expected)
{
    char schema[1024], input[512];

    snprintf(schema, sizeof(schema), "{\"type\":\"object\",\"properties\":{\"x\":%s}}", property);
    snprintf(input, sizeof(input), "{\"x\":%s}", value);
    check(schema, input, "input", false, expected);
}

static void captured_answers_are_reproduced(void **state)
{
    (void)state;
    check_input("{\"type\":\"string\",\"enum\":[\"jpg\",\"png\"]}", "\"gif\"",
                "enum|input.x|x must be one of the following: \"jpg\", \"png\"\n");
    check("{\"required\":[\"prompt\"],\"properties\":{\"n\":{\"type\":\"integer\",\"maximum\":4}}}",
          "{\"n\":5}", "input", false,
          "required|input|prompt is required\n"
          "number_lte|input.n|Must be less than or equal to 4\n");
    check_input("{\"type\":\"integer\"}", "null",
                "invalid_type|input.x|Invalid type. Expected: integer, given: null\n");
    check_input("{\"type\":\"string\"}", "[]",
                "invalid_type|input.x|Invalid type. Expected: string, given: array\n");
    check_input("{\"type\":\"string\",\"format\":\"uri\"}", "\"\"",
                "format|input.x|Does not match format 'uri'\n");
}

static void envelope_errors_name_the_whole_path(void **state)
{
    (void)state;
    check("{\"type\":\"object\",\"required\":[\"version\"],\"additionalProperties\":false,"
          "\"properties\":{\"version\":{},\"input\":{}}}",
          "{\"input\":{},\"model\":1}", "", true,
          "required||version is required\n"
          "additional_property_not_allowed||Additional property model is not allowed\n");
    check("{\"properties\":{\"f\":{\"items\":{\"enum\":[\"start\"]}}}}",
          "{\"f\":[\"start\",\"x\"]}", "", true,
          "enum|f.1|f.1 must be one of the following: \"start\"\n");
}

static void nullable_is_not_understood(void **state)
{
    (void)state;
    check_input("{\"type\":\"string\",\"nullable\":true}", "null",
                "invalid_type|input.x|Invalid type. Expected: string, given: null\n");
}

static void a_type_error_ends_the_checks_of_that_value(void **state)
{
    (void)state;
    check_input("{\"type\":\"integer\",\"enum\":[1],\"maximum\":0}", "\"a\"",
                "invalid_type|input.x|Invalid type. Expected: integer, given: string\n");
    check_input("{\"type\":[\"integer\",\"null\"]}", "1.5",
                "invalid_type|input.x|Invalid type. Expected: [integer,null], given: number\n");
}

static void whole_numbers_are_integers(void **state)
{
    (void)state;
    check_input("{\"type\":\"integer\"}", "3.0", "");
    check_input("{\"type\":\"integer\"}", "1e3", "");
    check_input("{\"type\":\"integer\"}", "3.5",
                "invalid_type|input.x|Invalid type. Expected: integer, given: number\n");
    check_input("{\"type\":\"number\"}", "3", "");
    check_input("{\"type\":\"string\"}", "3.0",
                "invalid_type|input.x|Invalid type. Expected: string, given: integer\n");
    check_input("{\"enum\":[1]}", "1.0", "");
}

static void numbers_are_printed_as_go_does(void **state)
{
    static const char *const rows[][2] = {
        { "4", "4" },           { "0", "0" },           { "0.1", "0.1" },
        { "100000", "100000" }, { "1000000", "1e+06" }, { "2147483647", "2.147483647e+09" },
        { "-5", "-5" },         { "0.00001", "1e-05" }, { "0.0001", "0.0001" },
        { "1234.5", "1234.5" }, { "-0.25", "-0.25" },   { "4294967295", "4.294967295e+09" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char property[64], expected[128];

        snprintf(property, sizeof(property), "{\"maximum\":%s}", rows[i][0]);
        snprintf(expected, sizeof(expected),
                 "number_lte|input.x|Must be less than or equal to %s\n", rows[i][1]);
        check_input(property, "99999999999", expected);
    }
}

static void number_limits(void **state)
{
    (void)state;
    check_input("{\"minimum\":1}", "0", "number_gte|input.x|Must be greater than or equal to 1\n");
    check_input("{\"exclusiveMinimum\":1}", "1", "number_gt|input.x|Must be greater than 1\n");
    check_input("{\"exclusiveMaximum\":1}", "1", "number_lt|input.x|Must be less than 1\n");
    check_input("{\"multipleOf\":8}", "12", "multiple_of|input.x|Must be a multiple of 8\n");
    check_input("{\"multipleOf\":0.1}", "0.3", "");
    check_input("{\"multipleOf\":0.1,\"maximum\":1}", "1.25",
                "multiple_of|input.x|Must be a multiple of 0.1\n"
                "number_lte|input.x|Must be less than or equal to 1\n");
}

static void string_lengths_count_code_points(void **state)
{
    (void)state;
    check_input("{\"maxLength\":2}", "\"\\u20ac\\ud83d\\ude00\"", "");
    check_input("{\"maxLength\":2}", "\"abc\"",
                "string_lte|input.x|String length must be less than or equal to 2\n");
    check_input("{\"minLength\":3}", "\"\\u20ac\\u20ac\"",
                "string_gte|input.x|String length must be greater than or equal to 3\n");
}

static void arrays(void **state)
{
    (void)state;
    check_input("{\"items\":{\"type\":\"string\"},\"maxItems\":1}", "[1,\"a\"]",
                "invalid_type|input.x.0|Invalid type. Expected: string, given: integer\n"
                "array_max_items|input.x|Array must have at most 1 items\n");
    check_input("{\"minItems\":1}", "[]",
                "array_min_items|input.x|Array must have at least 1 items\n");
    check_input("{\"uniqueItems\":true}", "[1,2,1.0]",
                "unique|input.x|array items[0,2] must be unique\n");
}

static void uris(void **state)
{
    static const char *const good[] = {
        "https://example.com/a.png",
        "data:image/png;base64,AAAA",
        "http://[::1]:80/x?y=%zz",
        "http://a:80",
        "file:///tmp/x",
        "urn:a b",
    };
    static const char *const bad[] = { "a.png",        "/tmp/a.png",  "",
                                       "http://a/%zz", "http://a b/", "http://a:b/",
                                       ":a",           "1a:b",        "http://a\\\\b" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char value[128];

        snprintf(value, sizeof(value), "\"%s\"", good[i]);
        check_input("{\"format\":\"uri\"}", value, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char value[128];

        snprintf(value, sizeof(value), "\"%s\"", bad[i]);
        check_input("{\"format\":\"uri\"}", value, "format|input.x|Does not match format 'uri'\n");
    }
    check_input("{\"format\":\"password\"}", "\"\"", "");
}

static void combinators(void **state)
{
    (void)state;
    check_input("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "null", "");
    check_input("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}", "1",
                "number_any_of|input.x|Must validate at least one schema (anyOf)\n"
                "invalid_type|input.x|Invalid type. Expected: string, given: integer\n");
    check_input("{\"not\":{\"type\":\"string\"}}", "\"a\"",
                "number_not|input.x|Must not validate the schema (not)\n");
}

static void errors_are_bounded(void **state)
{
    struct buf value;
    json_t *schema = NULL, *array = NULL;
    struct arena arena;
    int count = 0;

    (void)state;
    buf_init(&value, 1 << 20);
    buf_append_char(&value, '[');
    for (int i = 0; i < 10000; i++)
        buf_append_str(&value, i ? S(",1") : S("1"));
    buf_append_char(&value, ']');
    assert_true(json_parse(buf_str(&value), &array, NULL));
    assert_true(json_parse(S("{\"items\":{\"type\":\"string\"}}"), &schema, NULL));
    arena_init(&arena, 1 << 20);
    for (struct validation_error *error = validation_check(schema, array, "input", false, &arena);
         error; error = error->next)
        count++;
    assert_int_equal(count, VALIDATION_ERRORS_MAX);
    arena_done(&arena);
    arena_init(&arena, 64); /* no memory for an error: still not valid */
    assert_non_null(validation_check(schema, array, "input", false, &arena));
    arena_done(&arena);
    buf_done(&value);
    json_decref(schema);
    json_decref(array);
}

static void patterns_are_searched_for_in_the_text(void **state)
{
    static const char no[] = "pattern|input.x|Does not match pattern '^[a-z]+$'\n";

    (void)state;
    check_input("{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}", "\"abc\"", "");
    check_input("{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}", "\"aBc\"", no);
    check_input("{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}", "\"abc\\n\"", no);
    check_input("{\"pattern\":\"b\"}", "\"abc\"", "");
    check_input("{\"pattern\":\"b\"}", "5", "");
    check_input("{\"pattern\":\"^.$\"}", "\"\u20ac\"", "");
    check_input("{\"pattern\":\"(\"}", "\"abc\"", ""); /* a broken one is nobody's fault */
    check_input("{\"type\":\"string\",\"minLength\":9,\"pattern\":\"^a\"}", "\"b\"",
                "string_gte|input.x|String length must be greater than or equal to 9\n"
                "pattern|input.x|Does not match pattern '^a'\n");
}

static void a_pattern_that_explodes_costs_little(void **state)
{
    struct timespec before, after;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    check_input(
        "{\"pattern\":\"^(a|aa|a+)+(a|aa)*$\"}",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", "");
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5); /* 50 ms, and a slow machine */
}

/* Schemas come from users, too: neither a schema nor an input may take long, or end the server. */
static void work_is_bounded(void **state)
{
    static const char branch[] = "{\"type\":[\"string\",\"array\",\"object\",\"integer\"]}";
    struct timespec before, after;
    struct buf schema, input;

    (void)state;
    buf_init(&schema, 1 << 20);
    buf_init(&input, 1 << 20);
    buf_append_str(&schema, S("{\"items\":{\"anyOf\":["));
    for (int i = 0; i < 1000; i++)
        buf_printf(&schema, "%s%s", i > 0 ? "," : "", branch);
    buf_append_str(&schema, S("]}}"));
    for (int i = 0; i < 100000; i++)
        buf_append_str(&input, i > 0 ? S(",0") : S("[0"));
    buf_append_str(&input, S("]"));
    clock_gettime(CLOCK_MONOTONIC, &before);
    check(schema.ptr, input.ptr, "input", false,
          "internal||Internal Error the values are too many to be checked with this schema\n");
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5); /* 0.1 s, and a slow machine */
    check("{\"items\":{\"type\":\"integer\"}}", input.ptr, "input", false, "");
    buf_done(&schema);
    buf_done(&input);
}

static void the_least_integer_can_be_a_multiple(void **state)
{
    (void)state;
    check_input("{\"multipleOf\":-1}", "-9223372036854775808", "");
    check_input("{\"multipleOf\":0}", "7", "");
    check_input("{\"multipleOf\":-2}", "3", "multiple_of|input.x|Must be a multiple of -2\n");
}

static void secrets_are_strings(void **state)
{
    static const char secret[] =
        "{\"type\":\"string\",\"format\":\"password\",\"writeOnly\":true,\"x-cog-secret\":true}";

    (void)state;
    check_input(secret, "\"hf_abc\"", "");
    check_input(secret, "1",
                "invalid_type|input.x|Invalid type. Expected: string, given: integer\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captured_answers_are_reproduced),
        cmocka_unit_test(envelope_errors_name_the_whole_path),
        cmocka_unit_test(nullable_is_not_understood),
        cmocka_unit_test(a_type_error_ends_the_checks_of_that_value),
        cmocka_unit_test(whole_numbers_are_integers),
        cmocka_unit_test(numbers_are_printed_as_go_does),
        cmocka_unit_test(number_limits),
        cmocka_unit_test(string_lengths_count_code_points),
        cmocka_unit_test(arrays),
        cmocka_unit_test(uris),
        cmocka_unit_test(combinators),
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(patterns_are_searched_for_in_the_text),
        cmocka_unit_test(a_pattern_that_explodes_costs_little),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(the_least_integer_can_be_a_multiple),
        cmocka_unit_test(secrets_are_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
