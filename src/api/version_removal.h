/* Removes in the background what a deleted version has made: its predictions with their files, and
 * weights of its own. Goes on after a restart. Private to api/. */
#ifndef MIMEO_API_VERSION_REMOVAL_H
#define MIMEO_API_VERSION_REMOVAL_H

#include <stdbool.h>

struct blob_store;
struct err;
struct model_documents;
struct predict;
struct store;
struct version_removal;

struct version_removal_options {
    struct model_documents *documents; /* all borrowed */
    struct store *store;
    struct blob_store *blobs;
    struct predict *predict;
};

/* Starts its thread, which looks at once for what an earlier process left, and whenever the
 * documents say that a version is to be removed. */
bool version_removal_start(const struct version_removal_options *options,
                           struct version_removal **ret_removal, struct err *err);
void version_removal_stop(struct version_removal *removal); /* NULL is fine */

#endif
