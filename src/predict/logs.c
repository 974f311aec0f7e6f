/* Bounded logs: a fixed head, and a tail that loses its oldest bytes in steps. */
#include "predict/logs.h"

#include <string.h>

#include "domain/limits.h"

#define HEAD_BYTES (LIMIT_LOGS_BYTES / 4)
#define DROP_BYTES (LIMIT_LOGS_BYTES / 4) /* at once, so that moving the rest is rare */
#define NOTE_BYTES 64
#define NOTE_BEGIN "\n[... "
#define NOTE_END " bytes left out ...]\n"
#define CHARACTER_MAX 4 /* bytes of one in UTF-8 */

void logs_init(struct logs *logs)
{
    *logs = (struct logs){ 0 };
    buf_init(&logs->text, LIMIT_LOGS_BYTES - NOTE_BYTES);
}

void logs_done(struct logs *logs)
{
    buf_done(&logs->text);
}

static bool continues(char c) /* is it in the midst of a UTF-8 character? */
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where the character at `at` begins. What is no UTF-8 is cut anywhere. */
static size_t character_begin(const char *text, size_t at)
{
    size_t begin = at;
    while (begin > 0 && at - begin < CHARACTER_MAX && continues(text[begin]))
        begin--;
    return at - begin < CHARACTER_MAX ? begin : at;
}

/* Make room by leaving out what comes right after the head. Whole characters on both sides. */
static void drop_middle(struct logs *logs)
{
    size_t len = logs->text.len;
    if (logs->dropped == 0)
        logs->head = character_begin(logs->text.ptr, HEAD_BYTES);
    size_t from = logs->head, to = from + DROP_BYTES;
    for (int i = 0; i < CHARACTER_MAX && to < len && continues(logs->text.ptr[to]); i++)
        to++;
    memmove(logs->text.ptr + from, logs->text.ptr + to, len - to);
    logs->text.len = len - (to - from);
    logs->dropped += to - from;
}

void logs_append(struct logs *logs, struct str bytes)
{
    while (bytes.len > 0) {
        struct str piece = { bytes.ptr, bytes.len < DROP_BYTES ? bytes.len : DROP_BYTES };
        if (logs->text.len + piece.len > logs->text.max)
            drop_middle(logs);
        size_t at = logs->text.len;
        if (!buf_append_str(&logs->text, piece)) {
            logs->text.failed = false; /* no memory: these bytes were never there */
            return;
        }
        logs->total += piece.len;
        for (; at < logs->text.len; at++) {
            if (logs->text.ptr[at] == '\0')
                logs->text.ptr[at] = ' ';
            else if (logs->text.ptr[at] == '\r')
                logs->text.ptr[at] = '\n';
        }
        bytes = str_skip(bytes, piece.len);
    }
}

bool logs_write(const struct logs *logs, struct buf *out)
{
    struct str all = buf_str(&logs->text);
    if (logs->dropped == 0)
        return buf_append_str(out, all);
    return buf_append(out, all.ptr, logs->head) &&
           buf_printf(out, NOTE_BEGIN "%zu" NOTE_END, logs->dropped) &&
           buf_append_str(out, str_skip(all, logs->head));
}

/* ---- Reading on from a position ------------------------------------------------------------ */

struct logs_view logs_view(const struct logs *logs)
{
    struct str all = buf_str(&logs->text);
    if (logs->dropped == 0)
        return (struct logs_view){ .head = all };
    return (struct logs_view){ .head = { all.ptr, logs->head },
                               .tail = str_skip(all, logs->head),
                               .tail_at = (int64_t)(logs->head + logs->dropped) };
}

/* Does the note stand at the begin of the text? *ret_rest is what follows it. */
static bool read_note(struct str text, int64_t *ret_dropped, struct str *ret_rest)
{
    struct str digits;
    if (!str_starts(text, S(NOTE_BEGIN)))
        return false;
    text = str_skip(text, strlen(NOTE_BEGIN));
    if (!str_cut(text, ' ', &digits, ret_rest) || !str_to_int64(digits, ret_dropped) ||
        *ret_dropped <= 0 || !str_starts(*ret_rest, str_skip(S(NOTE_END), 1)))
        return false;
    *ret_rest = str_skip(*ret_rest, strlen(NOTE_END) - 1);
    return true;
}

/* The note stands where drop_middle has cut, and only there is it ours. */
struct logs_view logs_view_written(struct str text)
{
    struct str rest;
    int64_t dropped;
    for (size_t head = HEAD_BYTES; head > HEAD_BYTES - CHARACTER_MAX; head--) {
        if (text.len > head && read_note(str_skip(text, head), &dropped, &rest))
            return (struct logs_view){ .head = { text.ptr, head },
                                       .tail = rest,
                                       .tail_at = (int64_t)head + dropped };
    }
    return (struct logs_view){ .head = text };
}

struct str logs_read(const struct logs_view *view, int64_t from, size_t limit, int64_t *ret_next,
                     bool *ret_more)
{
    int64_t at = from < 0 ? 0 : from;
    bool in_head = at < (int64_t)view->head.len || view->tail.len == 0;
    if (!in_head && at < view->tail_at)
        at = view->tail_at;
    struct str piece = in_head ? view->head : view->tail;
    int64_t offset = at - (in_head ? 0 : view->tail_at);
    piece = offset < (int64_t)piece.len ? str_skip(piece, (size_t)offset) : S("");
    size_t len = piece.len;
    if (len > limit) {
        len = character_begin(piece.ptr, limit);
        len = len > 0 ? len : limit;
    }
    *ret_next = at + (int64_t)len;
    *ret_more = len < piece.len || (in_head && view->tail.len > 0);
    return (struct str){ piece.ptr, len };
}
