/* Tokens: made, stored as their hash, never kept as text; and codes, which a link carries and which
 * are exchanged for a token once. The text is random enough (37 of 62 characters) that a plain
 * SHA-256 is a safe thing to keep. All of it may block on the store; any thread.
 * Not here: who calls and may they (api/auth.c), what a token's limits do (account.h). */
#ifndef MIMEO_ACCOUNT_TOKENS_H
#define MIMEO_ACCOUNT_TOKENS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/record.h"

struct store;

#define TOKENS_TEXT_SIZE 41 /* "r8_" and 37 characters; a code's is as long */
#define TOKENS_ACCOUNT_DEFAULT "local"
#define TOKENS_NAME_MAX 100 /* characters of a label */
#define TOKENS_LIMIT_MAX 100000000
#define TOKENS_CODE_LIFETIME_S 3600
#define TOKENS_SESSION_LIFETIME_S (12 * 3600)

struct tokens_made {
    struct store_token token; /* name and account as in what was wanted; prefix: the next */
    char prefix[7];
    char text[TOKENS_TEXT_SIZE]; /* shown this once */
};

/* Store a new token: account, name, kind, scopes, limits and expires_us are `wanted`'s, the rest is
 * made. */
bool tokens_create(struct store *store, const struct store_token *wanted,
                   struct tokens_made *ret_made, struct err *err);

/* A code that signs in to an account once, within TOKENS_CODE_LIFETIME_S. */
bool tokens_create_code(struct store *store, const char *account, char ret_text[TOKENS_TEXT_SIZE],
                        struct err *err);

/* Use a code up for a session of its account with every scope. ERR_FORBIDDEN, with a sentence for
 * the caller, when it is unknown, used, revoked or too old; of two that come at the same time one
 * wins. The account's name lives in the arena. */
bool tokens_exchange(struct store *store, struct str code, struct arena *arena,
                     struct tokens_made *ret_made, struct err *err);

/* Make a token the user chose valid, with every scope. Fine when it is already; ERR_FORBIDDEN when
 * it was revoked. */
bool tokens_admit(struct store *store, const char *text, struct err *err);

/* account NULL: anybody's. ERR_NOT_FOUND: no such token, or it is revoked already. */
bool tokens_revoke(struct store *store, const char *account, const char *id, struct err *err);

/* Is there any token a program can use? */
bool tokens_any(struct store *store, bool *ret_any, struct err *err);

/* Is it valid at that time, and a token at all? */
bool tokens_is_valid(const struct store_token *token, int64_t now_us);

/* The scopes' names, in the order they are shown: name i is that of the bit 1 << i. */
#define TOKENS_SCOPE_COUNT 4
const char *tokens_scope_name(int index);
/* "read,run": ERR_INVALID names the one that is none. */
bool tokens_scopes_parse(struct str list, unsigned *ret_scopes, struct err *err);

#endif
