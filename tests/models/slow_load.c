/* Needs a second and a half to load, then gives its text back. */
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "text", .type = INPUT_STRING, .has_default = true, .default_string = "hello" },
    { 0 },
};

static bool load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context, (void)err;
    *ret_state = NULL;
    usleep(1500000);
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    (void)err;
    job_output_text(job, str_from(job_string(job, "text")));
    return true;
}

const struct model model_slow_load = {
    .name = "slow_load",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
