/* Inputs: from values to local files; see inputs.h. */
#include "predict/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "blob/blob.h"
#include "domain/limits.h"
#include "http/fetch.h"
#include "predict/data_url.h"
#include "store/store.h"

#define PATH_BYTES 4096
#define FILES_MAX 256 /* of one prediction */

struct work { /* one prediction's inputs on their way */
    const struct inputs_sources *sources;
    json_t *files;
    int count;
};

/* ---- Recognising our own links ------------------------------------------------------------- */

/* The path of an absolute URL, without query and fragment. False when it is none. */
static bool path_of(struct str url, struct str *ret_path)
{
    if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
        return false;
    struct str rest = str_skip(url, (size_t)str_find(url, S("//")) + 2);
    ptrdiff_t slash = str_find(rest, S("/"));
    if (slash < 0)
        return false;
    rest = str_skip(rest, (size_t)slash);
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '?' || rest.ptr[i] == '#')
            rest.len = i;
    }
    *ret_path = rest;
    return true;
}

bool inputs_file_id(struct str url, struct str *ret_id)
{
    struct str path, folder = S("/v1/files/");
    if (!path_of(url, &path) || path.len < folder.len + ID_FILE_LEN)
        return false;
    size_t at = path.len - folder.len - ID_FILE_LEN;
    struct str end = str_skip(path, at), id = str_skip(end, folder.len);
    if (!str_starts(end, folder) || memchr(id.ptr, '/', id.len))
        return false;
    *ret_id = id;
    return true;
}

bool inputs_output_path(struct str url, struct str *ret_path)
{
    struct str path;
    ptrdiff_t at;
    if (!path_of(url, &path) || (at = str_find(path, S("/outputs/"))) < 0)
        return false;
    *ret_path = str_skip(path, (size_t)at);
    return true;
}

/* ---- Making files -------------------------------------------------------------------------- */

/* ".png" of "photo.PNG" when it is short and plain; else "". */
static const char *extension_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t len = dot ? strlen(dot) : 0;
    if (len < 2 || len > 8)
        return "";
    for (size_t i = 1; i < len; i++) {
        if (!((dot[i] >= '0' && dot[i] <= '9') || ((dot[i] | 32) >= 'a' && (dot[i] | 32) <= 'z')))
            return "";
    }
    return dot;
}

static bool make_path(struct work *work, const char *extension, char *ret_path, struct err *err)
{
    if (work->count >= FILES_MAX)
        return err_set(err, ERR_INVALID, "There are more than %d file inputs.", FILES_MAX);
    if (work->count == 0 && !file_make_folders(work->sources->folder, 0700, err))
        return false;
    int len = snprintf(ret_path, PATH_BYTES, "%s/in-%d%s", work->sources->folder, work->count++,
                       extension);
    return (len > 0 && len < PATH_BYTES) || err_set(err, ERR_INTERNAL, "A path is too long.");
}

static bool write_bytes(int fd, struct str bytes, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, ERR_UNAVAILABLE, errno, "An input file could not be written.");
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

static int create_file(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        err_sys(err, ERR_UNAVAILABLE, errno, "An input file could not be made.");
    return fd;
}

