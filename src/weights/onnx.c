/* ONNX: the initializers of a model's main graph, under state-dict names.
 *
 * The file is one protobuf message: model { 7: graph { 1: node..., 5: initializer... } }. Only
 * that is walked, with no recursion: graphs inside nodes (If, Loop) and node attributes are skipped
 * as bytes. Not here: running the graph, data in side files, quantised operators. */
#include <string.h>

#include "base/err.h"
#include "weights/protobuf.h"
#include "weights/weights_private.h"

enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OPERATOR = 4 };
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_INT64_DATA = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_DATA_LOCATION = 14
};

/* A tensor as the file has it. The *_data fields are packed arrays; every known writer writes each
 * as one run, so several runs are refused rather than joined. */
struct onnx_tensor {
    struct weight weight;
    struct str name;
    uint64_t type;
    struct str raw, floats, int32s, int64s;
    bool external;
};

static bool broken(struct err *err)
{
    return err_set(err, ERR_INVALID, "The ONNX file is broken or cut short.");
}

/* The graph message of a model; an empty string when there is none. */
static struct str model_graph(struct str file, bool *ret_broken)
{
    struct protobuf_field field;
    struct str graph = { NULL, 0 };
    while (protobuf_next(&file, &field, ret_broken))
        if (field.number == MODEL_GRAPH && field.wire == PROTOBUF_BYTES)
            graph = field.bytes;
    return graph;
}

bool onnx_matches(struct str file)
{
    /* Every exporter begins with the IR version, a small number. */
    struct protobuf_field field;
    bool is_broken = false;
    return protobuf_next(&file, &field, &is_broken) && field.number == MODEL_IR_VERSION &&
           field.wire == PROTOBUF_VARINT && field.value >= 1 && field.value <= 1000;
}

static enum weight_type type_from_number(uint64_t number, size_t *ret_bytes)
{
    static const struct {
        enum weight_type type;
        size_t bytes;
    } types[] = {
        [1] = { WEIGHT_F32, 4 },    [2] = { WEIGHT_U8, 1 },     [3] = { WEIGHT_OTHER, 1 },
        [4] = { WEIGHT_OTHER, 2 },  [5] = { WEIGHT_OTHER, 2 },  [6] = { WEIGHT_OTHER, 4 },
        [7] = { WEIGHT_I64, 8 },    [9] = { WEIGHT_OTHER, 1 },  [10] = { WEIGHT_F16, 2 },
        [11] = { WEIGHT_OTHER, 8 }, [12] = { WEIGHT_OTHER, 4 }, [13] = { WEIGHT_OTHER, 8 },
        [16] = { WEIGHT_BF16, 2 },
    };
    bool known = number < ARRAY_LEN(types) && types[number].bytes > 0;
    *ret_bytes = known ? types[number].bytes : 0;
    return known ? types[number].type : WEIGHT_OTHER;
}

static bool tensor_dimension(struct weight *weight, uint64_t size)
{
    if (weight->rank == WEIGHT_RANK_MAX || size > INT64_MAX)
        return false;
    weight->shape[weight->rank++] = (int64_t)size;
    return true;
}

static bool tensor_dimensions(struct weight *weight, const struct protobuf_field *field)
{
    if (field->wire == PROTOBUF_VARINT)
        return tensor_dimension(weight, field->value);
    struct str rest = field->bytes; /* the packed form of the same */
    while (rest.len > 0) {
        uint64_t size = 0;
        if (!protobuf_varint(&rest, &size) || !tensor_dimension(weight, size))
            return false;
    }
    return true;
}

static bool set_once(struct str *where, const struct protobuf_field *field)
{
    if (field->wire != PROTOBUF_BYTES || where->ptr)
        return false;
    *where = field->bytes;
    return true;
}

