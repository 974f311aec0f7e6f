/* Files built into the executable (manifests, migrations); made by tools/embed-files. */
#ifndef MIMEO_BASE_EMBED_H
#define MIMEO_BASE_EMBED_H

#include <stddef.h>

struct embed_file {
    const char *name;          /* base name; NULL ends a table */
    const unsigned char *data; /* followed by a 0 that len does not count */
    size_t len;
};

extern const struct embed_file embed_api[];        /* src/api/openapi.yaml */
extern const struct embed_file embed_models[];     /* models/(*).yaml, the built-in manifests */
extern const struct embed_file embed_catalogue[];  /* catalogue/(*).yaml: functions, collections */
extern const struct embed_file embed_migrations[]; /* src/store/sql/(*).sql, in order */

#endif
