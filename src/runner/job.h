/* What a model may do while it runs one prediction: read inputs, log, give outputs, see a cancel.
 * Thread: the model thread, except job_canceled, which any thread may call. */
#ifndef MIMEO_RUNNER_JOB_H
#define MIMEO_RUNNER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;
struct job;

/* Inputs: the client's value, or the table's default. Asserts that `name` stands in the model's
 * table with that type. */
int64_t job_integer(const struct job *job, const char *name);
double job_number(const struct job *job, const char *name);
bool job_boolean(const struct job *job, const char *name);
const char *job_string(const struct job *job, const char *name); /* NULL when absent; borrowed */

/* Path of a local file with the input's bytes, or NULL when the input is absent. Borrowed. Also
 * works for INPUT_STRING inputs whose manifest marks them as urls to fetch. */
const char *job_file(const struct job *job, const char *name);

bool job_has(const struct job *job, const char *name); /* did the client send it? */

/* Memory that lives until the prediction ends. */
struct arena *job_arena(struct job *job);

/* One log line (a newline is added when missing). Cheap; sent at once. */
void job_log(struct job *job, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A progress line in tqdm's form, which the official clients parse: " 75%|███████▌  | 3/4 ...". */
void job_progress(struct job *job, int done, int total);

/* Where to write an output file: a path inside the job's folder, e.g. name "output.png".
 * Borrowed until the prediction ends; NULL when name is not a plain file name. */
const char *job_output_path(struct job *job, const char *name);

/* The file written at job_output_path(name) is an output of that media type ("image/png"). */
void job_output_file(struct job *job, const char *name, const char *content_type);
void job_output_text(struct job *job, struct str text);

/* A number for the prediction's `metrics`, e.g. "image_count". */
void job_metric(struct job *job, const char *name, double value);

/* Has somebody asked to stop? Then return false with ERR_CANCELED as soon as possible. */
bool job_canceled(const struct job *job);

/* A model test's way in: a job without a process around it. Inputs as JSON text, files by name;
 * outputs land in `directory`. Free with job_free. */
struct model;
struct job_file_input {
    const char *name, *path;
};
struct job *job_new_local(const struct model *model, const char *input_json,
                          const struct job_file_input *files, size_t file_count,
                          const char *directory, struct err *err);
void job_free(struct job *job);

#endif
