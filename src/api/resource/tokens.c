/* The account's tokens over HTTP: list, make, revoke; and the caller's own one. None of it is in
 * the public API. Not here: signing in (sign_in.c), what tokens are (account/tokens.h). */
#include <string.h>

#include "account/tokens.h"
#include "api/api_private.h"
#include "api/auth.h"
#include "api/body.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/token_render.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "store/store.h"

#define TOKENS_LIST_BYTES (64u << 20)
#define TOKENS_PER_ACCOUNT 1000 /* valid at a time: the list is one answer, without pages */
#define TOKENS_BODY_BYTES (64u << 10)
#define SECOND_US INT64_C(1000000)

/* The numbers: TOKENS_NAME_MAX, TOKENS_LIMIT_MAX, ten years. */
#define CREATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"name\"],\"additionalProperties\":false,"                 \
    "\"properties\":{"                                                                             \
    "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100},"                            \
    "\"scopes\":{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,"                          \
    "\"items\":{\"type\":\"string\",\"enum\":[\"read\",\"run\",\"manage\",\"operate\"]}},"         \
    "\"creates_per_minute\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,"                       \
    "\"maximum\":100000000},"                                                                      \
    "\"predictions_per_day\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,"                      \
    "\"maximum\":100000000},"                                                                      \
    "\"expires_in_s\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":315360000}}}"

/* ---- List ------------------------------------------------------------------------------------ */

static bool read_all(struct http_call *call, struct arena *arena, struct store_token **ret_tokens,
                     int *ret_count)
{
    struct err err;

    if (store_token_list(api_of(call)->store, http_account(call), clock_now_us(), arena, ret_tokens,
                         ret_count, &err))
        return true;
    problem_reply(call, &err);
    return false;
}

static void list(struct http_call *call)
{
    const struct auth_caller *caller = http_caller(call);
    struct store_token *tokens = NULL;
    struct arena arena;
    struct buf body;
    int count = 0;

    arena_init(&arena, TOKENS_LIST_BYTES);
    if (read_all(call, &arena, &tokens, &count)) {
        buf_init(&body, RENDER_BYTES_MAX);
        buf_append_str(&body, S("{\"results\":["));
        for (int i = count - 1; i >= 0; i--) {
            token_render(&tokens[i], caller->token, NULL, false, &body);
            if (i > 0)
                buf_append_char(&body, ',');
        }
        buf_append_str(&body, S("]}"));
        reply_json(call, 200, &body);
    }
    arena_done(&arena);
}

static void current(struct http_call *call)
{
    const struct auth_caller *caller = http_caller(call);
    struct str text = auth_header_token(http_header(call, "Authorization"));
    unsigned char hash[HASH_SHA256_BYTES];
    struct store_token token;
    struct buf body;
    struct err err;

    hash_sha256(text, hash);
    if (!store_token_find(api_of(call)->store, hash, http_arena(call), &token, &err)) {
        problem_reply(call, &err); /* revoked since the call began */
        return;
    }
    buf_init(&body, RENDER_BYTES_MAX);
    token_render(&token, caller->token, NULL, true, &body);
    reply_json(call, 200, &body);
}

/* ---- Make ------------------------------------------------------------------------------------ */

static bool read_scopes(struct http_call *call, const json_t *body,
                        const struct auth_caller *caller, unsigned *ret_scopes)
{
    const json_t *names = json_object_get(body, "scopes");
    unsigned scopes = names ? 0 : caller->scopes, one;

    for (size_t i = 0; i < json_array_size(names); i++)
        if (tokens_scopes_parse(str_from(json_string_value(json_array_get(names, i))), &one, NULL))
            scopes |= one;
    *ret_scopes = scopes;
    if ((scopes & ~caller->scopes) == 0)
        return true;
    body_refuse(call, "scopes", "scopes", "A token may not be given a scope that yours has not");
    return false;
}

