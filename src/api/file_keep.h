/* Keeping what a client has sent as an uploaded file: its bytes as a blob, and its record. Private
 * to api/. */
#ifndef MIMEO_API_FILE_KEEP_H
#define MIMEO_API_FILE_KEEP_H

#include "store/store.h"

struct api;
struct err;

/* file: name, content_type, metadata and size are the caller's; the rest is filled in. Blocks on
 * the disk. When it returns the file is durable; file->blob is not kept. */
bool file_keep(struct api *api, const char *account, struct str content, struct store_file *file,
               struct err *err);

#endif
