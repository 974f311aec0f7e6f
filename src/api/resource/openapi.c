/* GET /openapi.json: the description of the whole API, with this server's address in it. */
#include "api/openapi.h"

#include "api/api_private.h"
#include "api/reply.h"
#include "api/resource.h"

#define OPENAPI_ANSWER_BYTES (5u << 20)

static void get(struct http_call *call)
{
    struct buf body;

    buf_init(&body, OPENAPI_ANSWER_BYTES);
    openapi_write(api_of(call)->openapi, http_base_url(call), &body);
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/openapi.json", get, HTTP_ON_LOOP | HTTP_PUBLIC, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_openapi = { routes };
