/* safetensors: a u64 header length, a JSON object {name: {dtype, shape, data_offsets}}, data.
 *
 * The format's own rule that tensors leave no holes is not enforced: a hole harms nobody here, and
 * files with padding exist. Not here: shards (model.safetensors.index.json). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "weights/weights_private.h"

/* A header for WEIGHTS_COUNT_MAX tensors of ordinary names is about 10 MB; parsing costs several
 * times its size in memory. */
#define SAFETENSORS_HEADER_BYTES_MAX ((uint64_t)32 << 20)

#define SAFETENSORS_LENGTH_BYTES 8

static uint64_t header_length(struct str file)
{
    uint64_t length = 0;
    memcpy(&length, file.ptr, sizeof length);
    return length;
}

bool safetensors_matches(struct str file)
{
    if (file.len < SAFETENSORS_LENGTH_BYTES + 2 || file.ptr[SAFETENSORS_LENGTH_BYTES] != '{')
        return false;
    /* An ONNX file's first eight bytes read as a length are far beyond this. */
    return header_length(file) <= SAFETENSORS_HEADER_BYTES_MAX;
}

/* The type, and bytes per element; 0 bytes for a type this program does not know. */
static enum weight_type type_from_name(const char *name, size_t *ret_bytes)
{
    static const struct {
        const char *name;
        enum weight_type type;
        size_t bytes;
    } types[] = {
        { "F32", WEIGHT_F32, 4 },       { "F16", WEIGHT_F16, 2 },
        { "BF16", WEIGHT_BF16, 2 },     { "I64", WEIGHT_I64, 8 },
        { "U8", WEIGHT_U8, 1 },         { "F64", WEIGHT_OTHER, 8 },
        { "U64", WEIGHT_OTHER, 8 },     { "I32", WEIGHT_OTHER, 4 },
        { "U32", WEIGHT_OTHER, 4 },     { "I16", WEIGHT_OTHER, 2 },
        { "U16", WEIGHT_OTHER, 2 },     { "I8", WEIGHT_OTHER, 1 },
        { "BOOL", WEIGHT_OTHER, 1 },    { "F8_E4M3", WEIGHT_OTHER, 1 },
        { "F8_E5M2", WEIGHT_OTHER, 1 }, { "F8_E8M0", WEIGHT_OTHER, 1 },
        { "C64", WEIGHT_OTHER, 8 },
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].name, name) == 0) {
            *ret_bytes = types[i].bytes;
            return types[i].type;
        }
    *ret_bytes = 0;
    return WEIGHT_OTHER;
}

static bool entry_shape(const json_t *shape, struct weight *weight)
{
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > WEIGHT_RANK_MAX)
        return false;
    weight->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size))
            return false;
        weight->shape[i] = json_integer_value(size);
    }
    return true;
}

static bool entry_data(const json_t *offsets, struct str data, struct weight *weight)
{
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return false;
    json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin || (uint64_t)end > data.len)
        return false;
    weight->data = data.ptr ? data.ptr + begin : NULL;
    weight->bytes = (size_t)(end - begin);
    return true;
}

static bool entry_read(struct str name, const json_t *entry, struct str data,
                       struct weights *weights, struct err *err)
{
    struct weight weight = { 0 };
    size_t element_bytes = 0;
    const char *type = json_get_string(entry, "dtype");
    if (!type || !entry_shape(json_object_get(entry, "shape"), &weight))
        return err_set(err, ERR_INVALID, "The tensor \"%.*s\" has no usable type or shape.",
                       STR_FMT(name));
    if (!entry_data(json_object_get(entry, "data_offsets"), data, &weight))
        return err_set(err, ERR_INVALID, "The data of the tensor \"%.*s\" is not in the file.",
                       STR_FMT(name));
    weight.type = type_from_name(type, &element_bytes);
    return weights_add(weights, name, &weight, element_bytes, err);
}

bool safetensors_read(struct str file, struct weights *weights, struct err *err)
{
    uint64_t length = header_length(file);
    if (length > file.len - SAFETENSORS_LENGTH_BYTES)
        return err_set(err, ERR_INVALID, "The weight file ends inside its header.");
    struct str header = { file.ptr + SAFETENSORS_LENGTH_BYTES, (size_t)length };
    struct str data = str_skip(file, SAFETENSORS_LENGTH_BYTES + (size_t)length);

    json_t *table = NULL;
    if (!json_parse(str_trim(header), &table, err))
        return err_while(err, "parsing the header");
    bool ok = json_is_object(table);
    if (!ok)
        err_set(err, ERR_INVALID, "The weight file's header is not an object.");
    for (void *at = json_object_iter(table); ok && at; at = json_object_iter_next(table, at)) {
        struct str name = str_from(json_object_iter_key(at));
        if (!str_equal(name, S("__metadata__")))
            ok = entry_read(name, json_object_iter_value(at), data, weights, err);
    }
    json_decref(table);
    return ok;
}