static bool from_data_url(struct work *work, struct str value, char *ret_path, struct err *err)
{
    struct data_url url;
    struct buf bytes;
    if (!data_url_parse(value, &url, err) ||
        !make_path(work, data_url_extension(url.media_type), ret_path, err))
        return false;
    buf_init(&bytes, LIMIT_FILE_BYTES);
    int fd = -1;
    bool ok = data_url_decode(&url, &bytes, err) && (fd = create_file(ret_path, err)) >= 0 &&
              write_bytes(fd, buf_str(&bytes), err);
    buf_done(&bytes);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Copied, not linked: a runner may write to its files, and a blob must stay what it is. */
static bool copy_blob(struct work *work, struct str ref, const char *name, char *ret_path,
                      struct err *err)
{
    int in = -1, out = -1;
    int64_t size = 0;
    if (!make_path(work, extension_of(name), ret_path, err) ||
        !blob_read(work->sources->blobs, ref, &in, &size, err))
        return false;
    bool ok = (out = create_file(ret_path, err)) >= 0;
    char bytes[65536];
    while (ok) {
        ssize_t n = read(in, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = err_sys(err, ERR_UNAVAILABLE, errno, "A stored file could not be read.");
        else if (n == 0)
            break;
        else
            ok = write_bytes(out, (struct str){ bytes, (size_t)n }, err);
    }
    close(in);
    if (out >= 0)
        close(out);
    return ok;
}

static bool from_fetch(struct work *work, struct str value, char *ret_path, struct err *err)
{
    char given[PATH_BYTES], named[PATH_BYTES];
    struct fetch_result result;
    const struct fetch_options options = {
        .bytes_max = LIMIT_FETCH_BYTES,
        .timeout_ms = LIMIT_FETCH_TIMEOUT_MS,
        .redirects_max = LIMIT_FETCH_REDIRECTS,
        .allow_private = work->sources->allow_private_urls,
        .canceled = work->sources->canceled,
    };
    if (!str_copy(value, given, sizeof given))
        return err_set(err, ERR_INVALID, "The URL is too long.");
    if (!make_path(work, "", ret_path, err) || !fetch_file(given, ret_path, &options, &result, err))
        return false;
    /* Models and their libraries look at the ending now and then: give the file its own. */
    const char *extension = extension_of(result.file_name);
    if (!extension[0]) {
        result.content_type[strcspn(result.content_type, "; ")] = '\0';
        extension = data_url_extension(result.content_type);
    }
    int len = snprintf(named, sizeof named, "%s%s", ret_path, extension);
    if (len > 0 && (size_t)len < sizeof named && rename(ret_path, named) == 0)
        str_copy(str_from(named), ret_path, PATH_BYTES);
    return true;
}

/* One of this server's own files, when the URL names one the account may read. */
static bool find_own(struct work *work, struct str url, char ret_ref[BLOB_REF_MAX], char *ret_name,
                     size_t name_size)
{
    struct str id, path;
    if (inputs_output_path(url, &path) &&
        blob_check_link(work->sources->blobs, path, (int64_t)time(NULL), ret_ref)) {
        const char *slash = strrchr(ret_ref, '/');
        return str_copy(str_from(slash ? slash + 1 : ret_ref), ret_name, name_size);
    }
    if (!inputs_file_id(url, &id))
        return false;
    char text[ID_FILE_LEN + 1];
    struct arena arena;
    struct store_file file;
    struct err ignored;
    arena_init(&arena, 1 << 20);
    bool found = str_copy(id, text, sizeof text) &&
                 store_file_get(work->sources->store, work->sources->account, text, &arena, &file,
                                &ignored) &&
                 str_copy(str_from(file.blob), ret_ref, BLOB_REF_MAX) &&
                 str_copy(str_from(file.name), ret_name, name_size);
    arena_done(&arena);
    return found;
}

static bool make_file(struct work *work, struct str value, char *ret_path, struct err *err)
{
    char ref[BLOB_REF_MAX], name[512];
    if (atomic_load(work->sources->canceled))
        return err_set(err, ERR_CANCELED, "Canceled.");
    if (data_url_is(value))
        return from_data_url(work, value, ret_path, err);
    if (!str_starts(value, S("http://")) && !str_starts(value, S("https://")))
        return err_set(err, ERR_INVALID, "It must be an http(s) URL or a data URL.");
    if (find_own(work, value, ref, name, sizeof name))
        return copy_blob(work, str_from(ref), name, ret_path, err);
    return from_fetch(work, value, ret_path, err);
}

/* ---- Walking the input --------------------------------------------------------------------- */

static bool is_uri(const json_t *schema)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    return format && strcmp(format, "uri") == 0;
}

bool inputs_is_file(const json_t *property)
{
    return is_uri(property) || is_uri(json_object_get(property, "items"));
}

/* Replace one value by a file's path. *ret_new is the new value. */
static bool prepare_value(struct work *work, const char *name, const json_t *value,
                          json_t **ret_new, struct err *err)
{
    char path[PATH_BYTES];
    struct str text = { json_string_value(value), json_string_length(value) };
    struct err why = { 0 };
    if (!make_file(work, text, path, &why)) {
        if (why.kind == ERR_CANCELED)
            return err_set(err, ERR_CANCELED, "Canceled.");
        err_set(err, why.kind, "The input '%s' could not be read: %s", name, why.detail);
        err->sys = why.sys;
        str_copy(str_from(name), err->field, sizeof err->field);
        return false;
    }
    *ret_new = json_string(path);
    if (!*ret_new || json_object_set(work->files, name, *ret_new) != 0) {
        json_decref(*ret_new);
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the inputs.");
    }
    return true;
}

static bool prepare_list(struct work *work, const char *name, const json_t *list, json_t **ret_new,
                         struct err *err)
{
    json_t *paths = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        char item_name[160];
        json_t *item = json_array_get(list, i), *path;
        snprintf(item_name, sizeof item_name, "%.100s[%zu]", name, i);
        if (!json_is_string(item)) {
            json_array_append(paths, item);
            continue;
        }
        if (!prepare_value(work, item_name, item, &path, err)) {
            json_decref(paths);
            return false;
        }
        json_array_append_new(paths, path);
    }
    *ret_new = paths;
    return true;
}

bool inputs_prepare(const struct inputs_sources *sources, const json_t *schema, const json_t *input,
                    json_t **ret_input, json_t **ret_files, struct err *err)
{
    const json_t *properties = json_object_get(schema, "properties");
    struct work work = { .sources = sources, .files = json_object() };
    json_t *prepared = json_copy((json_t *)(uintptr_t)input); /* shallow: values are shared */
    bool ok = work.files && prepared;
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for the inputs.");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)input, name, value)
    {
        const json_t *property = json_object_get(properties, name);
        json_t *replaced = NULL;
        if (!ok)
            break;
        if (is_uri(property) && json_is_string(value))
            ok = prepare_value(&work, name, value, &replaced, err);
        else if (is_uri(json_object_get(property, "items")) && json_is_array(value))
            ok = prepare_list(&work, name, value, &replaced, err);
        if (ok && replaced)
            json_object_set_new(prepared, name, replaced);
    }
    if (!ok) {
        json_decref(prepared);
        json_decref(work.files);
        return false;
    }
    *ret_input = prepared;
    *ret_files = work.files;
    return true;
}
