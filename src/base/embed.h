/* Files built into the executable: manifests and migrations, made by tools/embed-files; the page,
 * made by tools/embed-page. */
#ifndef MIMEO_BASE_EMBED_H
#define MIMEO_BASE_EMBED_H

#include <stdbool.h>
#include <stddef.h>

struct embed_file {
    const char *name;          /* base name; NULL ends a table */
    const unsigned char *data; /* followed by a 0 that len does not count */
    size_t len;
};

/* A file of the page, as it is sent: coded beforehand. Of the three forms at least one is there,
 * the plain one only when there is no gzip form. */
struct embed_form {
    const unsigned char *data; /* NULL: this form is not there */
    size_t len;
};
struct embed_page_file {
    const char *path; /* "/assets/index-1a2b.js"; NULL ends a table */
    const char *content_type;
    const char *etag; /* with its quotes */
    bool immutable;   /* its name changes with its content */
    size_t size;      /* of the plain form */
    struct embed_form br, gzip, plain;
};

extern const struct embed_page_file embed_page[]; /* by path, sorted; empty in a build without it */
extern const size_t embed_page_count;

extern const struct embed_file embed_api[];        /* src/api/openapi.yaml */
extern const struct embed_file embed_models[];     /* models/(*).yaml, the built-in manifests */
extern const struct embed_file embed_catalogue[];  /* catalogue/(*).yaml: functions, collections */
extern const struct embed_file embed_migrations[]; /* src/store/sql/(*).sql, in order */

#endif
