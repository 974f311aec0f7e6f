/* YAML (manifests, config, cog.yaml) read into the same values as JSON, over libyaml.
 * The core schema's scalars: null, booleans (true/false), integers, floats, strings. Limits: 1 MiB,
 * nesting 64, 100,000 nodes; aliases refused (they make small files huge); duplicate keys refused.
 */
#ifndef MIMEO_BASE_YAML_H
#define MIMEO_BASE_YAML_H

#include <jansson.h>

#include "base/str.h"

struct err;

/* The caller owns *ret_value. An empty document is null. ERR_INVALID with line and column. */
bool yaml_parse(struct str text, json_t **ret_value, struct err *err);

#endif
