/* What routes about models share: finding the model of a path, showing one, pages of them. Private
 * to api/. */
#ifndef MIMEO_API_MODEL_PAGES_H
#define MIMEO_API_MODEL_PAGES_H

#include "base/buf.h"

struct http_call;
struct registry_model;

/* The model of the path's {owner}/{name}, when the caller may see it. NULL: answered with 404. */
const struct registry_model *model_find(struct http_call *call);

/* Append a model as JSON, with its count of runs (may block on the store). */
void model_write(struct http_call *call, const struct registry_model *model, struct buf *out);
void model_reply(struct http_call *call, int status, const struct registry_model *model);

/* Begin a page that is all there is: initialises *body, `next` and `previous` are null. */
void page_open_single(struct http_call *call, struct buf *body);

#endif
