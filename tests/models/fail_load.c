/* Does not load: without weights like a model that was not pulled, and with a folder of weights
 * as if memory were short, which may pass and is tried again. */
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
    (void)ret_state;
    if (access(context->weights_directory, R_OK) != 0)
        return err_set(
            err, ERR_NOT_FOUND,
            "The weights of test/fail_load are missing: type mimeo pull test/fail_load.");
    return err_set(err, ERR_NO_MEMORY, "There is no memory for the weights.");
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    (void)job, (void)err;
    return true;
}

const struct model model_fail_load = {
    .name = "fail_load",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
