/* fuzz: server
 * The runner's side of the socket: any bytes in any cuts are frames and messages that can be read
 * in full and written again, or the stream is refused for good. The first byte says how to cut. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touch all that a decoded message promises, then write and read it once more. */
static void use_message(const struct wire_message *message)
{
    struct wire_decoder decoder;
    struct wire_frame frame;
    struct wire_message again;
    struct buf out;
    bool complete = false;
    if (message->id && strlen(message->id) >= WIRE_ID_MAX)
        abort();
    if (message->type == WIRE_OUTPUT_FILE && !wire_is_file_name(message->output_file.name))
        abort();
    buf_init(&out, 1 << 22);
    if (!wire_message_write(message, &out))
        abort();
    wire_decoder_init(&decoder, 1 << 22);
    if (!wire_decoder_feed(&decoder, buf_str(&out), NULL) ||
        !wire_decoder_next(&decoder, &frame, &complete, NULL) || !complete ||
        !wire_message_decode(&frame, &again, NULL))
        abort();
    if (again.type != message->type)
        abort();
    wire_message_done(&again);
    wire_decoder_done(&decoder);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_decoder decoder;
    if (size == 0)
        return 0;
    size_t step = data[0] ? data[0] : size;
    wire_decoder_init(&decoder, 1 << 16);
    for (size_t at = 1; at < size; at += step) {
        size_t len = size - at < step ? size - at : step;
        struct wire_frame frame;
        struct wire_message message;
        bool complete = true;
        if (!wire_decoder_feed(&decoder, (struct str){ (const char *)data + at, len }, NULL))
            break;
        while (wire_decoder_next(&decoder, &frame, &complete, NULL) && complete) {
            if (!wire_message_decode(&frame, &message, NULL))
                continue;
            use_message(&message);
            wire_message_done(&message);
        }
    }
    wire_decoder_done(&decoder);
    return 0;
}
