/* Which route a method and a path find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "http/route_private.h"

static void nothing(struct http_call *call)
{
    (void)call;
}

static const struct http_route routes[] = {
    { "GET", "/", nothing, HTTP_ROOT_ONLY, 0 },
    { "GET", "/health", nothing, HTTP_ROOT_ONLY, 0 },
    { "GET", "/ui/{rest...}", nothing, HTTP_ROOT_ONLY, 0 },
    { "GET", "/v1/models", nothing, 0, 0 },
    { "POST", "/v1/models", nothing, 0, 0 },
    { "QUERY", "/v1/models", nothing, 0, 0 },
    { "GET", "/v1/models/{owner}/{name}", nothing, 0, 0 },
    { "GET", "/v1/models/{owner}/featured", nothing, 0, 0 },
    { "DELETE", "/v1/models/{owner}/{name}", nothing, 0, 0 },
    { "GET", "/v1/files/{id}/download", nothing, 0, 0 },
    { "GET", "/v1/{rest...}", nothing, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };
static const char *const prefixes[] = { "", "/replicate", NULL };

struct route_case {
    const char *method, *path;
    enum route_result result;
    const char *pattern, *prefix, *param, *allow;
};

static const struct route_case cases[] = {
    { "GET", "/", ROUTE_FOUND, "/", "", NULL, NULL },
    { "GET", "/health", ROUTE_FOUND, "/health", "", NULL, NULL },
    { "GET", "/replicate/health", ROUTE_NOT_FOUND, NULL, NULL, NULL, NULL },
    { "GET", "/ui", ROUTE_FOUND, "/ui/{rest...}", "", "", NULL },
    { "GET", "/ui/", ROUTE_FOUND, "/ui/{rest...}", "", "", NULL },
    { "GET", "/ui/a/b%20c.js", ROUTE_FOUND, "/ui/{rest...}", "", "a/b c.js", NULL },
    { "GET", "/ui/../secret", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "/ui/%2e%2e/secret", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "/ui/a%2f..%2fsecret", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "/v1/models", ROUTE_FOUND, "/v1/models", "", NULL, NULL },
    { "HEAD", "/v1/models", ROUTE_FOUND, "/v1/models", "", NULL, NULL },
    { "QUERY", "/v1/models", ROUTE_FOUND, "/v1/models", "", NULL, NULL },
    { "GET", "/replicate/v1/models", ROUTE_FOUND, "/v1/models", "/replicate", NULL, NULL },
    { "GET", "/v1/v1/models", ROUTE_FOUND, "/v1/models", "", NULL, NULL },
    { "GET", "/replicate/v1/v1/models", ROUTE_FOUND, "/v1/models", "/replicate", NULL, NULL },
    { "GET", "/v1/models/a/b", ROUTE_FOUND, "/v1/models/{owner}/{name}", "", "a", NULL },
    { "GET", "/v1/models/a%2Fc/b", ROUTE_FOUND, "/v1/models/{owner}/{name}", "", "a/c", NULL },
    { "GET", "/v1/models/a/featured", ROUTE_FOUND, "/v1/models/{owner}/featured", "", "a", NULL },
    { "DELETE", "/v1/models/a/featured", ROUTE_FOUND, "/v1/models/{owner}/{name}", "", "a", NULL },
    { "GET", "/v1/%6dodels", ROUTE_FOUND, "/v1/models", "", NULL, NULL },
    { "GET", "/v1/models//b", ROUTE_FOUND, "/v1/{rest...}", "", "models//b", NULL },
    { "GET", "/v1/files/x/download", ROUTE_FOUND, "/v1/files/{id}/download", "", "x", NULL },
    { "GET", "/v1/files/x/y", ROUTE_FOUND, "/v1/{rest...}", "", "files/x/y", NULL },
    { "PATCH", "/v1/files/x/download", ROUTE_WRONG_METHOD, NULL, NULL, NULL, "GET, HEAD" },
    { "OPTIONS", "/v1/files/x/download", ROUTE_OPTIONS, NULL, NULL, NULL, "GET, HEAD, OPTIONS" },
    { "POST", "/v2", ROUTE_NOT_FOUND, NULL, NULL, NULL, NULL },
    { "GET", "/v1/a%00b", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "/v1/a%zz", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "/v1/a%4", ROUTE_BAD_PATH, NULL, NULL, NULL, NULL },
    { "GET", "*", ROUTE_FOUND, "/", "", NULL, NULL },
    { "GET",
      "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/"
      "32/33/34",
      ROUTE_NOT_FOUND, NULL, NULL, NULL, NULL },
};

static void paths_find_the_most_specific_route(void **state)
{
    struct route_table *table = NULL;
    struct err err = { .kind = ERR_NONE };
    (void)state;
    assert_true(route_table_new(tables, prefixes, &table, &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct route_case *want = &cases[i];
        struct arena arena;
        struct route_match match = { 0 };
        arena_init(&arena, 65536);
        print_message("%s %s\n", want->method, want->path);
        assert_int_equal(route_find(table, want->method, str_from(want->path), &arena, &match),
                         want->result);
        if (want->pattern) {
            assert_string_equal(match.route->pattern, want->pattern);
            assert_string_equal(match.prefix, want->prefix);
        }
        if (want->param) {
            assert_true(match.param_count > 0);
            assert_string_equal(match.param_values[0], want->param);
        }
        if (want->allow && want->allow[0])
            assert_true(strncmp(match.allow, want->allow, strlen(want->allow)) == 0 ||
                        strlen(match.allow) == strlen(want->allow));
        arena_done(&arena);
    }
    route_table_free(table);
}

static void routes_declared_twice_or_malformed_are_refused(void **state)
{
    static const struct http_route twice[] = { { "GET", "/a/{x}", nothing, 0, 0 },
                                               { "GET", "/a/{y}", nothing, 0, 0 },
                                               { NULL, NULL, NULL, 0, 0 } };
    static const struct http_route open_brace[] = { { "GET", "/a/{x", nothing, 0, 0 },
                                                    { NULL, NULL, NULL, 0, 0 } };
    static const struct http_route early_rest[] = { { "GET", "/{x...}/a", nothing, 0, 0 },
                                                    { NULL, NULL, NULL, 0, 0 } };
    const struct http_route *const bad[] = { twice, open_brace, early_rest };
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct http_route *const list[] = { bad[i], NULL };
        struct route_table *table = NULL;
        struct err err = { .kind = ERR_NONE };
        assert_false(route_table_new(list, prefixes, &table, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_null(table);
    }
}

static void percent_decoding_refuses_nul_and_half_escapes(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 65536);
    assert_string_equal(route_percent_decode(&arena, S("a+b%20c"), true), "a b c");
    assert_string_equal(route_percent_decode(&arena, S("a+b%2Bc"), false), "a+b+c");
    assert_null(route_percent_decode(&arena, S("a%00"), false));
    assert_null(route_percent_decode(&arena, S("a%0"), false));
    assert_null(route_percent_decode(&arena, S("%"), false));
    assert_null(route_percent_decode(&arena, S("%g0"), false));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_the_most_specific_route),
        cmocka_unit_test(routes_declared_twice_or_malformed_are_refused),
        cmocka_unit_test(percent_decoding_refuses_nul_and_half_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
