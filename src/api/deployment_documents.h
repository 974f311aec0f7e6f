/* Deployments: kept as documents in the store (the JSON that clients see), and set in predict/
 * while the server runs. May block on the store; any thread. Private to api/. Not here: HTTP
 * (resource/deployments.c). */
#ifndef MIMEO_API_DEPLOYMENT_DOCUMENTS_H
#define MIMEO_API_DEPLOYMENT_DOCUMENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"
#include "store/store.h"

struct err;
struct predict;
struct registry;
struct registry_version;

#define DEPLOYMENTS_MAX 200 /* per account: one page shows them all */

/* The deployment "owner/name". The caller owns *ret_deployment. ERR_NOT_FOUND. */
bool deployment_documents_get(struct store *store, const char *full_name, json_t **ret_deployment,
                              struct err *err);

/* All of an account (NULL: of all), newest first, as an array that the caller owns. */
bool deployment_documents_list(struct store *store, const char *account, json_t **ret_deployments,
                               struct err *err);

/* ERR_CONFLICT: STORE_IF_ABSENT, and there is one; ERR_NOT_FOUND: STORE_IF_PRESENT, and none. */
bool deployment_documents_put(struct store *store, const json_t *deployment,
                              enum store_condition condition, struct err *err);
bool deployment_documents_delete(struct store *store, const char *full_name, struct err *err);

/* Does any deployment use that version? */
bool deployment_documents_use(struct store *store, const char *version, bool *ret_used,
                              struct err *err);

/* The version that its current release runs; NULL when it is gone. */
const struct registry_version *deployment_version(const struct registry *registry,
                                                  const json_t *deployment);

/* Tell predict/ of it: at the start, when it is made, when it changes. */
bool deployment_set(struct predict *predict, const struct registry *registry,
                    const json_t *deployment, struct err *err);

/* Set all that are stored; what cannot be set is told in the log. */
bool deployment_documents_load(struct store *store, struct predict *predict,
                               const struct registry *registry, struct err *err);

#endif
