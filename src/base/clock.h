/* Time. Unix time in microseconds for records, a monotonic clock for waits. */
#ifndef MIMEO_BASE_CLOCK_H
#define MIMEO_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define CLOCK_TEXT_SIZE 40

int64_t clock_now_us(void);       /* Unix time */
int64_t clock_monotonic_us(void); /* for durations; no relation to Unix time */

/* RFC 3339 UTC with `digits` (0, 3 or 6) fractional digits, trailing zeros trimmed when `trim`
 * ("2024-04-22T11:15:15.329Z"). ret_text has CLOCK_TEXT_SIZE bytes. */
void clock_format(int64_t unix_us, int digits, bool trim, char *ret_text);

/* RFC 3339 date-time (any offset) or a date alone. False on anything else. */
bool clock_parse(struct str text, int64_t *ret_unix_us);

#endif
