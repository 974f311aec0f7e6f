/* Takes as long as it is told and ignores a cancel. */
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "seconds",
      .type = INPUT_NUMBER,
      .has_default = true,
      .default_number = 1,
      .has_min = true,
      .has_max = true,
      .max = 600,
      .help = "How long to take." },
    { 0 },
};

static bool load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context, (void)err;
    *ret_state = NULL;
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    (void)err;
    int64_t until_us = clock_monotonic_us() + (int64_t)(job_number(job, "seconds") * 1e6);
    while (clock_monotonic_us() < until_us)
        usleep(10000);
    job_output_text(job, S("slept"));
    return true;
}

const struct model model_stubborn = {
    .name = "stubborn",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
