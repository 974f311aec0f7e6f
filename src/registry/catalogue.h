/* Functions and collections: what stands in functions.yaml and collections.yaml. Private to the
 * registry. */
#ifndef MIMEO_REGISTRY_CATALOGUE_H
#define MIMEO_REGISTRY_CATALOGUE_H

#include "registry/registry.h"

/* Never changes once it is made. */
struct catalogue {
    json_t *functions_json, *collections_json; /* what it was made from; the structs borrow */
    struct registry_function *functions;
    int function_count;
    struct registry_collection *collections;
    int collection_count;
    const char **model_names; /* of all collections */
    struct catalogue *next;   /* the registry's chain of all it ever made */
};

/* Check a file's text and add its rows to those that are there; the same name replaces. ERR_INVALID
 * naming line and key. */
bool catalogue_read_functions(struct str yaml, json_t *functions, struct err *err);
bool catalogue_read_collections(struct str yaml, json_t *collections, struct err *err);

/* From checked rows; references are taken. NULL: no memory. */
struct catalogue *catalogue_make(json_t *functions, json_t *collections);
void catalogue_free(struct catalogue *catalogue);

#endif
