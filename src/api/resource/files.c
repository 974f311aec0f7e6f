/* Uploaded files over HTTP: upload, get, list, delete, download by a signed link.
 *
 * The forms of all official clients are understood: `metadata` may be a field or a file part,
 * `content` may have no file name, `filename` and `type` may be fields. Files last a day (sweep.c).
 * Not here: a file's URL as an input (predict/ resolves it), output files (resource/outputs.c). */
#include <string.h>

#include "api/api_private.h"
#include "api/auth.h"
#include "api/file_keep.h"
#include "api/page.h"
#include "api/problem.h"
#include "api/render.h"
#include "api/reply.h"
#include "api/resource.h"
#include "api/stream_link.h"
#include "api/streams.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "blob/blob.h"
#include "domain/limits.h"
#include "http/multipart.h"
#include "store/store.h"

#define FILES_FORM_BYTES                                                                           \
    (LIMIT_FILE_BYTES + (1u << 20)) /* a file of the largest size and its form */
#define FILES_METADATA_BYTES (64u << 10)
#define FILES_RECORD_BYTES (8u << 20) /* a page of records */
#define FILES_PAGE 100
#define FILES_TYPE_DEFAULT "application/octet-stream"

/* ---- Upload -----------------------------------------------------------------------------------
 */

static const struct multipart_part *find_part(const struct multipart_part *parts, int count,
                                              const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    return NULL;
}

/* A plain field's text, or NULL; what is long or not text is not taken. */
static const char *field_text(const struct multipart_part *parts, int count, const char *name,
                              struct arena *arena)
{
    const struct multipart_part *part = find_part(parts, count, name);

    if (!part || part->body.len == 0 || part->body.len > 255 || !str_is_utf8(part->body) ||
        memchr(part->body.ptr, '\0', part->body.len))
        return NULL;
    return arena_strdup(arena, part->body);
}

/* The metadata as sorted JSON; "{}" when there is none. */
static bool read_metadata(const struct multipart_part *part, struct arena *arena,
                          struct str *ret_text, struct err *err)
{
    json_t *json = NULL;
    struct buf text;
    char *copy;

    *ret_text = S("{}");
    if (!part || str_trim(part->body).len == 0)
        return true;
    if (part->body.len > FILES_METADATA_BYTES)
        return err_set(err, ERR_INVALID, "metadata must be smaller than 64 KiB");
    if (!json_parse(part->body, &json, err))
        return err_set(err, ERR_INVALID, "metadata must be a JSON object");
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INVALID, "metadata must be a JSON object");
    }
    buf_init(&text, 6 * FILES_METADATA_BYTES);
    json_write(json, true, &text);
    json_decref(json);
    copy = arena_strdup(arena, buf_str(&text));
    *ret_text = (struct str){ copy, text.len };
    buf_done(&text);
    return copy || err_set(err, ERR_NO_MEMORY, "not enough memory for a file's metadata");
}

/* The record of a form, but for its blob. */
static bool read_form(struct http_call *call, struct store_file *file, struct str *ret_content,
                      struct err *err)
{
    struct arena *arena = http_arena(call);
    const struct multipart_part *content;
    struct multipart_part *parts;
    const char *name, *type;
    int count;

    if (!multipart_parse(http_header(call, "Content-Type"), http_body(call), arena, &parts, &count,
                         err))
        return false;
    content = find_part(parts, count, "content");
    if (!content)
        return err_set(err, ERR_INVALID, "The form has no part named \"content\"");
    if (content->body.len > LIMIT_FILE_BYTES)
        return err_set(err, ERR_TOO_LARGE, "Files must be less than 100MB in size");
    if (!read_metadata(find_part(parts, count, "metadata"), arena, &file->metadata, err))
        return false;
    name = field_text(parts, count, "filename", arena);
    type = field_text(parts, count, "type", arena);
    /* What the caller says in fields of their own goes before what a client put into the part: the
     * Python 2 client calls every part "upload". */
    file->name = name && *name                               ? name
                 : content->file_name && *content->file_name ? content->file_name
                                                             : "file";
    file->content_type = type && *type                                     ? type
                         : content->content_type && *content->content_type ? content->content_type
                                                                           : FILES_TYPE_DEFAULT;
    /* Both are shown as JSON text: bytes that are none are not kept. */
    if (!str_is_utf8(str_from(file->name)))
        file->name = "file";
    if (!str_is_utf8(str_from(file->content_type)))
        file->content_type = FILES_TYPE_DEFAULT;
    file->size = (int64_t)content->body.len;
    *ret_content = content->body;
    return true;
}

