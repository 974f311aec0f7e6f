/* What trained_versions.c needs of model_documents.c. */
#ifndef MIMEO_API_MODEL_DOCUMENTS_PRIVATE_H
#define MIMEO_API_MODEL_DOCUMENTS_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

struct model_documents;
struct registry;

/* For edits: what a training has made, or was about to make, is to be removed. False when memory is
 * short; a training that has made nothing is fine. */
bool model_document_forget_trained(json_t *document, const char *training);

struct registry *model_documents_registry(const struct model_documents *documents);

#endif
