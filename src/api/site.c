/* The page's files over HTTP.
 *
 * They are no routes: a server without the page answers as if there had never been one, and all
 * that the API answers stays as it is. A file is found by its exact path among those built in,
 * never in the file system.
 *
 * The forms br and gzip are sent as they were built in. The plain form of a file that has a gzip
 * one is unpacked when it is first asked for, and kept: next to no client asks for it.
 * Not here: how the files get into the program (tools/embed-page). */
#include "api/site.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/reply.h"
#include "base/buf.h"
#include "base/embed.h"
#include "base/err.h"
#include "http/server.h"

#define SITE_INDEX "/index.html"
#define SITE_GZIP_WINDOW (15 + 16) /* 32 KiB, with gzip's header */
#define SITE_POLICY_BYTES 2048
#define SITE_IMMUTABLE "public, max-age=31536000, immutable"

/* Where the page has something to show, beside "/", "/OWNER/NAME" and "/p/ID". As in
 * ui/src/router.tsx. */
static const char *const pages[] = {
    "/explore",  "/predictions", "/compare", "/batch",   "/files",      "/deployments",
    "/webhooks", "/tokens",      "/usage",   "/sign-in", "/operations", "/settings",
};

/* Whose answers are for programs, whatever a browser's Accept says. (/replicate/hello-world is a
 * model's page.) */
static const char *const api_folders[] = {
    "/v1",      "/api",    "/outputs", "/replicate/v1", "/replicate/api", "/replicate/outputs",
    "/healthz", "/readyz", "/metrics", "/openapi.json",
};

struct site {
    struct buf policy;        /* the Content-Security-Policy */
    pthread_mutex_t lock;     /* protects what follows */
    unsigned char **unpacked; /* plain forms, by the file's index; NULL: not asked for yet */
};

bool site_is_built(void)
{
    return embed_page_count > 0;
}

/* ---- Start and end --------------------------------------------------------------------------- */

/* Nothing but this server's own files, and no script or style that stands in the HTML. origin:
 * where outputs lie, when that is another one; "". */
static void write_policy(struct str origin, struct buf *out)
{
    const char *space = origin.len ? " " : "";

    buf_printf(out,
               "default-src 'none'; script-src 'self'; style-src 'self'; "
               "img-src 'self' blob: data:%s%.*s; media-src 'self' blob: data:%s%.*s; "
               "connect-src 'self'%s%.*s; font-src 'self'; worker-src 'self'; "
               "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
               space, STR_FMT(origin), space, STR_FMT(origin), space, STR_FMT(origin));
}

/* "https://host:port" of a URL that was found valid. */
static struct str origin_of(const char *url)
{
    struct str whole = str_from(url), host, path;
    size_t scheme = str_starts(whole, S("https://")) ? 8 : 7;

    if (!whole.len || !str_cut(str_skip(whole, scheme), '/', &host, &path))
        return whole;
    return (struct str){ whole.ptr, scheme + host.len };
}

bool site_new(const char *public_url, struct site **ret_site, struct err *err)
{
    struct site *site = calloc(1, sizeof(*site));

    if (site)
        site->unpacked = calloc(embed_page_count + 1, sizeof(*site->unpacked));
    if (!site || !site->unpacked) {
        free(site);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the page");
    }
    pthread_mutex_init(&site->lock, NULL);
    buf_init(&site->policy, SITE_POLICY_BYTES);
    write_policy(origin_of(public_url), &site->policy);
    if (site->policy.failed) {
        site_free(site);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the page");
    }
    *ret_site = site;
    return true;
}

void site_free(struct site *site)
{
    if (!site)
        return;
    for (size_t i = 0; i < embed_page_count; i++)
        free(site->unpacked[i]);
    free(site->unpacked);
    buf_done(&site->policy);
    pthread_mutex_destroy(&site->lock);
    free(site);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static int compare_path(const void *key, const void *row)
{
    const struct str *path = key;
    const struct embed_page_file *file = row;
    size_t len = strlen(file->path);
    int order = memcmp(path->ptr, file->path, path->len < len ? path->len : len);

    return order ? order : path->len < len ? -1 : path->len > len;
}

static const struct embed_page_file *find_file(struct str path)
{
    return bsearch(&path, embed_page, embed_page_count, sizeof(embed_page[0]), compare_path);
}

static bool is_in_folder(struct str path, struct str folder)
{
    return str_starts(path, folder) && (path.len == folder.len || path.ptr[folder.len] == '/');
}

static bool is_for_programs(struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(api_folders); i++)
        if (is_in_folder(path, str_from(api_folders[i])))
            return true;
    return false;
}

