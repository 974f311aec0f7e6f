/* The caller's account over HTTP: who it is (a route of the public API), and what it has used (a
 * route of ours). Not here: who may do what (account/), the books (store/). */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "api/api_private.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/store.h"

#define ACCOUNT_ROWS_BYTES (64u << 20) /* a year's rows of some hundred tokens and models */
#define ACCOUNT_DAYS_DEFAULT 30
#define ACCOUNT_DAYS_MAX 3660
#define DAY_US (INT64_C(86400) * 1000000)

/* ---- Who it is -------------------------------------------------------------------------------
 */

static void get(struct http_call *call)
{
    struct str name = str_from(http_account(call));
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    buf_append_str(&body, S("{\"type\":\"user\",\"username\":"));
    json_write_string(name, &body);
    buf_append_str(&body, S(",\"name\":"));
    json_write_string(name, &body);
    buf_append_str(&body, S(",\"github_url\":\"\",\"avatar_url\":\"\"}"));
    reply_json(call, 200, &body);
}

/* ---- What it has used ------------------------------------------------------------------------
 */

/* What rows are put together by. */
enum group { GROUP_DAY = 1, GROUP_TOKEN = 2, GROUP_MODEL = 4 };

struct usage_query {
    int64_t first_day, last_day; /* since 1970-01-01, UTC, inclusive */
    unsigned groups;
};

/* "2026-08-23" in the query, as a day; false: answered. */
static bool read_day(struct http_call *call, const char *name, int64_t *day)
{
    const char *text = http_query(call, name);
    int64_t us;

    if (!text || !*text)
        return true;
    if (clock_parse(str_from(text), &us)) {
        *day = us / DAY_US;
        return true;
    }
    problem_reply_detail(call, 400, "Bad request",
                         arena_printf(http_arena(call), "%s must be an ISO 8601 date", name));
    return false;
}

/* "day,model": false: answered. */
static bool read_groups(struct http_call *call, unsigned *ret_groups)
{
    struct str rest = str_from(http_query(call, "group")), one;
    unsigned groups = 0;

    while (rest.len > 0) {
        if (!str_cut(rest, ',', &one, &rest)) {
            one = rest;
            rest.len = 0;
        }
        if (str_equal(one, S("day")))
            groups |= GROUP_DAY;
        else if (str_equal(one, S("token")))
            groups |= GROUP_TOKEN;
        else if (str_equal(one, S("model")))
            groups |= GROUP_MODEL;
        else {
            problem_reply_detail(call, 400, "Bad request",
                                 "group must be a list of \"day\", \"token\" and \"model\"");
            return false;
        }
    }
    *ret_groups = groups ? groups : GROUP_DAY | GROUP_TOKEN | GROUP_MODEL;
    return true;
}

static bool read_usage_query(struct http_call *call, struct usage_query *query)
{
    query->last_day = clock_now_us() / DAY_US;
    query->first_day = query->last_day - (ACCOUNT_DAYS_DEFAULT - 1);
    if (!read_day(call, "from", &query->first_day) || !read_day(call, "to", &query->last_day) ||
        !read_groups(call, &query->groups))
        return false;
    if (query->first_day <= query->last_day &&
        query->last_day - query->first_day < ACCOUNT_DAYS_MAX)
        return true;
    problem_reply_detail(call, 400, "Bad request",
                         "from must not be after to, nor ten years before it");
    return false;
}

static bool same_group(const struct store_usage *a, const struct store_usage *b, unsigned groups)
{
    return (!(groups & GROUP_DAY) || a->day == b->day) &&
           (!(groups & GROUP_TOKEN) || strcmp(a->token, b->token) == 0) &&
           (!(groups & GROUP_MODEL) || strcmp(a->model, b->model) == 0);
}

static void add_up(struct store_usage *sum, const struct store_usage *row)
{
    sum->runs += row->runs;
    sum->succeeded += row->succeeded;
    sum->failed += row->failed;
    sum->predict_us += row->predict_us;
    sum->images += row->images;
    sum->cost_microusd += row->cost_microusd;
}

/* Put rows together where they are one group; the new count. Rows come day by day, so a group of a
 * day is looked for among that day's; others are few: tokens times models. */
