/* The registry: models, their versions and schemas, from manifests (YAML) and from what
 * mimeo-runner --describe says of its native models. Any thread.
 *
 * Manifests: the built-in ones (models/ in the tree, embedded), those of a user's folder, which
 * win over built-in ones of the same owner/name, and those put while the server runs (models made
 * over the API). docs/manifests.md is their reference.
 *
 * What is found stays as it is, and valid, until registry_close: a change makes new structs, and
 * finds give those from then on. So a pointer may be kept as long as the server runs. */
#ifndef MIMEO_REGISTRY_REGISTRY_H
#define MIMEO_REGISTRY_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct registry;
struct registry_model;

struct registry_version {
    const char *id;          /* 64 hex, "dp-..." or "d-..." */
    const char *created_at;  /* RFC 3339 */
    const char *cog_version; /* never NULL */
    const struct registry_model *model;
    const json_t *openapi_schema;  /* the whole document clients see */
    const json_t *input_schema;    /* its components.schemas.Input, refs resolved and flattened */
    bool streams;                  /* has urls.stream: unless the manifest says `streams: false` */
    bool output_is_files;          /* the output is a file or a list of files */
    bool has_secrets;              /* some input is a secret: registry_is_secret */
    bool trainable;                /* has a training_schema */
    const json_t *training_schema; /* of a training's input, flattened; NULL: not trainable */
    const char *weights_folder;    /* its own, below the weights folder; NULL: its model's */
};

enum registry_source { REGISTRY_BUILT_IN, REGISTRY_FOLDER, REGISTRY_PUT };

/* Prices in millionths of a US dollar; 0: free. */
struct registry_price {
    int64_t per_second_microusd, per_image_microusd, per_run_microusd;
};

struct registry_model {
    const char *owner, *name, *full_name; /* full_name: "owner/name" */
    const char *description;
    const char *visibility; /* "public" or "private" */
    const char *github_url, *paper_url, *license_url, *cover_image_url, *weights_url; /* or NULL */
    const char *created_at;
    const char *readme; /* or NULL */
    bool is_official;
    int64_t run_count;             /* the manifest's; the store's count is added */
    const json_t *default_example; /* or NULL */
    const char *runner;            /* "native" (later: "cog", "upstream") */
    const char *native_model;      /* the name in mimeo-runner; NULL when no runner has it yet */
    const json_t *tags;            /* array of strings; never NULL */
    const char *hardware;          /* a SKU: "cpu" */
    struct registry_price price;
    enum registry_source source;
    const char *account;    /* whose it is; NULL for built-in ones and the folder's */
    const json_t *manifest; /* the whole document, for what only one caller reads (weights) */
    const struct registry_version *versions; /* newest first */
    int version_count;
    /* What a run by the model's name alone runs: the newest, or one that is not listed among
     * `versions`, as official models have it ("dp-..."). NULL: the model has no version. */
    const struct registry_version *by_name;
};

struct registry_options {
    const char *folder;   /* a user's manifests; NULL or absent folder: none */
    const char *describe; /* JSON text of `mimeo-runner --describe`; NULL: no native models */
};

/* A broken built-in manifest is ERR_INTERNAL; a broken user manifest is ERR_INVALID naming file,
 * line and key. */
bool registry_open(const struct registry_options *options, struct registry **ret_registry,
                   struct err *err);
void registry_close(struct registry *registry);

/* Read the folder again (SIGHUP): manifests, functions and collections. On failure nothing has
 * changed; the error is as registry_open's. */
bool registry_reload(struct registry *registry, struct err *err);

/* Add a model, or replace one that was put before. manifest: borrowed; the same document as a YAML
 * manifest, checked in the same way (ERR_INVALID, err->field is the key). account: whose it is.
 * ERR_CONFLICT: a built-in or folder's model has the name, or another model has one of its version
 * ids. ERR_UNAVAILABLE: what was replaced stays in memory, and the budget for that (thousands of
 * changes, of which an account gets a quarter) is spent. ret_model may be NULL. */
bool registry_put(struct registry *registry, const char *account, const json_t *manifest,
                  const struct registry_model **ret_model, struct err *err);
/* Only what was put: ERR_NOT_FOUND: there is no such model; ERR_CONFLICT: it has a manifest. */
bool registry_remove(struct registry *registry, const char *full_name, struct err *err);

/* All models as they are now, by latest version, newest first. The caller frees the array. */
bool registry_list(const struct registry *registry, const struct registry_model ***ret_models,
                   int *ret_count, struct err *err);

/* Models that match, best first: full name, name, tags, description; every word of the query must
 * occur. account: whose private models may be found, too; NULL: nobody's. Scores are above 0 and at
 * most 1. Arrays are the caller's to free. ERR_INVALID: a query of over 500 bytes or 16 words. */
bool registry_search(const struct registry *registry, const char *query, const char *account,
                     int limit, const struct registry_model ***ret_models, double **ret_scores,
                     int *ret_count, struct err *err);

/* Collections: built in (catalogue/collections.yaml), and the folder's own collections.yaml. At an
 * index that is not there (any more): NULL. */
struct registry_collection {
    const char *slug, *name, *description, *full_description; /* never NULL */
    const char *const *models; /* full names, in order; some may not exist */
    int model_count;
};
int registry_collection_count(const struct registry *registry);
const struct registry_collection *registry_collection_at(const struct registry *registry,
                                                         int index);

/* Functions of POST /api/<name>: built in (catalogue/functions.yaml), and the folder's own. */
struct registry_function {
    const char *name, *model; /* model: "owner/name" */
    const char *image_input;  /* the input that the form's `image` is; NULL: takes none */
    const json_t *defaults;   /* inputs given when the form does not; object */
};
const struct registry_function *registry_function_find(const struct registry *registry,
                                                       struct str name);
int registry_function_count(const struct registry *registry);
const struct registry_function *registry_function_at(const struct registry *registry, int index);

const struct registry_model *registry_model_find(const struct registry *registry, struct str owner,
                                                 struct str name); /* or NULL */
const struct registry_version *registry_version_find(const struct registry_model *model,
                                                     struct str id); /* or NULL */

/* What POST /predictions accepts: 64 hex (or dp-/d- id), "owner/name:id", "owner/name" (latest).
 * NULL when there is no such version; "owner/name:latest" is none either. */
const struct registry_version *registry_resolve(const struct registry *registry, struct str ref);

/* Must this input (a property of a schema) never be shown? Those with x-cog-secret, or the format
 * "password". */
bool registry_is_secret(const json_t *property);

/* Parse one manifest; for tests, `mimeo pull` and fuzzing. The caller owns *ret_manifest. */
bool registry_manifest_parse(struct str yaml, json_t **ret_manifest, struct err *err);

#endif
