/* Server-sent events: text and positions.
 *
 * Lines end with LF alone: one official client takes nothing else. A data line always has a space
 * after its colon, so that a chunk's own leading space survives. */
#include "api/stream_events.h"

#include <limits.h>
#include <string.h>

/* LF, CRLF and CR all end a line for a reader, so each becomes one here. */
static void write_data(struct str data, struct buf *out)
{
    for (;;) {
        size_t len = 0;

        while (len < data.len && data.ptr[len] != '\n' && data.ptr[len] != '\r')
            len++;
        buf_append_str(out, S("data: "));
        buf_append(out, data.ptr, len);
        buf_append_char(out, '\n');
        if (len == data.len)
            return;
        data = str_skip(data, str_starts(str_skip(data, len), S("\r\n")) ? len + 2 : len + 1);
    }
}

void stream_event_write(const struct stream_event *event, struct buf *out)
{
    buf_printf(out, "event: %s\nid: %lld:%d", event->name, (long long)event->created_s,
               event->position.outputs);
    if (event->logs)
        buf_printf(out, ".%lld", (long long)event->position.logs);
    buf_append_char(out, '\n');
    write_data(event->data, out);
    buf_append_char(out, '\n');
}

static bool parse_number(struct str text, int64_t max, int64_t *ret_number)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return str_to_int64(text, ret_number) && *ret_number <= max;
}

bool stream_event_parse_id(struct str id, struct predict_position *ret_position)
{
    struct str seconds, rest, outputs, logs;
    int64_t created_s, outputs_seen, logs_seen = 0;

    if (!str_cut(id, ':', &seconds, &rest) || !parse_number(seconds, INT64_MAX, &created_s))
        return false;
    outputs = rest;
    if (str_cut(rest, '.', &outputs, &logs) && !parse_number(logs, INT64_MAX, &logs_seen))
        return false;
    if (!parse_number(outputs, INT_MAX, &outputs_seen))
        return false;
    *ret_position = (struct predict_position){ .outputs = (int)outputs_seen, .logs = logs_seen };
    return true;
}
