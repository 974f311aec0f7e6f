/* Webhooks over HTTP: the account's signing secret, and, beyond the public API, its rotation and
 * the deliveries of ends with their fates. Not here: sending (webhook/). */
#include "api/api_private.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"
#include "webhook/webhook.h"

#define WEBHOOKS_PAGE 100
#define WEBHOOKS_PAGE_BYTES (8u << 20) /* a page of records: some 10 KiB each at most */
#define WEBHOOKS_ID_MAX 39

/* ---- The secret -------------------------------------------------------------------------------
 */

static void reply_secret(struct http_call *call, bool rotate)
{
    char secret[WEBHOOK_SECRET_SIZE];
    struct buf body;
    struct err err;

    if (!webhook_secret(api_of(call)->store, http_account(call), rotate, secret, &err)) {
        problem_reply(call, &err);
        return;
    }
    buf_init(&body, RENDER_BYTES_MAX);
    buf_printf(&body, "{\"key\":\"%s\"}", secret);
    reply_json(call, 200, &body);
}

static void get_secret(struct http_call *call)
{
    reply_secret(call, false);
}

static void rotate_secret(struct http_call *call)
{
    reply_secret(call, true);
}

/* ---- Deliveries -------------------------------------------------------------------------------
 */

static const char *state_name(enum store_delivery_state state)
{
    switch (state) {
    case DELIVERY_PENDING:
        return "pending";
    case DELIVERY_DELIVERED:
        return "delivered";
    default:
        return "failed";
    }
}

static void write_time(const char *name, int64_t unix_us, struct buf *out)
{
    char text[CLOCK_TEXT_SIZE];

    if (unix_us == 0) {
        buf_printf(out, ",\"%s\":null", name);
        return;
    }
    clock_format(unix_us, 3, true, text);
    buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void write_delivery(const struct store_delivery *delivery, struct buf *out)
{
    buf_printf(out, "{\"id\":\"%s\",\"prediction\":\"%s\",\"url\":", delivery->id,
               delivery->prediction);
    json_write_string(str_from(delivery->url), out);
    buf_printf(out, ",\"state\":\"%s\",\"attempts\":%d", state_name(delivery->state),
               delivery->attempts);
    if (delivery->last_status != 0)
        buf_printf(out, ",\"last_status\":%d", delivery->last_status);
    else
        buf_append_str(out, S(",\"last_status\":null"));
    buf_append_str(out, S(",\"last_error\":"));
    if (delivery->last_error)
        json_write_string(str_from(delivery->last_error), out);
    else
        buf_append_str(out, S("null"));
    write_time("created_at", delivery->created_us, out);
    write_time("next_at", delivery->next_us, out);
    write_time("completed_at", delivery->completed_us, out);
    buf_append_char(out, '}');
}

/* The newest, of one prediction where the query says so. There is one page. */
static void list(struct http_call *call)
{
    const char *prediction = http_query(call, "prediction");
    struct store_delivery *deliveries;
    struct arena arena;
    struct buf body;
    struct err err;
    int count;

    arena_init(&arena, WEBHOOKS_PAGE_BYTES);
    if (!store_delivery_list(api_of(call)->store, http_account(call), prediction, WEBHOOKS_PAGE,
                             &arena, &deliveries, &count, &err)) {
        arena_done(&arena);
        problem_reply(call, &err);
        return;
    }
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "/v1/webhooks/deliveries", NULL, NULL, NULL, &body);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        write_delivery(&deliveries[i], &body);
    }
    page_close(&body);
    arena_done(&arena);
    reply_json(call, 200, &body);
}

/* It is due now, as if it had never been sent: with the same id, so that a receiver that has seen
 * it can tell. */
static bool make_due(struct api *api, const char *account, struct str id, struct arena *arena,
                     struct store_delivery *delivery, struct err *err)
{
    struct store_write write = { .kind = STORE_DELIVERY_UPDATE, .delivery = delivery };
    char copy[WEBHOOKS_ID_MAX + 1];

    if (!str_copy(id, copy, sizeof(copy)))
        return err_set(err, ERR_NOT_FOUND, "no such delivery");
    if (!store_delivery_get(api->store, account, copy, arena, delivery, err))
        return false;
    delivery->state = DELIVERY_PENDING;
    delivery->attempts = 0;
    delivery->next_us = clock_now_us();
    delivery->completed_us = 0;
    return store_write_wait(api->store, &write, err);
}

static void replay(struct http_call *call)
{
    struct api *api = api_of(call);
    struct webhooks *webhooks;
    struct store_delivery delivery;
    struct arena arena;
    struct buf body;
    struct err err;

    arena_init(&arena, WEBHOOKS_PAGE_BYTES);
    if (make_due(api, http_account(call), str_from(http_param(call, "id")), &arena, &delivery,
                 &err)) {
        webhooks = atomic_load(&api->webhooks);
        if (webhooks)
            webhooks_wake(webhooks);
        buf_init(&body, RENDER_BYTES_MAX);
        write_delivery(&delivery, &body);
        reply_json(call, 202, &body);
    } else if (err.kind == ERR_NOT_FOUND) {
        problem_reply_not_found(call);
    } else {
        problem_reply(call, &err);
    }
    arena_done(&arena);
}

static const struct http_route routes[] = {
    { "GET", "/v1/webhooks/default/secret", get_secret, API_SCOPE_MANAGE, 0 },
    { "POST", "/v1/webhooks/default/secret", rotate_secret, API_SCOPE_MANAGE, 0 },
    { "GET", "/v1/webhooks/deliveries", list, 0, 0 },
    { "POST", "/v1/webhooks/deliveries/{id}/replay", replay, API_SCOPE_MANAGE, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_webhooks = { routes };
