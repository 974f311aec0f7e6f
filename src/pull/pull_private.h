/* What the sources of weights share with the flow in pull.c. */
#ifndef MIMEO_PULL_PULL_PRIVATE_H
#define MIMEO_PULL_PULL_PRIVATE_H

#include "base/str.h"
#include "pull/pull.h"
#include "registry/weights.h"

/* One file being fetched. `folder` is this model's work folder: what is left in it after a failure
 * may be used by the next try. */
struct pull_job {
    const struct pull_options *options;
    const struct registry_weights_variant *variant;
    const struct registry_weights_file *file;
    const char *folder;                /* <weights folder>/.pull/<owner>/<name> */
    const char *target;                /* where the fetched file goes: in `folder` */
    int64_t before_bytes, total_bytes; /* of the whole pull: got before this file, and in all */
};

struct pull_folders {
    char model[PULL_PATH_MAX - 256]; /* where files are installed */
    char work[PULL_PATH_MAX - 256];  /* <weights folder>/.pull/<owner>/<name> */
};
bool pull_folders_name(const struct pull_options *options, struct pull_folders *ret_folders,
                       struct err *err);

/* A file that is being fetched has this name until it is whole. */
void pull_target_name(const struct pull_folders *folders, const struct registry_weights_file *file,
                      char ret_target[PULL_PATH_MAX]);

/* Make the work folder and take the lock of the model's pulls; closing *ret_fd gives it back. wait:
 * until the other one has ended (or *canceled); otherwise ERR_CONFLICT. */
bool pull_lock_take(const struct pull_options *options, const struct pull_folders *folders,
                    bool wait, int *ret_fd, struct err *err);

/* Of a variant's files, as published. */
int64_t pull_variant_bytes(const struct registry_weights_variant *variant);

/* Fetch job->file into job->target, and check it (pull_check). */
typedef bool pull_fetch(const struct pull_job *job, struct err *err);
pull_fetch pull_npm_fetch, pull_download_fetch;

void pull_progress(const struct pull_job *job, const char *step, int64_t done, int64_t total);
bool pull_is_canceled(const struct pull_options *options);

/* Does the whole target match what was published? A wrong one is removed, so that it is not resumed
 * for ever. ERR_INVALID, ERR_CANCELED. */
bool pull_check(const struct pull_job *job, struct err *err);

/* Append the file at `path`, while hashing it, to the descriptor `out` (-1: only hash). Its
 * SHA-256 must be `sha256` (hex), its size at most bytes_max: ERR_INVALID otherwise. */
bool pull_copy_checked(const struct pull_job *job, const char *path, int out, const char *sha256,
                       int64_t bytes_max, const char *step, int64_t *done, int64_t total,
                       struct err *err);

/* From files that other models' folders have (reuse.c): true when job->target is now job->file,
 * checked. Never an error: what cannot be taken from here is fetched. */
bool pull_reuse(const struct pull_job *job);

#endif
