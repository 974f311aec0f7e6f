/* Frames on a byte stream; the layout stands in frame.h. */
#include "wire/frame.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"

static const char magic[3] = { 'M', 'I', 'M' };

static const char *const type_names[WIRE_TYPE_END] = {
    [WIRE_HELLO] = "hello",
    [WIRE_READY] = "ready",
    [WIRE_FAILED_TO_LOAD] = "failed_to_load",
    [WIRE_STARTED] = "started",
    [WIRE_LOG] = "log",
    [WIRE_OUTPUT_FILE] = "output_file",
    [WIRE_OUTPUT_TEXT] = "output_text",
    [WIRE_METRIC] = "metric",
    [WIRE_DONE] = "done",
    [WIRE_JOB] = "job",
    [WIRE_CANCEL] = "cancel",
    [WIRE_SHUTDOWN] = "shutdown",
};

const char *wire_type_name(enum wire_type type)
{
    const char *name = (unsigned)type < WIRE_TYPE_END ? type_names[type] : NULL;
    return name ? name : "unknown";
}

void wire_decoder_init(struct wire_decoder *decoder, size_t payload_max)
{
    *decoder = (struct wire_decoder){ .payload_max = payload_max };
    /* One whole frame and one read of the next. */
    buf_init(&decoder->bytes, payload_max + WIRE_HEADER_BYTES + (1u << 20));
}

void wire_decoder_done(struct wire_decoder *decoder)
{
    buf_done(&decoder->bytes);
}

/* Forget what was given out, so that the buffer holds at most one frame and a bit. */
static void drop_taken(struct wire_decoder *decoder)
{
    struct buf *bytes = &decoder->bytes;
    if (decoder->taken == 0)
        return;
    size_t left = bytes->len - decoder->taken;
    if (left == 0 && bytes->capacity > (1u << 20)) {
        buf_done(bytes); /* one huge frame shall not hold its memory until the runner ends */
    } else {
        memmove(bytes->ptr, bytes->ptr + decoder->taken, left);
        bytes->len = left;
    }
    decoder->taken = 0;
}

bool wire_decoder_feed(struct wire_decoder *decoder, struct str bytes, struct err *err)
{
    if (decoder->broken)
        return err_set(err, ERR_INVALID, "The frame stream is broken.");
    drop_taken(decoder);
    if (!buf_append_str(&decoder->bytes, bytes))
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a frame.");
    return true;
}

static bool broken(struct wire_decoder *decoder, struct err *err, const char *why)
{
    decoder->broken = true;
    return err_set(err, ERR_INVALID, "The frame stream is broken: %s.", why);
}

bool wire_decoder_next(struct wire_decoder *decoder, struct wire_frame *ret_frame,
                       bool *ret_complete, struct err *err)
{
    if (decoder->broken)
        return broken(decoder, err, "an earlier frame was wrong");
    struct str rest = str_skip(buf_str(&decoder->bytes), decoder->taken);
    if (rest.len < WIRE_HEADER_BYTES) {
        *ret_complete = false;
        return true;
    }
    const unsigned char *head = (const unsigned char *)rest.ptr;
    if (memcmp(head, magic, sizeof magic) != 0)
        return broken(decoder, err, "wrong magic");
    if (head[3] != WIRE_PROTOCOL)
        return broken(decoder, err, "another protocol version");
    unsigned type = head[4] | (unsigned)head[5] << 8;
    if (type == 0 || type >= WIRE_TYPE_END || head[6] || head[7])
        return broken(decoder, err, "unknown type");
    size_t len = head[8] | (size_t)head[9] << 8 | (size_t)head[10] << 16 | (size_t)head[11] << 24;
    if (len > decoder->payload_max)
        return broken(decoder, err, "payload over the limit");
    if (rest.len - WIRE_HEADER_BYTES < len) {
        *ret_complete = false;
        return true;
    }
    *ret_frame = (struct wire_frame){
        .type = (enum wire_type)type,
        .payload = { rest.ptr + WIRE_HEADER_BYTES, len },
    };
    decoder->taken += WIRE_HEADER_BYTES + len;
    *ret_complete = true;
    return true;
}

bool wire_frame_write(enum wire_type type, struct str payload, struct buf *out)
{
    if (payload.len > UINT32_MAX || !buf_reserve(out, WIRE_HEADER_BYTES + payload.len))
        return false;
    unsigned len = (unsigned)payload.len;
    const unsigned char head[WIRE_HEADER_BYTES] = {
        'M',
        'I',
        'M',
        WIRE_PROTOCOL,
        (unsigned char)((unsigned)type & 0xff),
        (unsigned char)((unsigned)type >> 8),
        0,
        0,
        (unsigned char)(len & 0xff),
        (unsigned char)(len >> 8 & 0xff),
        (unsigned char)(len >> 16 & 0xff),
        (unsigned char)(len >> 24 & 0xff),
    };
    return buf_append(out, head, sizeof head) && buf_append_str(out, payload);
}
