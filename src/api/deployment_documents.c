/* Deployments as documents: id "owner/name", the owner is the account. */
#include "api/deployment_documents.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "predict/predict.h"
#include "registry/registry.h"

#define DOCUMENT_KIND "deployment"
#define DOCUMENTS_ALL_MAX 100000
#define DOCUMENT_MEMORY_BYTES (1u << 20)
#define DOCUMENTS_MEMORY_BYTES (256u << 20)
#define FULL_NAME_SIZE 256

static const char *full_name_of(const json_t *deployment, char ret_name[FULL_NAME_SIZE])
{
    const char *owner = json_get_string(deployment, "owner");
    const char *name = json_get_string(deployment, "name");

    snprintf(ret_name, FULL_NAME_SIZE, "%s/%s", owner ? owner : "", name ? name : "");
    return ret_name;
}

/* ---- The store --------------------------------------------------------------------------------
 */

bool deployment_documents_get(struct store *store, const char *full_name, json_t **ret_deployment,
                              struct err *err)
{
    struct store_document stored;
    struct arena arena;
    bool ok;

    arena_init(&arena, DOCUMENT_MEMORY_BYTES);
    ok = store_document_get(store, DOCUMENT_KIND, full_name, &arena, &stored, err) &&
         json_parse(stored.json, ret_deployment, err);
    arena_done(&arena);
    return ok;
}

bool deployment_documents_list(struct store *store, const char *account, json_t **ret_deployments,
                               struct err *err)
{
    json_t *all = json_array(), *one;
    struct store_document *stored;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, DOCUMENTS_MEMORY_BYTES);
    ok = all || err_set(err, ERR_NO_MEMORY, "not enough memory for deployments");
    ok = ok && store_document_list(store, DOCUMENT_KIND, account,
                                   account ? DEPLOYMENTS_MAX : DOCUMENTS_ALL_MAX, &arena, &stored,
                                   &count, err);
    for (int i = 0; ok && i < count; i++)
        ok = json_parse(stored[i].json, &one, err) &&
             (json_array_append_new(all, one) == 0 ||
              err_set(err, ERR_NO_MEMORY, "not enough memory for deployments"));
    arena_done(&arena);
    if (ok)
        *ret_deployments = all;
    else
        json_decref(all);
    return ok;
}

bool deployment_documents_put(struct store *store, const json_t *deployment,
                              enum store_condition condition, struct err *err)
{
    char full_name[FULL_NAME_SIZE];
    struct store_document row = { .kind = DOCUMENT_KIND,
                                  .id = full_name_of(deployment, full_name),
                                  .account = json_get_string(deployment, "owner") };
    struct store_write write = { .kind = STORE_DOCUMENT_PUT };
    struct buf text;
    bool ok;

    buf_init(&text, DOCUMENT_MEMORY_BYTES / 2);
    if (!json_write(deployment, false, &text)) {
        buf_done(&text);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a deployment");
    }
    row.json = buf_str(&text);
    write.document = &row;
    write.condition = condition;
    ok = store_write_wait(store, &write, err);
    buf_done(&text);
    if (!ok || write.applied)
        return ok;
    return condition == STORE_IF_ABSENT
               ? err_set(err, ERR_CONFLICT, "A deployment with that name already exists")
               : err_set(err, ERR_NOT_FOUND, "There is no such deployment");
}

bool deployment_documents_delete(struct store *store, const char *full_name, struct err *err)
{
    struct store_document row = { .kind = DOCUMENT_KIND, .id = full_name };
    struct store_write write = { .kind = STORE_DOCUMENT_DELETE };

    write.document = &row;
    return store_write_wait(store, &write, err) &&
           (write.applied || err_set(err, ERR_NOT_FOUND, "There is no such deployment"));
}

bool deployment_documents_use(struct store *store, const char *version, bool *ret_used,
                              struct err *err)
{
    json_t *all;

    if (!deployment_documents_list(store, NULL, &all, err))
        return false;
    *ret_used = false;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *release = json_object_get(json_array_get(all, i), "current_release");
        const char *used = json_get_string(release, "version");

        *ret_used = *ret_used || (used && strcmp(used, version) == 0);
    }
    json_decref(all);
    return true;
}

/* ---- The server -------------------------------------------------------------------------------
 */

const struct registry_version *deployment_version(const struct registry *registry,
                                                  const json_t *deployment)
{
    const json_t *release = json_object_get(deployment, "current_release");
    const char *model = json_get_string(release, "model"),
               *id = json_get_string(release, "version");
    const struct registry_model *found;
    struct str owner, name;

    if (!model || !id || !str_cut(str_from(model), '/', &owner, &name))
        return NULL;
    found = registry_model_find(registry, owner, name);
    return found ? registry_version_find(found, str_from(id)) : NULL;
}

bool deployment_set(struct predict *predict, const struct registry *registry,
                    const json_t *deployment, struct err *err)
{
    const json_t *release = json_object_get(deployment, "current_release");
    const json_t *settings = json_object_get(release, "configuration");
    char full_name[FULL_NAME_SIZE];
    struct predict_deployment wanted = {
        .name = full_name_of(deployment, full_name),
        .version = deployment_version(registry, deployment),
        .min_runners = (int)json_get_integer(settings, "min_instances", 0),
        .max_runners = (int)json_get_integer(settings, "max_instances", 0),
    };

    if (!wanted.version)
        return err_set(err, ERR_NOT_FOUND, "the version of a deployment is gone");
    return predict_deployment_set(predict, &wanted, err);
}

bool deployment_documents_load(struct store *store, struct predict *predict,
                               const struct registry *registry, struct err *err)
{
    char full_name[FULL_NAME_SIZE];
    struct err reason;
    json_t *all;

    if (!deployment_documents_list(store, NULL, &all, err))
        return err_while(err, "reading the deployments");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *deployment = json_array_get(all, i);

        if (!deployment_set(predict, registry, deployment, &reason))
            log_error(LOG_WARN, "deployment_not_loaded", &reason, "deployment=\"%s\"",
                      full_name_of(deployment, full_name));
    }
    json_decref(all);
    return true;
}
