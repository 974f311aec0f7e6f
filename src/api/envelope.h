/* The JSON body and the headers of a request that makes a prediction: parsed and checked before its
 * input is looked at. Private to api/. */
#ifndef MIMEO_API_ENVELOPE_H
#define MIMEO_API_ENVELOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct envelope; /* the schemas, parsed once */
struct err;
struct validation_error;

struct envelope_request {
    json_t *body;        /* owned: envelope_request_done */
    const char *version; /* NULL in the form that has none; the rest is borrowed from body too */
    const json_t *input;
    const char *webhook;         /* or NULL */
    const json_t *events_filter; /* or NULL */
};

bool envelope_new(struct envelope **ret_envelope, struct err *err);
void envelope_free(struct envelope *envelope);

/* Parse a body. with_version: `version` is required, else it is not allowed. False: either
 * *ret_errors is set (the body is JSON but not a request; memory from arena), or err is (no JSON).
 */
bool envelope_parse(const struct envelope *envelope, struct str body, bool with_version,
                    struct arena *arena, struct envelope_request *ret_request,
                    struct validation_error **ret_errors, struct err *err);
void envelope_request_done(struct envelope_request *request);

/* Prefer: wait or wait=n. Returns the milliseconds to wait, 0 when the request does not wait, and
 * the preference to echo ("wait=10"; in arena). What is not understood is ignored (RFC 7240). */
int envelope_prefer_ms(const char *header, struct arena *arena, const char **ret_applied);

/* Cancel-After: seconds ("30"), or hours, minutes and seconds ("1h30m45s"; each may be left out).
 * False on anything else and outside 5 seconds to 24 hours. Pure. */
bool envelope_cancel_after_us(struct str header, int64_t *ret_after_us);

/* An Idempotency-Key has 1 to 255 printable ASCII characters. Pure. */
bool envelope_key_is_valid(struct str header);

#endif
