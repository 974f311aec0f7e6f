/* Dies of a bad pointer, as a model with a bug would. */
#include <signal.h>

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
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    (void)err;
    job_log(job, "about to crash");
    signal(SIGSEGV, SIG_DFL); /* no handler of a sanitizer */
    raise(SIGSEGV);           /* the same end as a bad pointer */
    return true;
}

const struct model model_crash = {
    .name = "crash",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
