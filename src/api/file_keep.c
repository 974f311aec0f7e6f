/* Keeping what a client has sent as an uploaded file. */
#include "api/file_keep.h"

#include "api/api_private.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "blob/blob.h"
#include "domain/limits.h"

static void hash_content(struct str content, struct store_file *file)
{
    unsigned char sha256[HASH_SHA256_BYTES] = { 0 }, md5[HASH_MD5_BYTES] = { 0 };
    struct hash_stream *stream = hash_stream_new();

    if (stream) {
        hash_stream_update(stream, content);
        hash_stream_finish(stream, sha256, md5);
    }
    hash_hex(sha256, sizeof(sha256), file->sha256);
    hash_hex(md5, sizeof(md5), file->md5);
}

/* Bytes first, then the record; a crash in between leaves a blob in doubt, which the next start
 * removes. */
bool file_keep(struct api *api, const char *account, struct str content, struct store_file *file,
               struct err *err)
{
    struct store_write write = { .kind = STORE_FILE_INSERT };
    char ref[BLOB_REF_MAX];

    id_file(file->id);
    file->account = account;
    file->created_us = clock_now_us();
    file->expires_us = file->created_us + (int64_t)LIMIT_FILE_LIFETIME_S * 1000000;
    hash_content(content, file);
    if (!blob_put_bytes(api->blobs, content, file->name, file->id, ref, err))
        return false;
    file->blob = ref;
    write.file = file;
    if (!store_write_wait(api->store, &write, err)) {
        blob_remove(api->blobs, file->id, str_from(ref), NULL);
        return false;
    }
    blob_confirm(api->blobs, file->id, str_from(ref));
    file->blob = NULL;
    return true;
}
