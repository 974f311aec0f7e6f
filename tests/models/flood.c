/* Writes logs until somebody stops it: on standard error, or as log events. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "events", .type = INPUT_BOOLEAN, .has_default = true },
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
    char line[4096];
    bool events = job_boolean(job, "events");
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    volatile bool forever = true; /* volatile: the compiler shall not see through it */
    while (forever) {
        if (events)
            job_log(job, "%s", line);
        else
            fprintf(stderr, "%s\n", line);
    }
    return true;
}

const struct model model_flood = {
    .name = "flood",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
