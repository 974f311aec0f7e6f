/* Output files over HTTP: public links that are signed and expire. No token is asked for, as
 * clients send none (or, one of them, send it anywhere). Ranges and conditional requests are
 * answered as a file server does. Not here: signing and checking links (blob/). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/problem.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/hash.h"
#include "blob/blob.h"

#define OUTPUTS_CACHE_MAX_S 3600 /* as Replicate's delivery says; a link may end sooner */
#define OUTPUTS_ETAG_SIZE 35     /* 32 hex digits in quotes */

struct output_file {
    int fd;
    int64_t size;
    char etag[OUTPUTS_ETAG_SIZE];
};

/* The link's path without the prefix it was asked under; "" when it is none. */
static struct str link_path(const struct http_call *call)
{
    struct str path = http_path(call);
    ptrdiff_t at = str_find(path, S("/outputs/"));

    return at < 0 ? S("") : str_skip(path, (size_t)at);
}

/* "/outputs/<key>/<expiry>-<signature>/<name>", checked before: how long the link still holds. */
static int64_t seconds_left(struct str path, int64_t now_s)
{
    struct str head, rest = str_skip(path, strlen("/outputs/")), expiry;
    int64_t expires_s;

    if (!str_cut(rest, '/', &head, &rest) || !str_cut(rest, '-', &expiry, &rest) ||
        !str_to_int64(expiry, &expires_s) || expires_s < now_s)
        return 0;
    return expires_s - now_s;
}

/* A blob never changes and its name is unique: the name's digest tells versions apart. */
static void make_etag(struct str ref, char ret_etag[OUTPUTS_ETAG_SIZE])
{
    unsigned char digest[HASH_SHA256_BYTES];
    char hex[2 * HASH_SHA256_BYTES + 1];

    hash_sha256(ref, digest);
    hash_hex(digest, sizeof(digest), hex);
    snprintf(ret_etag, OUTPUTS_ETAG_SIZE, "\"%.32s\"", hex);
}

/* Is the entity tag in a header's list? */
static bool names_etag(const char *header, const char *etag)
{
    return header && (strcmp(header, "*") == 0 || strstr(header, etag));
}

static void set_headers(struct http_call *call, const struct output_file *file, int64_t left_s)
{
    char text[64];
    struct stat status;
    struct tm time;

    snprintf(text, sizeof(text), "public,max-age=%" PRId64,
             left_s < OUTPUTS_CACHE_MAX_S ? left_s : (int64_t)OUTPUTS_CACHE_MAX_S);
    http_set_header(call, "Cache-Control", text);
    http_set_header(call, "ETag", file->etag);
    http_set_header(call, "Accept-Ranges", "bytes");
    http_set_header(call, "Access-Control-Allow-Origin", "*");
    /* A model's output may be HTML: on this host it must not run as a page of ours. */
    http_set_header(call, "X-Content-Type-Options", "nosniff");
    http_set_header(call, "Content-Security-Policy", "default-src 'none'; sandbox");
    if (fstat(file->fd, &status) == 0 && gmtime_r(&status.st_mtime, &time) &&
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &time) > 0)
        http_set_header(call, "Last-Modified", text);
}

enum range_kind { RANGE_NONE, RANGE_PART, RANGE_BAD };

/* One byte range: "bytes=2-5", "bytes=2-", "bytes=-4". Anything else is ignored, as RFC 9110
 * allows, so several ranges give the whole file. */
static enum range_kind parse_range(const char *header, int64_t size, int64_t *ret_first,
                                   int64_t *ret_len)
{
    struct str text = str_trim(str_from(header)), first_text, last_text;
    int64_t first, last = size - 1;

    if (!str_starts(text, S("bytes=")) || !str_cut(str_skip(text, 6), '-', &first_text, &last_text))
        return RANGE_NONE;
    if (first_text.len == 0) { /* the last n bytes */
        if (!str_to_int64(last_text, &last) || last < 0)
            return RANGE_NONE;
        first = last > size ? 0 : size - last;
        last = size - 1;
    } else {
        if (!str_to_int64(first_text, &first) || first < 0)
            return RANGE_NONE;
        if (last_text.len > 0 && (!str_to_int64(last_text, &last) || last < first))
            return RANGE_NONE;
    }
    if (first >= size)
        return RANGE_BAD;
    *ret_first = first;
    *ret_len = (last < size ? last + 1 : size) - first;
    return RANGE_PART;
}

static void reply_content(struct http_call *call, const struct output_file *file, const char *type)
{
    const char *if_range = http_header(call, "If-Range");
    const char *range = http_header(call, "Range");
    int64_t first = 0, len = file->size;
    enum range_kind kind = RANGE_NONE;
    char text[80];

    if (range && (!if_range || strcmp(if_range, file->etag) == 0))
        kind = parse_range(range, file->size, &first, &len);
    if (kind == RANGE_BAD) {
        snprintf(text, sizeof(text), "bytes */%" PRId64, file->size);
        http_set_header(call, "Content-Range", text);
        http_reply(call, 416, "text/plain", S(""));
        close(file->fd);
        return;
    }
    if (kind == RANGE_PART) {
        snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first,
                 first + len - 1, file->size);
        http_set_header(call, "Content-Range", text);
    }
    http_reply_file(call, kind == RANGE_PART ? 206 : 200, type, file->fd, first, len);
}

/* Would a browser run it as a part of a page? The page of this server trusts this server's scripts,
 * and what a model has made is none of them. Other clients do not send the header. */
static bool is_for_running(const struct http_call *call)
{
    static const char *const uses[] = { "script",       "style",         "worker",
                                        "sharedworker", "serviceworker", "audioworklet",
                                        "paintworklet", "xslt" };
    const char *use = http_header(call, "Sec-Fetch-Dest");

    for (size_t i = 0; use && i < ARRAY_LEN(uses); i++)
        if (strcmp(use, uses[i]) == 0)
            return true;
    return false;
}

static void get(struct http_call *call)
{
    const struct blob_store *blobs = api_of(call)->blobs;
    struct str path = link_path(call);
    int64_t now_s = clock_now_us() / 1000000;
    char ref[BLOB_REF_MAX];
    struct output_file file;

    if (is_for_running(call)) {
        problem_reply_detail(call, 403, "Forbidden",
                             "An output cannot be loaded as a script or a style of a page.");
        return;
    }
    if (!blob_check_link(blobs, path, now_s, ref) ||
        !blob_read(blobs, str_from(ref), &file.fd, &file.size, NULL)) {
        problem_reply_not_found(call);
        return;
    }
    make_etag(str_from(ref), file.etag);
    set_headers(call, &file, seconds_left(path, now_s));
    if (names_etag(http_header(call, "If-None-Match"), file.etag)) {
        close(file.fd);
        http_reply(call, 304, blob_content_type(ref), S(""));
        return;
    }
    reply_content(call, &file, blob_content_type(ref));
}

static const struct http_route routes[] = {
    { "GET", "/outputs/{rest...}", get, HTTP_PUBLIC, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_outputs = { routes };
