/* Collections of models, as the registry has them. A model of one that does not exist here, or that
 * the caller may not see, is left out. */
#include <string.h>

#include "api/api_private.h"
#include "api/model_documents.h"
#include "api/model_pages.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/json.h"
#include "registry/registry.h"

static void list(struct http_call *call)
{
    const struct registry *registry = api_of(call)->registry;
    struct buf body;

    page_open_single(call, &body);
    for (int i = 0; i < registry_collection_count(registry); i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        render_collection_open(registry_collection_at(registry, i), &body);
        buf_append_char(&body, '}');
    }
    page_close(&body);
    reply_json(call, 200, &body);
}

static const struct registry_collection *find(struct http_call *call)
{
    const struct registry *registry = api_of(call)->registry;
    const char *slug = http_param(call, "slug");

    for (int i = 0; i < registry_collection_count(registry); i++) {
        const struct registry_collection *collection = registry_collection_at(registry, i);

        if (strcmp(collection->slug, slug) == 0)
            return collection;
    }
    problem_reply_not_found(call);
    return NULL;
}

static void get(struct http_call *call)
{
    const struct registry_collection *collection = find(call);
    struct str owner, name;
    struct buf body;
    bool first = true;

    if (!collection)
        return;
    buf_init(&body, RENDER_BYTES_MAX);
    render_collection_open(collection, &body);
    buf_append_str(&body, S(",\"full_description\":"));
    json_write_string(str_from(collection->full_description), &body);
    buf_append_str(&body, S(",\"models\":["));
    for (int i = 0; i < collection->model_count; i++) {
        const struct registry_model *model =
            str_cut(str_from(collection->models[i]), '/', &owner, &name)
                ? registry_model_find(api_of(call)->registry, owner, name)
                : NULL;

        if (!model || !model_documents_visible(model, http_account(call)))
            continue;
        if (!first)
            buf_append_char(&body, ',');
        first = false;
        model_write(call, model, &body);
    }
    buf_append_str(&body, S("]}"));
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "GET", "/v1/collections", list, 0, 0 },
    { "GET", "/v1/collections/{slug}", get, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_collections = { routes };
