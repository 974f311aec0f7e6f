/* Logs its text as it stands and gives a piece of output; then it ends well, or fails if told to.
 */
#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "text", .type = INPUT_STRING, .required = true },
    { .name = "fail", .type = INPUT_BOOLEAN, .has_default = true },
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
    job_log(job, "%s", job_string(job, "text"));
    job_output_text(job, S("a piece"));
    if (job_boolean(job, "fail"))
        return err_set(err, ERR_MODEL, "It was told to fail.");
    return true;
}

const struct model model_reports = {
    .name = "reports",
    .inputs = inputs,
    .output = OUTPUT_TEXT_LIST,
    .load = load,
    .predict = predict,
};
