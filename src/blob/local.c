/* Blobs in a folder on a local disk, and signed links to them.
 *
 *   <folder>/<first two of key>/<key>-<name>   one blob: one file, never changed
 *   <folder>/temporary/<random>                being written; removed at the next start
 *   <folder>/doubt/<owner>.<key>-<name>        an empty note: the blob may belong to no record
 *
 * A note is there before its blob is, and goes after the owner's record is stored or the blob is
 * removed. So whatever a crash interrupts, a blob without a record has a note, and a start asks
 * about the noted ones only. A note too many does no harm.
 *
 * Names never come from outside as they are: name_clean() leaves only [A-Za-z0-9._-] and no dot in
 * front, and a reference is checked against the same rule before it becomes a path, so no reference
 * can lead out of the folder.
 * Not here: media types (content_type.c), who may read what (api/). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/id.h"
#include "blob/blob.h"
#include "blob/picture_note.h"

#define BLOB_KEY_LEN 32 /* hexadecimal digits: 128 random bits */
#define BLOB_NAME_MAX 120
#define BLOB_SECRET_MIN 32 /* bytes */
#define BLOB_OWNER_MAX 64
#define BLOB_TEMPORARY "temporary"
#define BLOB_DOUBT "doubt"

struct blob_store {
    char *folder;
    int temporary; /* descriptor of the temporary folder: holds a shared lock while we live */
    size_t secret_len;
    char secret[];
};

/* ---- Names, references, paths -------------------------------------------------------------- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

/* A plain file name out of anything: the part after the last slash, other characters as '_', no
 * leading dots, cut in front of its ending when it is too long. */
static void name_clean(const char *name, char ret_name[BLOB_NAME_MAX + 1])
{
    struct str s = str_from(name);
    for (size_t i = s.len; i > 0; i--) {
        if (s.ptr[i - 1] == '/' || s.ptr[i - 1] == '\\') {
            s = str_skip(s, i);
            break;
        }
    }
    while (s.len > 0 && s.ptr[0] == '.')
        s = str_skip(s, 1);
    struct str ending = { NULL, 0 };
    if (s.len > BLOB_NAME_MAX) {
        for (size_t i = s.len; i > s.len - 16; i--) {
            if (s.ptr[i - 1] == '.')
                ending = str_skip(s, i - 1);
        }
        s.len = BLOB_NAME_MAX - ending.len;
    }
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++)
        ret_name[len++] = s.ptr[i];
    for (size_t i = 0; i < ending.len; i++)
        ret_name[len++] = ending.ptr[i];
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(ret_name[i]))
            ret_name[i] = '_';
    }
    ret_name[len] = '\0';
    if (len == 0)
        str_copy(S("file"), ret_name, BLOB_NAME_MAX + 1);
}

/* Split "<key>/<name>"; false when either is not exactly what we make. */
static bool ref_split(struct str ref, struct str *ret_key, struct str *ret_name)
{
    struct str key, name;
    if (!str_cut(ref, '/', &key, &name) || key.len != BLOB_KEY_LEN || name.len == 0 ||
        name.len > BLOB_NAME_MAX || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < key.len; i++) {
        bool digit = key.ptr[i] >= '0' && key.ptr[i] <= '9';
        if (!digit && (key.ptr[i] < 'a' || key.ptr[i] > 'f'))
            return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_char(name.ptr[i]))
            return false;
    }
    *ret_key = key;
    *ret_name = name;
    return true;
}

bool blob_path(const struct blob_store *blobs, struct str ref, char *ret_path, size_t size)
{
    struct str key, name;
    if (!ref_split(ref, &key, &name))
        return false;
    int len = snprintf(ret_path, size, "%s/%.2s/%.*s-%.*s", blobs->folder, key.ptr, STR_FMT(key),
                       STR_FMT(name));
    return len > 0 && (size_t)len < size;
}

/* ---- Doubt --------------------------------------------------------------------------------- */

static bool note_path(const struct blob_store *blobs, const char *owner, struct str ref,
                      char ret_path[PATH_MAX])
{
    struct str key, name;
    size_t len = strlen(owner);
    if (!ref_split(ref, &key, &name) || len == 0 || len > BLOB_OWNER_MAX || strpbrk(owner, "./"))
        return false;
    int length = snprintf(ret_path, PATH_MAX, "%s/" BLOB_DOUBT "/%s.%.*s-%.*s", blobs->folder,
                          owner, STR_FMT(key), STR_FMT(name));
    return length > 0 && length < PATH_MAX;
}

