/* How long models take on this machine: of each the last 100 successes' predict_time, kept in
 * memory; at the start they are read from the newest records of the store. Private to api/. */
#ifndef MIMEO_API_SPEEDS_H
#define MIMEO_API_SPEEDS_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct speeds;
struct store;

/* Begins to read in the background; what is not read yet is simply not known. store: borrowed, must
 * outlive it. */
bool speeds_new(struct store *store, struct speeds **ret_speeds, struct err *err);
void speeds_free(struct speeds *speeds); /* stops the reading; NULL is fine */

/* A prediction by that model has succeeded. Any thread; short. */
void speeds_add(struct speeds *speeds, const char *model, int64_t predict_us);

struct speed {
    int runs; /* how many it is made of: 1 to 100 */
    double p50_s, p95_s;
};
/* False: the model was never seen to succeed. Any thread. */
bool speeds_get(struct speeds *speeds, const char *model, struct speed *ret_speed);

#endif
