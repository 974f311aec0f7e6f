/* The API as a whole: what handlers share, and starting it on an HTTP server. */
#ifndef MIMEO_API_API_H
#define MIMEO_API_API_H

#include <stdbool.h>
#include <stddef.h>

struct accounts;
struct api;
struct blob_store;
struct buf;
struct err;
struct model_documents;
struct predict;
struct registry;
struct store;
struct webhooks;

enum api_output_form { API_OUTPUT_AUTO, API_OUTPUT_URL, API_OUTPUT_DATA };

struct api_options {
    struct store *store; /* all borrowed */
    struct blob_store *blobs;
    struct predict *predict;
    struct registry *registry;
    struct model_documents *models; /* what users make over the API (model_documents.h) */
    struct accounts *accounts;
    const char *listen, *public_url, *trusted_proxies;
    const char *tls_certificate_path, *tls_key_path;
    const char *data_folder;
    const char *weights_folder; /* where models' weights lie, and are fetched to */
    /* As in pull/pull.h; NULL: the default */
    const char *hf_endpoint, *github_endpoint, *hf_token;
    enum api_output_form sync_output_form; /* files in a finished Prefer: wait answer */
    int link_lifetime_s;
    bool official_only_by_name; /* strict: owner/name without a version only for official models */
    int deployment_quiet_s; /* unused that long before it may be deleted; 0: 15 minutes, below: none
                             */
    const char *cors_origins; /* http/server.h */
    const char *hosts;        /* names that may stand in Host on loopback; http/server.h */
    bool without_page;        /* no page, also when it is built in */
    size_t gzip_min_bytes;
    int workers, connections_max;
};

bool api_start(const struct api_options *options, struct api **ret_api, struct err *err);
/* Where replays go and numbers come from; the webhooks start after the API and end before it (set
 * NULL first). */
void api_set_webhooks(struct api *api, struct webhooks *webhooks);

/* The body of a webhook: the prediction or training as GET shows it. For webhook_options.render;
 * `api` is the context. */
bool api_render(void *api, const char *id, const char *base_url, bool as_started, struct buf *out,
                bool *ret_over, struct err *err);

int api_port(const struct api *api);
/* Does it have the page, and is it heard on this machine only? Then a link can sign in to it. */
bool api_has_local_page(const struct api *api);
void api_stop(struct api *api, int drain_ms);

#endif
