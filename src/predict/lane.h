/* A lane: what waits for one model version, and the runner that serves it. For predict/ only. */
#ifndef MIMEO_PREDICT_LANE_H
#define MIMEO_PREDICT_LANE_H

#include <stdbool.h>
#include <stdint.h>

struct predict;
struct registry_version;
struct run;
struct runner;

#define PREPARE_AHEAD 3 /* predictions per lane whose inputs are made ready in advance */
#define LOAD_ATTEMPTS 3 /* failed loads in a row before a version's queue fails */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_LOAD_MAX_MS 30000
#define BACKOFF_CRASH_MAX_MS 5000
#define FAILED_FOR_MS 1000 /* so long new predictions fail with the last load error at once */
#define FAIR_WAIT_MS 10000 /* then a lane without memory may take a busy lane's runner */
#define FOOTPRINT_UNKNOWN_BYTES ((int64_t)256 << 20)

/* One model version: its queue's near end and its runner. Never freed before the end. */
struct lane {
    struct lane *next;
    const struct registry_version *version;
    char weights[4200];
    struct runner *runner;
    struct run *waiting; /* first in, first out: taken from the queue, not yet with the runner */
    int waiting_count;
    int64_t footprint_bytes;  /* the most its runner was seen to use; 0: not known */
    int load_failures;        /* in a row */
    int crashes;              /* in a row, while running */
    int64_t not_before_us;    /* no start before; monotonic */
    int64_t fail_until_us;    /* predictions fail with `error` until then */
    int64_t blocked_since_us; /* waits for memory; 0: does not */
    bool listed;
    char error[300];
};

/* ---- dispatch.c: which prediction runs next, and where ------------------------------------- */

void dispatch_all(struct predict *predict);
struct lane *dispatch_lane_of(struct predict *predict, const struct registry_version *version);
void dispatch_lane_remove(struct lane *lane, struct run *run);
/* A runner of the lane did not get ready. final: it would not the next time. */
void dispatch_load_failed(struct predict *predict, struct lane *lane, const char *error,
                          bool final);

#endif
