/* Getting a model's published weights into <weights folder>/<owner>/<name>/<file>: the sources of
 * its manifest in order, resumed, checked and installed atomically. The first source that works
 * ends it; a file that is there under its final name is whole and was checked.
 * Not here: reading weights (weights/), asking the user about licences (cli/). */
#ifndef MIMEO_PULL_PULL_H
#define MIMEO_PULL_PULL_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

#define PULL_PATH_MAX 4096
#define PULL_VARIANTS_MAX 16

/* One published form of the weights: any of a model's variants is enough to run it. Strings are
 * borrowed from the manifest. */
struct pull_variant {
    const char *source;   /* "npm:PACKAGE@VERSION" or "hf:OWNER/NAME" */
    const char *resource; /* npm: a key of the package's dist/resources.json; NULL otherwise */
    const char *path;     /* hf: the file in the repository; NULL otherwise */
    const char *file;     /* its name here */
    const char *license;  /* NULL: the model's own */
    const char *license_url;
    int64_t size;       /* bytes */
    const char *sha256; /* 64 hex digits */
};

/* Read `weights.variants` of a manifest. ERR_NOT_FOUND when the model has no weights to pull,
 * ERR_INVALID when a row is not usable. */
bool pull_plan(const json_t *manifest, struct pull_variant ret_variants[PULL_VARIANTS_MAX],
               int *ret_count, struct err *err);

struct pull_options {
    const json_t *manifest;
    const char *owner, *name;
    const char *weights_folder;
    const char *npm_program; /* NULL: "npm" on PATH */
    const char
        *hf_endpoint;     /* NULL: https://huggingface.co; a given one may be a private address */
    const char *hf_token; /* NULL: none */
    const atomic_bool *canceled;
    /* A step's progress; total -1 when it is not known. May be NULL. */
    void (*progress)(void *context, const char *step, int64_t done, int64_t total);
    /* One line for the user: a source that failed, a wait. May be NULL. */
    void (*note)(void *context, const char *line);
    void *context;
};

/* Is one of the variants installed (its file is there with its size)? ret_path gets the file. */
bool pull_find_installed(const struct pull_options *options, char ret_path[PULL_PATH_MAX]);

/* Pull. Blocks; ERR_CANCELED soon after *canceled turns true, keeping what can be resumed.
 * *ret_path is the installed file. */
bool pull_weights(const struct pull_options *options, char ret_path[PULL_PATH_MAX],
                  struct err *err);

#endif
