/* By which names a server on loopback may be called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "http/host_private.h"

static struct host_rules rules_of(const char *list, const char *public_url)
{
    struct host_rules rules;
    assert_true(host_rules_init(&rules, list, public_url, NULL));
    return rules;
}

static void names_of_this_machine_and_addresses_are_ours(void **state)
{
    static const char *const ours[] = {
        "localhost", "LocalHost:8080", "localhost.",     "a.localhost",  "a.b.LOCALHOST:1",
        "127.0.0.1", "127.9.9.9",      "127.0.0.1:8080", "192.168.1.20", "8.8.8.8:53",
        "[::1]",     "[::1]:80",       "[fe80::1]",      "127.0.0.1.",
    };
    static const char *const others[] = {
        "",
        "evil.example",
        "localhost.evil.example",
        "notlocalhost",
        ".localhost.",
        "127.0.0.1.evil.example",
        "1.2.3",
        "0x7f000001",
        "2130706433",
        "localhost evil",
        "localhost:99999",
        "[::1",
        "[evil.example]",
        "localhost/../x",
        "a@localhost",
        "mimeo.example",
    };
    struct host_rules rules = rules_of(NULL, NULL);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (!host_is_ours(&rules, str_from(ours[i])))
            fail_msg("%s is ours", ours[i]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (host_is_ours(&rules, str_from(others[i])))
            fail_msg("%s is not ours", others[i]);
    assert_false(host_is_ours(&rules, (struct str){ "localhost\0", 10 }));
}

static void what_the_operator_names_is_ours(void **state)
{
    struct host_rules rules = rules_of(" a.example,, b.example:8080 ", "https://Public.example/x");
    (void)state;
    assert_true(host_is_ours(&rules, S("A.Example:1")));
    assert_true(host_is_ours(&rules, S("b.example")));
    assert_true(host_is_ours(&rules, S("public.example:443")));
    assert_false(host_is_ours(&rules, S("x.a.example")));
    rules = rules_of("*", NULL);
    assert_true(host_is_ours(&rules, S("anything at all")));
    rules = rules_of(NULL, "http://c.example:81");
    assert_true(host_is_ours(&rules, S("c.example")));
}

static void a_list_that_is_none_is_refused(void **state)
{
    static const char *const lists[] = { "a b", "http://a.example", "a.example/x", "*.example",
                                         "a,<" };
    struct host_rules rules;
    char many[33 * 2 + 1] = "";
    struct err err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        assert_false(host_rules_init(&rules, lists[i], NULL, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
    for (size_t i = 0; i < 33; i++)
        memcpy(many + 2 * i, "a,", 3);
    assert_false(host_rules_init(&rules, many, NULL, &err));
    assert_non_null(strstr(err.detail, "at most 32"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_machine_and_addresses_are_ours),
        cmocka_unit_test(what_the_operator_names_is_ours),
        cmocka_unit_test(a_list_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
