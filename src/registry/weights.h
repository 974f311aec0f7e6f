/* Which files a model's weights are: `weights` of its manifest, checked. Names in it become paths
 * and arguments of programs, so they hold nothing but plain characters.
 * Here, because both who fetches (pull/) and who starts runners (predict/) must agree on what
 * "the weights are here" means. Not here: fetching. Any thread. */
#ifndef MIMEO_REGISTRY_WEIGHTS_H
#define MIMEO_REGISTRY_WEIGHTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* Far more than any published model has; what is read has a bounded size. */
#define REGISTRY_WEIGHTS_PARTS_MAX 16
#define REGISTRY_WEIGHTS_VARIANTS_MAX 8
#define REGISTRY_WEIGHTS_FILES_MAX 4

enum registry_weights_kind {
    REGISTRY_WEIGHTS_NPM,    /* "npm:PACKAGE@VERSION" */
    REGISTRY_WEIGHTS_HF,     /* "hf:OWNER/NAME" or "hf:OWNER/NAME@REVISION" */
    REGISTRY_WEIGHTS_GITHUB, /* "github:OWNER/REPO@TAG": an asset of that release */
    REGISTRY_WEIGHTS_KIND_COUNT
};

/* Strings are borrowed from the manifest. */
struct registry_weights_file {
    const char *path;     /* which file of the source; NULL with `resource` */
    const char *resource; /* npm: a key of the package's dist/resources.json, kept as chunks */
    const char *file;     /* its name here */
    const char *sha256;   /* 64 lower-case hex digits */
    int64_t size;         /* bytes */
    bool size_is_exact;   /* false: `size` is known roughly (`size_about`) */
};

/* One published form: all of its files together. */
struct registry_weights_variant {
    const char *source;
    enum registry_weights_kind kind;
    const char *license, *license_url; /* NULL: the model's own */
    int file_count;
    struct registry_weights_file files[REGISTRY_WEIGHTS_FILES_MAX];
};

/* One network of the model; any of its variants is enough. */
struct registry_weights_part {
    const char *name; /* NULL: the manifest has `variants`, so this part is all there is */
    const char *description;
    bool optional;
    int variant_count;
    struct registry_weights_variant variants[REGISTRY_WEIGHTS_VARIANTS_MAX];
};

struct registry_weights {
    int part_count;
    struct registry_weights_part parts[REGISTRY_WEIGHTS_PARTS_MAX];
};

/* Read `weights` of a manifest, which must outlive it; free() it. ERR_NOT_FOUND when the model has
 * no published weights (none given, or `none`), ERR_INVALID naming the row and key. */
bool registry_weights_read(const json_t *manifest, struct registry_weights **ret_weights,
                           struct err *err);

/* The first variant whose files are all in `folder`, readable, or NULL. exact: and as large as the
 * manifest says; false: of whatever size, as a user's own file may be. */
const struct registry_weights_variant *registry_weights_find(
    const struct registry_weights_part *part, const char *folder, bool exact);

/* Is this file in `folder`? ret_path (size >= 1) gets its path, "" when that is too long. */
bool registry_weights_has_file(const struct registry_weights_file *file, const char *folder,
                               bool exact, char *ret_path, size_t size);

/* The most bytes the file may have. */
int64_t registry_weights_bytes_max(const struct registry_weights_file *file);

/* Letters, digits, dot, dash, underscore; no dot or dash first. */
bool registry_weights_is_plain_name(const char *text);

#endif
