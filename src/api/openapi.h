/* The API's own description (openapi.yaml), for clients. Private to api/. */
#ifndef MIMEO_API_OPENAPI_H
#define MIMEO_API_OPENAPI_H

#include "base/buf.h"

struct err;
struct openapi;

/* Reads the built-in description once. */
bool openapi_new(struct openapi **ret_openapi, struct err *err);
void openapi_free(struct openapi *openapi); /* NULL is fine */

/* Append it as JSON, with base_url as its server. Any thread. */
void openapi_write(const struct openapi *openapi, const char *base_url, struct buf *out);

#endif