static bool tensor_field(struct onnx_tensor *tensor, const struct protobuf_field *field)
{
    switch (field->number) {
    case TENSOR_DIMS:
        return tensor_dimensions(&tensor->weight, field);
    case TENSOR_TYPE:
        tensor->type = field->value;
        return field->wire == PROTOBUF_VARINT;
    case TENSOR_FLOAT_DATA:
        return set_once(&tensor->floats, field);
    case TENSOR_INT32_DATA:
        return set_once(&tensor->int32s, field);
    case TENSOR_INT64_DATA:
        return set_once(&tensor->int64s, field);
    case TENSOR_NAME:
        return set_once(&tensor->name, field);
    case TENSOR_RAW_DATA:
        return set_once(&tensor->raw, field);
    case TENSOR_EXTERNAL_DATA:
        tensor->external = true;
        return true;
    case TENSOR_DATA_LOCATION:
        tensor->external = tensor->external || field->value != 0;
        return true;
    default:
        return true;
    }
}

/* Write packed varints out as an array of `element_bytes` each, in the arena. */
static bool unpack(struct str packed, size_t element_bytes, struct weights *weights,
                   struct weight *weight, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < packed.len; i++)
        count += (unsigned char)packed.ptr[i] < 0x80;
    char *values = arena_alloc(&weights->arena, count * element_bytes + 1);
    if (!values)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the weights.");
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        if (!protobuf_varint(&packed, &value))
            return broken(err);
        memcpy(values + i * element_bytes, &value, element_bytes); /* little endian: low bytes */
    }
    if (packed.len > 0)
        return broken(err);
    weight->data = values;
    weight->bytes = count * element_bytes;
    return true;
}

/* Point the weight at its values, wherever the file keeps them. */
static bool tensor_data(struct onnx_tensor *tensor, size_t element_bytes, struct weights *weights,
                        struct err *err)
{
    struct weight *weight = &tensor->weight;
    struct str in_place = tensor->raw.ptr ? tensor->raw : tensor->floats;
    if (tensor->floats.ptr && !tensor->raw.ptr && weight->type != WEIGHT_F32)
        return broken(err);
    if (!in_place.ptr && tensor->int64s.ptr && weight->type == WEIGHT_I64)
        return unpack(tensor->int64s, 8, weights, weight, err);
    if (!in_place.ptr && tensor->int32s.ptr && element_bytes >= 1 && element_bytes <= 4)
        return unpack(tensor->int32s, element_bytes, weights, weight, err);
    weight->data = in_place.ptr;
    weight->bytes = in_place.len;
    return true;
}

static bool initializer_read(struct str message, struct weights *weights, struct err *err)
{
    struct onnx_tensor tensor = { 0 };
    struct protobuf_field field;
    bool is_broken = false;
    while (protobuf_next(&message, &field, &is_broken))
        if (!tensor_field(&tensor, &field))
            return broken(err);
    if (is_broken)
        return broken(err);
    if (tensor.external)
        return err_set(err, ERR_INVALID,
                       "The ONNX file keeps its weights in other files, which is not supported.");

    size_t element_bytes = 0;
    tensor.weight.type = type_from_number(tensor.type, &element_bytes);
    if (!tensor_data(&tensor, element_bytes, weights, err))
        return false;
    /* Strings, complex numbers, doubles in typed fields: named, but not to be read. */
    if (tensor.weight.type == WEIGHT_OTHER && !tensor.weight.data)
        element_bytes = 0;
    return weights_add(weights, tensor.name, &tensor.weight, element_bytes, err);
}

/* What naming needs of a node: its operator, its first output, its second and third input. */
struct onnx_node {
    struct str operator, output, weight, bias;
};

