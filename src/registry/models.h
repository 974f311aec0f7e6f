/* A model's struct, made from its manifest and what the runner says of it. Private to the
 * registry. */
#ifndef MIMEO_REGISTRY_MODELS_H
#define MIMEO_REGISTRY_MODELS_H

#include "registry/registry.h"

/* A model with all the memory behind it: one block, and the JSON it points into. It never changes
 * once it is made. */
struct made_model {
    struct registry_model model; /* first: a model's pointer is that of its made_model */
    json_t *owned;               /* array: keeps every value alive that the structs point into */
    size_t bytes;                /* about what all of it takes */
    int nodes_left;              /* values that its schemas may still have */
    const json_t *document, *input_schema; /* of all versions that have no schema of their own */
    struct made_model *next;               /* the registry's chain of all it ever made */
    struct registry_version versions[];
};

/* native: the runner's native models by name. manifest: checked (manifest.h); a reference is taken.
 * account: NULL or copied. ERR_INVALID about its schema. Free with models_free. */
bool models_make(const json_t *native, json_t *manifest, enum registry_source source,
                 const char *account, struct made_model **ret_made, struct err *err);
void models_free(struct made_model *made);

/* The manifest's own row for a version, which has its aliases. */
const json_t *models_version_row(const struct registry_version *version);

/* When its newest version was made, in Unix microseconds; 0: it has none. */
int64_t models_latest_us(const struct registry_model *model);

#endif
