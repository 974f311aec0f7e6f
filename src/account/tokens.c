#include "account/tokens.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "store/store.h"

#define TOKENS_PREFIX_LEN 6
#define TOKENS_CHOSEN_LEN_MIN 8
#define TOKENS_READ_BYTES (64u << 10)
#define TOKENS_LIST_BYTES (64u << 20)
#define SECOND_US INT64_C(1000000)

/* ---- Scopes ---------------------------------------------------------------------------------- */

static const char *const scope_names[TOKENS_SCOPE_COUNT] = { "read", "run", "manage", "operate" };

const char *tokens_scope_name(int index)
{
    return scope_names[index];
}

static unsigned scope_of(struct str name)
{
    for (int i = 0; i < TOKENS_SCOPE_COUNT; i++)
        if (str_equal(name, str_from(scope_names[i])))
            return 1u << i;
    return 0;
}

bool tokens_scopes_parse(struct str list, unsigned *ret_scopes, struct err *err)
{
    unsigned scopes = 0, scope;
    struct str one;
    bool more;

    do {
        more = str_cut(list, ',', &one, &list);
        if (!more)
            one = list;
        one = str_trim(one);
        scope = scope_of(one);
        if (!scope)
            return err_set(err, ERR_INVALID,
                           "'%.*s' is no scope: there are read, run, manage and operate",
                           one.len > 40 ? 40 : (int)one.len, one.ptr ? one.ptr : "");
        scopes |= scope;
    } while (more);
    *ret_scopes = scopes;
    return true;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* All of a record but its text's hash and prefix. */
static void make_record(const struct store_token *wanted, struct store_token *ret_token)
{
    unsigned char id[8];

    *ret_token = *wanted;
    ret_token->name = wanted->name ? wanted->name : "";
    id_random_bytes(id, sizeof(id));
    hash_hex(id, sizeof(id), ret_token->id);
    ret_token->prefix = "";
    ret_token->created_us = clock_now_us();
    ret_token->revoked_us = ret_token->last_used_us = 0;
}

static void make(const struct store_token *wanted, struct tokens_made *ret_made)
{
    make_record(wanted, &ret_made->token);
    memcpy(ret_made->text, "r8_", 3);
    id_random_text(ret_made->text + 3, TOKENS_TEXT_SIZE - 4);
    str_copy((struct str){ ret_made->text, TOKENS_PREFIX_LEN }, ret_made->prefix,
             sizeof(ret_made->prefix));
    ret_made->token.prefix = ret_made->prefix;
    hash_sha256(str_from(ret_made->text), ret_made->token.hash);
}

static bool insert(struct store *store, const struct store_token *token, struct err *err)
{
    struct store_write write = { .kind = STORE_TOKEN_INSERT, .token = token };

    return store_write_wait(store, &write, err);
}

bool tokens_create(struct store *store, const struct store_token *wanted,
                   struct tokens_made *ret_made, struct err *err)
{
    make(wanted, ret_made);
    return insert(store, &ret_made->token, err);
}

bool tokens_create_code(struct store *store, const char *account, char ret_text[TOKENS_TEXT_SIZE],
                        struct err *err)
{
    struct store_token wanted = {
        .account = account,
        .kind = STORE_TOKEN_CODE,
        .expires_us = clock_now_us() + TOKENS_CODE_LIFETIME_S * SECOND_US,
    };
    char text[TOKENS_TEXT_SIZE];
    struct store_token token;

    make_record(&wanted, &token);
    id_random_text(text, TOKENS_TEXT_SIZE - 1);
    hash_sha256(str_from(text), token.hash);
    if (!insert(store, &token, err))
        return false;
    memcpy(ret_text, text, TOKENS_TEXT_SIZE);
    return true;
}

bool tokens_exchange(struct store *store, struct str code, struct arena *arena,
                     struct tokens_made *ret_made, struct err *err)
{
    struct store_token wanted = { .name = "browser",
                                  .kind = STORE_TOKEN_SESSION,
                                  .scopes = STORE_SCOPE_ALL };
    unsigned char hash[HASH_SHA256_BYTES];
    int64_t now_us = clock_now_us();
    struct store_token found;

    hash_sha256(code, hash);
    if (store_token_find(store, hash, arena, &found, err)) {
        wanted.account = found.account;
        wanted.expires_us = now_us + TOKENS_SESSION_LIFETIME_S * SECOND_US;
        make(&wanted, ret_made);
        struct store_write write = {
            .kind = STORE_TOKEN_EXCHANGE,
            .exchange = { .code_hash = hash, .token = &ret_made->token, .now_us = now_us },
        };
        if (!store_write_wait(store, &write, err))
            return false;
        if (write.applied)
            return true;
    } else if (err->kind != ERR_NOT_FOUND) {
        return false;
    }
    return err_set(err, ERR_FORBIDDEN,
                   "This sign-in link was used before, is too old or is not this server's. "
                   "`mimeo link` makes a new one.");
}

/* ---- A token of the user's choice ------------------------------------------------------------ */

static bool insert_chosen(struct store *store, const char *text, struct err *err)
{
    const struct store_token wanted = { .name = "MIMEO_TOKEN",
                                        .account = TOKENS_ACCOUNT_DEFAULT,
                                        .scopes = STORE_SCOPE_ALL };
    char prefix[TOKENS_PREFIX_LEN + 1];
    struct store_token token;

    make_record(&wanted, &token);
    str_copy((struct str){ text, TOKENS_PREFIX_LEN }, prefix, sizeof(prefix));
    token.prefix = prefix;
    hash_sha256(str_from(text), token.hash);
    if (insert(store, &token, err))
        return true;
    if (err->kind == ERR_CONFLICT)
        err_set(err, ERR_FORBIDDEN, "the token in MIMEO_TOKEN was revoked; choose another");
    return false;
}

bool tokens_admit(struct store *store, const char *text, struct err *err)
{
    unsigned char hash[HASH_SHA256_BYTES];
    struct err missing = { 0 };
    struct store_token found;
    struct arena arena;

    if (strlen(text) < TOKENS_CHOSEN_LEN_MIN)
        return err_set(err, ERR_INVALID, "MIMEO_TOKEN must have at least %d characters",
                       TOKENS_CHOSEN_LEN_MIN);
    hash_sha256(str_from(text), hash);
    arena_init(&arena, TOKENS_READ_BYTES);
    bool known = store_token_find(store, hash, &arena, &found, &missing);
    bool valid = known && tokens_is_valid(&found, clock_now_us());
    arena_done(&arena);
    if (known)
        return valid ||
               err_set(err, ERR_FORBIDDEN, "the token in MIMEO_TOKEN has expired; choose another");
    if (missing.kind == ERR_NOT_FOUND)
        return insert_chosen(store, text, err);
    *err = missing;
    return false;
}

/* ---- Those there are ------------------------------------------------------------------------- */

bool tokens_revoke(struct store *store, const char *account, const char *id, struct err *err)
{
    struct store_write write = { .kind = STORE_TOKEN_REVOKE, .id = id, .account = account };

    if (!store_write_wait(store, &write, err))
        return false;
    return write.applied || err_set(err, ERR_NOT_FOUND,
                                    "there is no valid token '%.40s'; see `mimeo tokens list`", id);
}

bool tokens_any(struct store *store, bool *ret_any, struct err *err)
{
    struct store_token *tokens;
    struct arena arena;
    int count = 0;
    bool any = false;

    arena_init(&arena, TOKENS_LIST_BYTES);
    bool ok = store_token_list(store, NULL, clock_now_us(), &arena, &tokens, &count, err);
    for (int i = 0; ok && i < count; i++)
        any = any || tokens[i].kind == STORE_TOKEN_KEY;
    arena_done(&arena);
    if (ok)
        *ret_any = any;
    return ok;
}

bool tokens_is_valid(const struct store_token *token, int64_t now_us)
{
    return token->kind != STORE_TOKEN_CODE && token->revoked_us == 0 &&
           (token->expires_us == 0 || token->expires_us > now_us);
}
