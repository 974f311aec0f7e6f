/* ncnn: a network as text (.param), its numbers in another file (.bin) in the order of the text.
 *
 * The text is a magic number, "LAYERS BLOBS", then a line per layer: its type, its name, how many
 * blobs go in and come out, their names, and "ID=VALUE" parameters that say how many numbers the
 * layer has in the .bin. The .bin has no lengths of its own, so a layer that this file misreads
 * would shift all that follows: an unknown type is an error, and the .bin must be used up exactly.
 * Quantised numbers are refused. Not here: what the layers compute and how they are connected, the
 * binary form of the text (.param.bin).
 * The names and shapes are torch's but for a transposed convolution, which ncnn keeps as
 * [out][in / groups]. */
#include <string.h>

#include "base/err.h"
#include "weights/weights_private.h"

#define NCNN_MAGIC "7767517"

/* Numbers of one blob; no layer has more than this, and sizes in bytes cannot overflow. */
#define NCNN_NUMBERS_MAX ((int64_t)1 << 31)

/* Parameters that are whole numbers, by id; no layer with weights has a meaningful id beyond. */
#define NCNN_PARAMETERS 32

/* The first four bytes of a tagged blob. */
#define NCNN_TAG_F32 0x00000000u
#define NCNN_TAG_F16 0x01306b47u
#define NCNN_TAG_RAW 0x0002c056u /* f32 too */

struct ncnn_layer {
    struct str type, name;
    int64_t parameters[NCNN_PARAMETERS];
    bool given[NCNN_PARAMETERS];
};

