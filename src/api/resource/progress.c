/* How far one prediction is, beyond the public API: what it waits for, its place in the queue, its
 * steps, and when each part of it began. Not here: how that is known (predict/progress.c). */
#include <inttypes.h>

#include "api/api_private.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "predict/progress.h"

#define PROGRESS_BYTES (16u << 20) /* the logs of one that has ended */

static const char *const phases[] = {
    [PREDICT_QUEUED] = "queued",   [PREDICT_PREPARING] = "preparing", [PREDICT_LOADING] = "loading",
    [PREDICT_RUNNING] = "running", [PREDICT_ENDED] = "ended",
};

static void write_number(const char *name, int64_t value, bool known, struct buf *out)
{
    if (known)
        buf_printf(out, ",\"%s\":%" PRId64, name, value);
    else
        buf_printf(out, ",\"%s\":null", name);
}

static void write_progress(const struct predict_progress *progress, struct buf *out)
{
    char time[CLOCK_TEXT_SIZE];

    buf_printf(out, "{\"status\":\"%s\",\"phase\":\"%s\"", prediction_status_name(progress->status),
               phases[progress->phase]);
    write_number("place", (int64_t)progress->place, progress->place > 0, out);
    write_number("waiting", (int64_t)progress->waiting, progress->place > 0, out);
    buf_append_str(out, S(",\"blocked\":"));
    if (progress->blocked)
        json_write_string(str_from(progress->blocked), out);
    else
        buf_append_str(out, S("null"));
    write_number("step", progress->step, progress->steps > 0, out);
    write_number("steps", progress->steps, progress->steps > 0, out);
    buf_append_str(out, S(",\"timeline\":["));
    for (int i = 0; i < progress->moment_count; i++) {
        clock_format(progress->moments[i].at_us, 3, true, time);
        buf_printf(out, "%s{\"name\":\"%s\",\"at\":\"%s\"}", i > 0 ? "," : "",
                   progress->moments[i].name, time);
    }
    buf_append_str(out, S("]}"));
}

static void get(struct http_call *call)
{
    const char *id = http_param(call, "id");
    struct predict_progress progress;
    struct arena arena;
    struct buf body;
    struct err err;

    if (!id_is_prediction(str_from(id))) {
        problem_reply_not_found(call);
        return;
    }
    arena_init(&arena, PROGRESS_BYTES);
    if (predict_progress(api_of(call)->predict, http_account(call), id, &arena, &progress, &err)) {
        buf_init(&body, RENDER_BYTES_MAX);
        write_progress(&progress, &body);
        reply_json(call, 200, &body);
    } else {
        problem_reply(call, &err);
    }
    arena_done(&arena);
}

static const struct http_route routes[] = {
    { "GET", "/v1/predictions/{id}/progress", get, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_progress = { routes };
