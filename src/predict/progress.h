/* How far a prediction is: for whoever shows it as it waits and runs. Beside predict.h. */
#ifndef MIMEO_PREDICT_PROGRESS_H
#define MIMEO_PREDICT_PROGRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "domain/prediction.h"

struct predict;

/* How far a prediction is. May block on the store. account NULL: any. ERR_NOT_FOUND. Any thread. */
enum predict_phase {
    PREDICT_QUEUED,
    PREDICT_PREPARING, /* its inputs are fetched and made ready */
    PREDICT_LOADING,   /* a runner starts that will have it first */
    PREDICT_RUNNING,
    PREDICT_ENDED
};
struct predict_moment {
    const char *name; /* "created", "prepared", "loading", "loaded", "started", "completed" */
    int64_t at_us;    /* Unix time */
};
#define PREDICT_MOMENTS 6
struct predict_progress {
    enum prediction_status status;
    enum predict_phase phase;
    size_t place, waiting; /* when queued: 1 is next, and how many wait in its lane; else 0 */
    const char *blocked;   /* why its lane cannot go on, one sentence in the arena; NULL */
    int64_t step, steps;   /* of its last progress bar; steps 0: it has shown none */
    struct predict_moment moments[PREDICT_MOMENTS]; /* what has happened, in order */
    int moment_count;
};
bool predict_progress(struct predict *predict, const char *account, const char *id,
                      struct arena *arena, struct predict_progress *ret_progress, struct err *err);

/* The numbers of the last progress bar, as tqdm and job_progress print them, in a model's logs:
 * " 75%|███████▌  | 3/4 [00:01<00:00,  2.51it/s]". False: there is none. Pure. */
bool predict_progress_parse(struct str logs, int64_t *ret_step, int64_t *ret_steps);

#endif
