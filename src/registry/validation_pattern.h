/* The keyword `pattern`: does a string match a regular expression? Private to validation.c. */
#ifndef MIMEO_REGISTRY_VALIDATION_PATTERN_H
#define MIMEO_REGISTRY_VALIDATION_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* What one validation may take. Zeroed at first. */
struct validation_budget {
    int64_t deadline_us; /* monotonic: all its patterns together; 0: none was tried yet */
    int64_t steps;       /* taken by all the rest (validation.c) */
};

/* Does the pattern match anywhere in the text (UTF-8)? A pattern that cannot be read, or that is
 * not decided within the budget, counts as matching: a model checks its input anyhow, and a caller
 * can do nothing about a broken schema. */
bool validation_pattern_matches(struct str pattern, struct str text,
                                struct validation_budget *budget);

#endif
