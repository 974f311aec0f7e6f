/* Models that users make over the API: kept as documents in the store, known to the registry while
 * the server runs. Changes are made one at a time, and are in the registry only when they are in
 * the store as well. Used by the server's wiring (load before predictions are taken up again) and
 * by api/. May block on the store; any thread. Not here: HTTP (resource/models_write.c), removing
 * what a deleted version has made (version_removal.c). */
#ifndef MIMEO_API_MODEL_DOCUMENTS_H
#define MIMEO_API_MODEL_DOCUMENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct model_documents;
struct predict_weights;
struct prediction;
struct registry;
struct registry_model;
struct registry_version;
struct store;

#define MODEL_DOCUMENTS_MAX 1000 /* per account, as on the public API */

/* A document: "manifest", what the registry takes; "deleting", the ids of versions that are being
 * removed; "trained", by a training's id, the version that it has made, or is about to make. */

struct model_documents_options {
    struct store *store; /* all borrowed */
    struct registry *registry;
    const char *weights_folder; /* where trained weights go; kept as it is given */
};

/* Reads every document and puts its model into the registry; one that cannot be put any more is
 * told in the log and stays in the store. */
bool model_documents_open(const struct model_documents_options *options,
                          struct model_documents **ret_documents, struct err *err);
void model_documents_close(struct model_documents *documents); /* NULL is fine */

/* A new model. manifest: as in docs/manifests.md; borrowed. ERR_CONFLICT: the name is taken;
 * ERR_FORBIDDEN: the account has MODEL_DOCUMENTS_MAX; ERR_INVALID: the manifest is none. */
bool model_documents_create(struct model_documents *documents, const char *account,
                            const json_t *manifest, const struct registry_model **ret_model,
                            struct err *err);

/* Change a model: `edit` may alter its document, and returns false, with err, to leave it as it is.
 * ERR_NOT_FOUND: none of that name was made over the API. */
typedef bool model_documents_edit(void *context, json_t *document, struct err *err);
bool model_documents_change(struct model_documents *documents, const char *full_name,
                            model_documents_edit *edit, void *context,
                            const struct registry_model **ret_model, struct err *err);

/* Call retired(context) whenever a version was added to those that are being removed (NULL: nobody
 * any more). It must not block, nor call these functions. */
void model_documents_on_retired(struct model_documents *documents, void (*retired)(void *context),
                                void *context);

/* For edits: a version moves from the manifest to those that are being removed. False when the
 * manifest has none of that id, or memory is short. */
bool model_document_retire(json_t *document, const char *version);

/* ERR_CONFLICT while versions of it are still being removed. */
bool model_documents_delete(struct model_documents *documents, const char *full_name,
                            struct err *err);

/* Calls each() with every version that is being removed, until it returns false. each() may change
 * models. */
bool model_documents_each_deleting(struct model_documents *documents,
                                   bool (*each)(void *context, const char *full_name,
                                                const char *version),
                                   void *context, struct err *err);

/* Where weights of a version of its own lie: "<weights>/<owner>/<name>/<version>". */
bool model_documents_weights_path(const struct model_documents *documents, const char *full_name,
                                  const char *version, char *ret_path, size_t size);

/* predict_trained of predict/predict.h (context: the documents): a training's files become a
 * version of its destination, with a weights folder of its own; without files, what the training
 * has made is removed. trained_versions.c. */
bool model_documents_trained(void *documents, const struct prediction *training,
                             const struct predict_weights *weights, int count,
                             char ret_version_id[65], struct err *err);

/* May an account see and run a model? Private ones are their account's; those of manifests are
 * everyone's, and only left out of lists. Pure. */
bool model_documents_visible(const struct registry_model *model, const char *account);

#endif