/* A limit of the new token: what was asked, but not above the caller's own (0: none). */
static bool read_limit(struct http_call *call, const json_t *body, const char *key, int own,
                       int *ret_limit)
{
    int wanted = (int)json_get_integer(body, key, 0);

    *ret_limit = wanted > 0 ? wanted : own;
    if (own <= 0 || *ret_limit <= own)
        return true;
    body_refuse(call, "number_lte", key,
                arena_printf(http_arena(call), "Must be at most %d, as your token's is", own));
    return false;
}

/* A session ends so soon because it lies in a browser; what it may do is its account's own, so what
 * it makes may last longer. */
static bool read_expiry(struct http_call *call, const json_t *body,
                        const struct auth_caller *caller, int64_t *ret_expires_us)
{
    int64_t seconds = json_get_integer(body, "expires_in_s", 0);
    int64_t own_us = caller->session ? 0 : caller->expires_us;

    *ret_expires_us = seconds > 0 ? clock_now_us() + seconds * SECOND_US : own_us;
    if (own_us == 0 || *ret_expires_us <= own_us)
        return true;
    body_refuse(call, "number_lte", "expires_in_s", "Must not be later than your token's end");
    return false;
}

static bool read_wanted(struct http_call *call, const json_t *body, struct store_token *wanted)
{
    const struct auth_caller *caller = http_caller(call);

    wanted->name = json_get_string(body, "name");
    wanted->account = caller->account;
    return read_scopes(call, body, caller, &wanted->scopes) &&
           read_limit(call, body, "creates_per_minute", caller->limits.creates_per_minute,
                      &wanted->creates_per_minute) &&
           read_limit(call, body, "predictions_per_day", caller->limits.predictions_per_day,
                      &wanted->predictions_per_day) &&
           read_expiry(call, body, caller, &wanted->expires_us);
}

static bool has_room(struct http_call *call)
{
    struct store_token *tokens = NULL;
    struct arena arena;
    int count = 0;
    bool ok;

    arena_init(&arena, TOKENS_LIST_BYTES);
    ok = read_all(call, &arena, &tokens, &count);
    arena_done(&arena);
    if (ok && count >= TOKENS_PER_ACCOUNT) {
        problem_reply_detail(call, 409, "Conflict",
                             "This account has 1000 tokens already; revoke some of them first.");
        return false;
    }
    return ok;
}

static void create(struct http_call *call)
{
    struct store_token wanted = { .kind = STORE_TOKEN_KEY };
    struct tokens_made made;
    struct buf answer;
    json_t *body;
    struct err err;

    if (!body_read(call, S(CREATE_SCHEMA), &body))
        return;
    if (read_wanted(call, body, &wanted) && has_room(call)) {
        if (tokens_create(api_of(call)->store, &wanted, &made, &err)) {
            buf_init(&answer, RENDER_BYTES_MAX);
            token_render(&made.token, NULL, made.text, false, &answer);
            reply_json(call, 201, &answer);
        } else {
            problem_reply(call, &err);
        }
    }
    json_decref(body);
}

/* ---- Revoke ---------------------------------------------------------------------------------- */

/* Any token may end itself: that is signing out. */
static void revoke(struct http_call *call)
{
    const struct auth_caller *caller = http_caller(call);
    const char *id = http_param(call, "id");
    struct err err;

    if (strcmp(id, caller->token) != 0 && !auth_has_scope(call, caller, STORE_SCOPE_MANAGE))
        return;
    if (!tokens_revoke(api_of(call)->store, caller->account, id, &err)) {
        problem_reply(call, &err);
        return;
    }
    auth_forget(api_of(call)->auth);
    reply_empty(call);
}

static const struct http_route routes[] = {
    { "GET", "/v1/account/tokens", list, API_SCOPE_MANAGE, 0 },
    { "POST", "/v1/account/tokens", create, API_SCOPE_MANAGE, TOKENS_BODY_BYTES },
    { "GET", "/v1/account/tokens/current", current, API_SCOPE_NONE, 0 },
    { "DELETE", "/v1/account/tokens/{id}", revoke, API_SCOPE_NONE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_tokens = { routes };