/* Not synced: file systems with a journal keep the order, and putting the blob syncs its own. */
static bool note_write(struct blob_store *blobs, const char *owner, struct str ref, struct err *err)
{
    char path[PATH_MAX];
    if (!note_path(blobs, owner, ref, path))
        return err_set(err, ERR_INTERNAL, "a blob has no such owner");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "a file cannot be stored");
    close(fd);
    return true;
}

void blob_confirm(struct blob_store *blobs, const char *owner, struct str ref)
{
    char path[PATH_MAX];
    if (note_path(blobs, owner, ref, path))
        unlink(path); /* else the next start asks once more */
}

bool blob_doubt(struct blob_store *blobs, const char *owner, struct str ref, struct err *err)
{
    char folder[PATH_MAX];
    if (!note_write(blobs, owner, ref, err))
        return false;
    /* The record that goes is in another file, which nothing puts in order with the note. */
    snprintf(folder, sizeof folder, "%s/" BLOB_DOUBT, blobs->folder);
    return file_sync_folder(folder, err);
}

/* "<owner>.<key>-<name>" into its parts. False when it is no note of ours. */
static bool note_read(const char *note, char ret_owner[BLOB_OWNER_MAX + 1],
                      char ret_ref[BLOB_REF_MAX])
{
    struct str owner, rest, key, name;
    if (!str_cut(str_from(note), '.', &owner, &rest) || rest.len <= BLOB_KEY_LEN ||
        rest.ptr[BLOB_KEY_LEN] != '-' || !str_copy(owner, ret_owner, BLOB_OWNER_MAX + 1))
        return false;
    key = (struct str){ rest.ptr, BLOB_KEY_LEN };
    name = str_skip(rest, BLOB_KEY_LEN + 1);
    if (name.len > BLOB_NAME_MAX)
        return false;
    snprintf(ret_ref, BLOB_REF_MAX, "%.*s/%.*s", STR_FMT(key), STR_FMT(name));
    return ref_split(str_from(ret_ref), &key, &name) && owner.len > 0;
}

static bool settle_one(struct blob_store *blobs, const char *note, blob_owns *owns, void *context,
                       struct err *err)
{
    char owner[BLOB_OWNER_MAX + 1], ref[BLOB_REF_MAX];
    bool owned = false;
    if (!note_read(note, owner, ref))
        return true;
    if (!owns(context, owner, str_from(ref), &owned, err))
        return false;
    if (!owned)
        return blob_remove(blobs, owner, str_from(ref), err);
    blob_confirm(blobs, owner, str_from(ref));
    return true;
}

bool blob_settle(struct blob_store *blobs, blob_owns *owns, void *context, struct err *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" BLOB_DOUBT, blobs->folder);
    DIR *stream = opendir(folder);
    if (!stream)
        return err_sys(err, ERR_UNAVAILABLE, errno, "'%s' cannot be opened", folder);
    const struct dirent *entry;
    bool ok = true;
    while (ok && (entry = readdir(stream)))
        ok = settle_one(blobs, entry->d_name, owns, context, err);
    closedir(stream);
    return ok;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* Remove half-written files, unless another process is writing there right now. */
static void blob_clean(int folder)
{
    if (flock(folder, LOCK_EX | LOCK_NB) != 0)
        return;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        if (copy >= 0)
            close(copy);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(stream)))
        unlinkat(folder, entry->d_name, 0); /* "." and ".." refuse */
    closedir(stream);
}

