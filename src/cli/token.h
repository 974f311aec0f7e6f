/* Tokens: made, stored as their hash, never kept as text. */
#ifndef MIMEO_CLI_TOKEN_H
#define MIMEO_CLI_TOKEN_H

#include <stdbool.h>

struct err;
struct store;

#define TOKEN_TEXT_SIZE 41 /* "r8_" and 37 characters */
#define TOKEN_ACCOUNT_DEFAULT "local"

/* A new token, stored; ret_text gets it, this once. */
bool token_create(struct store *store, const char *name, const char *account,
                  char ret_text[TOKEN_TEXT_SIZE], struct err *err);

/* Make a token the user chose valid. Fine when it is already; ERR_FORBIDDEN when it was revoked. */
bool token_admit(struct store *store, const char *text, struct err *err);

bool token_revoke(struct store *store, const char *id, struct err *err); /* ERR_NOT_FOUND */

/* Is there any token that is valid? */
bool token_any(struct store *store, bool *ret_any, struct err *err);

#endif
