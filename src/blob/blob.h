/* Blobs: the bytes of uploaded files and of outputs, on a local disk, and links to them that are
 * signed and expire. A blob is named "<key>/<name>": key is random, name is a plain file name
 * ("out-0.png") that ends up last in the link. Not here: who may have one (api/). Thread safe. */
#ifndef MIMEO_BLOB_BLOB_H
#define MIMEO_BLOB_BLOB_H

#include "base/buf.h"

struct blob_store;
struct err;

#define BLOB_REF_MAX 160 /* bytes of "<key>/<name>", with the final 0 */

/* Opens (and makes) folder; removes what an earlier process left half written (blob_settle does
 * the rest). `secret`: at least 32 bytes; the same secret makes old links work after a restart. */
bool blob_open(const char *folder, struct str secret, struct blob_store **ret_blobs,
               struct err *err);
void blob_close(struct blob_store *blobs);

/* Move a finished file into the store, durably. `name` is cleaned to a plain file name.
 * ret_ref gets "<key>/<name>". `owner` is the id of the record that will name the blob: until
 * blob_confirm a note on disk says that the blob is in doubt, so that none is kept for ever
 * because the server was killed before the record was stored. */
bool blob_put_file(struct blob_store *blobs, const char *path, const char *name, const char *owner,
                   char ret_ref[BLOB_REF_MAX], struct err *err);
/* The same with a note of how it was made in a picture's file (picture_note.h). Where that cannot
 * be, it is put as it is. */
bool blob_put_noted(struct blob_store *blobs, const char *path, const char *name, const char *owner,
                    struct str note, char ret_ref[BLOB_REF_MAX], struct err *err);
bool blob_put_bytes(struct blob_store *blobs, struct str bytes, const char *name, const char *owner,
                    char ret_ref[BLOB_REF_MAX], struct err *err);

/* The owner's record is on disk and names the blob: there is no doubt (any more). */
void blob_confirm(struct blob_store *blobs, const char *owner, struct str ref);
/* The owner's record is about to be deleted. Then either blob_remove, or blob_confirm. */
bool blob_doubt(struct blob_store *blobs, const char *owner, struct str ref, struct err *err);

/* At start, before anything is put: ask for each blob in doubt whether the owner's record names
 * it, and confirm or remove it. False when `owns` was, or on a failure of the disk. */
typedef bool blob_owns(void *context, const char *owner, struct str ref, bool *ret_owned,
                       struct err *err);
bool blob_settle(struct blob_store *blobs, blob_owns *owns, void *context, struct err *err);

/* The local path of a blob, whether or not it exists. False when ref is not well formed. */
bool blob_path(const struct blob_store *blobs, struct str ref, char *ret_path, size_t size);

/* Open for reading: descriptor (O_CLOEXEC; the caller closes) and size. ERR_NOT_FOUND. */
bool blob_read(const struct blob_store *blobs, struct str ref, int *ret_fd, int64_t *ret_size,
               struct err *err);
/* Absent is fine. */
bool blob_remove(struct blob_store *blobs, const char *owner, struct str ref, struct err *err);

/* The link's path, without host: "/outputs/<key>/<expiry>-<signature>/<name>". */
bool blob_link(const struct blob_store *blobs, struct str ref, int64_t expires_unix_s,
               struct buf *out);

/* Check such a path. False when it is malformed, expired at now, or the signature is wrong
 * (compared in constant time). ret_ref as in blob_put_file. */
bool blob_check_link(const struct blob_store *blobs, struct str path, int64_t now_unix_s,
                     char ret_ref[BLOB_REF_MAX]);

/* The media type by a name's ending: "image/png"; "application/octet-stream" when unknown. */
const char *blob_content_type(const char *name);

#endif
