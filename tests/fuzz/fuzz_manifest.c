/* fuzz: server
 * Manifests: hostile YAML must be refused with a reason or give a manifest, never a crash. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    json_t *manifest = NULL;

    if (registry_manifest_parse((struct str){ (const char *)data, size }, &manifest, &err)) {
        if (!json_is_object(manifest))
            abort();
        json_decref(manifest);
    } else if (err.kind == ERR_NONE || err.detail[0] == '\0') {
        abort();
    }
    return 0;
}
