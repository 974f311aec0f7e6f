/* What a native model is: one file in src/models/ that exports one `const struct model` named
 * model_<file name>. The registry of models is made from the folder's listing (tools/gen-registry).
 *
 * A model knows nothing of HTTP, the store or sockets: it gets its inputs as checked JSON values
 * and local files, and says what happens through runner/job.h. Not here: the process around it
 * (runner/worker.c). Thread: load, predict and train run on the runner's one model
 * thread. */
#ifndef MIMEO_RUNNER_MODEL_H
#define MIMEO_RUNNER_MODEL_H

#include <stdbool.h>
#include <stddef.h> /* NULL, for the generated registry */

struct err;
struct job;

enum input_type { INPUT_STRING, INPUT_INTEGER, INPUT_NUMBER, INPUT_BOOLEAN, INPUT_FILE };

/* One row of a model's input table; the JSON schema that clients see is printed from it. */
struct model_input {
    const char *name; /* NULL ends the table */
    enum input_type type;
    bool required;
    bool has_default;
    bool has_min, has_max;
    double min, max;            /* numbers: inclusive bounds */
    const char *default_string; /* INPUT_STRING */
    double default_number;      /* INPUT_INTEGER, INPUT_NUMBER, INPUT_BOOLEAN (0 or 1) */
    const char *const *choices; /* INPUT_STRING: allowed values, NULL-ended; or NULL */
    const char *help;
};

enum output_type {
    OUTPUT_FILE,      /* one uri */
    OUTPUT_FILE_LIST, /* a list of uris */
    OUTPUT_TEXT,      /* one string */
    OUTPUT_TEXT_LIST, /* a list of strings that arrive one by one (iterator, concatenate) */
    OUTPUT_ANY        /* whatever JSON the model gives */
};

struct model_context {
    const char *weights_directory; /* where `mimeo pull` put this model's files; borrowed */
    const char *precision;         /* "f32" or "bf16"; borrowed */
    int threads;                   /* to compute with; >= 1 */
};

struct model {
    const char *name; /* as manifests name it, e.g. "remove_background" */
    const struct model_input *inputs;
    enum output_type output;

    /* Read the weights and get ready. *ret_state is handed to the others. ERR_NOT_FOUND when
     * weights are missing (detail says what to type), ERR_INVALID when a file is broken. */
    bool (*load)(const struct model_context *context, void **ret_state, struct err *err);

    /* Run one prediction. Call job_* to read inputs and to report; return false with ERR_MODEL (or
     * ERR_INVALID, ERR_CANCELED, ...) to fail. Check job_canceled() at least once per step. */
    bool (*predict)(void *state, struct job *job, struct err *err);

    void (*unload)(void *state); /* may be NULL */

    /* Learning from examples; NULL: this model cannot be trained. Like predict, with inputs of its
     * own: it writes the learned weights with job_output_path and names them with job_output_file,
     * the main file first. They become the weights folder of a new version, so `load` must find in
     * there what it needs. */
    const struct model_input *training_inputs; /* not NULL when there is `train` */
    bool (*train)(void *state, struct job *job, struct err *err);
};

extern const struct model *const model_registry[]; /* NULL-ended; generated */

#endif
