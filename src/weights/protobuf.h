/* A walk over the fields of one protobuf message, bounds checked, without copies.
 * Only for files of this folder. Not here: what the fields mean. */
#ifndef MIMEO_WEIGHTS_PROTOBUF_H
#define MIMEO_WEIGHTS_PROTOBUF_H

#include "base/str.h"

enum protobuf_wire { PROTOBUF_VARINT, PROTOBUF_FIXED64, PROTOBUF_BYTES, PROTOBUF_FIXED32 };

struct protobuf_field {
    uint32_t number;
    enum protobuf_wire wire;
    uint64_t value;   /* PROTOBUF_VARINT */
    struct str bytes; /* PROTOBUF_BYTES, and the raw bytes of the fixed ones */
};

/* Take one field off the front of *rest. False at the end of the message, and with *ret_broken set
 * when the bytes are no protobuf. */
bool protobuf_next(struct str *rest, struct protobuf_field *ret_field, bool *ret_broken);

/* Take one varint off the front of *rest. False when there is none. */
bool protobuf_varint(struct str *rest, uint64_t *ret_value);

#endif
