/* Messages: what server and runner say to each other, one struct per frame type.
 *
 * Decoding checks every field: its presence, type and range; a message that passes may be used
 * without further checks. Unknown fields are ignored, so that a newer peer may say more.
 * Not here: frames (wire/frame.h), what an event means to a prediction (predict/). */
#ifndef MIMEO_WIRE_MESSAGE_H
#define MIMEO_WIRE_MESSAGE_H

#include <jansson.h>
#include <stdint.h>

#include "wire/frame.h"

#define WIRE_ID_MAX 64         /* bytes of a job's id, with the final 0 */
#define WIRE_FILE_NAME_MAX 128 /* bytes of an output file's name, with the final 0 */
#define WIRE_MODELS_MAX 256    /* models in one hello */
#define WIRE_FILES_MAX 1024    /* input files in one job */
#define WIRE_SECONDS_MAX 1e9

enum wire_output { /* the form of a prediction's output */
                   WIRE_OUTPUT_ONE_FILE,
                   WIRE_OUTPUT_FILE_LIST,
                   WIRE_OUTPUT_ONE_TEXT,
                   WIRE_OUTPUT_TEXT_LIST,
                   WIRE_OUTPUT_ANY, /* an output text is JSON and is the output itself */
                   WIRE_OUTPUT_COUNT
};

enum wire_status { WIRE_SUCCEEDED, WIRE_FAILED, WIRE_CANCELED, WIRE_STATUS_COUNT };

/* Strings and values are borrowed from `json` (or, for encoding, from whoever filled the struct).
 */
struct wire_message {
    enum wire_type type;
    json_t *json;   /* owned by a decoded message; NULL when made for encoding */
    const char *id; /* the job's; in every message but hello, ready, failed_to_load, shutdown */
    union {
        struct {
            int64_t protocol;
            const json_t *models;    /* array of names this executable has */
            enum wire_output output; /* of the model it was started for */
        } hello;
        struct {
            double load_seconds;
            int64_t resident_bytes;
        } ready;
        struct {
            const char *error;
            bool final; /* starting again would fail in the same way */
        } failed_to_load;
        struct {
            struct str text; /* with its newline */
        } log;
        struct {
            const char *name; /* a plain file name in the job's folder */
            const char *content_type;
        } output_file;
        struct {
            struct str text;
        } output_text;
        struct {
            const char *name;
            double value; /* finite */
        } metric;
        struct {
            enum wire_status status;
            const char *error; /* NULL unless failed */
            double predict_seconds;
        } done;
        struct {
            const json_t *input; /* object */
            const json_t *files; /* object: input name -> local path */
            const char *folder;  /* for output files; made by the runner when needed */
            bool train;          /* a training, not a prediction; false when not said */
        } job;
    };
};

/* False: ERR_INVALID (naming type and field) or ERR_NO_MEMORY; nothing to free then. */
bool wire_message_decode(const struct wire_frame *frame, struct wire_message *ret_message,
                         struct err *err);
void wire_message_done(struct wire_message *message);

/* Append the message as one frame. False when `out` is full or memory is short; `out` is then as
 * before. */
bool wire_message_write(const struct wire_message *message, struct buf *out);

/* May this be the name of an output file? Not empty, no slash, no control character, no dot in
 * front, shorter than WIRE_FILE_NAME_MAX. */
bool wire_is_file_name(const char *name);

#endif