static void reply_file(struct http_call *call, int status, const struct store_file *file)
{
    struct buf body;

    buf_init(&body, RENDER_BYTES_MAX);
    render_file(http_base_url(call), file, &body);
    reply_json(call, status, &body);
}

static void upload(struct http_call *call)
{
    struct store_file file = { 0 };
    struct str content;
    struct err err;

    if (!read_form(call, &file, &content, &err)) {
        if (err.kind == ERR_TOO_LARGE)
            problem_reply_file_too_large(call);
        else if (err.kind == ERR_INVALID)
            problem_reply_detail(call, 400, "Bad request", err.detail);
        else
            problem_reply(call, &err);
        return;
    }
    if (file_keep(api_of(call), http_account(call), content, &file, &err))
        reply_file(call, 201, &file);
    else
        problem_reply(call, &err);
}

/* ---- Get, delete, download --------------------------------------------------------------------
 */

/* The record, when it is the account's and has not expired; false: answered. */
static bool find_file(struct http_call *call, const char *account, struct store_file *ret_file)
{
    struct err err;

    if (!store_file_get(api_of(call)->store, account, http_param(call, "id"), http_arena(call),
                        ret_file, &err)) {
        if (err.kind == ERR_NOT_FOUND)
            problem_reply_file_not_found(call);
        else
            problem_reply(call, &err);
        return false;
    }
    if (ret_file->expires_us <= clock_now_us()) {
        problem_reply_file_not_found(call);
        return false;
    }
    return true;
}

/* A file model's stream has its URL here, too, for clients know it by that path; it needs no token.
 */
static void get(struct http_call *call)
{
    struct str id = str_from(http_param(call, "id"));
    const char *account = NULL;
    struct store_file file;

    if (stream_link_is_files_token(id))
        streams_follow(call, id);
    else if (auth_check(call, &account) && find_file(call, account, &file))
        reply_file(call, 200, &file);
}

static void delete (struct http_call *call)
{
    struct store_write write = { .kind = STORE_FILE_DELETE, .account = http_account(call) };
    struct api *api = api_of(call);
    struct store_file file;
    struct err err;

    if (!find_file(call, http_account(call), &file))
        return;
    write.id = file.id;
    if (!blob_doubt(api->blobs, file.id, str_from(file.blob), &err)) {
        problem_reply(call, &err);
        return;
    }
    if (!store_write_wait(api->store, &write, &err)) {
        blob_confirm(api->blobs, file.id, str_from(file.blob));
        problem_reply(call, &err);
        return;
    }
    /* What cannot be removed now stays in doubt, and the next start removes it. */
    blob_remove(api->blobs, file.id, str_from(file.blob), NULL);
    if (write.applied)
        reply_empty(call);
    else
        problem_reply_file_not_found(call);
}

/* base64 of HMAC-SHA256 over "{owner} {id} {expiry}". */
static bool signature_holds(struct http_call *call, const char *owner, const char *expiry,
                            const char *signature)
{
    unsigned char code[HASH_SHA256_BYTES];
    char *signed_text =
        arena_printf(http_arena(call), "%s %s %s", owner, http_param(call, "id"), expiry);
    struct buf given;
    bool holds;

    if (!signed_text)
        return false;
    hash_hmac_sha256(str_from(api_of(call)->file_secret), str_from(signed_text), code);
    buf_init(&given, 256);
    holds =
        base64_decode(str_from(signature), BASE64_STANDARD, &given) &&
        str_equal_constant_time(buf_str(&given), (struct str){ (const char *)code, sizeof(code) });
    buf_done(&given);
    return holds;
}

