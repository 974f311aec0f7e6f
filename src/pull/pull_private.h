/* What the sources of weights share with the flow in pull.c. */
#ifndef MIMEO_PULL_PULL_PRIVATE_H
#define MIMEO_PULL_PULL_PRIVATE_H

#include "base/str.h"
#include "pull/pull.h"

/* One variant being fetched. `folder` is this model's work folder: what is left in it after a
 * failure may be used by the next try. */
struct pull_job {
    const struct pull_options *options;
    const struct pull_variant *variant;
    const char *folder; /* <weights folder>/.pull/<owner>/<name> */
    const char *target; /* where the fetched file goes: in `folder`, not yet checked */
};

/* Fetch job->variant into job->target. */
typedef bool pull_fetch(const struct pull_job *job, struct err *err);
pull_fetch pull_npm_fetch, pull_hf_fetch;

void pull_progress(const struct pull_job *job, const char *step, int64_t done, int64_t total);
bool pull_is_canceled(const struct pull_options *options);

/* Letters, digits, dot, dash, underscore; no dot or dash first. */
bool pull_is_plain_name(const char *text);

/* Append the file at `path`, while hashing it, to the descriptor `out` (-1: only hash). Its
 * SHA-256 must be `sha256` (hex), its size at most bytes_max: ERR_INVALID otherwise. */
bool pull_copy_checked(const struct pull_job *job, const char *path, int out, const char *sha256,
                       int64_t bytes_max, const char *step, int64_t *done, int64_t total,
                       struct err *err);

#endif
