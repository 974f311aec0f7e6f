/* Frames: how the server and a runner cut one socket's bytes into messages.
 *
 *   bytes 0-2  "MIM"
 *   byte  3    protocol version (WIRE_PROTOCOL)
 *   bytes 4-5  type (enum wire_type), little endian
 *   bytes 6-7  zero
 *   bytes 8-11 payload length, little endian; at most the limit the decoder was given
 *   then       the payload: one JSON object
 *
 * A stream with one wrong header is broken for good: the decoder says so for ever after, and its
 * owner ends the peer. Not here: what the payloads mean (wire/message.h), sockets. */
#ifndef MIMEO_WIRE_FRAME_H
#define MIMEO_WIRE_FRAME_H

#include "base/buf.h"

struct err;

#define WIRE_PROTOCOL 1
#define WIRE_HEADER_BYTES 12
#define WIRE_EVENT_BYTES_MAX                                                                       \
    (17u << 20) /* runner to server: LIMIT_OUTPUT_JSON_BYTES and its wrapping */
#define WIRE_JOB_BYTES_MAX                                                                         \
    (66u << 20) /* server to runner: LIMIT_JSON_BODY_BYTES and its wrapping */

enum wire_type {
    /* runner to server */
    WIRE_HELLO = 1,
    WIRE_READY,
    WIRE_FAILED_TO_LOAD,
    WIRE_STARTED,
    WIRE_LOG,
    WIRE_OUTPUT_FILE,
    WIRE_OUTPUT_TEXT,
    WIRE_METRIC,
    WIRE_DONE,
    /* server to runner */
    WIRE_JOB,
    WIRE_CANCEL,
    WIRE_SHUTDOWN,
    WIRE_TYPE_END
};

struct wire_frame {
    enum wire_type type;
    struct str payload; /* borrowed from the decoder until its next call */
};

/* Bytes in, frames out. Not thread safe. */
struct wire_decoder {
    struct buf bytes;   /* received and not yet dropped */
    size_t taken;       /* of them, already given out as frames */
    size_t payload_max; /* bytes */
    bool broken;
};

void wire_decoder_init(struct wire_decoder *decoder, size_t payload_max);
void wire_decoder_done(struct wire_decoder *decoder);

/* Append received bytes. ERR_NO_MEMORY or, once broken, ERR_INVALID. */
bool wire_decoder_feed(struct wire_decoder *decoder, struct str bytes, struct err *err);

/* The next whole frame. True with *ret_complete false: more bytes are needed. False: the stream is
 * broken (ERR_INVALID). */
bool wire_decoder_next(struct wire_decoder *decoder, struct wire_frame *ret_frame,
                       bool *ret_complete, struct err *err);

/* Append one frame. False when `out` is full or the payload cannot be counted in 32 bits. */
bool wire_frame_write(enum wire_type type, struct str payload, struct buf *out);

const char *wire_type_name(enum wire_type type); /* for logs; never NULL */

#endif
