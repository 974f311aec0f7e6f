/* The answer to a request that waited for its prediction.
 *
 * It reads the record and perhaps the output's files, so it runs on threads of its own, never on
 * the one that ended the prediction. Not here: who waits (waits.c). */
#include "api/answer.h"

#include "api/api_private.h"
#include "api/functions.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/work.h"
#include "predict/predict.h"

#define ANSWER_RECORD_BYTES                                                                        \
    (256u << 20) /* one record in memory: input and output at their limits */

struct answer { /* in the call's arena */
    struct http_call *call;
    const char *id;
    enum waits_kind kind;
};

/* Over plain http the official JavaScript and Python clients make files only of data: URLs, so a
 * link would reach the caller as a mere string. */
bool answer_wants_inline(const struct http_call *call)
{
    switch (api_of(call)->sync_output_form) {
    case API_OUTPUT_URL:
        return false;
    case API_OUTPUT_DATA:
        return true;
    default:
        return !http_is_https(call);
    }
}

static int status_of(const struct prediction *prediction, enum waits_kind kind)
{
    if (kind == WAITS_CANCEL)
        return 200;
    if (kind == WAITS_REPLAY)
        return 201;
    return prediction_status_is_terminal(prediction->status) ? 201 : 202;
}

void answer_prediction(struct http_call *call, int status, const struct prediction *prediction)
{
    struct render_options options = { .api = api_of(call), .base_url = http_base_url(call) };
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    render_prediction(&options, prediction, &body);
    reply_json(call, status, &body);
}

void answer_now(struct http_call *call, const char *id, enum waits_kind kind)
{
    bool create = kind == WAITS_CREATE;
    struct render_options options = { .api = api_of(call),
                                      .base_url = http_base_url(call),
                                      .inline_files = create && answer_wants_inline(call),
                                      .as_starting = create };
    struct prediction prediction;
    struct arena arena;
    struct buf body;
    struct err err;

    arena_init(&arena, ANSWER_RECORD_BYTES);
    if (!predict_get(api_of(call)->predict, NULL, id, &arena, &prediction, &err)) {
        problem_reply(call, &err);
    } else if (kind == WAITS_FUNCTION) {
        functions_answer(call, &prediction);
    } else {
        buf_init(&body, RENDER_BYTES_MAX);
        render_prediction(&options, &prediction, &body);
        reply_json(call, status_of(&prediction, kind), &body);
    }
    arena_done(&arena);
}

static void run(void *context)
{
    const struct answer *answer = context;

    answer_now(answer->call, answer->id, answer->kind);
}

void answer_after_wait(struct http_call *call, const char *id, enum waits_kind kind)
{
    struct answer *answer = arena_alloc(http_arena(call), sizeof(*answer));
    struct err err;

    if (answer) {
        answer->call = call;
        answer->kind = kind;
        answer->id = arena_strdup(http_arena(call), str_from(id));
    }
    if (!answer || !answer->id) {
        err_set(&err, ERR_NO_MEMORY, "not enough memory for an answer");
        problem_reply(call, &err);
    } else if (!work_submit(api_of(call)->answers, run, answer)) {
        answer_now(call, answer->id, kind); /* a place per connection: not in practice */
    }
}
