/* Says a word: the one it has learned, which stands in its weights folder, or "nothing". Learns the
 * word it is given, in as many steps as it is told, and a second file that nobody reads. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "greeting", .type = INPUT_STRING, .has_default = true, .default_string = "" },
    { .name = "pause_ms", .type = INPUT_INTEGER, .has_default = true, .default_number = 0 },
    { 0 },
};

static const struct model_input training_inputs[] = {
    { .name = "word", .type = INPUT_STRING, .required = true, .help = "What it shall say." },
    { .name = "steps",
      .type = INPUT_INTEGER,
      .has_default = true,
      .default_number = 3,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 1000 },
    { 0 },
};

static char word[256] = "nothing";

static bool load(const struct model_context *context, void **ret_state, struct err *err)
{
    char path[4400];
    (void)err;
    snprintf(path, sizeof path, "%s/word.txt", context->weights_directory);
    FILE *file = fopen(path, "re");
    if (file) {
        word[fread(word, 1, sizeof word - 1, file)] = '\0';
        fclose(file);
    }
    *ret_state = NULL;
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state, (void)err;
    const char *greeting = job_string(job, "greeting");
    usleep((unsigned)job_integer(job, "pause_ms") * 1000);
    if (greeting[0])
        job_output_text(job, str_from(greeting));
    job_output_text(job, str_from(word));
    return true;
}

static bool write_file(struct job *job, const char *name, const char *text, struct err *err)
{
    const char *path = job_output_path(job, name);
    FILE *file = path ? fopen(path, "we") : NULL;
    if (!file || fputs(text, file) == EOF || fclose(file) == EOF)
        return err_set(err, ERR_MODEL, "The weights could not be written.");
    job_output_file(job, name, "application/octet-stream");
    return true;
}

static bool train(void *state, struct job *job, struct err *err)
{
    (void)state;
    int steps = (int)job_integer(job, "steps");
    for (int i = 1; i <= steps; i++) {
        if (job_canceled(job))
            return err_set(err, ERR_CANCELED, "Canceled.");
        usleep(10000);
        job_progress(job, i, steps);
    }
    job_log(job, "learned '%s'", job_string(job, "word"));
    job_metric(job, "steps", steps);
    return write_file(job, "word.txt", job_string(job, "word"), err) &&
           write_file(job, "notes.txt", "It was easy.", err);
}

const struct model model_trainable = {
    .name = "trainable",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
    .training_inputs = training_inputs,
    .train = train,
};
