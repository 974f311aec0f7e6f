/* JSON: what is read, what is refused, and that numbers keep their value and their looks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    struct err err;
    if (!json_parse(str_from(text), &value, &err))
        fail_msg("%s: %s", text, err.detail);
    return value;
}

static void assert_written(const char *text, bool sort_keys, const char *expected)
{
    json_t *value = parse(text);
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(json_write(value, sort_keys, &out));
    assert_string_equal(out.ptr, expected);
    buf_done(&out);
    json_decref(value);
}

static void assert_refused(struct str text)
{
    json_t *value = (json_t *)&text;
    struct err err = { 0 };
    assert_false(json_parse(text, &value, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(strlen(err.detail) > 0);
    assert_ptr_equal(value, &text);
}

static void numbers_keep_their_looks(void **state)
{
    (void)state;
    static const char *const same[] = { "0",
                                        "-1",
                                        "0.8",
                                        "0.1",
                                        "1e+300",
                                        "5e-324",
                                        "1e-7",
                                        "0.000001",
                                        "1.5e+21",
                                        "0.30000000000000004",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "1.7976931348623157e+308",
                                        "2.2250738585072014e-308",
                                        "123456.789",
                                        "3.141592653589793" };
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        assert_written(same[i], false, same[i]);
    assert_written("1E2", false, "100"); /* as every JavaScript and Go program writes it */
    assert_written("1.0", false, "1");
    assert_written("-2.50e-3", false, "-0.0025");
    assert_written("123456789012345680000.0", false, "123456789012345680000");
    assert_written("1e-07", false, "1e-7");
    assert_written("1.50", false, "1.5");
}

static void every_real_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        bits ^= bits << 13; /* xorshift: any reals, the same in every run */
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        json_t *real = json_real(value);
        struct buf out;
        buf_init(&out, 64);
        assert_true(json_write(real, false, &out));
        assert_true(strtod(out.ptr, NULL) == value);
        buf_done(&out);
        json_decref(real);
    }
}

static void an_integer_beyond_64_bits_becomes_a_real_alone(void **state)
{
    (void)state;
    assert_written("[1,9223372036854775808,\"99999999999999999999\",-5,2.5]", false,
                   "[1,9223372036854776000,\"99999999999999999999\",-5,2.5]");
    assert_written("{\"seed\":123456789012345678901234567890}", false,
                   "{\"seed\":1.2345678901234568e+29}");
    assert_refused(S("[1e999]"));
    assert_refused(S("12345678901234567890x"));
    char digits[512];
    memset(digits, '9', sizeof digits);
    assert_refused((struct str){ digits, sizeof digits });
}

static void keys_are_sorted_at_every_depth(void **state)
{
    (void)state;
    assert_written("{\"b\":{\"z\":1,\"a\":[{\"d\":1,\"c\":2}]},\"a\":null,\"B\":true}", true,
                   "{\"B\":true,\"a\":null,\"b\":{\"a\":[{\"c\":2,\"d\":1}],\"z\":1}}");
    assert_written("{\"b\":1,\"a\":{}}", false, "{\"b\":1,\"a\":{}}");
}

static void strings_are_escaped_only_where_they_must(void **state)
{
    (void)state;
    assert_written("\"\\u00e9\\n\\t\\\"\\\\/\\u0001\\ud83d\\ude00\"", false,
                   "\"\xc3\xa9\\n\\t\\\"\\\\/\\u0001\xf0\x9f\x98\x80\"");
    struct buf out;
    buf_init(&out, 256);
    assert_true(json_write_string(S("a\xff"
                                    "b\xc3"),
                                  &out));
    assert_string_equal(out.ptr, "\"a\xef\xbf\xbd"
                                 "b\xef\xbf\xbd\"");
    buf_clear(&out);
    assert_true(json_write_string((struct str){ NULL, 0 }, &out));
    assert_string_equal(out.ptr, "\"\"");
    buf_done(&out);
}

