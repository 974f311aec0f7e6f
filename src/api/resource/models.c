/* Models and their versions over HTTP: lists, single ones, readme, examples. Read-only: models come
 * from manifests. Not here: predictions of a model (resource/predictions.c). */
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "domain/limits.h"
#include "registry/registry.h"
#include "store/store.h"

static const char *const list_filters[] = { "sort_by", "sort_direction", NULL };

static const struct registry_model *find_model(struct http_call *call)
{
    const struct registry_model *model =
        registry_model_find(api_of(call)->registry, str_from(http_param(call, "owner")),
                            str_from(http_param(call, "name")));

    if (!model)
        problem_reply_not_found(call);
    return model;
}

/* An unreadable count is shown as none: it is not worth failing the whole answer. */
static int64_t run_count(struct http_call *call, const struct registry_model *model)
{
    int64_t count = 0;

    return store_run_count(api_of(call)->store, model->full_name, &count, NULL) ? count : 0;
}

/* ---- The list ---------------------------------------------------------------------------------
 */

struct entry { /* a model in the order asked for */
    const struct registry_model *model;
    int64_t key_us; /* the time sorted by */
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

/* All public models as asked for, newest first unless ascending. NULL when memory is short. */
static struct entry *sorted_models(struct http_call *call, bool by_model, bool ascending,
                                   int *ret_count)
{
    const struct registry *registry = api_of(call)->registry;
    int total = registry_model_count(registry), count = 0;
    struct entry *entries = arena_alloc(http_arena(call), ((size_t)total + 1) * sizeof(*entries));

    if (!entries)
        return NULL;
    for (int i = 0; i < total; i++) {
        const struct registry_model *model = registry_model_at(registry, i);
        const char *latest = model->version_count ? model->versions[0].created_at : NULL;

        if (strcmp(model->visibility, "public") == 0)
            entries[count++] =
                (struct entry){ model, time_of(by_model ? model->created_at : latest) };
    }
    qsort(entries, (size_t)count, sizeof(*entries), compare_entries);
    for (int i = 0; ascending && i < count / 2; i++) {
        struct entry swapped = entries[i];

        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = swapped;
    }
    *ret_count = count;
    return entries;
}

/* Models change only when the server starts: the cursor is the place in the list. */
static struct page_cursor cursor_at(int offset)
{
    struct page_cursor cursor = { .newer = false };

    cursor.position.created_us = offset + 1;
    return cursor;
}

static void list(struct http_call *call)
{
    struct page_cursor cursor, next, previous;
    struct entry *entries;
    bool by_model, ascending;
    int count, first, last;
    struct buf body;

    if (!page_cursor_read(call, &cursor) ||
        !read_choice(call, "sort_by", "latest_version_created_at", "model_created_at", &by_model) ||
        !read_choice(call, "sort_direction", "desc", "asc", &ascending))
        return;
    entries = sorted_models(call, by_model, ascending, &count);
    if (!entries) {
        problem_reply(call, &(struct err){ .kind = ERR_NO_MEMORY });
        return;
    }
    first = cursor.position.created_us > 0 && cursor.position.created_us <= count
                ? (int)cursor.position.created_us - 1
                : 0;
    last = first + LIMIT_PAGE_MODELS < count ? first + LIMIT_PAGE_MODELS : count;
    next = cursor_at(last);
    previous = cursor_at(first > LIMIT_PAGE_MODELS ? first - LIMIT_PAGE_MODELS : 0);
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "/v1/models", list_filters, last < count ? &next : NULL,
              first > 0 ? &previous : NULL, &body);
    for (int i = first; i < last; i++) {
        if (i > first)
            buf_append_char(&body, ',');
        render_model(http_base_url(call), entries[i].model, run_count(call, entries[i].model),
                     &body);
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

/* ---- One model --------------------------------------------------------------------------------
 */

static void get(struct http_call *call)
{
    const struct registry_model *model = find_model(call);
    struct buf body;

    if (!model)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    render_model(http_base_url(call), model, run_count(call, model), &body);
    reply_json(call, 200, &body);
}

static void readme(struct http_call *call)
{
    const struct registry_model *model = find_model(call);

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
    const struct registry_model *model = find_model(call);
    struct buf body;

    if (!model)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "", NULL, NULL, NULL, &body);
    render_example(http_base_url(call), model, &body);
    page_close(&body);
    reply_json(call, 200, &body);
}

static void versions(struct http_call *call)
{
    const struct registry_model *model = find_model(call);
    struct buf body;

    if (!model)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "", NULL, NULL, NULL, &body);
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
    const struct registry_model *model = find_model(call);
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
