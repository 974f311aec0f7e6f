/* What routes about models share. */
#include "api/model_pages.h"

#include "api/api_private.h"
#include "api/model_documents.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "registry/registry.h"
#include "store/store.h"

const struct registry_model *model_find(struct http_call *call)
{
    const struct registry_model *model =
        registry_model_find(api_of(call)->registry, str_from(http_param(call, "owner")),
                            str_from(http_param(call, "name")));

    if (model && model_documents_visible(model, http_account(call)))
        return model;
    problem_reply_not_found(call);
    return NULL;
}

/* An unreadable count is shown as none: it is not worth failing the whole answer. */
static int64_t run_count(struct http_call *call, const struct registry_model *model)
{
    int64_t count = 0;

    return store_run_count(api_of(call)->store, model->full_name, &count, NULL) ? count : 0;
}

void model_write(struct http_call *call, const struct registry_model *model, struct buf *out)
{
    render_model(http_base_url(call), model, run_count(call, model), out);
}

void model_reply(struct http_call *call, int status, const struct registry_model *model)
{
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    model_write(call, model, &body);
    reply_json(call, status, &body);
}

void page_open_single(struct http_call *call, struct buf *body)
{
    buf_init(body, RENDER_BYTES_MAX);
    page_open(call, "", NULL, NULL, NULL, body);
}
