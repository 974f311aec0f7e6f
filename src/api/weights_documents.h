/* What is told of a model's weights on this machine, as JSON. Private to api/. Not here: the routes
 * (resource/weights.c). */
#ifndef MIMEO_API_WEIGHTS_DOCUMENTS_H
#define MIMEO_API_WEIGHTS_DOCUMENTS_H

#include <stdbool.h>

struct api;
struct buf;
struct registry_model;

/* Append it. Looks at the files of the weights' folder. Any thread that may block. */
void weights_document_write(const struct api *api, const struct registry_model *model,
                            struct buf *out);

/* Has the model published weights that come under a licence we know of? Then it must be accepted
 * before they are fetched. */
bool weights_document_has_license(const struct registry_model *model);

#endif
