#include "http/multipart.h"

#include <string.h>

#define MULTIPART_BOUNDARY_MAX 200 /* RFC 2046 says 70; some clients are generous */
#define MULTIPART_HEADERS_BYTES_MAX 8192

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* ---- Header parameters: ; name=value; name="quoted value" ---------------------------------- */

/* Take the quoted text that *left starts with (after its '"'). A backslash only escapes '"' and
 * itself: some browsers put Windows paths there. False: no closing quote. */
static bool take_quoted(struct str *left, struct arena *arena, char **ret_value)
{
    char *value = arena_alloc(arena, left->len + 1);
    size_t len = 0;
    if (!value)
        return false;
    for (size_t i = 0; i < left->len; i++) {
        char c = left->ptr[i];
        if (c == '"') {
            value[len] = '\0';
            *left = str_skip(*left, i + 1);
            *ret_value = value;
            return true;
        }
        if (c == '\\' && i + 1 < left->len && (left->ptr[i + 1] == '"' || left->ptr[i + 1] == '\\'))
            c = left->ptr[++i];
        value[len++] = c;
    }
    return false;
}

/* Take the next parameter of a header's value. 0: there is none; -1: malformed or no memory. */
static int next_param(struct str *left, struct arena *arena, struct str *ret_name, char **ret_value)
{
    *left = str_trim(*left);
    while (str_starts(*left, S(";")))
        *left = str_trim(str_skip(*left, 1));
    if (left->len == 0)
        return 0;
    size_t name_len = 0;
    while (name_len < left->len && is_token_char(left->ptr[name_len]))
        name_len++;
    *ret_name = (struct str){ left->ptr, name_len };
    *left = str_trim(str_skip(*left, name_len));
    if (name_len == 0 || !str_starts(*left, S("=")))
        return -1;
    *left = str_trim(str_skip(*left, 1));
    if (str_starts(*left, S("\""))) {
        *left = str_skip(*left, 1);
        if (!take_quoted(left, arena, ret_value))
            return -1;
    } else {
        size_t len = 0;
        while (len < left->len && left->ptr[len] != ';' && left->ptr[len] != ' ')
            len++;
        *ret_value = arena_strdup(arena, (struct str){ left->ptr, len });
        *left = str_skip(*left, len);
        if (!*ret_value)
            return -1;
    }
    *left = str_trim(*left);
    return left->len == 0 || left->ptr[0] == ';' ? 1 : -1;
}

/* The boundary of a multipart/form-data content type. */
static bool find_boundary(const char *content_type, struct arena *arena, struct str *ret_boundary,
                          struct err *err)
{
    struct str all = str_from(content_type), type = all, left = { NULL, 0 }, name;
    char *value = NULL;
    int got;
    str_cut(all, ';', &type, &left);
    if (!str_equal_nocase(str_trim(type), S("multipart/form-data")))
        return err_set(err, ERR_INVALID, "The content type must be multipart/form-data.");
    while ((got = next_param(&left, arena, &name, &value)) > 0) {
        if (!str_equal_nocase(name, S("boundary")))
            continue;
        *ret_boundary = str_from(value);
        if (ret_boundary->len == 0 || ret_boundary->len > MULTIPART_BOUNDARY_MAX)
            break;
        return true;
    }
    return err_set(err, ERR_INVALID, "The content type has no usable multipart boundary.");
}

/* ---- One part's headers ------------------------------------------------------------------- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *hit = c ? strchr(digits, c | 0x20) : NULL;
    return hit && c > ' ' ? (int)(hit - digits) : -1;
}

/* RFC 5987: UTF-8''na%C3%AFve.txt. NULL: malformed, another character set, or no memory. */
static char *decode_extended(struct arena *arena, const char *value)
{
    struct str all = str_from(value), charset, rest, language, text;
    if (!str_cut(all, '\'', &charset, &rest) || !str_cut(rest, '\'', &language, &text) ||
        !str_equal_nocase(charset, S("UTF-8")))
        return NULL;
    char *name = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; name && i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || high * 16 + low < ' ')
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        name[len++] = c;
    }
    return name && str_is_utf8((struct str){ name, len }) ? name : NULL;
}

static bool read_disposition(struct str value, struct arena *arena, struct multipart_part *part,
                             struct err *err)
{
    struct str type = value, left = { NULL, 0 }, name;
    char *text = NULL;
    const char *extended = NULL;
    int got;
    str_cut(value, ';', &type, &left);
    if (!str_equal_nocase(str_trim(type), S("form-data")))
        return err_set(err, ERR_INVALID, "A part of the form is not form-data.");
    while ((got = next_param(&left, arena, &name, &text)) > 0) {
        if (str_equal_nocase(name, S("name")))
            part->name = text;
        else if (str_equal_nocase(name, S("filename")))
            part->file_name = text;
        else if (str_equal_nocase(name, S("filename*")))
            extended = decode_extended(arena, text);
    }
    if (got < 0 || !part->name)
        return err_set(err, ERR_INVALID, "A part of the form has no usable name.");
    if (extended)
        part->file_name = extended;
    return true;
}

