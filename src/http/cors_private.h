/* Which web pages may call this server from browsers, and the headers that tell them so (the
 * Fetch standard's CORS). Only where the operator named origins; without, nothing is added. */
#ifndef MIMEO_HTTP_CORS_PRIVATE_H
#define MIMEO_HTTP_CORS_PRIVATE_H

#include "base/str.h"

struct http_call;
struct MHD_Response;

/* The value of Access-Control-Allow-Origin for a page of `origin` ("" or NULL: none said), by a
 * list as in "*" or "https://a.example, https://b.example:8080": "*", the origin itself, or NULL.
 * Pure. */
const char *cors_allowed_origin(struct str list, const char *origin);

/* What every answer says. The handler's own Access-Control-Allow-Origin comes first. */
void cors_add_headers(const struct http_call *call, struct MHD_Response *response);

/* What the answer to OPTIONS says besides, when it is a preflight. */
void cors_set_preflight(struct http_call *call, const char *methods);

#endif
