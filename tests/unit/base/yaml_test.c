/* YAML: the core schema's scalars become JSON values; everything dangerous is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

static void assert_yaml(const char *text, const char *expected)
{
    json_t *value = NULL;
    struct err err;
    if (!yaml_parse(str_from(text), &value, &err))
        fail_msg("%s: %s", text, err.detail);
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_true(json_write(value, false, &out));
    assert_string_equal(out.ptr, expected);
    buf_done(&out);
    json_decref(value);
}

static void assert_refused(struct str text)
{
    json_t *value = (json_t *)&text;
    struct err err = { 0 };
    if (yaml_parse(text, &value, &err))
        fail_msg("accepted: %.60s", text.ptr);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_ptr_equal(value, &text);
}

static void scalars_follow_the_core_schema(void **state)
{
    (void)state;
    assert_yaml("[null, ~, Null, NULL, '']", "[null,null,null,null,\"\"]");
    assert_yaml("a:\nb: ~", "{\"a\":null,\"b\":null}");
    assert_yaml("[true, False, TRUE, yes, on, y]", "[true,false,true,\"yes\",\"on\",\"y\"]");
    assert_yaml("[0, -7, +3, 007, 0x1F, 0o17, 9223372036854775807]",
                "[0,-7,3,7,31,15,9223372036854775807]");
    assert_yaml("[0.8, .5, 1., 1e3, -2.5E-1, 9223372036854775808]",
                "[0.8,0.5,1,1000,-0.25,9223372036854776000]");
    assert_yaml("[1.2.3, 1e, e1, 0x, 0xZ, 0o8, '-', +, 3 4, 12:30, 2024-01-02, .]",
                "[\"1.2.3\",\"1e\",\"e1\",\"0x\",\"0xZ\",\"0o8\",\"-\",\"+\",\"3 4\",\"12:30\","
                "\"2024-01-02\",\".\"]");
    assert_yaml("['1', \"true\", !!str 1, ! 2, !!int '3', !!float '1.5', !!bool 'true']",
                "[\"1\",\"true\",\"1\",\"2\",3,1.5,true]");
}

static void documents_become_values(void **state)
{
    (void)state;
    assert_yaml("", "null");
    assert_yaml("# nothing\n", "null");
    assert_yaml("---\na: 1\n...\n", "{\"a\":1}");
    assert_yaml("name: x\nlist:\n  - a\n  - {b: [1, 2]}\ntext: |\n  one\n  two\n",
                "{\"name\":\"x\",\"list\":[\"a\",{\"b\":[1,2]}],\"text\":\"one\\ntwo\\n\"}");
    assert_yaml("1: a\n'': b", "{\"1\":\"a\",\"\":\"b\"}");
    assert_yaml("anchored: &x 1", "{\"anchored\":1}");
}

static void dangerous_things_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a: &x [1]\nb: *x", "a: 1\na: 2",    "--- 1\n--- 2", "{a: 1",
        "a: b: c",          "[.inf]",        "[-.INF]",      "[.nan]",
        "!!python/x 1",     "!foo 1",        "!!int x",      "!!bool maybe",
        "? [a]\n: b",       "? {a: b}\n: c", "\"a\\0b\"",    "\t- a",
        "key: \"\\ud800\"", "1e999",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong) - 1; i++)
        assert_refused(str_from(wrong[i]));
    assert_yaml("1e999", "\"1e999\""); /* no number JSON could hold: so it is text */
    assert_refused(S("a: \xff\xfe"));
}

static void sizes_are_limited(void **state)
{
    (void)state;
    char deep[65];
    memset(deep, '[', sizeof deep);
    assert_refused((struct str){ deep, sizeof deep });
    size_t len = 2 * 100001;
    char *wide = malloc(len);
    wide[0] = '[';
    for (size_t i = 1; i < len; i++)
        wide[i] = i % 2 ? '1' : ',';
    wide[len - 1] = ']';
    assert_refused((struct str){ wide, len });
    free(wide);
    size_t large = (1u << 20) + 1;
    char *spaces = malloc(large);
    memset(spaces, ' ', large);
    assert_refused((struct str){ spaces, large });
    free(spaces);
}

static void messages_say_where(void **state)
{
    (void)state;
    struct err err = { 0 };
    json_t *value;
    assert_false(yaml_parse(S("a: 1\nb: 2\na: 3\n"), &value, &err));
    assert_non_null(strstr(err.detail, "line 3 column 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(documents_become_values),
        cmocka_unit_test(dangerous_things_are_refused),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(messages_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
