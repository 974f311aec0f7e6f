/* Token records. The text is random enough (37 of 62 characters) that a plain SHA-256 is a safe
 * thing to keep. */
#include "cli/token.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "store/store.h"

#define PREFIX_LEN 6
#define CHOSEN_LEN_MIN 8
#define ARENA_BYTES_MAX (8u << 20)

static bool token_insert(struct store *store, const char *text, const char *name,
                         const char *account, struct err *err)
{
    char prefix[PREFIX_LEN + 1];
    struct store_token token = { .name = name, .account = account, .prefix = prefix };
    struct store_write write = { .kind = STORE_TOKEN_INSERT, .token = &token };
    unsigned char id[8];

    id_random_bytes(id, sizeof(id));
    hash_hex(id, sizeof(id), token.id);
    snprintf(prefix, sizeof(prefix), "%.*s", PREFIX_LEN, text);
    hash_sha256(str_from(text), token.hash);
    token.created_us = clock_now_us();
    return store_write_wait(store, &write, err);
}

bool token_create(struct store *store, const char *name, const char *account,
                  char ret_text[TOKEN_TEXT_SIZE], struct err *err)
{
    char text[TOKEN_TEXT_SIZE] = "r8_";

    id_random_text(text + 3, TOKEN_TEXT_SIZE - 4);
    if (!token_insert(store, text, name, account, err))
        return false;
    memcpy(ret_text, text, TOKEN_TEXT_SIZE);
    return true;
}

bool token_admit(struct store *store, const char *text, struct err *err)
{
    unsigned char hash[HASH_SHA256_BYTES];
    struct store_token found;
    struct err missing = { 0 };
    struct arena arena;

    if (strlen(text) < CHOSEN_LEN_MIN)
        return err_set(err, ERR_INVALID, "MIMEO_TOKEN must have at least %d characters",
                       CHOSEN_LEN_MIN);
    hash_sha256(str_from(text), hash);
    arena_init(&arena, ARENA_BYTES_MAX);
    bool known = store_token_find(store, hash, &arena, &found, &missing);
    arena_done(&arena);
    if (known)
        return true;
    if (missing.kind != ERR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (token_insert(store, text, "MIMEO_TOKEN", TOKEN_ACCOUNT_DEFAULT, err))
        return true;
    if (err->kind == ERR_CONFLICT)
        err_set(err, ERR_FORBIDDEN, "the token in MIMEO_TOKEN was revoked; choose another");
    return false;
}

bool token_revoke(struct store *store, const char *id, struct err *err)
{
    struct store_write write = { .kind = STORE_TOKEN_REVOKE, .id = id };

    if (!store_write_wait(store, &write, err))
        return false;
    return write.applied || err_set(err, ERR_NOT_FOUND,
                                    "there is no valid token '%.40s'; see `mimeo tokens list`", id);
}

bool token_any(struct store *store, bool *ret_any, struct err *err)
{
    struct store_token *tokens;
    struct arena arena;
    int count = 0;
    bool any = false;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_token_list(store, &arena, &tokens, &count, err);
    for (int i = 0; ok && i < count; i++)
        any = any || tokens[i].revoked_us == 0;
    arena_done(&arena);
    if (ok)
        *ret_any = any;
    return ok;
}
