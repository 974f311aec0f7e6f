/* A resource of the HTTP API: one file in api/resource/ that exports one const struct named
 * api_resource_<file name>; the registry is made from the folder's listing. */
#ifndef MIMEO_API_RESOURCE_H
#define MIMEO_API_RESOURCE_H

#include "http/server.h"

struct api_resource {
    const struct http_route *routes; /* ended by a NULL method */
};

extern const struct api_resource *const api_resource_registry[]; /* NULL-ended; generated */

#endif
