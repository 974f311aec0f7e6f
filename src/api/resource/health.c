/* Is the server up (/healthz), and can it take predictions (/readyz)? For load balancers and
 * scripts; neither says anything about models. */
#include <stdatomic.h>

#include "api/api_private.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#define READY_BYTES_MAX 4096

static void alive(struct http_call *call)
{
    reply_set_headers(call);
    http_reply(call, 200, "application/json", S("{\"status\":\"ok\"}\n"));
}

/* Reads the store: a store that does not answer is what a load balancer should hear of. */
static void ready(struct http_call *call)
{
    struct api *api = api_of(call);
    int64_t generation;
    struct err err;
    struct buf body;
    bool answers = store_token_generation(api->store, &generation, &err);
    bool draining = atomic_load(&api->draining);

    if (answers && !draining) {
        reply_set_headers(call);
        http_reply(call, 200, "application/json", S("{\"status\":\"ready\"}\n"));
        return;
    }
    buf_init(&body, READY_BYTES_MAX);
    buf_append_str(&body, S("{\"status\":\"not ready\",\"reasons\":["));
    if (draining)
        json_write_string(S("The server is ending"), &body);
    if (!answers) {
        if (draining)
            buf_append_char(&body, ',');
        json_write_string(S("The store does not answer"), &body);
    }
    buf_append_str(&body, S("]}\n"));
    reply_json(call, 503, &body);
}

static const struct http_route routes[] = {
    { "GET", "/healthz", alive, HTTP_ON_LOOP | HTTP_PUBLIC | HTTP_ROOT_ONLY, 0 },
    { "GET", "/readyz", ready, HTTP_PUBLIC | HTTP_ROOT_ONLY, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_health = { routes };