static bool node_read(struct str message, struct onnx_node *ret_node)
{
    struct onnx_node node = { 0 };
    struct protobuf_field field;
    bool is_broken = false;
    int inputs = 0, outputs = 0;
    while (protobuf_next(&message, &field, &is_broken)) {
        if (field.wire != PROTOBUF_BYTES)
            continue;
        if (field.number == NODE_OPERATOR)
            node.operator= field.bytes;
        else if (field.number == NODE_OUTPUT && outputs++ == 0)
            node.output = field.bytes;
        else if (field.number == NODE_INPUT && inputs++ == 1)
            node.weight = field.bytes;
        else if (field.number == NODE_INPUT && inputs == 3)
            node.bias = field.bytes;
    }
    *ret_node = node;
    return !is_broken;
}

/* "/stage1/rebnconvin/conv_s1/Conv_output_0" -> "stage1.rebnconvin.conv_s1". False for an output
 * that does not say which module made it. */
static bool module_from_output(struct str output, char *ret_module, size_t size)
{
    struct str tail = S("/Conv_output_0");
    if (!str_starts(output, S("/")) || !str_ends(output, tail) || output.len <= tail.len)
        return false;
    struct str module = str_skip((struct str){ output.ptr, output.len - tail.len }, 1);
    if (module.len == 0 || !str_is_utf8(module) || memchr(module.ptr, '\0', module.len) ||
        !str_copy(module, ret_module, size))
        return false;
    for (char *c = ret_module; *c; c++)
        if (*c == '/')
            *c = '.';
    return true;
}

/* Record the new name of initializer `name`; the first node that uses it wins. */
static bool rename_initializer(struct weights *weights, struct str name, const char *module,
                               const char *what, const char **new_names, struct err *err)
{
    char text[WEIGHTS_NAME_LEN_MAX + 1];
    if (name.len == 0 || memchr(name.ptr, '\0', name.len) || !str_copy(name, text, sizeof text))
        return true;
    const struct weight *weight = weights_find(weights, text);
    if (!weight || new_names[weight - weights->items])
        return true;
    const char *new_name = arena_printf(&weights->arena, "%s.%s", module, what);
    if (!new_name)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the names of the weights.");
    new_names[weight - weights->items] = new_name;
    return true;
}

static bool node_rename(struct str message, struct weights *weights, const char **new_names,
                        struct err *err)
{
    struct onnx_node node;
    char module[WEIGHTS_NAME_LEN_MAX - sizeof ".weight"];
    if (!node_read(message, &node))
        return broken(err);
    if (!str_equal(node.operator, S("Conv")) ||
        !module_from_output(node.output, module, sizeof module))
        return true;
    return rename_initializer(weights, node.weight, module, "weight", new_names, err) &&
           rename_initializer(weights, node.bias, module, "bias", new_names, err);
}

static bool graph_rename(struct str graph, struct weights *weights, struct err *err)
{
    struct protobuf_field field;
    bool is_broken = false;
    const char **new_names = arena_alloc(&weights->arena, (weights->count + 1) * sizeof *new_names);
    if (!new_names)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the names of the weights.");
    while (protobuf_next(&graph, &field, &is_broken))
        if (field.number == GRAPH_NODE && field.wire == PROTOBUF_BYTES &&
            !node_rename(field.bytes, weights, new_names, err))
            return false;
    for (size_t i = 0; i < weights->count; i++)
        if (new_names[i])
            weights->items[i].name = new_names[i];
    return true;
}

bool onnx_read(struct str file, struct weights *weights, struct err *err)
{
    struct protobuf_field field;
    bool is_broken = false;
    struct str graph = model_graph(file, &is_broken), rest = graph;
    if (is_broken || graph.len == 0)
        return broken(err);
    while (protobuf_next(&rest, &field, &is_broken))
        if (field.number == GRAPH_INITIALIZER && field.wire == PROTOBUF_BYTES &&
            !initializer_read(field.bytes, weights, err))
            return false;
    if (is_broken)
        return broken(err);
    /* Sorted once by the file's names, so that nodes find theirs, and again under the new ones. */
    return weights_index(weights, err) && graph_rename(graph, weights, err);
}
