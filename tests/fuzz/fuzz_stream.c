/* fuzz: server
 * Tokens and event ids of streams, and what becomes of any data in an event: no line of it can be
 * taken for a field of another kind. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/stream_events.h"
#include "api/stream_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(struct str text)
{
    struct stream_event event = { .name = "output", .data = text, .created_s = 1 };
    struct str rest, line;
    struct buf out;

    buf_init(&out, 16 * text.len + 256);
    stream_event_write(&event, &out);
    if (out.failed || !str_ends(buf_str(&out), S("\n\n")) || memchr(out.ptr, '\r', out.len))
        abort();
    rest = str_skip(buf_str(&out), strlen("event: output\nid: 1:0\n"));
    while (str_cut(rest, '\n', &line, &rest) && line.len > 0)
        if (!str_starts(line, S("data: ")))
            abort();
    if (rest.len > 0)
        abort();
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    struct predict_position position;
    char id[ID_PREDICTION_LEN + 1];

    if (stream_link_parse(S("a secret nobody knows"), text, id))
        abort();
    if (stream_event_parse_id(text, &position) && (position.outputs < 0 || position.logs < 0))
        abort();
    check_event(text);
    return 0;
}
