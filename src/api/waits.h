/* Requests that wait for their prediction, so that the server can end while some do.
 * Private to api/. */
#ifndef MIMEO_API_WAITS_H
#define MIMEO_API_WAITS_H

#include <stdbool.h>

#include "base/id.h"

struct err;
struct http_call;
struct predict;
struct waits;

/* What the call had asked for. */
enum waits_kind {
    WAITS_CREATE,  /* a prediction or training, with Prefer: wait */
    WAITS_REPLAY,  /* a create that was made before; no wait */
    WAITS_CANCEL,  /* its end */
    WAITS_FUNCTION /* what /api/<function> gives (api/functions.h) */
};

/* What answers a call whose wait is over; called once per call. */
typedef void waits_answer(struct http_call *call, const char *id, enum waits_kind kind);

/* over: called on a thread that must not block; stop: on the thread of waits_stop. */
bool waits_new(waits_answer *over, waits_answer *stop, struct waits **ret_waits, struct err *err);

/* Wait for a prediction on behalf of a call. False, and nothing is called, when waits_stop was
 * called before or memory is short: then the caller answers. Any thread. */
bool waits_add(struct waits *waits, struct predict *predict, struct http_call *call, const char *id,
               enum waits_kind kind, int timeout_ms);

/* Refuse new ones, give those that wait up to drain_ms to be answered with the end, and answer the
 * others with what is known. */
void waits_stop(struct waits *waits, int drain_ms);

/* After waits_stop, when nothing calls waits_add any more: freed once predict has let go of the
 * last. NULL is fine. */
void waits_free(struct waits *waits);

#endif
