/* Looking after runners by hand: loading and unloading them without a prediction; and what is asked
 * about memory and counts. Not here: what predictions start and end (predict.h). */
#ifndef MIMEO_PREDICT_MANAGE_H
#define MIMEO_PREDICT_MANAGE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct predict;
struct registry_version;

/* What all runners together may use, and the most that a runner of a model was seen to use since
 * the start (0: not known). Bytes. Any thread. */
int64_t predict_memory_budget(const struct predict *predict);
int64_t predict_footprint(struct predict *predict, const char *model);

/* How many predictions wait for a runner now; how many were created since the start. Any thread. */
int predict_waiting(struct predict *predict);
int64_t predict_created_count(const struct predict *predict);

/* Load a version as if a prediction of it had come; later it is unloaded like any other. Fine when
 * it is loaded. Models that are idle make room within seconds, or it is left. ERR_CONFLICT with a
 * sentence: it cannot run here, or does not fit beside what is in use. Waits for the supervisor
 * (milliseconds); no callback, nor after predict_free was called. */
bool predict_runner_load(struct predict *predict, const struct registry_version *version,
                         struct err *err);

/* End a runner that no prediction needs. ERR_NOT_FOUND; ERR_CONFLICT: a prediction runs or waits
 * there, or its deployment keeps it. Waits as above; the process ends soon after. */
bool predict_runner_unload(struct predict *predict, int pid, struct err *err);

/* End all runners of a model ("owner/name"). ERR_CONFLICT, and none is ended: a prediction of it
 * has not ended, or a deployment keeps one of them. Waits as above. */
bool predict_model_unload(struct predict *predict, const char *model, struct err *err);

#endif
