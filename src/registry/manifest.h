/* What the registry's files share about manifests. Private to the registry;
 * registry_manifest_parse stands in registry.h. */
#ifndef MIMEO_REGISTRY_MANIFEST_H
#define MIMEO_REGISTRY_MANIFEST_H

#include "base/str.h"

/* 64 lower-case hex digits, or "dp-" or "d-" and 32. */
bool manifest_is_version_id(struct str id);

#endif
