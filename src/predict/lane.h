/* Lanes: what waits for one model version or deployment, and the runners that serve it.
 * For predict/ only. */
#ifndef MIMEO_PREDICT_LANE_H
#define MIMEO_PREDICT_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct predict;
struct registry_version;
struct run;
struct runner;

#define PREPARE_AHEAD                                                                              \
    3 /* predictions whose inputs are made ready in advance, beside one per further                \
         runner */
#define VERSION_RUNNERS_MAX 1     /* of a version's own lane */
#define DEPLOYMENT_RUNNERS_MAX 64 /* more are not started; beyond any machine's memory */
#define LOAD_ATTEMPTS 3           /* failed loads in a row before a version's queue fails */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_LOAD_MAX_MS 30000
#define BACKOFF_CRASH_MAX_MS 5000
#define FAILED_FOR_MS 1000 /* so long new predictions fail with the last load error at once */
#define FAIR_WAIT_MS 10000 /* then a lane without memory may take a busy lane's runner */
#define DEPLOYMENT_GRACE_MS 10000 /* so long a lane waits for its deployment to be set */
#define FOOTPRINT_UNKNOWN_BYTES ((int64_t)256 << 20)

/* What is wished of a deployment. Stays in the list when it is removed: what comes for it fails. */
struct deployment {
    struct deployment *next;                /* (locked), like all of it but the name */
    const struct registry_version *version; /* for new runners */
    int min_runners, max_runners;
    bool removed;
    char name[]; /* "owner/name" */
};

/* Why what waits in a lane cannot go on, beside others that run. */
enum lane_obstacle {
    LANE_CLEAR,
    LANE_NO_MEMORY,   /* others use it */
    LANE_LOAD_FAILED, /* it is tried again */
    LANE_NO_RUNNERS   /* a deployment of none */
};

/* Supervisor's own, but for `next`, `name` and `is_deployment`, which never change, and what is
 * (locked): that is changed by the supervisor only. Never freed before the end. */
struct lane {
    struct lane *next;
    bool is_deployment;
    bool is_set;  /* a version's own always; a deployment's when it was set or removed */
    bool removed; /* a deployment's */
    const struct registry_version *version; /* a deployment's, for new runners; else NULL */
    int min_runners, max_runners;
    struct run *waiting; /* (locked) first in, first out: out of the queue, not yet in a runner */
    int waiting_count;   /* (locked) */
    enum lane_obstacle obstacle;           /* (locked) what was so after the last round */
    char obstacle_error[256];              /* (locked) of LANE_LOAD_FAILED */
    int64_t footprint_bytes;               /* the most a runner was seen to use; 0: not known */
    int load_failures;                     /* in a row */
    int crashes;                           /* in a row, while running */
    int64_t not_before_us;                 /* no start before; monotonic */
    int64_t keep_not_before_us;            /* no start for min_runners before */
    int64_t fail_until_us;                 /* predictions fail with `error` until then */
    int64_t blocked_since_us;              /* waits for memory; 0: does not */
    int64_t unset_since_us;                /* something waits though it is not set; 0: no */
    const struct registry_version *wanted; /* to be loaded without a prediction; NULL: none */
    int64_t wanted_until_us;               /* then it is left; monotonic */
    bool listed;
    bool blocked_told; /* that nobody can make room for it */
    char error[512];
    char name[]; /* in the queue: a version's id, or a deployment's "owner/name" */
};

/* ---- dispatch.c: which prediction runs next, and where ------------------------------------- */

void dispatch_all(struct predict *predict);
struct lane *dispatch_lane_of(struct predict *predict, const char *name); /* NULL: no memory */
bool dispatch_has_work(struct predict *predict, const struct lane *lane);
/* Versions are told apart by id: reading manifests again makes new structs of the same ones. */
bool dispatch_is_same(const struct registry_version *a, const struct registry_version *b);
void dispatch_lane_remove(struct lane *lane, struct run *run);
/* Make a run of a prediction that was just taken out of the queue. NULL: it ended meanwhile, or
 * (*ret_again) there is no memory and it is to be put back. */
struct run *dispatch_attach(struct predict *predict, struct lane *lane, const char *id,
                            bool *ret_again);
/* It was canceled, or its time is over; a runner had it at most before it began. */
void dispatch_end_canceled(struct run *run);
/* A runner of the lane did not get ready. final: it would not the next time. */
void dispatch_load_failed(struct predict *predict, struct lane *lane, const char *model,
                          const char *error, bool final);
/* Would a runner be certain to fail? Then say what is missing, and what to type. */
bool dispatch_cannot_run(const struct predict *predict, const struct lane *lane,
                         const struct registry_version *version, char *ret_error, size_t size);
/* It ended by itself. Before the next start there is a pause, from the second time in a row on. */
void dispatch_crashed(struct lane *lane);

/* ---- memory.c: who may start, who makes room ----------------------------------------------- */

/* May a runner for this lane start now? If not, see to it that it may later. */
void memory_measure(struct predict *predict, struct runner *runner); /* note what it uses now */
bool memory_make_room(struct predict *predict, struct lane *lane, int64_t now_us);
/* Would one more of this lane fit, if all that nothing needs went? */
bool memory_could_fit(struct predict *predict, const struct lane *lane, int64_t *ret_need_bytes,
                      int64_t *ret_free_bytes);
/* Is it one of the min_runners of its deployment? Those are neither evicted nor unloaded. */
bool memory_is_kept(const struct predict *predict, const struct runner *runner);

#endif
