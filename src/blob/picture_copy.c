/* A note in a picture: from one file into another. The picture's bytes go from file to file within
 * the kernel where it can (on some file systems they are not even copied). */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob/picture_note.h"

#define COPY_BYTES 65536

static bool read_file(const struct picture_source *source, int64_t at, void *ret_bytes, size_t len)
{
    const int *fd = source->context;
    char *bytes = ret_bytes;
    while (len > 0) {
        ssize_t got = pread(*fd, bytes, len, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

static bool write_all(int to, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(to, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        len -= (size_t)done;
    }
    return true;
}

/* Through this process: where the kernel cannot copy by itself. */
static bool copy_bytes(const struct picture_source *source, int to, int64_t at, int64_t len)
{
    char bytes[COPY_BYTES];
    for (; len > 0;) {
        size_t part = len < COPY_BYTES ? (size_t)len : COPY_BYTES;
        if (!read_file(source, at, bytes, part) || !write_all(to, bytes, part))
            return false;
        at += (int64_t)part;
        len -= (int64_t)part;
    }
    return true;
}

static bool copy_piece(const struct picture_source *source, int to, int64_t at, int64_t len)
{
    const int *from = source->context;
    while (len > 0) {
        off_t offset = at;
        ssize_t done = copy_file_range(*from, &offset, to, NULL, (size_t)len, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return copy_bytes(source, to, at, len); /* or says again what is wrong */
        at += done;
        len -= done;
    }
    return true;
}

bool picture_note_copy(int from, int to, const char *content_type, struct str note)
{
    struct stat status;
    struct picture_plan plan;
    if (fstat(from, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    const struct picture_source source = { .size = status.st_size,
                                           .read = read_file,
                                           .context = &from };
    if (!picture_note_plan(&source, content_type, note, &plan))
        return false;
    bool ok = true;
    for (int i = 0; i < plan.piece_count && ok; i++) {
        const struct picture_piece *piece = &plan.pieces[i];
        ok = piece->made ? write_all(to, plan.made.ptr + piece->at, (size_t)piece->len)
                         : copy_piece(&source, to, piece->at, piece->len);
    }
    picture_plan_done(&plan);
    return ok;
}