static bool read_header(struct str line, struct arena *arena, struct multipart_part *part,
                        struct err *err)
{
    struct str name, value;
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < ' ' && line.ptr[i] != '\t')
            return err_set(err, ERR_INVALID, "A header in the form holds a control character.");
    if (!str_cut(line, ':', &name, &value) || name.len == 0)
        return err_set(err, ERR_INVALID, "A header in the form is malformed.");
    value = str_trim(value);
    if (str_equal_nocase(name, S("Content-Disposition")))
        return read_disposition(value, arena, part, err);
    if (str_equal_nocase(name, S("Content-Type"))) {
        part->content_type = arena_strdup(arena, value);
        if (!part->content_type)
            return err_set(err, ERR_TOO_LARGE, "The form is too large.");
    }
    if (str_equal_nocase(name, S("Content-Transfer-Encoding")) &&
        !str_equal_nocase(value, S("binary")) && !str_equal_nocase(value, S("8bit")) &&
        !str_equal_nocase(value, S("7bit")))
        return err_set(err, ERR_INVALID, "A part of the form is encoded, which forms may not be.");
    return true;
}

/* Read the headers at the start of *left and move it behind them. */
static bool read_headers(struct str *left, struct arena *arena, struct multipart_part *part,
                         struct err *err)
{
    size_t used = 0;
    for (;;) {
        ptrdiff_t end = str_find((struct str){ left->ptr, left->len < MULTIPART_HEADERS_BYTES_MAX
                                                              ? left->len
                                                              : MULTIPART_HEADERS_BYTES_MAX },
                                 S("\r\n"));
        if (end < 0 || used + (size_t)end > MULTIPART_HEADERS_BYTES_MAX)
            return err_set(err, ERR_INVALID, "The headers of a part of the form do not end.");
        struct str line = { left->ptr, (size_t)end };
        *left = (struct str){ left->ptr + end + 2, left->len - (size_t)end - 2 };
        used += (size_t)end + 2;
        if (line.len == 0)
            break;
        if (!read_header(line, arena, part, err))
            return false;
    }
    return part->name || err_set(err, ERR_INVALID, "A part of the form has no name.");
}

/* ---- The form ----------------------------------------------------------------------------- */

/* After a delimiter stands either "--" (the end) or a line end. */
static bool after_delimiter(struct str *left, bool *ret_end, struct err *err)
{
    *ret_end = str_starts(*left, S("--"));
    if (*ret_end)
        return true;
    while (left->len && (left->ptr[0] == ' ' || left->ptr[0] == '\t'))
        *left = str_skip(*left, 1);
    if (!str_starts(*left, S("\r\n")))
        return err_set(err, ERR_INVALID, "The form is cut off or its boundary is malformed.");
    *left = (struct str){ left->ptr + 2, left->len - 2 };
    return true;
}

bool multipart_parse(const char *content_type, struct str body, struct arena *arena,
                     struct multipart_part **ret_parts, int *ret_count, struct err *err)
{
    struct str boundary = { NULL, 0 }, left = body;
    if (!find_boundary(content_type, arena, &boundary, err))
        return false;
    const char *text = arena_printf(arena, "\r\n--%.*s", STR_FMT(boundary));
    struct multipart_part *parts = arena_alloc(arena, MULTIPART_PARTS_MAX * sizeof *parts);
    if (!text || !parts)
        return err_set(err, ERR_TOO_LARGE, "The form is too large.");
    struct str delimiter = str_from(text), first = str_skip(delimiter, 2);
    /* The first delimiter may be the very first thing; what stands before it is to be ignored. */
    ptrdiff_t at = str_starts(left, first) ? 0 : str_find(left, delimiter);
    if (at < 0)
        return err_set(err, ERR_INVALID, "The form's boundary does not occur in it.");
    left = str_skip(left, str_starts(left, first) ? first.len : (size_t)at + delimiter.len);
    int count = 0;
    for (;;) {
        bool end;
        if (!after_delimiter(&left, &end, err))
            return false;
        if (end)
            break;
        if (count == MULTIPART_PARTS_MAX)
            return err_set(err, ERR_INVALID, "The form has more than %d parts.",
                           MULTIPART_PARTS_MAX);
        struct multipart_part part = { .body = { "", 0 } };
        if (!read_headers(&left, arena, &part, err))
            return false;
        /* An empty body may have its delimiter's line end as that of the headers. */
        size_t body_len, skip = delimiter.len;
        if (str_starts(left, first)) {
            body_len = 0;
            skip = first.len;
        } else {
            at = str_find(left, delimiter);
            if (at < 0)
                return err_set(err, ERR_INVALID,
                               "The form is cut off: its last boundary is "
                               "missing.");
            body_len = (size_t)at;
        }
        part.body = (struct str){ left.ptr, body_len };
        parts[count++] = part;
        left = str_skip(left, body_len + skip);
    }
    *ret_parts = parts;
    *ret_count = count;
    return true;
}
