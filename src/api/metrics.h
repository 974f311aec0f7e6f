/* What the server counts of its calls, for GET /metrics. Counting takes no lock and never blocks.
 * Private to api/. */
#ifndef MIMEO_API_METRICS_H
#define MIMEO_API_METRICS_H

#include <stdint.h>

#include "base/buf.h"

struct err;
struct http_route;
struct metrics;

/* tables: NULL-ended; must outlive the metrics. Labels are the routes', so there is a fixed number
 * of them, whatever clients ask for. */
bool metrics_new(const struct http_route *const *tables, struct metrics **ret_metrics,
                 struct err *err);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* A call has ended. route NULL: none matched; status 0: the client had gone. Any thread. */
void metrics_count(struct metrics *metrics, const struct http_route *route, int status,
                   int64_t duration_us);

/* Append them in Prometheus' text format. */
void metrics_write(const struct metrics *metrics, struct buf *out);

/* Append `name{label="value"}`'s value part: the value with \, " and line ends escaped. */
void metrics_write_label(const char *value, struct buf *out);

#endif
