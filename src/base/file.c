/* Files: whole reads and durable writes. "Durable" means that both the bytes and the name are on
 * disk: the file is synced before it gets its name, the folder after.
 * Not here: temporary work folders of runners, blobs (blob/), databases (store/). */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/id.h"

#define FILE_CHUNK_BYTES (64u << 10)
#define FILE_TREE_DEPTH_MAX 128 /* one open descriptor per level */

static bool file_fail(struct err *err, int sys, const char *path, const char *what)
{
    enum err_kind kind = ERR_INTERNAL;
    if (sys == ENOENT || sys == ENOTDIR)
        kind = ERR_NOT_FOUND;
    else if (sys == ENOSPC || sys == EDQUOT || sys == EFBIG || sys == EIO || sys == EMFILE ||
             sys == ENFILE)
        kind = ERR_UNAVAILABLE;
    else if (sys == ENOMEM)
        kind = ERR_NO_MEMORY;
    return err_sys(err, kind, sys, "'%s' cannot be %s", path, what);
}

/* Append from fd until its end. 0, or an errno; EMSGSIZE when `out` is full before that. */
static int file_read_all(int fd, struct buf *out)
{
    for (;;) {
        size_t room = out->max - out->len;
        if (room == 0) {
            char extra;
            ssize_t got = read(fd, &extra, 1);
            if (got < 0 && errno == EINTR)
                continue;
            return got < 0 ? errno : got > 0 ? EMSGSIZE : 0;
        }
        size_t chunk = room < FILE_CHUNK_BYTES ? room : FILE_CHUNK_BYTES;
        if (!buf_reserve(out, chunk))
            return ENOMEM;
        ssize_t got = read(fd, out->ptr + out->len, chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0) {
            out->ptr[out->len] = '\0';
            return 0;
        }
        out->len += (size_t)got;
        out->ptr[out->len] = '\0';
    }
}

bool file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_fail(err, errno, path, "opened");
    size_t start = out->len;
    int sys = file_read_all(fd, out);
    close(fd);
    if (sys == 0)
        return true;
    out->len = start;
    if (out->ptr)
        out->ptr[start] = '\0';
    if (sys == EMSGSIZE)
        return err_set(err, ERR_TOO_LARGE, "'%s' is larger than %zu bytes", path, out->max - start);
    return file_fail(err, sys, path, "read");
}

static int file_write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.ptr, bytes.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes = str_skip(bytes, (size_t)written);
    }
    return 0;
}

/* The folder a path lies in. False when the path is too long. */
static bool file_folder_of(const char *path, char *ret_folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return str_copy(S("."), ret_folder, size);
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    return str_copy((struct str){ path, len }, ret_folder, size);
}

bool file_sync_folder(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return file_fail(err, errno, path, "opened");
    int sys = fsync(fd) != 0 ? errno : 0;
    close(fd);
    /* Some network file systems cannot sync a folder and say so. */
    if (sys && sys != EINVAL && sys != ENOTSUP)
        return file_fail(err, sys, path, "synced");
    return true;
}

/* Sync fd, close it, give it its name. Takes fd, and removes `temporary` on failure. */
static bool file_publish(int fd, const char *temporary, const char *path, struct err *err)
{
    int sys = fsync(fd) != 0 ? errno : 0;
    if (close(fd) != 0 && !sys)
        sys = errno;
    if (!sys && rename(temporary, path) != 0)
        sys = errno;
    if (sys) {
        unlink(temporary);
        return file_fail(err, sys, path, "written");
    }
    char folder[PATH_MAX];
    if (!file_folder_of(path, folder, sizeof folder))
        return err_set(err, ERR_INVALID, "a path is too long");
    return file_sync_folder(folder, err);
}

