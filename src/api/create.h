/* Making a prediction (or a training) on behalf of a call: the one way for every route that does.
 * Private to api/. */
#ifndef MIMEO_API_CREATE_H
#define MIMEO_API_CREATE_H

#include <jansson.h>

#include "api/waits.h"

struct http_call;
struct registry_version;

struct create_request {
    const struct registry_version *version;
    const char *ref;             /* the version as the body names it; NULL: the path tells */
    const json_t *input;         /* borrowed during the call */
    const char *webhook;         /* or NULL */
    const json_t *events_filter; /* or NULL */
    const char *deployment;      /* "owner/name", or NULL */
    const char *destination;     /* of a training; NULL: a prediction */
    enum waits_kind kind;        /* how the call is answered when it waits */
    int wait_ms;                 /* below 0: as its Prefer header says; 0: at once */
};

/* Check the input against the version's schema (a training's against its training schema), the
 * headers Prefer, Cancel-After and Idempotency-Key, the account's quota and credit; store it, and
 * answer the call: 201, 202, 402, 422, 429. A create whose Idempotency-Key was used before is
 * answered with the prediction that it made. The call may be answered, and its memory gone, before
 * this returns. */
void create_submit(struct http_call *call, const struct create_request *request);

#endif
