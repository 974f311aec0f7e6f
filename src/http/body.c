#include "http/body_private.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPILL_FROM_BYTES (256u << 10)
#define EXPECT_BYTES_MAX (1u << 20) /* a told length is a promise by a stranger */

void body_init(struct body *body, size_t max, const char *spill_folder)
{
    *body = (struct body){ .spill_folder = spill_folder, .max = max, .fd = -1 };
    buf_init(&body->memory, max);
}

void body_done(struct body *body)
{
    buf_done(&body->memory);
    if (body->map)
        munmap(body->map, body->len);
    if (body->fd >= 0)
        close(body->fd);
    body_init(body, body->max, body->spill_folder);
}

void body_expect(struct body *body, size_t len)
{
    size_t limit = body->spill_folder ? SPILL_FROM_BYTES : EXPECT_BYTES_MAX;
    if (len > body->memory.len && len <= limit)
        buf_reserve(&body->memory, len - body->memory.len);
    body->memory.failed = false; /* only a hint */
}

static int open_spill(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    /* Not every file system can make a file without a name. */
    struct buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/body-XXXXXX", folder);
    if (!path.failed) {
        fd = mkostemp(path.ptr, O_CLOEXEC);
        if (fd >= 0)
            unlink(path.ptr);
    }
    buf_done(&path);
    return fd;
}

static bool write_all(int fd, struct str bytes, struct err *err)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return err_sys(err, ERR_UNAVAILABLE, errno, "There is no room to store the upload.");
        bytes = str_skip(bytes, (size_t)wrote);
    }
    return true;
}

bool body_append(struct body *body, struct str bytes, struct err *err)
{
    if (bytes.len > body->max - body->len)
        return err_set(err, ERR_TOO_LARGE, "The request body must be at most %zu bytes.",
                       body->max);
    if (body->spill_folder && body->fd < 0 && body->len + bytes.len > SPILL_FROM_BYTES) {
        body->fd = open_spill(body->spill_folder);
        if (body->fd < 0)
            return err_sys(err, ERR_UNAVAILABLE, errno, "There is no room to store the upload.");
        if (!write_all(body->fd, buf_str(&body->memory), err))
            return false;
        buf_done(&body->memory);
    }
    if (body->fd >= 0) {
        if (!write_all(body->fd, bytes, err))
            return false;
    } else if (!buf_append(&body->memory, bytes.ptr, bytes.len)) {
        return err_set(err, ERR_UNAVAILABLE, "There is no memory for the request body.");
    }
    body->len += bytes.len;
    return true;
}

bool body_finish(struct body *body, struct err *err)
{
    if (body->fd < 0 || body->map)
        return true;
    void *map = mmap(NULL, body->len, PROT_READ, MAP_PRIVATE, body->fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, ERR_UNAVAILABLE, errno, "There is no memory for the upload.");
    body->map = map;
    return true;
}

struct str body_view(const struct body *body)
{
    if (body->map)
        return (struct str){ body->map, body->len };
    return buf_str(&body->memory);
}
