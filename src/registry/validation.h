/* Input validation against a JSON schema, in the words of the public API's 422 answers
 * (the type names and templates of gojsonschema). Pure; any thread. */
#ifndef MIMEO_REGISTRY_VALIDATION_H
#define MIMEO_REGISTRY_VALIDATION_H

#include <jansson.h>
#include <stdbool.h>

struct arena;

struct validation_error {
    const char *type;        /* "required", "enum", "invalid_type", ... */
    const char *field;       /* "input.seed", "input", "webhook_events_filter.0", "" */
    const char *description; /* "Must be less than or equal to 4" */
    struct validation_error *next;
};

#define VALIDATION_ERRORS_MAX 100 /* more tell a reader nothing */

/* Check `value` against `schema` (refs already resolved). root: how the document root is printed
 * ("input" or ""); names_from_root: whether descriptions name the full path (the envelope's) or
 * the path below the root (the input's). Returns the errors in schema order (NULL: valid); memory
 * from arena. What would take too long ends with one error of the type "internal". */
struct validation_error *validation_check(const json_t *schema, const json_t *value,
                                          const char *root, bool names_from_root,
                                          struct arena *arena);

#endif
