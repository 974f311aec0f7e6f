/* Retention: the data of predictions that ended long ago goes; see retention.c. For predict/ only.
 */
#ifndef MIMEO_PREDICT_RETENTION_H
#define MIMEO_PREDICT_RETENTION_H

#include <stdbool.h>

struct blob_store;
struct err;
struct prediction;
struct retention;
struct store;

/* Starts a thread. retention_s 0: data stays; the store is swept all the same. */
bool retention_start(struct store *store, struct blob_store *blobs, int retention_s,
                     struct retention **ret_retention, struct err *err);
/* Take the data of one away now: only its id and output count. It must have ended, and its blobs be
 * in doubt no more. False: nothing, or not all of it, has gone; do it again. Any thread. */
bool retention_remove(struct retention *retention, const struct prediction *prediction,
                      struct err *err);
void retention_stop(struct retention *retention); /* NULL is fine */

#endif
