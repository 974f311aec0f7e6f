/* Who calls, and may they: tokens to accounts, cached. Private to api/. */
#ifndef MIMEO_API_AUTH_H
#define MIMEO_API_AUTH_H

#include <stdbool.h>

#include "account/account.h"
#include "base/arena.h"
#include "base/str.h"

struct auth;
struct err;
struct http_call;
struct store;

bool auth_new(struct store *store, struct auth **ret_auth, struct err *err);
void auth_free(struct auth *auth);

struct auth_caller { /* http_caller() of every call that was let pass */
    const char *account;
    const char *token;           /* its id */
    struct account_token limits; /* the same id, and the token's own limits */
    unsigned scopes;             /* of enum store_scope */
    int64_t expires_us;          /* Unix time; 0: never */
    bool session;                /* it came from signing in with a link */
};

/* Whose valid token it is, in the arena; NULL when it is none, has expired, or is a code. A known
 * token costs a hash and a look into memory, another one a point read of the store. Any thread. */
const struct auth_caller *auth_find(struct auth *auth, struct str token, struct arena *arena);

/* "Bearer x" or "Token x", any case: the token, or an empty string. */
struct str auth_header_token(const char *header);

/* Forget what is known of tokens: this process has changed one. Any thread. */
void auth_forget(struct auth *auth);

/* Has the caller that scope (one of enum store_scope; 0: true)? False: 403 was sent. */
bool auth_has_scope(struct http_call *call, const struct auth_caller *caller, unsigned scope);

/* The HTTP server's hook: true lets the call pass, else 401, 403 or 429 was sent. */
bool auth_check(struct http_call *call, const char **ret_account);

#endif
