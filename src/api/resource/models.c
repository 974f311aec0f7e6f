/* Models and their versions over HTTP, to read: lists, single ones, readme, examples. Not here:
 * making and changing them (resource/models_write.c), searching (resource/search.c), predictions of
 * a model (resource/predictions.c). */
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/model_documents.h"
#include "api/model_pages.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "domain/limits.h"
#include "registry/registry.h"

static const char *const list_filters[] = { "sort_by", "sort_direction", NULL };

/* ---- The list ---------------------------------------------------------------------------------
 */

struct entry { /* a model in the order asked for */
    const struct registry_model *model;
    int64_t key_us; /* the time sorted by; 0: none */
};

static int64_t time_of(const char *text)
{
    int64_t unix_us = 0;

    return text && clock_parse(str_from(text), &unix_us) ? unix_us : 0;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->key_us != b->key_us)
        return a->key_us < b->key_us ? 1 : -1;
    return strcmp(a->model->full_name, b->model->full_name);
}

/* Is a query parameter absent or one of two words? ret_second: is it the second? False: answered.
 */
static bool read_choice(struct http_call *call, const char *name, const char *first,
                        const char *second, bool *ret_second)
{
    const char *value = http_query(call, name);

    *ret_second = value && strcmp(value, second) == 0;
    if (!value || !*value || *ret_second || strcmp(value, first) == 0)
        return true;
    problem_reply_detail(
        call, 400, "Bad request",
        arena_printf(http_arena(call), "%s must be \"%s\" or \"%s\"", name, first, second));
    return false;
}

/* All public models as asked for, newest first unless ascending. */
static bool sorted_models(struct http_call *call, bool by_model, bool ascending,
                          struct entry **ret_entries, int *ret_count, struct err *err)
{
    const struct registry_model **models;
    struct entry *entries;
    int total, count = 0;

    if (!registry_list(api_of(call)->registry, &models, &total, err))
        return false;
    entries = arena_alloc(http_arena(call), ((size_t)total + 1) * sizeof(*entries));
    for (int i = 0; entries && i < total; i++) {
        const struct registry_model *model = models[i];
        const char *latest = model->version_count ? model->versions[0].created_at : NULL;

        if (strcmp(model->visibility, "public") == 0)
            entries[count++] =
                (struct entry){ model, time_of(by_model ? model->created_at : latest) };
    }
    free(models);
    if (!entries)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a list of models");
    qsort(entries, (size_t)count, sizeof(*entries), compare_entries);
    for (int i = 0; ascending && i < count / 2; i++) {
        struct entry swapped = entries[i];

        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = swapped;
    }
    *ret_entries = entries;
    *ret_count = count;
    return true;
}

/* Names are longer than a cursor's id may be. */
static struct page_cursor cursor_at(const struct entry *entry, bool newer)
{
    struct page_cursor cursor = { .newer = newer };
    unsigned char digest[HASH_SHA256_BYTES];

    hash_sha256(str_from(entry->model->full_name), digest);
    cursor.position.created_us = entry->key_us + 1; /* 0 would be the first page */
    hash_hex(digest, ID_FILE_LEN / 2, cursor.position.id);
    return cursor;
}

/* Where the entry of a cursor stands; when it has gone, where it would. */
static int place_of(const struct entry *entries, int count, const struct page_cursor *cursor,
                    bool ascending, bool *ret_found)
{
    int place = 0;

    *ret_found = false;
    for (int i = 0; i < count; i++) {
        struct page_cursor here = cursor_at(&entries[i], false);
        bool before = ascending ? here.position.created_us < cursor->position.created_us
                                : here.position.created_us > cursor->position.created_us;

        if (here.position.created_us == cursor->position.created_us &&
            strcmp(here.position.id, cursor->position.id) == 0) {
            *ret_found = true;
            return i;
        }
        if (before)
            place = i + 1;
    }
    return place;
}

/* The first and the last (not included) entry of the page. */
static void bounds(const struct entry *entries, int count, const struct page_cursor *cursor,
                   bool ascending, int *ret_first, int *ret_last)
{
    bool found = false;
    int place =
        cursor->position.created_us ? place_of(entries, count, cursor, ascending, &found) : 0;
    int first = cursor->newer ? place - LIMIT_PAGE_MODELS : place + found;

    *ret_first = first > 0 ? first : 0;
    *ret_last = cursor->newer && place > 0 ? place : *ret_first + LIMIT_PAGE_MODELS;
    if (*ret_last > count)
        *ret_last = count;
}

static void list(struct http_call *call)
{
    struct page_cursor cursor, next, previous;
    struct entry *entries = NULL;
    bool by_model, ascending;
    int count = 0, first, last;
    struct buf body;
    struct err err;

    if (!page_cursor_read(call, &cursor) ||
        !read_choice(call, "sort_by", "latest_version_created_at", "model_created_at", &by_model) ||
        !read_choice(call, "sort_direction", "desc", "asc", &ascending))
        return;
    if (!sorted_models(call, by_model, ascending, &entries, &count, &err)) {
        problem_reply(call, &err);
        return;
    }
    bounds(entries, count, &cursor, ascending, &first, &last);
    if (first < last) {
        next = cursor_at(&entries[last - 1], false);
        previous = cursor_at(&entries[first], true);
    }
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "/v1/models", list_filters, first < last && last < count ? &next : NULL,
              first < last && first > 0 ? &previous : NULL, &body);
    for (int i = first; i < last; i++) {
        if (i > first)
            buf_append_char(&body, ',');
        model_write(call, entries[i].model, &body);
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

/* ---- One model --------------------------------------------------------------------------------
 */

static void get(struct http_call *call)
{
    const struct registry_model *model = model_find(call);

    if (model)
        model_reply(call, 200, model);
}

static void readme(struct http_call *call)
{
    const struct registry_model *model = model_find(call);

    if (!model)
        return;
    if (!model->readme) {
        problem_reply_not_found(call);
        return;
    }
    reply_set_headers(call);
    http_reply(call, 200, "text/plain; charset=utf-8", str_from(model->readme));
}

static void examples(struct http_call *call)
{
    const struct registry_model *model = model_find(call);
    struct buf body;

    if (!model)
        return;
    page_open_single(call, &body);
    render_example(http_base_url(call), model, &body);
    page_close(&body);
    reply_json(call, 200, &body);
}

static void versions(struct http_call *call)
{
    const struct registry_model *model = model_find(call);
    struct buf body;

    if (!model)
        return;
    page_open_single(call, &body);
    for (int i = 0; i < model->version_count; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        render_version(&model->versions[i], &body);
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

static void version(struct http_call *call)
{
    const struct registry_model *model = model_find(call);
    const struct registry_version *found;
    struct buf body;

    if (!model)
        return;
    found = registry_version_find(model, str_from(http_param(call, "id")));
    if (!found) {
        problem_reply_not_found(call);
        return;
    }
    buf_init(&body, RENDER_BYTES_MAX);
    render_version(found, &body);
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/v1/models", list, 0, 0 },
    { "GET", "/v1/models/{owner}/{name}", get, 0, 0 },
    { "GET", "/v1/models/{owner}/{name}/readme", readme, HTTP_ON_LOOP, 0 },
    { "GET", "/v1/models/{owner}/{name}/examples", examples, HTTP_ON_LOOP, 0 },
    { "GET", "/v1/models/{owner}/{name}/versions", versions, HTTP_ON_LOOP, 0 },
    { "GET", "/v1/models/{owner}/{name}/versions/{id}", version, HTTP_ON_LOOP, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_models = { routes };
