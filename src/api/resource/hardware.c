/* GET /hardware: what this machine has. Clients also use it to try a token. */
#include "api/hardware.h"

#include "api/reply.h"
#include "api/resource.h"

#define HARDWARE_BYTES_MAX (64u << 10)

static void list(struct http_call *call)
{
    struct buf body;

    buf_init(&body, HARDWARE_BYTES_MAX);
    hardware_list(&body);
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/v1/hardware", list, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_hardware = { routes };
