/* The JSON body of a call that changes something, checked before anything is done with it.
 * Private to api/. Not here: bodies that make predictions (envelope.h). */
#ifndef MIMEO_API_BODY_H
#define MIMEO_API_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

struct http_call;

#define BODY_BYTES_MAX                                                                             \
    (4u << 20) /* what these calls send is small; a model's manifest the most                      \
                */

/* Parse the body and check it against a JSON schema (text; these calls are rare, so it is parsed
 * for each). The caller owns *ret_body. False: answered, with 400 or with a 422 in the words of the
 * public API. */
bool body_read(struct http_call *call, struct str schema, json_t **ret_body);

/* Answer 422 with one error of that kind. type, field, description as in registry/validation.h. */
void body_refuse(struct http_call *call, const char *type, const char *field,
                 const char *description);

#endif
