/* Bounded logs: a fixed head, and a tail that loses its oldest bytes in steps. */
#include "predict/logs.h"

#include <string.h>

#include "domain/limits.h"

#define HEAD_BYTES (LIMIT_LOGS_BYTES / 4)
#define DROP_BYTES (LIMIT_LOGS_BYTES / 4) /* at once, so that moving the rest is rare */
#define NOTE_BYTES 64

void logs_init(struct logs *logs)
{
    *logs = (struct logs){ 0 };
    buf_init(&logs->text, LIMIT_LOGS_BYTES - NOTE_BYTES);
}

void logs_done(struct logs *logs)
{
    buf_done(&logs->text);
}

/* Make room by leaving out what comes right after the head. */
static void drop_middle(struct logs *logs)
{
    size_t len = logs->text.len, from = HEAD_BYTES, to = HEAD_BYTES + DROP_BYTES;
    /* Whole UTF-8 characters on both sides of the cut. */
    while (from > 0 && ((unsigned char)logs->text.ptr[from] & 0xc0) == 0x80)
        from--;
    while (to < len && ((unsigned char)logs->text.ptr[to] & 0xc0) == 0x80)
        to++;
    memmove(logs->text.ptr + from, logs->text.ptr + to, len - to);
    logs->text.len = len - (to - from);
    logs->dropped += to - from;
}

void logs_append(struct logs *logs, struct str bytes)
{
    logs->total += bytes.len;
    while (bytes.len > 0) {
        struct str piece = { bytes.ptr, bytes.len < DROP_BYTES ? bytes.len : DROP_BYTES };
        if (logs->text.len + piece.len > logs->text.max)
            drop_middle(logs);
        size_t at = logs->text.len;
        if (!buf_append_str(&logs->text, piece)) {
            logs->text.failed = false; /* no memory: these bytes are left out */
            logs->dropped += piece.len;
            return;
        }
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
    if (logs->dropped == 0 || all.len < HEAD_BYTES)
        return buf_append_str(out, all);
    size_t head = HEAD_BYTES;
    while (head > 0 && ((unsigned char)all.ptr[head] & 0xc0) == 0x80)
        head--;
    return buf_append(out, all.ptr, head) &&
           buf_printf(out, "\n[... %zu bytes left out ...]\n", logs->dropped) &&
           buf_append_str(out, str_skip(all, head));
}
