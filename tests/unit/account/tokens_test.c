/* Making tokens and codes, and what becomes of the one in MIMEO_TOKEN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/tokens.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "store/store.h"

struct fixture {
    char folder[40];
    struct store *store;
    struct arena arena;
    struct err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char location[64];

    snprintf(f->folder, sizeof(f->folder), "/tmp/mimeo-tokens-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(location, sizeof(location), "sqlite:%s/test.db", f->folder);
    assert_true(store_open(location, &f->store, NULL));
    arena_init(&f->arena, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_done(&f->arena);
    store_close(f->store);
    file_remove_tree(f->folder, NULL);
    free(f);
    return 0;
}

static bool find(struct fixture *f, const char *text, struct store_token *ret_token)
{
    unsigned char hash[HASH_SHA256_BYTES];

    hash_sha256(str_from(text), hash);
    return store_token_find(f->store, hash, &f->arena, ret_token, NULL);
}

static void scopes_are_read_from_a_list(void **state)
{
    static const char *const wrong[] = { "", "root", "read,", "read run", ",run", "READ" };
    unsigned scopes = 0;
    struct err err;

    (void)state;
    assert_true(tokens_scopes_parse(S(" operate , read,read"), &scopes, NULL));
    assert_int_equal(scopes, STORE_SCOPE_READ | STORE_SCOPE_OPERATE);
    assert_true(tokens_scopes_parse(S("read,run,manage,operate"), &scopes, NULL));
    assert_int_equal(scopes, STORE_SCOPE_ALL);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (tokens_scopes_parse(str_from(wrong[i]), &scopes, &err))
            fail_msg("'%s' was taken", wrong[i]);
    assert_int_equal(scopes, STORE_SCOPE_ALL);
}

static void a_new_token_is_stored_as_its_hash(void **state)
{
    struct fixture *f = *state;
    const struct store_token wanted = {
        .name = "n", .account = "acme", .scopes = STORE_SCOPE_RUN, .expires_us = 5
    };
    struct tokens_made made, other;
    struct store_token found;

    assert_true(tokens_create(f->store, &wanted, &made, NULL));
    assert_true(tokens_create(f->store, &wanted, &other, NULL));
    assert_string_not_equal(made.text, other.text);
    assert_int_equal(strlen(made.text), TOKENS_TEXT_SIZE - 1);
    assert_true(find(f, made.text, &found));
    assert_string_equal(found.id, made.token.id);
    assert_memory_equal(found.prefix, made.text, 6);
    assert_int_equal(strlen(found.prefix), 6);
    assert_string_equal(found.account, "acme");
    assert_int_equal(found.scopes, STORE_SCOPE_RUN);
    assert_true(found.expires_us == 5);
    assert_false(tokens_is_valid(&found, 5));
    assert_true(tokens_is_valid(&found, 4));
}

static void a_code_gives_one_session_of_its_account(void **state)
{
    struct fixture *f = *state;
    char code[TOKENS_TEXT_SIZE];
    struct tokens_made made;
    struct store_token found;
    bool any = true;

    assert_true(tokens_create_code(f->store, "acme", code, NULL));
    assert_true(find(f, code, &found));
    assert_string_equal(found.prefix, "");
    assert_false(tokens_is_valid(&found, clock_now_us()));
    assert_false(tokens_exchange(f->store, S("wrong"), &f->arena, &made, &f->err));
    assert_int_equal(f->err.kind, ERR_FORBIDDEN);
    assert_true(tokens_exchange(f->store, str_from(code), &f->arena, &made, NULL));
    assert_true(find(f, made.text, &found));
    assert_string_equal(found.account, "acme");
    assert_int_equal(found.kind, STORE_TOKEN_SESSION);
    assert_int_equal(found.scopes, STORE_SCOPE_ALL);
    assert_true(found.expires_us > clock_now_us() + INT64_C(11) * 3600 * 1000000);
    assert_false(tokens_exchange(f->store, str_from(code), &f->arena, &made, &f->err));
    assert_int_equal(f->err.kind, ERR_FORBIDDEN);
    assert_false(tokens_exchange(f->store, str_from(made.text), &f->arena, &made, &f->err));
    assert_true(tokens_any(f->store, &any, NULL));
    assert_false(any); /* a session is nothing a program has */
}

static void the_chosen_token_is_valid_until_it_is_revoked(void **state)
{
    struct fixture *f = *state;
    struct store_token found;
    bool any;

    assert_false(tokens_admit(f->store, "short", &f->err));
    assert_int_equal(f->err.kind, ERR_INVALID);
    assert_true(tokens_admit(f->store, "a-chosen-one", &f->err));
    assert_true(tokens_admit(f->store, "a-chosen-one", &f->err));
    assert_true(find(f, "a-chosen-one", &found));
    assert_int_equal(found.scopes, STORE_SCOPE_ALL);
    assert_true(tokens_any(f->store, &any, NULL) && any);
    assert_true(tokens_revoke(f->store, NULL, found.id, NULL));
    assert_false(tokens_revoke(f->store, NULL, found.id, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    assert_false(tokens_admit(f->store, "a-chosen-one", &f->err));
    assert_int_equal(f->err.kind, ERR_FORBIDDEN);
    assert_true(tokens_any(f->store, &any, NULL) && !any);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_read_from_a_list),
        CASE(a_new_token_is_stored_as_its_hash),
        CASE(a_code_gives_one_session_of_its_account),
        CASE(the_chosen_token_is_valid_until_it_is_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
