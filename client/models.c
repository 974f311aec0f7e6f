/* Account, models and versions. */
#include "client_private.h"

bool mimeo_account_get(struct mimeo_client *client, json_t **ret_account, struct mimeo_error *error)
{
    return mimeo_request(client, "GET", "/account", NULL, ret_account, error);
}

bool mimeo_model_list(struct mimeo_client *client, const char *page, json_t **ret_page,
                      struct mimeo_error *error)
{
    return mimeo_request(client, "GET", page != NULL ? page : "/models", NULL, ret_page, error);
}

bool mimeo_model_get(struct mimeo_client *client, const char *owner, const char *name,
                     json_t **ret_model, struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX];

    return mimeo_build_path(client, path, error, "/models/", owner, "/", name, NULL) &&
           mimeo_request(client, "GET", path, NULL, ret_model, error);
}

bool mimeo_version_list(struct mimeo_client *client, const char *owner, const char *name,
                        const char *page, json_t **ret_page, struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX];

    if (page != NULL)
        return mimeo_request(client, "GET", page, NULL, ret_page, error);
    return mimeo_build_path(client, path, error, "/models/", owner, "/", name, "/versions", NULL) &&
           mimeo_request(client, "GET", path, NULL, ret_page, error);
}

bool mimeo_version_get(struct mimeo_client *client, const char *owner, const char *name,
                       const char *id, json_t **ret_version, struct mimeo_error *error)
{
    char path[MIMEO_PATH_BYTES_MAX];

    return mimeo_build_path(client, path, error, "/models/", owner, "/", name, "/versions/", id,
                            NULL) &&
           mimeo_request(client, "GET", path, NULL, ret_version, error);
}