/* Create "<path>.<random>.new" for writing. */
static int file_open_temporary(const char *path, unsigned mode, char ret_temporary[PATH_MAX],
                               struct err *err)
{
    char random[13];
    id_random_text(random, sizeof random - 1);
    if (snprintf(ret_temporary, PATH_MAX, "%s.%s.new", path, random) >= PATH_MAX) {
        err_set(err, ERR_INVALID, "a path is too long");
        return -1;
    }
    int fd = open(ret_temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        file_fail(err, errno, path, "created");
    return fd;
}

bool file_write_atomic(const char *path, struct str bytes, unsigned mode, struct err *err)
{
    char temporary[PATH_MAX];
    int fd = file_open_temporary(path, mode, temporary, err);
    if (fd < 0)
        return false;
    int sys = file_write_all(fd, bytes);
    if (sys) {
        close(fd);
        unlink(temporary);
        return file_fail(err, sys, path, "written");
    }
    return file_publish(fd, temporary, path, err);
}

bool file_make_folders(const char *path, unsigned mode, struct err *err)
{
    char part[PATH_MAX];
    if (!str_copy(str_from(path), part, sizeof part))
        return err_set(err, ERR_INVALID, "a path is too long");
    for (char *at = part + 1; *part; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, (mode_t)mode) != 0 && errno != EEXIST)
            return file_fail(err, errno, path, "created");
        *at = end;
        if (end == '\0')
            break;
    }
    struct stat status;
    if (stat(path, &status) != 0)
        return file_fail(err, errno, path, "created");
    if (!S_ISDIR(status.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is not a folder", path);
    return true;
}

static int file_remove_at(int folder, const char *name, int depth);

/* Remove what is in the folder behind fd (which this closes). 0 or an errno. */
static int file_empty_folder(int fd, int depth)
{
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int sys = errno;
        close(fd);
        return sys;
    }
    int sys = 0;
    const struct dirent *entry;
    while (!sys && (errno = 0, entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            sys = file_remove_at(dirfd(stream), entry->d_name, depth);
    }
    if (!sys)
        sys = errno;
    closedir(stream);
    return sys;
}

/* Works on names inside open folders, never on paths: a link put in the way meanwhile is removed,
 * not followed. */
static int file_remove_at(int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    if (depth >= FILE_TREE_DEPTH_MAX)
        return ELOOP;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    int sys = file_empty_folder(fd, depth + 1);
    if (!sys && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        sys = errno;
    return sys;
}

bool file_remove_tree(const char *path, struct err *err)
{
    int sys = file_remove_at(AT_FDCWD, path, 0);
    if (sys == ENOTDIR)
        sys = 0; /* a file stands where a folder would have to be: so path is absent */
    return sys ? file_fail(err, sys, path, "removed") : true;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int file_copy_bytes(int from, int to)
{
    char *chunk = malloc(FILE_CHUNK_BYTES);
    if (!chunk)
        return ENOMEM;
    int sys = 0;
    for (;;) {
        ssize_t got = read(from, chunk, FILE_CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            sys = errno;
        else if (got > 0)
            sys = file_write_all(to, (struct str){ chunk, (size_t)got });
        if (got <= 0 || sys)
            break;
    }
    free(chunk);
    return sys;
}

/* The way across file systems. Takes neither descriptor nor name of the source. */
static bool file_copy(int from, const char *dst, unsigned mode, struct err *err)
{
    char temporary[PATH_MAX];
    int to = file_open_temporary(dst, mode, temporary, err);
    if (to < 0)
        return false;
    int sys = file_copy_bytes(from, to);
    if (sys) {
        close(to);
        unlink(temporary);
        return file_fail(err, sys, dst, "written");
    }
    return file_publish(to, temporary, dst, err);
}

bool file_move(const char *src, const char *dst, struct err *err)
{
    int fd = open(src, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return file_fail(err, errno, src, "opened");
    struct stat status;
    bool ok = false;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        err_set(err, ERR_INVALID, "'%s' is not a plain file", src);
    } else if (fsync(fd) != 0) {
        file_fail(err, errno, src, "synced");
    } else if (rename(src, dst) == 0) {
        char folder[PATH_MAX];
        ok = file_folder_of(dst, folder, sizeof folder)
                 ? file_sync_folder(folder, err)
                 : err_set(err, ERR_INVALID, "a path is too long");
    } else if (errno == EXDEV) {
        ok = file_copy(fd, dst, status.st_mode & 0777, err);
        if (ok)
            unlink(src);
    } else {
        file_fail(err, errno, dst, "written");
    }
    close(fd);
    return ok;
}
