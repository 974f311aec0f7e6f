/* Is the server up? For load balancers and scripts; says nothing about models. */
#include "api/reply.h"
#include "api/resource.h"

static void get(struct http_call *call)
{
    reply_set_headers(call);
    http_reply(call, 200, "application/json", S("{\"status\":\"ok\"}\n"));
}

static const struct http_route routes[] = {
    { "GET", "/healthz", get, HTTP_ON_LOOP | HTTP_PUBLIC | HTTP_ROOT_ONLY, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_health = { routes };