static void what_is_not_one_json_text_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           " ",       "{",           "[1,]",
        "{\"a\":1,}", "nul",     "1 2",         "{\"a\":1}x",
        "'a'",        "NaN",     "\"\\u0000\"", "01",
        "+1",         "[1] []",  "\"\xff\"",    "{\"a\":1,\"a\":2}",
        "{1:2}",      "\"a\nb\""
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_refused(str_from(wrong[i]));
    assert_refused((struct str){ "1\0", 2 });
}

static void depth_is_limited(void **state)
{
    (void)state;
    char deep[2 * 129 + 1];
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    assert_refused((struct str){ deep, 258 });
    json_t *value = NULL;
    assert_true(json_parse((struct str){ deep + 1, 256 }, &value, NULL)); /* 128 */
    json_decref(value);
    char many[200];
    memset(many, '{', sizeof many);
    assert_refused((struct str){ many, sizeof many });
    value = parse("\"[[[[[[[[[[\\\"[[[[\""); /* brackets in strings do not count */
    json_decref(value);
}

static void messages_say_where_and_do_not_repeat_the_text(void **state)
{
    (void)state;
    struct err err = { 0 };
    json_t *value;
    assert_false(json_parse(S("{\n  \"prompt\": secret\n}"), &value, &err));
    assert_non_null(strstr(err.detail, "line 2"));
    assert_null(strstr(err.detail, "secret"));
}

static void a_full_buffer_is_reported(void **state)
{
    (void)state;
    json_t *value = parse("{\"key\":[1,2,3,\"text\"]}");
    for (size_t max = 0; max < 24; max++) {
        struct buf out;
        buf_init(&out, max);
        assert_int_equal(json_write(value, max % 2, &out), max >= 22);
        buf_done(&out);
    }
    json_decref(value);
}

static void members_are_read_with_fallbacks(void **state)
{
    (void)state;
    json_t *value = parse("{\"s\":\"x\",\"i\":7,\"r\":0.5,\"b\":true,\"n\":null}");
    assert_string_equal(json_get_string(value, "s"), "x");
    assert_null(json_get_string(value, "i"));
    assert_null(json_get_string(NULL, "s"));
    assert_int_equal(json_get_integer(value, "i", -1), 7);
    assert_int_equal(json_get_integer(value, "r", -1), -1);
    assert_true(json_get_number(value, "i", 0) == 7.0 && json_get_number(value, "r", 0) == 0.5);
    assert_true(json_get_number(value, "n", 3) == 3.0);
    assert_true(json_get_boolean(value, "b", false) && json_get_boolean(value, "n", true));
    json_decref(value);
}

/* Two bytes of text can take hundreds of memory. */
static void texts_of_too_many_values_are_refused(void **state)
{
    struct buf text;
    json_t *value = NULL;
    struct err err;

    (void)state;
    buf_init(&text, 8 << 20);
    buf_append_char(&text, '[');
    for (int i = 0; i < 490000; i++)
        buf_append_str(&text, S("{},"));
    buf_append_str(&text, S("0]"));
    assert_true(json_parse(buf_str(&text), &value, &err));
    json_decref(value);
    text.len -= 2;
    for (int i = 0; i < 50000; i++)
        buf_append_str(&text, S("{},"));
    buf_append_str(&text, S("0]"));
    assert_false(json_parse(buf_str(&text), &value, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.detail, "JSON has too many values");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_too_many_values_are_refused),
        cmocka_unit_test(numbers_keep_their_looks),
        cmocka_unit_test(every_real_reads_back_the_same),
        cmocka_unit_test(an_integer_beyond_64_bits_becomes_a_real_alone),
        cmocka_unit_test(keys_are_sorted_at_every_depth),
        cmocka_unit_test(strings_are_escaped_only_where_they_must),
        cmocka_unit_test(what_is_not_one_json_text_is_refused),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(messages_say_where_and_do_not_repeat_the_text),
        cmocka_unit_test(a_full_buffer_is_reported),
        cmocka_unit_test(members_are_read_with_fallbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
