/* replicate/hello-world: says hello. No weights, no state: what shows that a server works. */
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "text",
      .type = INPUT_STRING,
      .required = true,
      .help = "Text to prefix with 'hello '." },
    { 0 },
};

static bool hello_load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context;
    (void)err;
    *ret_state = NULL;
    return true;
}

static bool hello_predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    const char *hello = arena_printf(job_arena(job), "hello %s", job_string(job, "text"));
    if (!hello)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the text.");
    job_output_text(job, str_from(hello));
    return true;
}

const struct model model_hello_world = {
    .name = "hello_world",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = hello_load,
    .predict = hello_predict,
};
