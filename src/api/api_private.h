/* What the files of api/ share: the struct behind api.h. Everything in it is set before the server
 * takes calls and is then only read. */
#ifndef MIMEO_API_API_PRIVATE_H
#define MIMEO_API_API_PRIVATE_H

#include "api/api.h"
#include "http/server.h"

struct accounts;
struct auth;
struct envelope;
struct sweep;
struct waits;
struct webhooks;
struct work_pool;

#define API_FILE_SECRET_LEN 43 /* characters: 256 bits of letters and digits */

struct api {
    struct store *store; /* borrowed, as are the next four */
    struct blob_store *blobs;
    struct predict *predict;
    struct registry *registry;
    struct accounts *accounts;
    struct webhooks *_Atomic webhooks; /* NULL until they run */
    enum api_output_form sync_output_form;
    int link_lifetime_s;
    bool official_only_by_name;
    char file_secret[API_FILE_SECRET_LEN + 1]; /* signs download links of uploaded files */
    struct auth *auth;
    struct envelope *envelope;
    struct work_pool *answers; /* threads that answer requests whose wait is over */
    struct waits *waits;       /* calls that wait for a prediction */
    struct sweep *sweep;
    const struct http_route **tables;
    struct http_server *server;
};

static inline struct api *api_of(const struct http_call *call)
{
    return http_context(call);
}

#endif
