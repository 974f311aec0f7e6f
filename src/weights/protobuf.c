#include "weights/protobuf.h"

#define VARINT_BYTES_MAX 10

bool protobuf_varint(struct str *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->len && i < VARINT_BYTES_MAX; i++) {
        unsigned char byte = (unsigned char)rest->ptr[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            *rest = str_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static bool take(struct str *rest, uint64_t len, struct str *ret_bytes)
{
    if (len > rest->len)
        return false;
    *ret_bytes = (struct str){ rest->ptr, (size_t)len };
    *rest = str_skip(*rest, (size_t)len);
    return true;
}

static bool field_read(struct str *rest, struct protobuf_field *field)
{
    uint64_t key = 0, len = 0;
    if (!protobuf_varint(rest, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
        return false;
    field->number = (uint32_t)(key >> 3);
    switch (key & 7) {
    case 0:
        field->wire = PROTOBUF_VARINT;
        return protobuf_varint(rest, &field->value);
    case 1:
        field->wire = PROTOBUF_FIXED64;
        return take(rest, 8, &field->bytes);
    case 2:
        field->wire = PROTOBUF_BYTES;
        return protobuf_varint(rest, &len) && take(rest, len, &field->bytes);
    case 5:
        field->wire = PROTOBUF_FIXED32;
        return take(rest, 4, &field->bytes);
    default: /* groups ended with proto2's first years; no ONNX file has them */
        return false;
    }
}

bool protobuf_next(struct str *rest, struct protobuf_field *ret_field, bool *ret_broken)
{
    struct protobuf_field field = { 0 };
    if (rest->len == 0)
        return false;
    if (!field_read(rest, &field)) {
        *ret_broken = true;
        return false;
    }
    *ret_field = field;
    return true;
}
