#include "http/cors_private.h"

#include "http/server_private.h"

#include <string.h>
#include <strings.h>

#define CORS_ALLOW_HEADERS                                                                         \
    "authorization, content-type, prefer, cancel-after, idempotency-key, last-event-id"
#define CORS_EXPOSE_HEADERS                                                                        \
    "location, preference-applied, ratelimit-limit, ratelimit-remaining, ratelimit-reset, "        \
    "retry-after, x-request-id, link"
#define CORS_MAX_AGE_SECONDS "86400" /* browsers take less if they like */

const char *cors_allowed_origin(struct str list, const char *origin)
{
    struct str asked = str_from(origin), each;
    while (list.len) {
        if (!str_cut(list, ',', &each, &list)) {
            each = list;
            list.len = 0;
        }
        each = str_trim(each);
        if (str_equal(each, S("*")))
            return "*";
        if (asked.len && str_equal_nocase(each, asked))
            return origin;
    }
    return NULL;
}

static bool handler_said(const struct http_call *call, const char *name)
{
    for (int i = 0; i < call->reply_header_count; i++)
        if (strcasecmp(call->reply_headers[i].name, name) == 0)
            return true;
    return false;
}

void cors_add_headers(const struct http_call *call, struct MHD_Response *response)
{
    const char *list = call->server->options.cors_origins;
    if (!list || handler_said(call, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN))
        return;
    const char *allowed = cors_allowed_origin(str_from(list), http_header(call, "Origin"));
    if (!allowed || allowed[0] != '*') /* the answer to another page would differ */
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Origin");
    if (!allowed)
        return;
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    MHD_add_response_header(response, "Access-Control-Expose-Headers", CORS_EXPOSE_HEADERS);
}

void cors_set_preflight(struct http_call *call, const char *methods)
{
    const char *list = call->server->options.cors_origins;
    if (!list || !http_header(call, "Access-Control-Request-Method") ||
        !cors_allowed_origin(str_from(list), http_header(call, "Origin")))
        return;
    http_set_header(call, "Access-Control-Allow-Methods", methods);
    http_set_header(call, "Access-Control-Allow-Headers", CORS_ALLOW_HEADERS);
    http_set_header(call, "Access-Control-Max-Age", CORS_MAX_AGE_SECONDS);
}
