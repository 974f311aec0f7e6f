/* Messages to JSON and back. Decoding trusts nothing: see message.h. */
#include "wire/message.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

static const char *const output_names[WIRE_OUTPUT_COUNT] = {
    [WIRE_OUTPUT_ONE_FILE] = "file", [WIRE_OUTPUT_FILE_LIST] = "file_list",
    [WIRE_OUTPUT_ONE_TEXT] = "text", [WIRE_OUTPUT_TEXT_LIST] = "text_list",
    [WIRE_OUTPUT_ANY] = "any",
};

static const char *const status_names[WIRE_STATUS_COUNT] = {
    [WIRE_SUCCEEDED] = "succeeded",
    [WIRE_FAILED] = "failed",
    [WIRE_CANCELED] = "canceled",
};

/* ---- Reading fields ----------------------------------------------------------------------- */

/* What is being decoded; the first wrong field sets err and makes all later reads do nothing. */
struct reader {
    const json_t *object;
    enum wire_type type;
    struct err *err;
    bool ok;
};

static void refuse(struct reader *reader, const char *field)
{
    if (reader->ok)
        err_set(reader->err, ERR_INVALID, "The message '%s' has a missing or wrong field '%s'.",
                wire_type_name(reader->type), field);
    reader->ok = false;
}

static struct str read_text(struct reader *reader, const char *field)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_string(value)) {
        refuse(reader, field);
        return S("");
    }
    return (struct str){ json_string_value(value), json_string_length(value) };
}

/* A string without 0 bytes, of 1 (or, with may_be_empty, 0) to max - 1 bytes. */
static const char *read_string(struct reader *reader, const char *field, size_t max,
                               bool may_be_empty)
{
    struct str text = read_text(reader, field);
    if (text.len >= max || (text.len == 0 && !may_be_empty) || memchr(text.ptr, 0, text.len))
        refuse(reader, field);
    return text.ptr;
}

static int64_t read_integer(struct reader *reader, const char *field)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        refuse(reader, field);
    return json_integer_value(value);
}

static double read_number(struct reader *reader, const char *field, double min, double max)
{
    const json_t *value = json_object_get(reader->object, field);
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number) || number < min || number > max)
        refuse(reader, field);
    return number;
}

/* A boolean; false when absent. */
static bool read_flag(struct reader *reader, const char *field)
{
    const json_t *value = json_object_get(reader->object, field);
    if (value && !json_is_boolean(value))
        refuse(reader, field);
    return json_is_true(value);
}

static int read_choice(struct reader *reader, const char *field, const char *const *names,
                       int count)
{
    const char *name = json_string_value(json_object_get(reader->object, field));
    for (int i = 0; name && i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    refuse(reader, field);
    return 0;
}

static const json_t *read_names(struct reader *reader, const char *field)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_array(value) || json_array_size(value) > WIRE_MODELS_MAX)
        refuse(reader, field);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            refuse(reader, field);
    }
    return value;
}

static const json_t *read_object(struct reader *reader, const char *field, bool of_paths)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_object(value) || (of_paths && json_object_size(value) > WIRE_FILES_MAX)) {
        refuse(reader, field);
        return value;
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        if (of_paths && json_string_length(member) == 0)
            refuse(reader, field);
    }
    return value;
}

bool wire_is_file_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= WIRE_FILE_NAME_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '/' || (unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    }
    return true;
}

/* ---- Decoding ----------------------------------------------------------------------------- */

static void read_done(struct reader *reader, struct wire_message *message)
{
    message->done.status =
        (enum wire_status)read_choice(reader, "status", status_names, WIRE_STATUS_COUNT);
    message->done.predict_seconds = read_number(reader, "predict_seconds", 0, WIRE_SECONDS_MAX);
    if (message->done.status == WIRE_FAILED)
        message->done.error = read_string(reader, "error", 4096, false);
}

static void read_payload(struct reader *reader, struct wire_message *message)
{
    switch (message->type) {
    case WIRE_HELLO:
        message->hello.protocol = read_integer(reader, "protocol");
        message->hello.models = read_names(reader, "models");
        message->hello.output =
            (enum wire_output)read_choice(reader, "output", output_names, WIRE_OUTPUT_COUNT);
        break;
    case WIRE_READY:
        message->ready.load_seconds = read_number(reader, "load_seconds", 0, WIRE_SECONDS_MAX);
        message->ready.resident_bytes = read_integer(reader, "resident_bytes");
        break;
    case WIRE_FAILED_TO_LOAD:
        message->failed_to_load.error = read_string(reader, "error", 4096, false);
        message->failed_to_load.final = read_flag(reader, "final");
        break;
    case WIRE_LOG:
        message->log.text = read_text(reader, "text");
        break;
    case WIRE_OUTPUT_FILE:
        message->output_file.name = read_string(reader, "name", WIRE_FILE_NAME_MAX, false);
        message->output_file.content_type = read_string(reader, "content_type", 128, true);
        if (reader->ok && !wire_is_file_name(message->output_file.name))
            refuse(reader, "name");
        break;
    case WIRE_OUTPUT_TEXT:
        message->output_text.text = read_text(reader, "text");
        break;
    case WIRE_METRIC:
        message->metric.name = read_string(reader, "name", 64, false);
        message->metric.value = read_number(reader, "value", -HUGE_VAL, HUGE_VAL);
        break;
    case WIRE_DONE:
        read_done(reader, message);
        break;
    case WIRE_JOB:
        message->job.input = read_object(reader, "input", false);
        message->job.files = read_object(reader, "files", true);
        message->job.folder = read_string(reader, "folder", 4096, false);
        message->job.train = read_flag(reader, "train");
        break;
    case WIRE_STARTED:
    case WIRE_CANCEL:
    case WIRE_SHUTDOWN:
    case WIRE_TYPE_END:
        break;
    }
}

