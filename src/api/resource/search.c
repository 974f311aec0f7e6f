/* Searching: QUERY /models (a page of models) and GET /search (models with what was found, and
 * collections). Both ask the registry, which holds every model in memory. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api_private.h"
#include "api/model_pages.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/json.h"
#include "domain/limits.h"
#include "registry/registry.h"

#define SEARCH_QUERY_BYTES_MAX 4096 /* of QUERY's body; nobody asks for more words */
#define SEARCH_LIMIT_DEFAULT 20
#define SEARCH_LIMIT_MAX 50
#define SEARCH_COLLECTIONS_MAX 5

/* ---- QUERY /models ----------------------------------------------------------------------------
 */

/* The body is the query itself, or one JSON string: official clients send either, with any content
 * type. NULL: answered. */
static const char *read_query(struct http_call *call)
{
    struct str body = str_trim(http_body(call));
    const char *query = NULL;
    json_t *json;

    if (str_starts(body, S("\"")) && json_parse(body, &json, NULL)) {
        if (json_is_string(json))
            query = arena_strdup(http_arena(call), str_from(json_string_value(json)));
        json_decref(json);
    } else if (str_is_utf8(body) && !(body.len > 0 && memchr(body.ptr, '\0', body.len))) {
        query = arena_strdup(http_arena(call), body);
    }
    if (!query)
        problem_reply_detail(call, 400, "Bad request", "The query must be text");
    return query;
}

static void query_models(struct http_call *call)
{
    const char *query = read_query(call);
    const struct registry_model **models;
    double *scores;
    struct buf body;
    struct err err;
    int count;

    if (!query)
        return;
    if (!registry_search(api_of(call)->registry, query, http_account(call), LIMIT_PAGE_MODELS,
                         &models, &scores, &count, &err)) {
        problem_reply(call, &err);
        return;
    }
    page_open_single(call, &body);
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        model_write(call, models[i], &body);
    }
    page_close(&body);
    free(models);
    free(scores);
    reply_json(call, 200, &body);
}

/* ---- GET /search ------------------------------------------------------------------------------
 */

static bool read_limit(struct http_call *call, int *ret_limit)
{
    const char *text = http_query(call, "limit");
    int64_t limit = SEARCH_LIMIT_DEFAULT;

    if (text && *text &&
        (!str_to_int64(str_from(text), &limit) || limit < 1 || limit > SEARCH_LIMIT_MAX)) {
        problem_reply_detail(call, 400, "Bad request", "limit must be an integer from 1 to 50");
        return false;
    }
    *ret_limit = (int)limit;
    return true;
}

static void write_found(struct http_call *call, const struct registry_model *model, double score,
                        struct buf *out)
{
    json_t *number = json_real(score);

    buf_append_str(out, S("{\"model\":"));
    model_write(call, model, out);
    buf_append_str(out, S(",\"metadata\":{\"generated_description\":"));
    json_write_string(str_from(model->description), out);
    buf_append_str(out, S(",\"tags\":"));
    json_write(model->tags, false, out);
    buf_append_str(out, S(",\"score\":"));
    if (!number || !json_write(number, false, out))
        out->failed = true;
    json_decref(number);
    buf_append_str(out, S("}}"));
}

static bool has_text(const char *text, struct str word)
{
    for (; *text; text++)
        if (strncasecmp(text, word.ptr, word.len) == 0)
            return true;
    return false;
}

/* Does every word of the query occur in its name, slug or description? */
static bool collection_matches(const struct registry_collection *collection, const char *query)
{
    struct str rest = str_trim(str_from(query)), word;
    bool any = false;

    while (rest.len > 0) {
        if (!str_cut(rest, ' ', &word, &rest)) {
            word = rest;
            rest.len = 0;
        }
        if (word.len == 0)
            continue;
        any = true;
        if (!has_text(collection->name, word) && !has_text(collection->slug, word) &&
            !has_text(collection->description, word))
            return false;
    }
    return any;
}

static void write_collection(const struct registry_collection *collection, struct buf *out)
{
    render_collection_open(collection, out);
    buf_append_str(out, S(",\"models\":["));
    for (int i = 0; i < collection->model_count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_write_string(str_from(collection->models[i]), out);
    }
    buf_append_str(out, S("]}"));
}

static void write_collections(struct http_call *call, const char *query, struct buf *out)
{
    const struct registry *registry = api_of(call)->registry;
    int shown = 0;

    for (int i = 0; i < registry_collection_count(registry) && shown < SEARCH_COLLECTIONS_MAX;
         i++) {
        const struct registry_collection *collection = registry_collection_at(registry, i);

        if (!collection_matches(collection, query))
            continue;
        if (shown++ > 0)
            buf_append_char(out, ',');
        write_collection(collection, out);
    }
}

static void reply_query_missing(struct http_call *call)
{
    reply_set_headers(call);
    http_reply(call, 400, "application/json",
               S("{\"detail\":\"Query parameter \\\"query\\\" is required\"}"));
}

static void search(struct http_call *call)
{
    const char *query = http_query(call, "query");
    const struct registry_model **models;
    struct buf body;
    struct err err;
    double *scores;
    int limit, count;

    if (!query || str_trim(str_from(query)).len == 0) {
        reply_query_missing(call);
        return;
    }
    if (!read_limit(call, &limit))
        return;
    if (!registry_search(api_of(call)->registry, query, http_account(call), limit, &models, &scores,
                         &count, &err)) {
        problem_reply(call, &err);
        return;
    }
    buf_init(&body, RENDER_BYTES_MAX);
    buf_append_str(&body, S("{\"query\":"));
    json_write_string(str_from(query), &body);
    buf_append_str(&body, S(",\"models\":["));
    for (int i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        write_found(call, models[i], scores[i], &body);
    }
    free(models);
    free(scores);
    buf_append_str(&body, S("],\"collections\":["));
    write_collections(call, query, &body);
    buf_append_str(&body, S("],\"pages\":[]}"));
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "QUERY", "/v1/models", query_models, 0, SEARCH_QUERY_BYTES_MAX },
    { "GET", "/v1/search", search, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_search = { routes };
