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

static void a_revoked_token_ends_within_a_second(void **state)
{
    char folder[] = "/tmp/mimeo-auth-XXXXXX", location[64];
    struct store_token token = {
        .id = "0123456789abcdef", .name = "", .account = "acme", .prefix = "r8_a", .created_us = 1
    };
    struct store_write insert = { .kind = STORE_TOKEN_INSERT, .token = &token };
    struct store_write revoke = { .kind = STORE_TOKEN_REVOKE, .id = token.id };
    struct store *store;
    struct auth *auth;
    struct arena arena;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(location, sizeof(location), "sqlite:%s/test.db", folder);
    assert_true(store_open(location, &store, NULL));
    hash_sha256(S("r8_abc"), token.hash);
    assert_true(auth_new(store, &auth, NULL));
    arena_init(&arena, 1 << 16);
    assert_null(auth_find(auth, S("r8_abc"), &arena));
    assert_true(store_write_wait(store, &insert, NULL));
    assert_string_equal(auth_find(auth, S("r8_abc"), &arena)->account, "acme"); /* from the store */
    usleep(1100000);
    assert_string_equal(auth_find(auth, S("r8_abc"), &arena)->account, "acme");
    assert_string_equal(auth_find(auth, S("r8_abc"), &arena)->account, "acme"); /* from the cache */
    assert_string_equal(auth_find(auth, S("r8_abc"), &arena)->token, token.id);
    assert_null(auth_find(auth, S("r8_abd"), &arena));
    assert_true(store_write_wait(store, &revoke, NULL));
    usleep(1100000);
    assert_null(auth_find(auth, S("r8_abc"), &arena));
    arena_done(&arena);
    auth_free(auth);
    store_close(store);
    file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(a_revoked_token_ends_within_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
