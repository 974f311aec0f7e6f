/* Answers that are not errors, and the headers every answer has.
 * Not here: errors' bodies (problem.c), files (resource/outputs.c). */
#include "api/reply.h"

#include "api/problem.h"
#include "base/err.h"
#include "http/server.h"

void reply_set_headers(struct http_call *call)
{
    http_set_header(call, "Cache-Control", "no-store");
    http_set_header(call, "X-Request-Id", http_request_id(call));
}

void reply_json(struct http_call *call, int status, struct buf *body)
{
    struct err err;

    if (body->failed) {
        buf_done(body);
        err_set(&err, ERR_NO_MEMORY, "the answer does not fit in memory");
        problem_reply(call, &err);
        return;
    }
    reply_set_headers(call);
    http_reply(call, status, "application/json", buf_str(body));
    buf_done(body);
}

bool reply_json_make(struct http_call *call, int status, struct buf *body)
{
    size_t len;
    char *text = buf_take(body, &len);

    if (!text)
        return false;
    reply_set_headers(call);
    return http_reply_make(call, status, "application/json", text, len);
}

void reply_empty(struct http_call *call)
{
    reply_set_headers(call);
    http_reply(call, 204, "text/plain; charset=UTF-8", S(""));
}
