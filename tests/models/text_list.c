/* Gives its text in pieces of one word, with a pause after each. */
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "text", .type = INPUT_STRING, .required = true },
    { .name = "pause_ms", .type = INPUT_INTEGER, .has_default = true, .default_number = 10 },
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
    struct str text = str_from(job_string(job, "text")), word;
    while (text.len > 0) {
        if (job_canceled(job))
            return err_set(err, ERR_CANCELED, "Canceled.");
        if (!str_cut(text, ' ', &word, &text)) {
            word = text;
            text = S("");
        }
        job_output_text(job, word);
        job_log(job, "a word of %zu bytes", word.len);
        usleep((unsigned)job_integer(job, "pause_ms") * 1000);
    }
    job_metric(job, "output_token_count", 3);
    return true;
}

const struct model model_text_list = {
    .name = "text_list",
    .inputs = inputs,
    .output = OUTPUT_TEXT_LIST,
    .load = load,
    .predict = predict,
};
