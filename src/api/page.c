/* Pages of a list: opaque cursors in, links to the next and the previous page out.
 *
 * A cursor is a position (time and id of the item next to it), so a page stays right while items
 * are added. It is base64 of a small text; clients must not look inside. */
#include "api/page.h"

#include <inttypes.h>
#include <string.h>

#include "api/problem.h"
#include "base/base64.h"
#include "base/json.h"
#include "http/server.h"

#define PAGE_LINK_BYTES 8192 /* a link with all it repeats */

void page_cursor_write(const struct page_cursor *cursor, char ret_text[PAGE_CURSOR_SIZE])
{
    struct buf plain, text;

    buf_init(&plain, PAGE_CURSOR_SIZE);
    buf_init(&text, PAGE_CURSOR_SIZE);
    buf_printf(&plain, "%s%" PRId64 ",%s", cursor->newer ? "-" : "", cursor->position.created_us,
               cursor->position.id);
    base64_encode(buf_str(&plain), BASE64_URL, &text);
    str_copy(buf_str(&text), ret_text, PAGE_CURSOR_SIZE);
    buf_done(&plain);
    buf_done(&text);
}

bool page_cursor_parse(struct str text, struct page_cursor *ret_cursor)
{
    struct page_cursor cursor = { .newer = false };
    struct str number, id;
    struct buf plain;
    bool ok;

    buf_init(&plain, PAGE_CURSOR_SIZE);
    ok = text.len < PAGE_CURSOR_SIZE && base64_decode(text, BASE64_URL, &plain) &&
         str_cut(buf_str(&plain), ',', &number, &id);
    if (ok && str_starts(number, S("-"))) {
        cursor.newer = true;
        number = str_skip(number, 1);
    }
    ok = ok && str_to_int64(number, &cursor.position.created_us) &&
         cursor.position.created_us > 0 &&
         str_copy(id, cursor.position.id, sizeof(cursor.position.id));
    buf_done(&plain);
    if (ok)
        *ret_cursor = cursor;
    return ok;
}

bool page_cursor_read(struct http_call *call, struct page_cursor *ret_cursor)
{
    const char *text = http_query(call, "cursor");

    *ret_cursor = (struct page_cursor){ .newer = false };
    if (!text || !*text || page_cursor_parse(str_from(text), ret_cursor))
        return true;
    problem_reply_detail(call, 400, "Bad request", "Invalid cursor");
    return false;
}

static void append_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
            (*text >= 'A' && *text <= 'Z') || strchr("-._~", *text))
            buf_append_char(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

static void write_link(struct http_call *call, const char *path, const char *const *keep,
                       const struct page_cursor *cursor, struct buf *out)
{
    char text[PAGE_CURSOR_SIZE];
    struct buf link;

    if (!cursor) {
        buf_append_str(out, S("null"));
        return;
    }
    page_cursor_write(cursor, text);
    buf_init(&link, PAGE_LINK_BYTES);
    buf_printf(&link, "%s%s?cursor=%s", http_base_url(call), path, text);
    for (; keep && *keep; keep++) {
        const char *value = http_query(call, *keep);

        if (!value)
            continue;
        buf_printf(&link, "&%s=", *keep);
        append_escaped(&link, value);
    }
    if (link.failed)
        buf_append_str(out, S("null"));
    else
        json_write_string(buf_str(&link), out);
    buf_done(&link);
}

void page_open(struct http_call *call, const char *path, const char *const *keep,
               const struct page_cursor *next, const struct page_cursor *previous, struct buf *out)
{
    buf_append_str(out, S("{\"next\":"));
    write_link(call, path, keep, next, out);
    buf_append_str(out, S(",\"previous\":"));
    write_link(call, path, keep, previous, out);
    buf_append_str(out, S(",\"results\":["));
}

void page_close(struct buf *out)
{
    buf_append_str(out, S("]}"));
}
