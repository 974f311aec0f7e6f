/* What the files of api/ share: the struct behind api.h. Everything in it is set before the server
 * takes calls and is then only read. */
#ifndef MIMEO_API_API_PRIVATE_H
#define MIMEO_API_API_PRIVATE_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/attempts.h"
#include "http/server.h"

struct accounts;
struct auth;
struct envelope;
struct history;
struct installs;
struct metrics;
struct model_documents;
struct speeds;
struct streams;
struct openapi;
struct site;
struct sweep;
struct version_removal;
struct waits;
struct webhooks;
struct work_pool;

#define API_FILE_SECRET_LEN 43 /* characters: 256 bits of letters and digits */

struct api {
    struct store *store; /* borrowed, as are the next five */
    struct blob_store *blobs;
    struct predict *predict;
    struct registry *registry;
    struct accounts *accounts;
    struct model_documents *models;
    struct webhooks *_Atomic webhooks; /* NULL until they run */
    enum api_output_form sync_output_form;
    int link_lifetime_s;
    bool official_only_by_name;
    char file_secret[API_FILE_SECRET_LEN + 1]; /* signs download links of uploaded files */
    struct auth *auth;
    struct envelope *envelope;
    struct work_pool *answers; /* threads that answer requests whose wait is over */
    struct waits *waits;       /* calls that wait for a prediction */
    atomic_int creating;       /* creates whose record is on its way to the store */
    struct streams *streams;   /* readers that follow a prediction */
    struct sweep *sweep;
    struct version_removal *version_removal;
    struct metrics *metrics;
    struct history *history;   /* of the last day (figures.c) */
    struct speeds *speeds;     /* of models */
    struct installs *installs; /* of weights */
    const char *data_folder;   /* borrowed */
    atomic_llong data_bytes;   /* what lies in it, as last counted; below 0: not known */
    atomic_llong data_seen_us; /* when that was begun; monotonic, 0: never */
    struct openapi *openapi;
    struct site *site; /* NULL: without the page */
    struct attempts sign_in_attempts;
    int deployment_quiet_s;
    atomic_bool draining; /* api_stop was called */
    const struct http_route **tables;
    struct http_server *server;
};

static inline struct api *api_of(const struct http_call *call)
{
    return http_context(call);
}

#endif
