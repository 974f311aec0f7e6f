/* Takes as long as it is told, and looks for a cancel every 10 ms. */
#include <unistd.h>

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
    int steps = (int)(job_number(job, "seconds") * 100);
    for (int i = 0; i < steps; i++) {
        if (job_canceled(job))
            return err_set(err, ERR_CANCELED, "Canceled.");
        job_progress(job, i, steps);
        usleep(10000);
    }
    job_output_text(job, S("slept"));
    return true;
}

const struct model model_sleep = {
    .name = "sleep",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
