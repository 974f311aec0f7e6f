/* What the registry's files share about manifests. Private to the registry;
 * registry_manifest_parse stands in registry.h. */
#ifndef MIMEO_REGISTRY_MANIFEST_H
#define MIMEO_REGISTRY_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

struct err;

/* Is that value a manifest? ERR_INVALID with a sentence, and the key in err->field. */
bool manifest_check(const json_t *manifest, struct err *err);

#endif
