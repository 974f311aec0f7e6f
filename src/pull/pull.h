/* Getting a model's published weights into <weights folder>/<owner>/<name>/<file>: each part that
 * is wanted from the first of its sources that works, resumed, checked and installed atomically; a
 * file that is there under its final name is whole and was checked.
 * Not here: what a manifest names (registry/weights.h), reading weights (weights/), asking the user
 * about licences (cli/). */
#ifndef MIMEO_PULL_PULL_H
#define MIMEO_PULL_PULL_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct registry_weights_part;

#define PULL_PATH_MAX 4096

struct pull_options {
    const json_t *manifest;
    const char *owner, *name;
    const char *weights_folder;
    const char *const *parts; /* names of optional parts to pull beside the others */
    int part_count;
    bool all;                /* every part */
    const char *npm_program; /* NULL: "npm" on PATH */
    /* NULL: https://huggingface.co, https://github.com; given ones may be private addresses */
    const char *hf_endpoint, *github_endpoint;
    const char *hf_token; /* NULL: none */
    const atomic_bool *canceled;
    /* A step's progress; total -1 when it is not known. May be NULL. */
    void (*progress)(void *context, const char *step, int64_t done, int64_t total);
    /* One line for the user: a source that failed, a wait. May be NULL. */
    void (*note)(void *context, const char *line);
    /* Each file of the wanted parts, in the manifest's order, once all are there. May be NULL. */
    void (*installed)(void *context, const char *path);
    void *context;
};

/* Is this part to be pulled? Those that are not optional, and those that are asked for. */
bool pull_wants(const struct pull_options *options, const struct registry_weights_part *part);

/* Is all that is wanted there: for each part a variant, all its files with their sizes? Fails as
 * pull_weights does when it has not begun. */
bool pull_look(const struct pull_options *options, bool *ret_installed, struct err *err);

/* Pull. Blocks; ERR_CANCELED soon after *canceled turns true, keeping what can be resumed.
 * ERR_NOT_FOUND: the model has no weights to pull, or none of its parts has a name asked for. Parts
 * that were installed before another one failed stay. */
bool pull_weights(const struct pull_options *options, struct err *err);

#endif