static bool has_id(enum wire_type type)
{
    return type != WIRE_HELLO && type != WIRE_READY && type != WIRE_FAILED_TO_LOAD &&
           type != WIRE_SHUTDOWN;
}

bool wire_message_decode(const struct wire_frame *frame, struct wire_message *ret_message,
                         struct err *err)
{
    json_t *json;
    if (!json_parse(frame->payload, &json, err))
        return err_while(err, "decoding the message '%s'", wire_type_name(frame->type));
    struct wire_message message = { .type = frame->type, .json = json };
    struct reader reader = { .object = json, .type = frame->type, .err = err, .ok = true };
    if (!json_is_object(json))
        refuse(&reader, "");
    if (has_id(frame->type))
        message.id = read_string(&reader, "id", WIRE_ID_MAX, false);
    read_payload(&reader, &message);
    if (!reader.ok) {
        json_decref(json);
        return false;
    }
    *ret_message = message;
    return true;
}

void wire_message_done(struct wire_message *message)
{
    json_decref(message->json);
    message->json = NULL;
}

/* ---- Encoding ----------------------------------------------------------------------------- */

/* Text from a model may be any bytes; JSON may not: what is no UTF-8 becomes U+FFFD, a zero byte
 * (which the parser on the other side refuses) a space. */
static json_t *pack_repaired(struct str text)
{
    struct buf copy, literal;
    json_t *value = NULL;
    buf_init(&copy, text.len);
    buf_init(&literal, text.len * 6 + 2);
    bool ok = buf_append_str(&copy, text);
    for (size_t i = 0; ok && i < copy.len; i++) {
        if (copy.ptr[i] == '\0')
            copy.ptr[i] = ' ';
    }
    if (ok && json_write_string(buf_str(&copy), &literal))
        value = json_loadb(literal.ptr, literal.len, JSON_DECODE_ANY, NULL);
    buf_done(&literal);
    buf_done(&copy);
    return value;
}

static json_t *pack_text(struct str text)
{
    if (text.len == 0)
        return json_string("");
    if (str_is_utf8(text) && !memchr(text.ptr, 0, text.len))
        return json_stringn_nocheck(text.ptr, text.len);
    return pack_repaired(text);
}

static json_t *pack(const struct wire_message *m)
{
    switch (m->type) {
    case WIRE_HELLO:
        return json_pack("{s:I, s:O, s:s}", "protocol", (json_int_t)m->hello.protocol, "models",
                         m->hello.models, "output", output_names[m->hello.output]);
    case WIRE_READY:
        return json_pack("{s:f, s:I}", "load_seconds", m->ready.load_seconds, "resident_bytes",
                         (json_int_t)m->ready.resident_bytes);
    case WIRE_FAILED_TO_LOAD:
        return json_pack("{s:o, s:b}", "error", pack_text(str_from(m->failed_to_load.error)),
                         "final", m->failed_to_load.final);
    case WIRE_LOG:
        return json_pack("{s:s, s:o}", "id", m->id, "text", pack_text(m->log.text));
    case WIRE_OUTPUT_FILE:
        return json_pack("{s:s, s:s, s:s}", "id", m->id, "name", m->output_file.name,
                         "content_type", m->output_file.content_type);
    case WIRE_OUTPUT_TEXT:
        return json_pack("{s:s, s:o}", "id", m->id, "text", pack_text(m->output_text.text));
    case WIRE_METRIC:
        return json_pack("{s:s, s:s, s:f}", "id", m->id, "name", m->metric.name, "value",
                         m->metric.value);
    case WIRE_DONE:
        return json_pack("{s:s, s:s, s:o*, s:f}", "id", m->id, "status",
                         status_names[m->done.status], "error",
                         m->done.error ? pack_text(str_from(m->done.error)) : NULL,
                         "predict_seconds", m->done.predict_seconds);
    case WIRE_JOB:
        return json_pack("{s:s, s:O, s:O, s:s, s:b}", "id", m->id, "input", m->job.input, "files",
                         m->job.files, "folder", m->job.folder, "train", m->job.train);
    case WIRE_STARTED:
    case WIRE_CANCEL:
        return json_pack("{s:s}", "id", m->id);
    case WIRE_SHUTDOWN:
    case WIRE_TYPE_END:
        break;
    }
    return json_object();
}

bool wire_message_write(const struct wire_message *message, struct buf *out)
{
    json_t *json = pack(message);
    struct buf payload;
    buf_init(&payload, WIRE_JOB_BYTES_MAX);
    bool ok = json && json_write(json, false, &payload) &&
              wire_frame_write(message->type, buf_str(&payload), out);
    buf_done(&payload);
    json_decref(json);
    return ok;
}