/* What an owner, a model or a prediction may be called. */
static bool is_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_' && c != '.')
            return false;
    }
    return text.len > 0;
}

/* Has the page something at this path? */
static bool is_page(struct str path)
{
    struct str owner, name;

    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (str_equal(path, str_from(pages[i])))
            return true;
    return !is_in_folder(path, S("/assets")) && str_cut(str_skip(path, 1), '/', &owner, &name) &&
           is_name(owner) && is_name(name);
}

/* ---- Answering ------------------------------------------------------------------------------- */

static unsigned char *unpack(const struct embed_page_file *file)
{
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)file->gzip.data,
                        .avail_in = (uInt)file->gzip.len,
                        .avail_out = (uInt)file->size };
    unsigned char *plain = malloc(file->size + 1);

    if (!plain || inflateInit2(&stream, SITE_GZIP_WINDOW) != Z_OK) {
        free(plain);
        return NULL;
    }
    stream.next_out = plain;
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == file->size;
    inflateEnd(&stream);
    if (whole)
        return plain;
    free(plain);
    return NULL;
}

/* The plain form; NULL data: no memory. */
static struct str plain_form(struct site *site, const struct embed_page_file *file)
{
    size_t index = (size_t)(file - embed_page);
    struct str plain;

    if (file->plain.data)
        return (struct str){ (const char *)file->plain.data, file->plain.len };
    pthread_mutex_lock(&site->lock);
    if (!site->unpacked[index])
        site->unpacked[index] = unpack(file);
    plain = (struct str){ (const char *)site->unpacked[index], file->size };
    pthread_mutex_unlock(&site->lock);
    return plain;
}

static void set_headers(const struct site *site, struct http_call *call,
                        const struct embed_page_file *file)
{
    static const char *const fixed[][2] = {
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()" },
    };
    bool negotiated = file->br.data || file->gzip.data;

    reply_set_headers(call);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        http_set_header(call, fixed[i][0], fixed[i][1]);
    http_set_header(call, "Content-Security-Policy", site->policy.ptr);
    http_set_header(call, "Cache-Control", file->immutable ? SITE_IMMUTABLE : "no-cache");
    http_set_header(call, "ETag", file->etag);
    if (negotiated)
        http_set_header(call, "Vary", "Accept-Encoding");
}

static bool send_file(struct site *site, struct http_call *call, int status,
                      const struct embed_page_file *file)
{
    const char *known = http_header(call, "If-None-Match");
    struct str body = { (const char *)file->br.data, file->br.len };
    const char *coding = "br";

    if (!body.ptr || !http_accepts_coding(call, "br")) {
        coding = "gzip";
        body = (struct str){ (const char *)file->gzip.data, file->gzip.len };
        if (!body.ptr || !http_accepts_coding(call, "gzip")) {
            coding = NULL;
            body = plain_form(site, file);
        }
    }
    if (!body.ptr)
        return false; /* no memory */
    set_headers(site, call, file);
    if (status == 200 && known && strstr(known, file->etag)) {
        http_reply_static(call, 304, file->content_type, S(""));
        return true;
    }
    if (coding)
        http_set_header(call, "Content-Encoding", coding);
    http_reply_static(call, status, file->content_type, body);
    return true;
}

bool site_answer(struct site *site, struct http_call *call)
{
    const char *method = http_method(call), *accept = http_header(call, "Accept");
    struct str path = http_path(call);
    const struct embed_page_file *file;

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return false;
    file = find_file(str_equal(path, S("/")) ? S(SITE_INDEX) : path);
    if (file)
        return send_file(site, call, 200, file);
    file = find_file(S(SITE_INDEX));
    if (!file || !accept || str_find(str_from(accept), S("text/html")) < 0 || is_for_programs(path))
        return false;
    return send_file(site, call, is_page(path) ? 200 : 404, file);
}
