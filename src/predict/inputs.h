/* Inputs: turns what a client sent into what a runner gets. File inputs (schema format "uri")
 * become local files: data URLs are decoded, this server's own files and outputs are copied, other
 * URLs are fetched. A runner has no network, so nothing is left for it to fetch.
 * Blocking; on a pool thread. Not here: validation (registry/), which did its work before. */
#ifndef MIMEO_PREDICT_INPUTS_H
#define MIMEO_PREDICT_INPUTS_H

#include <jansson.h>
#include <stdatomic.h>

#include "base/str.h"

struct blob_store;
struct err;
struct store;

struct inputs_sources { /* all borrowed */
    struct store *store;
    struct blob_store *blobs;
    const char *account; /* whose uploaded files may be read */
    const char *folder;  /* where the files go; made when there is one */
    bool allow_private_urls;
    const atomic_bool *canceled;
};

/* *ret_input: the input with each file's value replaced by its path; *ret_files: input name ->
 * path ("name[2]" for the items of a list). The caller owns both. ERR_INVALID, ERR_TOO_LARGE, ...
 * with `field` and a sentence for the client; ERR_CANCELED. */
bool inputs_prepare(const struct inputs_sources *sources, const json_t *schema, const json_t *input,
                    json_t **ret_input, json_t **ret_files, struct err *err);

/* Is this input (a property of a schema) a file, or a list of files? Pure. */
bool inputs_is_file(const json_t *property);

/* The id in a URL of one of our uploaded files, ".../v1/files/<id>", whatever the host (behind a
 * proxy the server does not know its own). Pure. */
bool inputs_file_id(struct str url, struct str *ret_id);

/* The path of a signed output link in a URL, "/outputs/<key>/<signature>/<name>". Pure. */
bool inputs_output_path(struct str url, struct str *ret_path);

#endif