struct ncnn_reader {
    struct weights *weights;
    struct str bin; /* what is left of it */
    struct ncnn_layer layer;
    struct err *err;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of the text; empty at its end. */
static struct str next_word(struct str *rest)
{
    size_t start = 0, end;
    while (start < rest->len && is_space(rest->ptr[start]))
        start++;
    for (end = start; end < rest->len && !is_space(rest->ptr[end]); end++) {
    }
    struct str word = str_skip(*rest, start);
    word.len = end - start;
    *rest = str_skip(*rest, end);
    return word;
}

/* The next line with something on it, taken off *rest. */
static bool next_line(struct str *rest, struct str *ret_line)
{
    while (rest->len > 0) {
        struct str line = *rest, tail = { NULL, 0 };
        (void)str_cut(*rest, '\n', &line, &tail);
        *rest = tail;
        *ret_line = str_trim(line);
        if (ret_line->len > 0)
            return true;
    }
    return false;
}

bool ncnn_matches(struct str file)
{
    struct str rest = { file.ptr, file.len < 64 ? file.len : 64 };
    return rest.len > 0 && str_equal(next_word(&rest), S(NCNN_MAGIC));
}

/* Reading one layer's numbers. */

/* Words of the file have any length: cut them so that the sentence has its end. */
static struct str shown(struct str word)
{
    return (struct str){ word.ptr, word.len < 80 ? word.len : 80 };
}

static bool layer_error(struct ncnn_reader *reader, const char *what)
{
    const struct str name = shown(reader->layer.name), type = shown(reader->layer.type);
    return err_set(reader->err, ERR_INVALID, "The layer \"%.*s\" (%.*s) of the ncnn file %s.",
                   STR_FMT(name), STR_FMT(type), what);
}

static int64_t parameter(const struct ncnn_reader *reader, int id, int64_t otherwise)
{
    return reader->layer.given[id] ? reader->layer.parameters[id] : otherwise;
}

/* A parameter that counts something; 0 when it is unusable. */
static int64_t parameter_count(const struct ncnn_reader *reader, int id, int64_t otherwise)
{
    int64_t value = parameter(reader, id, otherwise);
    return value > 0 && value <= NCNN_NUMBERS_MAX ? value : 0;
}

static bool take(struct ncnn_reader *reader, size_t len, const void **ret_bytes)
{
    if (len > reader->bin.len)
        return layer_error(reader, "needs more numbers than the .bin file has");
    *ret_bytes = reader->bin.ptr;
    reader->bin = str_skip(reader->bin, len);
    return true;
}

static bool add(struct ncnn_reader *reader, const char *what, struct weight *weight,
                size_t element_bytes)
{
    char name[WEIGHTS_NAME_LEN_MAX + 1];
    size_t len = reader->layer.name.len, what_len = strlen(what);
    if (len + 1 + what_len > WEIGHTS_NAME_LEN_MAX)
        return err_set(reader->err, ERR_INVALID, "The ncnn file has a layer with too long a name.");
    memcpy(name, reader->layer.name.ptr, len);
    name[len] = '.';
    memcpy(name + len + 1, what, what_len);
    return weights_add(reader->weights, (struct str){ name, len + 1 + what_len }, weight,
                       element_bytes, reader->err);
}

/* f32 numbers without a tag: biases, slopes, norms. */
static bool add_raw(struct ncnn_reader *reader, const char *what, int64_t count)
{
    struct weight weight = { .type = WEIGHT_F32, .rank = 1, .shape = { count } };
    if (count == 0)
        return layer_error(reader, "has no usable size");
    weight.bytes = (size_t)count * 4;
    return take(reader, weight.bytes, &weight.data) && add(reader, what, &weight, 4);
}

/* A blob with a tag, which says how its numbers are written. */
static bool add_tagged(struct ncnn_reader *reader, int rank, const int64_t *shape, int64_t count)
{
    struct weight weight = { .type = WEIGHT_F32, .rank = rank };
    const void *bytes = NULL;
    uint32_t tag = 0;
    memcpy(weight.shape, shape, (size_t)rank * sizeof *shape);
    if (!take(reader, sizeof tag, &bytes))
        return false;
    memcpy(&tag, bytes, sizeof tag);
    size_t element_bytes = tag == NCNN_TAG_F16 ? 2 : 4;
    if (tag == NCNN_TAG_F16)
        weight.type = WEIGHT_F16;
    else if (tag != NCNN_TAG_F32 && tag != NCNN_TAG_RAW)
        return layer_error(reader, "is quantised, which is not supported");
    weight.bytes = (size_t)count * element_bytes;
    return take(reader, (weight.bytes + 3) / 4 * 4, &weight.data) && /* padded to 4 bytes */
           add(reader, "weight", &weight, element_bytes);
}

/* Weights [out][inner][height][width] (rank 2: [out][inner]) whose total the file says, and a bias
 * of as many numbers as outputs. */
static bool add_filter(struct ncnn_reader *reader, int rank, int64_t height, int64_t width,
                       int64_t total, bool bias)
{
    int64_t out = parameter_count(reader, 0, 0);
    if (out == 0 || height == 0 || width == 0 || total == 0 || height > total / width ||
        out > total / (height * width) || total % (out * height * width) != 0)
        return layer_error(reader, "has no usable size");
    const int64_t shape[4] = { out, total / (out * height * width), height, width };
    return add_tagged(reader, rank, shape, total) && (!bias || add_raw(reader, "bias", out));
}

/* 0 outputs, 1 kernel width, 11 its height, 5 bias, 6 how many weights, 8 quantised, 19 the weights
 * are another layer's output. */
static bool read_convolution(struct ncnn_reader *reader)
{
    int64_t width = parameter_count(reader, 1, 0);
    if (parameter(reader, 8, 0) != 0)
        return layer_error(reader, "is quantised, which is not supported");
    if (parameter(reader, 19, 0) != 0)
        return true;
    return add_filter(reader, 4, parameter_count(reader, 11, width), width,
                      parameter_count(reader, 6, 0), parameter(reader, 5, 0) != 0);
}

/* 0 outputs, 1 bias, 2 how many weights, 8 quantised. */
static bool read_inner_product(struct ncnn_reader *reader)
{
    if (parameter(reader, 8, 0) != 0)
        return layer_error(reader, "is quantised, which is not supported");
    return add_filter(reader, 2, 1, 1, parameter_count(reader, 2, 0), parameter(reader, 1, 0) != 0);
}

static bool read_prelu(struct ncnn_reader *reader)
{
    return add_raw(reader, "slope", parameter_count(reader, 0, 0));
}

static bool read_batch_norm(struct ncnn_reader *reader)
{
    int64_t channels = parameter_count(reader, 0, 0);
    return add_raw(reader, "weight", channels) && add_raw(reader, "running_mean", channels) &&
           add_raw(reader, "running_var", channels) && add_raw(reader, "bias", channels);
}

/* 0 channels (-233: the scale is another layer's output), 1 bias. */
static bool read_scale(struct ncnn_reader *reader)
{
    int64_t channels = parameter_count(reader, 0, 0);
    if (parameter(reader, 0, 0) == -233)
        return true;
    return add_raw(reader, "weight", channels) &&
           (parameter(reader, 1, 0) == 0 || add_raw(reader, "bias", channels));
}

typedef bool ncnn_read_layer(struct ncnn_reader *reader);

static ncnn_read_layer *layer_reader(struct str type)
{
    static const struct {
        const char *type;
        ncnn_read_layer *read;
    } readers[] = {
        { "Convolution", read_convolution },    { "ConvolutionDepthWise", read_convolution },
        { "Deconvolution", read_convolution },  { "DeconvolutionDepthWise", read_convolution },
        { "InnerProduct", read_inner_product }, { "PReLU", read_prelu },
        { "BatchNorm", read_batch_norm },       { "Scale", read_scale },
    };
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (str_equal(type, str_from(readers[i].type)))
            return readers[i].read;
    return NULL;
}

/* Types that have no numbers in the .bin. */
static bool is_weightless(struct str type)
{
    static const char *const types[] = {
        "AbsVal",  "ArgMax",    "BinaryOp",  "BNLL",         "Cast",        "CELU",
        "Clip",    "Concat",    "Crop",      "DeepCopy",     "Dropout",     "Eltwise",
        "ELU",     "Exp",       "Flatten",   "GELU",         "HardSigmoid", "HardSwish",
        "Input",   "Interp",    "Log",       "LRN",          "Mish",        "Noop",
        "Packing", "Padding",   "Permute",   "PixelShuffle", "Pooling",     "Power",
        "ReLU",    "Reduction", "Reorg",     "Reshape",      "SELU",        "ShuffleChannel",
        "Sigmoid", "Slice",     "Softmax",   "Softplus",     "Split",       "Squeeze",
        "Swish",   "TanH",      "Threshold", "UnaryOp",      "ExpandDims",
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_equal(type, str_from(types[i])))
            return true;
    return false;
}

/* "6=1728". Only whole numbers are kept: nothing else says how much a layer has. */
static bool parse_parameter(struct str word, struct ncnn_layer *layer)
{
    struct str key, value;
    int64_t id = 0, number = 0;
    if (!str_cut(word, '=', &key, &value) || !str_to_int64(key, &id))
        return false;
    if (id >= 0 && id < NCNN_PARAMETERS && str_to_int64(value, &number)) {
        layer->parameters[id] = number;
        layer->given[id] = true;
    }
    return true;
}

static bool parse_layer(struct str line, struct ncnn_layer *layer)
{
    int64_t inputs = 0, outputs = 0;
    memset(layer, 0, sizeof *layer);
    layer->type = next_word(&line);
    layer->name = next_word(&line);
    if (!str_to_int64(next_word(&line), &inputs) || !str_to_int64(next_word(&line), &outputs) ||
        inputs < 0 || outputs < 0)
        return false;
    for (int64_t i = inputs; i > 0; i--)
        if (next_word(&line).len == 0)
            return false;
    for (int64_t i = outputs; i > 0; i--)
        if (next_word(&line).len == 0)
            return false;
    for (struct str word; (word = next_word(&line)).len > 0;)
        if (!parse_parameter(word, layer))
            return false;
    return true;
}

static bool read_layer(struct ncnn_reader *reader, struct str line)
{
    if (!parse_layer(line, &reader->layer))
        return err_set(reader->err, ERR_INVALID, "A line of the ncnn file describes no layer.");
    ncnn_read_layer *read = layer_reader(reader->layer.type);
    if (read)
        return read(reader);
    return is_weightless(reader->layer.type) ||
           layer_error(reader, "is of a type that is not supported");
}

bool ncnn_read(struct str param, struct str bin, struct weights *weights, struct err *err)
{
    struct ncnn_reader reader = { .weights = weights, .bin = bin, .err = err };
    int64_t layers = 0, blobs = 0, count = 0;
    struct str line = { NULL, 0 };
    (void)next_line(&param, &line); /* the magic number, seen by ncnn_matches */
    if (!next_line(&param, &line) || !str_to_int64(next_word(&line), &layers) ||
        !str_to_int64(next_word(&line), &blobs))
        return err_set(err, ERR_INVALID, "The ncnn file does not say how many layers it has.");
    for (; next_line(&param, &line); count++)
        if (!read_layer(&reader, line))
            return false;
    if (count != layers)
        return err_set(err, ERR_INVALID, "The ncnn file has %lld layers where it announces %lld.",
                       (long long)count, (long long)layers);
    if (reader.bin.len > 0)
        return err_set(err, ERR_INVALID,
                       "The .bin file has %zu bytes more than the layers of its .param file need.",
                       reader.bin.len);
    return true;
}