bool blob_open(const char *folder, struct str secret, struct blob_store **ret_blobs,
               struct err *err)
{
    if (secret.len < BLOB_SECRET_MIN)
        return err_set(err, ERR_INVALID, "the secret for links is shorter than %d bytes",
                       BLOB_SECRET_MIN);
    char temporary[PATH_MAX], doubt[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s/" BLOB_TEMPORARY, folder) >= PATH_MAX - 256)
        return err_set(err, ERR_INVALID, "the path of the blobs is too long");
    snprintf(doubt, sizeof doubt, "%.3800s/" BLOB_DOUBT, folder);
    if (!file_make_folders(temporary, 0700, err) || !file_make_folders(doubt, 0700, err))
        return err_while(err, "opening the blobs");
    struct blob_store *blobs = calloc(1, sizeof *blobs + secret.len);
    if (!blobs || !(blobs->folder = strdup(folder))) {
        free(blobs);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the blobs");
    }
    memcpy(blobs->secret, secret.ptr, secret.len);
    blobs->secret_len = secret.len;
    blobs->temporary = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (blobs->temporary < 0) {
        int sys = errno;
        blob_close(blobs);
        return err_sys(err, ERR_UNAVAILABLE, sys, "'%s' cannot be opened", temporary);
    }
    blob_clean(blobs->temporary);
    flock(blobs->temporary, LOCK_SH | LOCK_NB);
    *ret_blobs = blobs;
    return true;
}

void blob_close(struct blob_store *blobs)
{
    if (!blobs)
        return;
    if (blobs->temporary >= 0)
        close(blobs->temporary);
    explicit_bzero(blobs->secret, blobs->secret_len);
    free(blobs->folder);
    free(blobs);
}

/* ---- Putting ------------------------------------------------------------------------------- */

/* A new reference and its path, with the folder it lies in made. */
static bool blob_make_place(struct blob_store *blobs, const char *name, char ret_ref[BLOB_REF_MAX],
                            char ret_path[PATH_MAX], struct err *err)
{
    unsigned char random[BLOB_KEY_LEN / 2];
    char key[BLOB_KEY_LEN + 1], clean[BLOB_NAME_MAX + 1], shard[PATH_MAX];
    id_random_bytes(random, sizeof random);
    hash_hex(random, sizeof random, key);
    name_clean(name, clean);
    snprintf(ret_ref, BLOB_REF_MAX, "%s/%s", key, clean);
    snprintf(shard, sizeof shard, "%s/%.2s", blobs->folder, key);
    if (!blob_path(blobs, str_from(ret_ref), ret_path, PATH_MAX))
        return err_set(err, ERR_INTERNAL, "the path of a blob is too long");
    if (mkdir(shard, 0700) == 0)
        return file_sync_folder(blobs->folder, err);
    if (errno != EEXIST)
        return err_sys(err, errno == ENOSPC || errno == EDQUOT ? ERR_UNAVAILABLE : ERR_INTERNAL,
                       errno, "a file cannot be stored");
    return true;
}

static void blob_temporary_path(const struct blob_store *blobs, char ret_path[PATH_MAX])
{
    char random[21];
    id_random_text(random, sizeof random - 1);
    snprintf(ret_path, PATH_MAX, "%s/" BLOB_TEMPORARY "/%s", blobs->folder, random);
}

static bool is_same_device(const struct blob_store *blobs, const char *path)
{
    struct stat ours, theirs;
    return fstat(blobs->temporary, &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev;
}

/* Give a finished file its place, noted before. On failure neither is left. */
static bool blob_publish(struct blob_store *blobs, const char *from, const char *target,
                         const char *owner, const char *ref, struct err *err)
{
    if (!note_write(blobs, owner, str_from(ref), err))
        return false;
    if (file_move(from, target, err)) /* syncs file and folder */
        return true;
    blob_remove(blobs, owner, str_from(ref), NULL); /* only its folder's sync may have failed */
    return err_while(err, "storing a file");
}

bool blob_put_file(struct blob_store *blobs, const char *path, const char *name, const char *owner,
                   char ret_ref[BLOB_REF_MAX], struct err *err)
{
    char ref[BLOB_REF_MAX], target[PATH_MAX], temporary[PATH_MAX];
    const char *from = path;
    if (!blob_make_place(blobs, name, ref, target, err))
        return false;
    /* From another file system it is copied, and a half copy must not lie among the blobs. */
    if (!is_same_device(blobs, path)) {
        blob_temporary_path(blobs, temporary);
        if (!file_move(path, temporary, err))
            return err_while(err, "storing a file");
        from = temporary;
    }
    if (!blob_publish(blobs, from, target, owner, ref, err))
        return false;
    memcpy(ret_ref, ref, sizeof ref);
    return true;
}

/* A copy of a picture with the note in it, among the temporary files. False: none was made. */
static bool make_noted(struct blob_store *blobs, const char *path, const char *name,
                       struct str note, char ret_temporary[PATH_MAX])
{
    int from = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1;
    bool ok = false;
    if (from < 0)
        return false;
    blob_temporary_path(blobs, ret_temporary);
    to = open(ret_temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to >= 0) {
        ok = picture_note_copy(from, to, blob_content_type(name), note);
        ok &= close(to) == 0;
        if (!ok)
            unlink(ret_temporary);
    }
    close(from);
    return ok;
}

/* The note is no reason to fail: a full disk may have room for the picture without a copy. */
bool blob_put_noted(struct blob_store *blobs, const char *path, const char *name, const char *owner,
                    struct str note, char ret_ref[BLOB_REF_MAX], struct err *err)
{
    char ref[BLOB_REF_MAX], target[PATH_MAX], temporary[PATH_MAX];
    struct err ignored = { 0 };
    if (note.len == 0 || !make_noted(blobs, path, name, note, temporary))
        return blob_put_file(blobs, path, name, owner, ret_ref, err);
    if (!blob_make_place(blobs, name, ref, target, &ignored) ||
        !blob_publish(blobs, temporary, target, owner, ref, &ignored)) {
        unlink(temporary);
        return blob_put_file(blobs, path, name, owner, ret_ref, err);
    }
    unlink(path); /* as if it were moved */
    memcpy(ret_ref, ref, sizeof ref);
    return true;
}

bool blob_put_bytes(struct blob_store *blobs, struct str bytes, const char *name, const char *owner,
                    char ret_ref[BLOB_REF_MAX], struct err *err)
{
    char ref[BLOB_REF_MAX], target[PATH_MAX], temporary[PATH_MAX];
    if (!blob_make_place(blobs, name, ref, target, err))
        return false;
    blob_temporary_path(blobs, temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "a file cannot be stored");
    int sys = 0;
    for (struct str rest = bytes; rest.len > 0 && !sys;) {
        ssize_t written = write(fd, rest.ptr, rest.len);
        if (written > 0)
            rest = str_skip(rest, (size_t)written);
        else if (errno != EINTR)
            sys = errno;
    }
    if (close(fd) != 0 && !sys)
        sys = errno;
    if (sys) {
        unlink(temporary);
        return err_sys(err, ERR_UNAVAILABLE, sys, "a file cannot be stored");
    }
    if (!blob_publish(blobs, temporary, target, owner, ref, err)) {
        unlink(temporary);
        return false;
    }
    memcpy(ret_ref, ref, sizeof ref);
    return true;
}

/* ---- Reading and removing ------------------------------------------------------------------ */

bool blob_read(const struct blob_store *blobs, struct str ref, int *ret_fd, int64_t *ret_size,
               struct err *err)
{
    char path[PATH_MAX];
    if (!blob_path(blobs, ref, path, sizeof path))
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    if (fd < 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "a file cannot be read");
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    }
    *ret_fd = fd;
    *ret_size = status.st_size;
    return true;
}

bool blob_remove(struct blob_store *blobs, const char *owner, struct str ref, struct err *err)
{
    char path[PATH_MAX];
    if (!blob_path(blobs, ref, path, sizeof path))
        return true; /* nothing has such a name */
    if (unlink(path) != 0 && errno != ENOENT)
        return err_sys(err, ERR_INTERNAL, errno, "a file cannot be removed");
    blob_confirm(blobs, owner, ref); /* nothing is left to be in doubt */
    return true;
}

/* ---- Links --------------------------------------------------------------------------------- */

bool blob_link(const struct blob_store *blobs, struct str ref, int64_t expires_unix_s,
               struct buf *out)
{
    struct str key, name;
    if (!ref_split(ref, &key, &name) || expires_unix_s < 0)
        return false;
    char text[BLOB_REF_MAX + 32];
    int len = snprintf(text, sizeof text, "%.*s\n%" PRId64, STR_FMT(ref), expires_unix_s);
    unsigned char code[HASH_SHA256_BYTES];
    hash_hmac_sha256((struct str){ blobs->secret, blobs->secret_len },
                     (struct str){ text, (size_t)len }, code);
    return buf_printf(out, "/outputs/%.*s/%" PRId64 "-", STR_FMT(key), expires_unix_s) &&
           base64_encode((struct str){ (const char *)code, sizeof code }, BASE64_URL, out) &&
           buf_append_char(out, '/') && buf_append_str(out, name);
}

bool blob_check_link(const struct blob_store *blobs, struct str path, int64_t now_unix_s,
                     char ret_ref[BLOB_REF_MAX])
{
    struct str prefix = S("/outputs/"), key, rest, signature, name, expiry, code;
    int64_t expires_unix_s;
    char ref[BLOB_REF_MAX];
    if (!str_starts(path, prefix) || !str_cut(str_skip(path, prefix.len), '/', &key, &rest) ||
        !str_cut(rest, '/', &signature, &name) || !str_cut(signature, '-', &expiry, &code) ||
        !str_to_int64(expiry, &expires_unix_s) || expires_unix_s <= now_unix_s)
        return false;
    if (key.len != BLOB_KEY_LEN || name.len > BLOB_NAME_MAX)
        return false;
    snprintf(ref, sizeof ref, "%.*s/%.*s", STR_FMT(key), STR_FMT(name));
    /* There is one right link for this reference and time: ours. Anything else is wrong. */
    struct buf right;
    buf_init(&right, 512);
    bool ok = blob_link(blobs, str_from(ref), expires_unix_s, &right) &&
              str_equal_constant_time(path, buf_str(&right));
    buf_done(&right);
    if (ok)
        memcpy(ret_ref, ref, sizeof ref);
    return ok;
}
