/* A token as JSON: what it may do, never its text. Private to api/. */
#ifndef MIMEO_API_TOKEN_RENDER_H
#define MIMEO_API_TOKEN_RENDER_H

#include "base/buf.h"
#include "store/record.h"

/* Append the object of a token. current: the id of the caller's token (or NULL). text: the token
 * itself, which is shown once (NULL: not now). with_account: also whose it is. */
void token_render(const struct store_token *token, const char *current, const char *text,
                  bool with_account, struct buf *out);

#endif
