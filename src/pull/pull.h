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

/* How far a pull is, over all that it fetches. */
struct pull_overall {
    const char *step; /* "downloading", "checking", "unpacking", ... */
    const char *file; /* its name here */
    /* What is here, with what an earlier pull left, of all that is to be. Published sizes:
     * total_bytes changes when another source takes the place of one that failed. */
    int64_t done_bytes, total_bytes;
};

struct pull_options {
    const json_t *manifest;
    const char *owner, *name;
    const char *weights_folder;
    const char *const *parts; /* names of optional parts to pull beside the others */
    int part_count;
    bool all; /* every part */
    /* Files of whatever size count as installed, as they do for runners: a user's own weights are
     * not pulled over. */
    bool any_size;
    const char *npm_program; /* NULL: "npm" on PATH */
    /* NULL: https://huggingface.co, https://github.com; given ones may be private addresses */
    const char *hf_endpoint, *github_endpoint;
    const char *hf_token; /* NULL: none */
    const atomic_bool *canceled;
    /* A step's progress; total -1 when it is not known. May be NULL. */
    void (*progress)(void *context, const char *step, int64_t done, int64_t total);
    /* The same over all files. May be NULL. */
    void (*overall)(void *context, const struct pull_overall *overall);
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

/* ---- What is there, and taking it away ------------------------------------------------------- */

struct pull_part {
    const char *name; /* borrowed from the manifest; "weights" where its only part has none */
    const char *description; /* borrowed likewise; NULL: none */
    bool optional, installed;
    int64_t bytes;      /* of what is installed; else of its first source, as published */
    int64_t left_bytes; /* of these, still to be fetched */
};
struct pull_facts {
    int part_count;             /* 0: the model needs none, or none are published */
    struct pull_part parts[16]; /* REGISTRY_WEIGHTS_PARTS_MAX */
};

/* What of a model's weights is here: its manifest, owner, name, weights_folder and any_size count.
 * Looks at names and sizes only. ERR_INVALID: the manifest's weights cannot be read. Any thread. */
bool pull_inspect(const struct pull_options *options, struct pull_facts *ret_facts,
                  struct err *err);

/* Remove the files that the manifest's parts name from the model's own folder, then what a pull has
 * left half done, then folders that are empty. Nothing else there is touched, and no link is
 * followed out of the weights folder. Fine when nothing is there. ERR_CONFLICT: a pull of it is
 * under way, or its folder is a link; ERR_NOT_FOUND: the manifest names no weights. Blocks. */
bool pull_remove(const struct pull_options *options, struct err *err);

#endif
