/* Takes memory step by step until it is stopped, or until a bound that spares the machine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "mebibytes",
      .type = INPUT_INTEGER,
      .has_default = true,
      .default_number = 1024,
      .has_min = true,
      .has_max = true,
      .min = 1,
      .max = 2048,
      .help = "Where to stop." },
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
    int64_t steps = job_integer(job, "mebibytes") / 8;
    for (int64_t i = 0; i < steps; i++) {
        char *block = malloc(8 << 20);
        if (!block)
            return err_set(err, ERR_NO_MEMORY, "There is no memory left.");
        memset(block, 1, 8 << 20);
        *(char *volatile *)&block = block; /* kept on purpose: this model leaks */
        usleep(10000);
    }
    sleep(3); /* with all of it held */
    job_output_text(job, S("not stopped"));
    return true;
}

const struct model model_hog = {
    .name = "hog",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
