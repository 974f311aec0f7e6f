/* Models share networks: a file that another model's folder already has, under the same name and
 * with the published checksum, is not fetched again but linked (or, on file systems without links
 * and where somebody else may write into it, copied). Both names then stand for the same bytes;
 * nothing of ours ever writes into a file under its final name. */
#include "pull/pull_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

/* Can nobody but us write into the file? Else what was checked could change afterwards. */
static bool is_ours_alone(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Hashed here under a name of its own in the work folder, so that what was checked is what is
 * used. */
static bool take_from(const struct pull_job *job, const char *found)
{
    const int64_t bytes_max = registry_weights_bytes_max(job->file);
    char copy[PULL_PATH_MAX];
    int64_t done = 0;
    int len = snprintf(copy, sizeof(copy), "%s/same", job->folder);
    int out = -1;

    if (len < 0 || (size_t)len >= sizeof(copy))
        return false;
    unlink(copy);
    bool linked = linkat(AT_FDCWD, found, AT_FDCWD, copy, AT_SYMLINK_FOLLOW) == 0;
    if (linked && !is_ours_alone(copy)) {
        unlink(copy);
        linked = false;
    }
    if (!linked)
        out = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = pull_copy_checked(job, out >= 0 ? found : copy, out, job->file->sha256, bytes_max,
                                "checking", &done, job->file->size, NULL);
    if (out >= 0)
        close(out);
    ok = ok && file_move(copy, job->target, NULL);
    if (!ok)
        unlink(copy);
    return ok;
}

/* Any model's folder of one owner. */
static bool take_from_owner(const struct pull_job *job, const char *owner)
{
    char path[PULL_PATH_MAX];
    struct dirent *entry;
    bool taken = false;
    DIR *folder = opendir(owner);

    while (folder != NULL && !taken && (entry = readdir(folder)) != NULL) {
        int len = snprintf(path, sizeof(path), "%s/%s", owner, entry->d_name);
        char found[PULL_PATH_MAX + 256];
        if (entry->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof(path))
            continue;
        taken = registry_weights_has_file(job->file, path, true, found, sizeof(found)) &&
                take_from(job, found);
    }
    if (folder != NULL)
        closedir(folder);
    return taken;
}

bool pull_reuse(const struct pull_job *job)
{
    char owner[PULL_PATH_MAX];
    struct dirent *entry;
    bool taken = false;
    DIR *folder = opendir(job->options->weights_folder);

    while (folder != NULL && !taken && (entry = readdir(folder)) != NULL) {
        int len =
            snprintf(owner, sizeof(owner), "%s/%s", job->options->weights_folder, entry->d_name);
        taken = entry->d_name[0] != '.' && len > 0 && (size_t)len < sizeof(owner) &&
                take_from_owner(job, owner);
    }
    if (folder != NULL)
        closedir(folder);
    return taken;
}
