/* A job as the worker sees it: how one is made from a message, canceled and listened to.
 * Only for runner/ and its tests; models use runner/job.h. */
#ifndef MIMEO_RUNNER_JOB_PRIVATE_H
#define MIMEO_RUNNER_JOB_PRIVATE_H

#include "runner/job.h"
#include "wire/message.h"

struct model;

/* Where a job's events go. Called on the model thread. */
typedef void job_sink(void *context, const struct wire_message *event);

/* train: the job is a training, with the inputs of one. input, files: objects; both are kept (a
 * reference each). NULL when memory is short. */
struct job *job_new(const struct model *model, bool train, const char *id, json_t *input,
                    json_t *files, const char *folder);
bool job_trains(const struct job *job);
void job_set_sink(struct job *job, job_sink *sink, void *context);
void job_cancel(struct job *job); /* any thread */
const char *job_id(const struct job *job);

/* Did the model give an output that was refused (too large, a bad name)? Then why; else NULL. */
const char *job_refusal(const struct job *job);

/* The line job_progress logs, without its newline. elapsed_s since the loop began. */
void job_progress_line(int done, int total, double elapsed_s, char *ret_line, size_t size);

#endif
