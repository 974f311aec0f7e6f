/* What URLs in answers start with, and whose word about it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"
#include "http/base_url_private.h"

static bool trusts(const char *list, const char *client)
{
    struct base_url_rules rules;
    struct err err = { .kind = ERR_NONE };
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    assert_true(base_url_rules_init(&rules, list, NULL, &err));
    if (inet_pton(AF_INET, client, &v4.sin_addr) == 1)
        return base_url_trusts(&rules, (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, client, &v6.sin6_addr), 1);
    return base_url_trusts(&rules, (struct sockaddr *)&v6);
}

static void proxies_are_trusted_by_network(void **state)
{
    struct base_url_rules rules;
    struct err err = { .kind = ERR_NONE };
    (void)state;
    assert_true(trusts("127.0.0.1, 10.0.0.0/8", "127.0.0.1"));
    assert_true(trusts("127.0.0.1,10.0.0.0/8", "10.255.0.1"));
    assert_true(trusts("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_true(trusts("172.16.0.0/12", "172.31.9.9"));
    assert_true(trusts("fd00::/8,::1", "fd12::1"));
    assert_true(trusts("0.0.0.0/0", "8.8.8.8"));
    assert_false(trusts("0.0.0.0/0", "2001::1"));
    assert_false(trusts("172.16.0.0/12", "172.32.0.1"));
    assert_false(trusts("127.0.0.1", "127.0.0.2"));
    assert_false(trusts(NULL, "127.0.0.1"));
    assert_false(trusts("::1", "127.0.0.1"));
    assert_false(base_url_rules_init(&rules, "10.0.0.0/33", NULL, &err));
    assert_false(base_url_rules_init(&rules, "localhost", NULL, &err));
    assert_false(base_url_rules_init(&rules, "10.0.0.0/-1", NULL, &err));
    assert_false(base_url_rules_init(&rules, NULL, "ftp://x", &err));
    assert_false(base_url_rules_init(&rules, NULL, "https://x y/", &err));
}

static void only_hosts_pass_as_hosts(void **state)
{
    static const char *const good[] = { "a",     "a.b:8080",       "127.0.0.1:1",
                                        "[::1]", "[fe80::1]:8080", "my_host-2.local" };
    static const char *const bad[] = { "",     ":80",    "a b",     "a/b",   "a@b",
                                       "a\"b", "a<b>",   "a:b",     "a:1:2", "[::1",
                                       "[]",   "[::1]x", "a:99999", "a:-1",  "a?b",
                                       "a#b",  "a\\b",   "a\r\nb",  "a,b",   "[a\"]:1" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(base_url_host_is_valid(str_from(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base_url_host_is_valid(str_from(bad[i])));
}

struct url_case {
    struct base_url_request request;
    bool tls;
    const char *public_url, *want;
};

static void base_urls_follow_the_trusted(void **state)
{
    static const struct url_case cases[] = {
        { { "h:1", NULL, NULL, NULL, false, "" }, false, NULL, "http://h:1" },
        { { "h:1", NULL, NULL, NULL, false, "/replicate" }, true, NULL, "https://h:1/replicate" },
        { { "h", "https", "evil", "/p", false, "" }, false, NULL, "http://h" },
        { { "h", "https", "real.example", "/p/", true, "/r" },
          false,
          NULL,
          "https://real.example/p/r" },
        { { "h", "http, HTTPS", "evil, real", NULL, true, "" }, false, NULL, "https://real" },
        { { "h", "gopher", "a b", "/../x", true, "" }, false, NULL, "http://h" },
        { { "h\"><script>", NULL, NULL, NULL, false, "" }, false, NULL, "http://localhost:7" },
        { { NULL, NULL, NULL, NULL, false, "" }, false, NULL, "http://localhost:7" },
        { { "h", "http", "x", "/p", true, "/r" },
          false,
          "https://pub.example/m/",
          "https://pub.example/m/r" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct base_url_rules rules;
        struct err err = { .kind = ERR_NONE };
        struct arena arena;
        bool https = false;
        arena_init(&arena, 65536);
        assert_true(base_url_rules_init(&rules, NULL, cases[i].public_url, &err));
        rules.tls = cases[i].tls;
        str_copy(S("localhost:7"), rules.fallback, sizeof rules.fallback);
        assert_string_equal(base_url_make(&rules, &cases[i].request, &arena, &https),
                            cases[i].want);
        assert_int_equal(https, strncmp(cases[i].want, "https", 5) == 0);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies_are_trusted_by_network),
        cmocka_unit_test(only_hosts_pass_as_hosts),
        cmocka_unit_test(base_urls_follow_the_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
