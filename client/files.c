/* Files in and out: uploads, data URLs, downloads of outputs. */
#include "client_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/base64.h"

#define DATA_URL_FILE_BYTES_MAX (16u << 20) /* larger files belong to POST /files */
#define REDIRECTS_MAX 5L

static const char *type_by_ending(const char *path)
{
    static const char *const types[][2] = {
        { ".png", "image/png" },   { ".jpg", "image/jpeg" },        { ".jpeg", "image/jpeg" },
        { ".webp", "image/webp" }, { ".gif", "image/gif" },         { ".avif", "image/avif" },
        { ".tif", "image/tiff" },  { ".tiff", "image/tiff" },       { ".bmp", "image/bmp" },
        { ".txt", "text/plain" },  { ".json", "application/json" }, { ".mp4", "video/mp4" },
        { ".mp3", "audio/mpeg" },  { ".wav", "audio/wav" },
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(types); i++)
        if (str_equal_nocase(str_from(dot), str_from(types[i][0])))
            return types[i][1];
    return "application/octet-stream";
}

bool mimeo_file_upload(struct mimeo_client *client, const char *path, const char *content_type,
                       json_t **ret_file, struct mimeo_error *error)
{
    if (access(path, R_OK) != 0)
        return mimeo_fail(error, 0, "cannot read '%s': %s", path, strerror(errno));
    if (!mimeo_prepare(client, "/files", error))
        return false;
    curl_mime *form = curl_mime_init(client->curl);
    curl_mimepart *part = curl_mime_addpart(form);
    curl_mime_name(part, "content");
    curl_mime_type(part, content_type != NULL ? content_type : type_by_ending(path));
    if (curl_mime_filedata(part, path) != CURLE_OK) {
        curl_mime_free(form);
        return mimeo_fail(error, 0, "cannot read '%s'", path);
    }
    curl_easy_setopt(client->curl, CURLOPT_MIMEPOST, form);
    bool ok = mimeo_perform(client, curl_slist_append(NULL, "Expect:"), ret_file, error);
    curl_mime_free(form);
    return ok;
}

bool mimeo_file_data_url(const char *path, const char *content_type, char **ret_url,
                         struct mimeo_error *error)
{
    struct buf bytes, url;
    struct err err = { 0 };

    buf_init(&bytes, DATA_URL_FILE_BYTES_MAX);
    buf_init(&url, 2 * DATA_URL_FILE_BYTES_MAX);
    if (!file_read(path, &bytes, &err)) {
        buf_done(&bytes);
        return mimeo_fail(error, 0, "%s", err.detail);
    }
    buf_printf(&url, "data:%s;base64,", content_type != NULL ? content_type : type_by_ending(path));
    base64_encode(buf_str(&bytes), BASE64_STANDARD, &url);
    buf_done(&bytes);
    char *text = buf_take(&url, NULL);
    if (text == NULL)
        return mimeo_fail(error, 0, "memory is short");
    *ret_url = text;
    return true;
}

/* ---- Outputs --------------------------------------------------------------------------------- */

static void percent_decode(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len ? str_hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? str_hex_value(text.ptr[i + 2]) : -1;
        if (text.ptr[i] == '%' && low >= 0) {
            buf_append_char(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_append_char(out, text.ptr[i]);
        }
    }
}

/* "data:[type][;base64],bytes" */
static bool data_url_save(const char *url, const char *path, struct mimeo_error *error)
{
    struct str head, body;
    struct buf bytes;
    struct err err = { 0 };
    bool ok = str_cut(str_from(url), ',', &head, &body);

    if (!ok)
        return mimeo_fail(error, 0, "a data URL without a comma");
    buf_init(&bytes, MIMEO_ANSWER_BYTES_MAX);
    if (str_ends(head, S(";base64")))
        ok = base64_decode(body, BASE64_STANDARD, &bytes);
    else
        percent_decode(body, &bytes);
    if (!ok || bytes.failed)
        mimeo_fail(error, 0, "a data URL that is not base64, or too large");
    else if (!file_write_atomic(path, buf_str(&bytes), 0666, &err))
        ok = mimeo_fail(error, 0, "%s", err.detail);
    ok = ok && !bytes.failed;
    buf_done(&bytes);
    return ok;
}

static size_t on_file_bytes(char *bytes, size_t size, size_t count, void *context)
{
    return fwrite(bytes, size, count, context) * size;
}

/* The transfer itself, into an open file. */
static bool url_fetch(struct mimeo_client *client, const char *url, FILE *file,
                      struct mimeo_error *error)
{
    char text[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURL *curl = client->curl;
    long status = 0;

    if (!mimeo_prepare(client, "/", error))
        return false;
    if (client->authorization != NULL && mimeo_is_own_url(client, url))
        headers = curl_slist_append(headers, client->authorization);
    else
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_file_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_reset(curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return mimeo_fail_curl(client, code, text, error);
    if (status < 200 || status > 299)
        return mimeo_fail(error, (int)status, "the output's link answers with status %ld%s", status,
                          status == 404 || status == 403 ? " (links expire)" : "");
    return true;
}

bool mimeo_output_download(struct mimeo_client *client, const char *url, const char *path,
                           struct mimeo_error *error)
{
    char beside[MIMEO_PATH_BYTES_MAX];

    if (str_starts(str_from(url), S("data:")))
        return data_url_save(url, path, error);
    if (!str_starts(str_from(url), S("http://")) && !str_starts(str_from(url), S("https://")))
        return mimeo_fail(error, 0, "not a link to a file: '%.100s'", url);
    int len = snprintf(beside, sizeof(beside), "%s.%ld.new", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(beside))
        return mimeo_fail(error, 0, "the path is too long");
    FILE *file = fopen(beside, "wbe");
    if (file == NULL)
        return mimeo_fail(error, 0, "cannot write '%s': %s", path, strerror(errno));
    bool ok = url_fetch(client, url, file, error);
    bool flushed = fflush(file) == 0 && fsync(fileno(file)) == 0;
    flushed = fclose(file) == 0 && flushed;
    if (ok && !flushed)
        ok = mimeo_fail(error, 0, "cannot write '%s': %s", path, strerror(errno));
    if (ok && rename(beside, path) != 0)
        ok = mimeo_fail(error, 0, "cannot write '%s': %s", path, strerror(errno));
    if (!ok)
        unlink(beside);
    return ok;
}
