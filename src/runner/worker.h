/* The worker: serves one loaded model over a socket to the server until told to stop.
 * Not here: confinement (runner/sandbox.c), what a model may do (runner/job.h). */
#ifndef MIMEO_RUNNER_WORKER_H
#define MIMEO_RUNNER_WORKER_H

#include <stdbool.h>

#include "runner/model.h"

struct err;

/* Say hello, load the model, then run jobs until a shutdown message (true). False: the model did
 * not load (told to the server as well) or the socket failed. When the server goes away the
 * process ends at once. Runs the model on the calling thread. */
bool worker_serve(int socket, const struct model *model, const struct model_context *context,
                  const struct model *const *models, struct err *err);

#endif
