/* Never comes back and never looks for a cancel. */
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
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
    (void)job, (void)err;
    volatile bool forever = true; /* volatile: the compiler shall not see through it */
    while (forever)
        usleep(100000);
    return true;
}

const struct model model_hang = {
    .name = "hang",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