/* What a picture, a film or a sound is shown as; anything else is only to be kept. */
static const char *type_to_show(const struct store_file *file, struct arena *arena)
{
    static const char *const shown[] = { "image/", "video/", "audio/" };
    struct str type = str_from(file->content_type), parameters;
    const char *copy = NULL;

    str_cut(type, ';', &type, &parameters);
    type = str_trim(type);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if (str_starts(type, str_from(shown[i])))
            copy = arena_strdup(arena, type);
    return copy && strspn(copy, "abcdefghijklmnopqrstuvwxyz0123456789.+-/") == type.len
               ? copy
               : FILES_TYPE_DEFAULT;
}

static void reply_content(struct http_call *call, const struct store_file *file, const char *type)
{
    int64_t size;
    int fd;

    if (!blob_read(api_of(call)->blobs, str_from(file->blob), &fd, &size, NULL)) {
        problem_reply_file_not_found(call);
        return;
    }
    reply_set_headers(call);
    /* Whatever a user has put into it: no browser runs it as a page of ours. */
    http_set_header(call, "X-Content-Type-Options", "nosniff");
    http_set_header(call, "Content-Security-Policy", "default-src 'none'; sandbox");
    http_reply_file(call, 200, type, fd, 0, size);
}

/* By a signed link; or, beyond the public API, without one by the owner's token. */
static void download(struct http_call *call)
{
    const char *owner = http_query(call, "owner"), *expiry = http_query(call, "expiry");
    const char *signature = http_query(call, "signature"), *account = NULL;
    struct store_file file;
    int64_t expiry_s;

    if (!owner && !expiry && !signature && http_header(call, "Authorization")) {
        if (auth_check(call, &account) && find_file(call, account, &file))
            reply_content(call, &file, type_to_show(&file, http_arena(call)));
        return;
    }
    if (!owner || !expiry || !signature || !str_to_int64(str_from(expiry), &expiry_s) ||
        expiry_s <= clock_now_us() / 1000000 || !signature_holds(call, owner, expiry, signature)) {
        problem_reply_file_not_found(call);
        return;
    }
    if (find_file(call, owner, &file))
        reply_content(call, &file, FILES_TYPE_DEFAULT);
}

/* ---- List -------------------------------------------------------------------------------------
 */

static void list(struct http_call *call)
{
    struct store_file *files;
    struct page_cursor cursor, next = { .newer = false };
    struct arena arena;
    struct buf body;
    struct err err;
    int count, shown;

    if (!page_cursor_read(call, &cursor))
        return;
    arena_init(&arena, FILES_RECORD_BYTES);
    if (!store_file_list(api_of(call)->store, http_account(call), cursor.position, FILES_PAGE + 1,
                         clock_now_us(), &arena, &files, &count, &err)) {
        arena_done(&arena);
        problem_reply(call, &err);
        return;
    }
    shown = count > FILES_PAGE ? FILES_PAGE : count;
    if (shown < count) {
        next.position.created_us = files[shown - 1].created_us;
        str_copy(str_from(files[shown - 1].id), next.position.id, sizeof(next.position.id));
    }
    buf_init(&body, RENDER_BYTES_MAX);
    page_open(call, "/v1/files", NULL, shown < count ? &next : NULL, NULL, &body);
    for (int i = 0; i < shown; i++) {
        if (i > 0)
            buf_append_char(&body, ',');
        render_file(http_base_url(call), &files[i], &body);
    }
    page_close(&body);
    arena_done(&arena);
    reply_json(call, 200, &body);
}

static const struct http_route routes[] = {
    { "POST", "/v1/files", upload, HTTP_BODY_FILE, FILES_FORM_BYTES },
    { "GET", "/v1/files", list, 0, 0 },
    { "GET", "/v1/files/{id}", get, HTTP_PUBLIC, 0 },
    { "DELETE", "/v1/files/{id}", delete, 0, 0 },
    { "GET", "/v1/files/{id}/download", download, HTTP_PUBLIC, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

const struct api_resource api_resource_files = { routes };
