/* Data URLs; see data_url.h. */
#include "predict/data_url.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/base64.h"

bool data_url_is(struct str url)
{
    return url.len >= 5 && str_equal_nocase((struct str){ url.ptr, 5 }, S("data:"));
}

bool data_url_parse(struct str url, struct data_url *ret_url, struct err *err)
{
    struct data_url parsed = { .media_type = "text/plain" };
    struct str head, type, rest;
    if (!data_url_is(url) || !str_cut(str_skip(url, 5), ',', &head, &parsed.data))
        return err_set(err, ERR_INVALID, "This is not a data URL: it has no comma.");
    rest = S("");
    if (!str_cut(head, ';', &type, &rest))
        type = head;
    /* "base64" is the last parameter where it stands. */
    for (struct str part = rest; part.len > 0 || rest.len > 0; part = rest) {
        if (!str_cut(part, ';', &part, &rest))
            rest = S("");
        parsed.base64 = str_equal_nocase(str_trim(part), S("base64"));
    }
    type = str_trim(type);
    if (type.len > 0 && !str_copy(type, parsed.media_type, sizeof parsed.media_type))
        return err_set(err, ERR_INVALID, "The data URL's media type is too long.");
    for (char *c = parsed.media_type; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret_url = parsed;
    return true;
}

/* %XX becomes a byte; a percent sign that is not followed by two digits is refused. */
static bool decode_percent(struct str text, struct buf *out, struct err *err)
{
    while (text.len > 0) {
        const char *percent = memchr(text.ptr, '%', text.len);
        size_t plain = percent ? (size_t)(percent - text.ptr) : text.len;
        if (!buf_append(out, text.ptr, plain))
            return err_set(err, ERR_TOO_LARGE, "The data URL holds too many bytes.");
        text = str_skip(text, plain);
        if (text.len == 0)
            break;
        int high = text.len > 2 ? str_hex_value(text.ptr[1]) : -1;
        int low = text.len > 2 ? str_hex_value(text.ptr[2]) : -1;
        if (high < 0 || low < 0)
            return err_set(err, ERR_INVALID, "The data URL has a broken percent code.");
        if (!buf_append_char(out, (char)(high << 4 | low)))
            return err_set(err, ERR_TOO_LARGE, "The data URL holds too many bytes.");
        text = str_skip(text, 3);
    }
    return true;
}

bool data_url_decode(const struct data_url *url, struct buf *out, struct err *err)
{
    if (!url->base64)
        return decode_percent(url->data, out, err);
    if (url->data.len / 4 > out->max / 3)
        return err_set(err, ERR_TOO_LARGE, "The data URL holds too many bytes.");
    /* Some clients percent-encode the base64 text as well ("%2B", "%3D"). */
    if (url->data.len > 0 && memchr(url->data.ptr, '%', url->data.len)) {
        struct buf plain;
        buf_init(&plain, url->data.len);
        bool ok = decode_percent(url->data, &plain, err);
        if (ok && !base64_decode(buf_str(&plain), BASE64_STANDARD, out))
            ok = err_set(err, ERR_INVALID, "The data URL's base64 text is broken.");
        buf_done(&plain);
        return ok;
    }
    if (!base64_decode(url->data, BASE64_STANDARD, out))
        return err_set(err, ERR_INVALID, "The data URL's base64 text is broken.");
    return true;
}

const char *data_url_extension(const char *media_type)
{
    static const struct {
        const char *type, *extension;
    } rows[] = {
        { "image/png", ".png" },         { "image/jpeg", ".jpg" },
        { "image/jpg", ".jpg" },         { "image/webp", ".webp" },
        { "image/gif", ".gif" },         { "image/bmp", ".bmp" },
        { "image/tiff", ".tiff" },       { "image/svg+xml", ".svg" },
        { "image/avif", ".avif" },       { "image/heic", ".heic" },
        { "audio/wav", ".wav" },         { "audio/x-wav", ".wav" },
        { "audio/mpeg", ".mp3" },        { "audio/ogg", ".ogg" },
        { "audio/flac", ".flac" },       { "video/mp4", ".mp4" },
        { "video/webm", ".webm" },       { "text/plain", ".txt" },
        { "application/json", ".json" }, { "application/pdf", ".pdf" },
        { "application/zip", ".zip" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(media_type, rows[i].type) == 0)
            return rows[i].extension;
    }
    return "";
}
