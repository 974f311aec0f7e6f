/* Gives as many one-pixel pictures as it is asked for, in a list. */
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "count",
      .type = INPUT_INTEGER,
      .has_default = true,
      .default_number = 1,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 4 },
    { 0 },
};

static const char pixel[] = "P6\n1 1\n255\nabc"; /* a PPM, which needs no writer */

static bool load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context, (void)err;
    *ret_state = NULL;
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    for (int64_t i = 0; i < job_integer(job, "count"); i++) {
        char *name = arena_printf(job_arena(job), "out-%lld.png", (long long)i);
        if (!name || !file_write_atomic(job_output_path(job, name),
                                        (struct str){ pixel, sizeof pixel - 1 }, 0600, err))
            return false;
        job_output_file(job, name, "image/png");
    }
    return true;
}

const struct model model_file_list = {
    .name = "file_list",
    .inputs = inputs,
    .output = OUTPUT_FILE_LIST,
    .load = load,
    .predict = predict,
};
