/* Files: whole reads with a limit, atomic writes, folders. All descriptors are O_CLOEXEC. */
#ifndef MIMEO_BASE_FILE_H
#define MIMEO_BASE_FILE_H

#include "base/buf.h"

struct err;

/* Append the whole file to `out` (whose max is the limit: ERR_TOO_LARGE). ERR_NOT_FOUND. */
bool file_read(const char *path, struct buf *out, struct err *err);

/* Write path.<random>.new, fsync, rename over path, fsync the folder. mode e.g. 0600. */
bool file_write_atomic(const char *path, struct str bytes, unsigned mode, struct err *err);

bool file_make_folders(const char *path, unsigned mode, struct err *err); /* mkdir -p */
bool file_remove_tree(const char *path,
                      struct err *err); /* rm -r; absent is fine; follows no links */
bool file_sync_folder(const char *path, struct err *err); /* fsync a directory */
bool file_exists(const char *path);

/* Copy (or, on the same file system, move) src to dst durably: data and name are on disk when it
 * returns. */
bool file_move(const char *src, const char *dst, struct err *err);

#endif
