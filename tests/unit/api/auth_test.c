/* Tokens: what counts as one, the cache, and how fast a revoked one ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "store/store.h"

static void headers_are_read(void **state)
{
    static const char *const rows[][2] = {
        { "Bearer r8_x", "r8_x" }, { "Token r8_x", "r8_x" }, { "bEARER   r8_x ", "r8_x" },
        { "Basic r8_x", "" },      { "r8_x", "" },           { "", "" },
        { "Bearer", "" },          { "Bearer ", "" },        { NULL, "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(str_equal(auth_header_token(rows[i][0]), str_from(rows[i][1])));
}

struct fixture {
    char folder[32];
    struct store *store;
    struct auth *auth;
    struct arena arena;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char location[64];

    snprintf(f->folder, sizeof(f->folder), "/tmp/mimeo-auth-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(location, sizeof(location), "sqlite:%s/test.db", f->folder);
    assert_true(store_open(location, &f->store, NULL));
    assert_true(auth_new(f->store, &f->auth, NULL));
    arena_init(&f->arena, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_done(&f->arena);
    auth_free(f->auth);
    store_close(f->store);
    file_remove_tree(f->folder, NULL);
    free(f);
    return 0;
}

static struct store_token token_of(const char *text)
{
    struct store_token token = { .id = "0123456789abcdef",
                                 .name = "",
                                 .account = "acme",
                                 .prefix = "r8_a",
                                 .created_us = 1,
                                 .scopes = STORE_SCOPE_READ | STORE_SCOPE_RUN,
                                 .creates_per_minute = 7,
                                 .predictions_per_day = 8 };

    hash_sha256(str_from(text), token.hash);
    return token;
}

static void insert(struct fixture *f, const struct store_token *token)
{
    struct store_write write = { .kind = STORE_TOKEN_INSERT, .token = token };

    assert_true(store_write_wait(f->store, &write, NULL));
}

static void end(struct fixture *f, const char *id)
{
    struct store_write write = { .kind = STORE_TOKEN_REVOKE, .id = id };

    assert_true(store_write_wait(f->store, &write, NULL));
}

static const struct auth_caller *find(struct fixture *f, const char *text)
{
    return auth_find(f->auth, str_from(text), &f->arena);
}

static void a_revoked_token_ends_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("r8_abc");

    assert_null(find(f, "r8_abc"));
    insert(f, &token);
    assert_string_equal(find(f, "r8_abc")->account, "acme"); /* from the store */
    usleep(1100000);
    assert_string_equal(find(f, "r8_abc")->account, "acme");
    assert_string_equal(find(f, "r8_abc")->account, "acme"); /* from the cache */
    assert_string_equal(find(f, "r8_abc")->token, token.id);
    assert_null(find(f, "r8_abd"));
    end(f, token.id);
    usleep(1100000);
    assert_null(find(f, "r8_abc"));
}

static void a_token_revoked_by_this_process_ends_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("r8_abc");

    insert(f, &token);
    assert_non_null(find(f, "r8_abc"));
    assert_non_null(find(f, "r8_abc"));
    end(f, token.id);
    auth_forget(f->auth);
    assert_null(find(f, "r8_abc"));
}

static void scopes_and_limits_come_with_the_caller_cached_or_not(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("r8_abc");

    insert(f, &token);
    for (int i = 0; i < 2; i++) {
        const struct auth_caller *caller = find(f, "r8_abc");

        assert_int_equal(caller->scopes, STORE_SCOPE_READ | STORE_SCOPE_RUN);
        assert_string_equal(caller->limits.id, token.id);
        assert_int_equal(caller->limits.creates_per_minute, 7);
        assert_int_equal(caller->limits.predictions_per_day, 8);
        assert_false(caller->session);
        assert_true(caller->expires_us == 0);
    }
}

static void a_token_expires_also_while_it_is_cached(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("r8_abc");

    token.kind = STORE_TOKEN_SESSION;
    token.expires_us = clock_now_us() + 300000;
    insert(f, &token);
    assert_true(find(f, "r8_abc")->session);
    assert_non_null(find(f, "r8_abc"));
    usleep(350000);
    assert_null(find(f, "r8_abc"));
    auth_forget(f->auth);
    assert_null(find(f, "r8_abc"));
}

static void a_code_is_no_token(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("code");

    token.kind = STORE_TOKEN_CODE;
    token.scopes = STORE_SCOPE_ALL;
    insert(f, &token);
    assert_null(find(f, "code"));
    assert_null(find(f, "code"));
}

static int64_t last_use(struct fixture *f)
{
    struct store_token *tokens;
    int count;

    assert_true(store_token_list(f->store, NULL, 0, &f->arena, &tokens, &count, NULL));
    assert_int_equal(count, 1);
    return tokens[0].last_used_us;
}

static void the_last_use_is_written_at_most_once_a_minute(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("r8_abc");
    int64_t first, generation, after;

    insert(f, &token);
    assert_true(store_token_generation(f->store, &generation, NULL));
    assert_non_null(find(f, "r8_abc"));
    for (int i = 0; i < 100 && last_use(f) == 0; i++)
        usleep(10000);
    first = last_use(f);
    assert_true(first > clock_now_us() - 5000000 && first <= clock_now_us());
    assert_non_null(find(f, "r8_abc"));
    auth_forget(f->auth);
    assert_non_null(find(f, "r8_abc")); /* from the store, which knows that it was just used */
    usleep(100000);
    assert_true(last_use(f) == first);
    assert_true(store_token_generation(f->store, &after, NULL));
    assert_true(after == generation); /* nobody's cache was dropped for that */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        CASE(a_revoked_token_ends_within_a_second),
        CASE(a_token_revoked_by_this_process_ends_at_once),
        CASE(scopes_and_limits_come_with_the_caller_cached_or_not),
        CASE(a_token_expires_also_while_it_is_cached),
        CASE(a_code_is_no_token),
        CASE(the_last_use_is_written_at_most_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