static int put_together(struct store_usage *rows, int count, unsigned groups)
{
    int sums = 0;

    for (int i = 0; i < count; i++) {
        int at = sums;

        while (at > 0 && !same_group(&rows[at - 1], &rows[i], groups))
            at = (groups & GROUP_DAY) && rows[at - 1].day != rows[i].day ? 0 : at - 1;
        if (at > 0)
            add_up(&rows[at - 1], &rows[i]);
        else
            rows[sums++] = rows[i];
    }
    return sums;
}

static void write_numbers(const struct store_usage *row, struct buf *out)
{
    buf_printf(out,
               "\"runs\":%lld,\"succeeded\":%lld,\"failed\":%lld,\"predict_time\":%.6f,"
               "\"images\":%lld,\"cost\":%.6f}",
               (long long)row->runs, (long long)row->succeeded, (long long)row->failed,
               (double)row->predict_us / 1e6, (long long)row->images,
               (double)row->cost_microusd / 1e6);
}

static void write_row(const struct store_usage *row, unsigned groups, struct buf *out)
{
    char day[CLOCK_TEXT_SIZE];

    buf_append_char(out, '{');
    clock_format(row->day * DAY_US, 0, false, day);
    if (groups & GROUP_DAY)
        buf_printf(out, "\"day\":\"%.10s\",", day);
    if (groups & GROUP_TOKEN) {
        buf_append_str(out, S("\"token\":"));
        json_write_string(str_from(row->token), out);
        buf_append_char(out, ',');
    }
    if (groups & GROUP_MODEL) {
        buf_append_str(out, S("\"model\":"));
        json_write_string(str_from(row->model), out);
        buf_append_char(out, ',');
    }
    write_numbers(row, out);
}

static void write_info(const struct account_info *info, struct buf *out)
{
    buf_append_str(out, S("\"plan\":"));
    json_write_string(str_from(info->plan), out);
    buf_printf(out, ",\"predictions_today\":%d,\"predictions_per_day\":", info->predictions_today);
    if (info->predictions_per_day > 0)
        buf_printf(out, "%d", info->predictions_per_day);
    else
        buf_append_str(out, S("null"));
    if (info->metered)
        buf_printf(out, ",\"credit\":%.6f,", (double)info->credit_microusd / 1e6);
    else
        buf_append_str(out, S(",\"credit\":null,"));
}

static void reply_usage(struct http_call *call, const struct usage_query *query,
                        struct store_usage *rows, int count)
{
    struct account_info info = { .plan = "unlimited" };
    struct accounts *accounts = api_of(call)->accounts;
    struct store_usage total = { 0 };
    struct buf body;
    struct err err;

    if (accounts && !accounts_info(accounts, http_account(call), &info, &err)) {
        problem_reply(call, &err);
        return;
    }
    for (int i = 0; i < count; i++)
        add_up(&total, &rows[i]);
    count = put_together(rows, count, query->groups);
    buf_init(&body, RENDER_BYTES_MAX);
    buf_append_str(&body, S("{\"account\":"));
    json_write_string(str_from(http_account(call)), &body);
    buf_append_char(&body, ',');
    write_info(&info, &body);
    buf_append_str(&body, S("\"total\":{"));
    write_numbers(&total, &body);
    buf_append_str(&body, S(",\"rows\":["));
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        write_row(&rows[i], query->groups, &body);
    }
    buf_append_str(&body, S("]}"));
    reply_json(call, 200, &body);
}

static void usage(struct http_call *call)
{
    struct usage_query query = { 0 };
    struct store_usage *rows = NULL;
    struct arena arena;
    struct err err;
    int count = 0;

    if (!read_usage_query(call, &query))
        return;
    arena_init(&arena, ACCOUNT_ROWS_BYTES);
    if (store_usage_list(api_of(call)->store, http_account(call), query.first_day, query.last_day,
                         &arena, &rows, &count, &err))
        reply_usage(call, &query, rows, count);
    else
        problem_reply(call, &err);
    arena_done(&arena);
}

static const struct http_route routes[] = {
    { "GET", "/v1/account", get, 0, 0 },
    { "GET", "/v1/account/usage", usage, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_account = { routes };
