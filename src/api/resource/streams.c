/* Streams of predictions over HTTP: the link is the credential, so no token is asked for, and one
 * that comes along is not looked at. A file model's stream has its route in files.c. Not here: what
 * a stream says (streams.c). */
#include "api/problem.h"
#include "api/resource.h"
#include "api/stream_link.h"
#include "api/streams.h"

static void get(struct http_call *call)
{
    struct str token = str_from(http_param(call, "token"));

    if (stream_link_is_files_token(token))
        problem_reply_not_found(call);
    else
        streams_follow(call, token);
}

static const struct http_route routes[] = {
    { "GET", "/v1/streams/{token}", get, HTTP_PUBLIC, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_streams = { routes };
