/* What trained_versions.c needs of model_documents.c. */
#ifndef MIMEO_API_MODEL_DOCUMENTS_PRIVATE_H
#define MIMEO_API_MODEL_DOCUMENTS_PRIVATE_H

struct model_documents;
struct registry;

struct registry *model_documents_registry(const struct model_documents *documents);

#endif
