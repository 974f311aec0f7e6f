/* Signing in with a link: its code, used up, becomes a token for a browser session. The one call
 * that changes something without a token. Not here: making links (`mimeo serve`, `mimeo link`). */
#include "account/tokens.h"
#include "api/api_private.h"
#include "api/body.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/token_render.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

#define SIGN_IN_BODY_BYTES 4096
#define SIGN_IN_READ_BYTES (64u << 10)
#define SIGN_IN_SCHEMA                                                                             \
    "{\"type\":\"object\",\"required\":[\"code\"],\"additionalProperties\":false,"                 \
    "\"properties\":{\"code\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}}}"

static void exchange(struct http_call *call, struct str code)
{
    struct api *api = api_of(call);
    struct tokens_made made;
    struct arena arena;
    struct buf body;
    struct err err;

    arena_init(&arena, SIGN_IN_READ_BYTES);
    if (tokens_exchange(api->store, code, &arena, &made, &err)) {
        attempts_give_back(&api->sign_in_attempts);
        buf_init(&body, RENDER_BYTES_MAX);
        token_render(&made.token, made.token.id, made.text, true, &body);
        reply_json(call, 201, &body);
    } else {
        problem_reply(call, &err);
    }
    arena_done(&arena);
}

static void sign_in(struct http_call *call)
{
    struct api *api = api_of(call);
    struct str type = str_from(http_header(call, "Content-Type")), parameters;
    json_t *body;
    int wait_s;

    /* A foreign page can send forms and text here, which would use up the attempts; for JSON its
     * browser asks first, and is told no. */
    str_cut(type, ';', &type, &parameters);
    if (!str_equal_nocase(str_trim(type), S("application/json"))) {
        problem_reply_detail(call, 400, "Bad request",
                             "The code must come as JSON, with Content-Type: application/json.");
        return;
    }
    if (!body_read(call, S(SIGN_IN_SCHEMA), &body))
        return;
    if (attempts_take(&api->sign_in_attempts, clock_monotonic_us(), &wait_s))
        exchange(call, str_from(json_get_string(body, "code")));
    else
        problem_reply_throttled(call, "Too many sign-in links were wrong. Try again in a minute.",
                                wait_s);
    json_decref(body);
}

static const struct http_route routes[] = {
    { "POST", "/v1/sign-in", sign_in, HTTP_PUBLIC, SIGN_IN_BODY_BYTES },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_sign_in = { routes };
