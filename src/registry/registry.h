/* The registry: models, their versions and schemas, from manifests (YAML) and from what
 * mimeo-runner --describe says of its native models. Read-only once opened; any thread.
 *
 * Manifests: the built-in ones (models/ in the tree, embedded) and those of a user's folder, which
 * win over built-in ones of the same owner/name. docs/manifests.md is their reference. */
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
    const json_t *openapi_schema; /* the whole document clients see */
    const json_t *input_schema;   /* its components.schemas.Input, refs resolved and flattened */
    bool streams;                 /* has urls.stream (output is an iterator) */
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
    const json_t *manifest; /* the whole document, for what only one caller reads (weights) */
    const struct registry_version *versions; /* newest first */
    int version_count;
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

int registry_model_count(const struct registry *registry);
const struct registry_model *registry_model_at(const struct registry *registry,
                                               int index); /* by latest version, newest first */
const struct registry_model *registry_model_find(const struct registry *registry, struct str owner,
                                                 struct str name); /* or NULL */
const struct registry_version *registry_version_find(const struct registry_model *model,
                                                     struct str id); /* or NULL */

/* What POST /predictions accepts: 64 hex (or dp-/d- id), "owner/name:id", "owner/name" (latest).
 * NULL when there is no such version; "owner/name:latest" is none either. */
const struct registry_version *registry_resolve(const struct registry *registry, struct str ref);

/* Parse one manifest; for tests, `mimeo pull` and fuzzing. The caller owns *ret_manifest. */
bool registry_manifest_parse(struct str yaml, json_t **ret_manifest, struct err *err);

#endif
