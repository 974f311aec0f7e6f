/* OpenAPI documents of model versions: made in the form Cog gives them, and read back.
 * Private to the registry. Not here: checking an input against a schema (validation.h). */
#ifndef MIMEO_REGISTRY_SCHEMA_H
#define MIMEO_REGISTRY_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

struct err;

/* The whole document for an Input and an Output schema (borrowed; NULL: anything goes). Properties
 * get a title and an x-order where they have none, enums become schemas of their own, as Cog
 * writes them. A new reference, or NULL when memory is short. */
json_t *schema_document(const json_t *input, const json_t *output);

/* The document's components.schemas.Input with every $ref resolved and every allOf merged, so that
 * a validator needs no document. A new reference; ERR_INVALID when there is no Input, when a
 * reference leads nowhere or in a circle, or when it would have more than *nodes_left values; those
 * it has are taken from that. Texts are shared with the document. */
bool schema_flatten(const json_t *document, int *nodes_left, json_t **ret_input, struct err *err);

/* Is the document's output a file, or a list of files? */
bool schema_output_is_files(const json_t *document);

#endif
