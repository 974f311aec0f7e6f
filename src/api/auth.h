/* Who calls: tokens to accounts, cached. Private to api/. */
#ifndef MIMEO_API_AUTH_H
#define MIMEO_API_AUTH_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

struct auth;
struct err;
struct http_call;
struct store;

bool auth_new(struct store *store, struct auth **ret_auth, struct err *err);
void auth_free(struct auth *auth);

/* The account of a valid token, in the arena; NULL when there is none. A known token costs a hash
 * and a look into memory, another one a point read of the store. Any thread. */
const char *auth_account(struct auth *auth, struct str token, struct arena *arena);

/* "Bearer x" or "Token x", any case: the token, or an empty string. */
struct str auth_header_token(const char *header);

/* The HTTP server's hook: true lets the call pass, else 401 was sent. */
bool auth_check(struct http_call *call, const char **ret_account);

#endif
