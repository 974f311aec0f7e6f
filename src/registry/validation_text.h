/* Texts in validation: types, numbers as the public API prints them, and string formats.
 * Private to the registry. */
#ifndef MIMEO_REGISTRY_VALIDATION_TEXT_H
#define MIMEO_REGISTRY_VALIDATION_TEXT_H

#include <jansson.h>

#include "base/str.h"

#define VALIDATION_NUMBER_SIZE 48

/* What a value is: "object", ..., "integer" for any whole number, 3.0 too. */
const char *validation_type_text(const json_t *value);

/* The shortest %g form in Go's rules: "4", "0.1", "100000", "1e+06", "2.147483647e+09". ret_text
 * has VALIDATION_NUMBER_SIZE bytes. */
void validation_number_text(const json_t *number, char *ret_text);

/* Does the text have the format? Unknown formats always match, as there. */
bool validation_format_matches(const char *format, struct str text);

#endif
