/* The inputs of `mimeo run`: "key=value" words made into the JSON a model's schema asks for. */
#ifndef MIMEO_CLI_INPUT_H
#define MIMEO_CLI_INPUT_H

#include "mimeo.h"

struct err;

#define INPUT_INLINE_BYTES_MAX                                                                     \
    (256 << 10) /* smaller files go as data URLs, as Replicate advises                             \
                 */

/* version: a version object of the API (its openapi_schema says the types; without one everything
 * is a string). `words`: "key=value"; "@path" as the value is a file, "@@..." a text that starts
 * with "@". A key of array type may be repeated. Files are read, or uploaded over `client`.
 * The caller owns *ret_input. */
bool input_build(struct mimeo_client *client, const json_t *version, const char *const *words,
                 int count, json_t **ret_input, struct err *err);

#endif
