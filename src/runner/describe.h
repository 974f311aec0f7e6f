/* What this executable's models are, as JSON, printed from their input tables: the server learns
 * its native models from `mimeo-runner --describe`. Not here: OpenAPI documents (registry/). */
#ifndef MIMEO_RUNNER_DESCRIBE_H
#define MIMEO_RUNNER_DESCRIBE_H

#include <jansson.h>

struct model;

/* {"protocol": N, "models": [{name, input, output, streams, trainable}, ...]}; a trainable one also
 * has "training_input", the schema of a training's input. `models` is NULL-ended. The
 * caller owns the value; NULL when memory is short. */
json_t *describe_models(const struct model *const *models);

/* The names alone, as an array. */
json_t *describe_names(const struct model *const *models);

#endif
