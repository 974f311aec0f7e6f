/* A resource of the HTTP API: one file in api/resource/ that exports one const struct named
 * api_resource_<file name>; the registry is made from the folder's listing. */
#ifndef MIMEO_API_RESOURCE_H
#define MIMEO_API_RESOURCE_H

#include "http/server.h"

/* What a route asks of a token (http_route.flags; the HTTP server does not look at them). Without
 * one: GET, HEAD and QUERY need `read`, every other method `run`. auth_check judges by them. */
enum api_scope_flags {
    API_SCOPE_MANAGE = 1 << 16,
    API_SCOPE_OPERATE = 1 << 17,
    API_SCOPE_NONE = 1 << 18, /* any valid token; the handler judges what is left */
};

struct api_resource {
    const struct http_route *routes; /* ended by a NULL method */
};

extern const struct api_resource *const api_resource_registry[]; /* NULL-ended; generated */

#endif
