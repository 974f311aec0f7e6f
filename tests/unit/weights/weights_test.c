/* safetensors and ONNX, well made and broken, written byte by byte here; renaming. (torch_test.c
 * and ncnn_test.c are about the others.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "weights/weights.h"

static struct weights *opened(struct str file)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (!weights_open_memory(file.ptr, file.len, &weights, &err))
        fail_msg("%s%s", err.detail, err.cause);
    return weights;
}

static void refused(struct str file, const char *words)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (weights_open_memory(file.ptr, file.len, &weights, &err))
        fail_msg("opened, where \"%s\" was expected", words);
    assert_null(weights);
    assert_int_equal(err.kind, ERR_INVALID);
    if (!strstr(err.detail, words))
        fail_msg("\"%s\" does not say \"%s\"", err.detail, words);
}

/* ---- safetensors ---- */

static void safetensors_make(struct buf *file, const char *header, const void *data, size_t len)
{
    uint64_t length = strlen(header);
    buf_init(file, 1 << 20);
    buf_append(file, &length, sizeof length);
    buf_append(file, header, strlen(header));
    buf_append(file, data, len);
}

static void safetensors_refused(const char *header, size_t data_len, const char *words)
{
    static const char zeros[64];
    struct buf file;
    safetensors_make(&file, header, zeros, data_len);
    refused(buf_str(&file), words);
    buf_done(&file);
}

static void safetensors_gives_named_tensors(void **state)
{
    (void)state;
    /* The half 1.0, -2.0, the smallest subnormal, infinity; then bfloat16 1.5; unaligned f32 3. */
    static const unsigned char data[] = { 0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00,
                                          0x7c, 0xc0, 0x3f, 0x00, 0x00, 0x40, 0x40 };
    struct buf file;
    struct err err = { 0 };
    float values[4];
    safetensors_make(&file,
                     "{\"__metadata__\":{\"format\":\"pt\"},"
                     "\"b.half\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
                     "\"a.brain\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[8,10]},"
                     "\"c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[10,14]},"
                     "\"none\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[0,0]}}   ",
                     data, sizeof data);
    struct weights *weights = opened(buf_str(&file));
    assert_int_equal(weights_count(weights), 4);
    assert_string_equal(weights_at(weights, 0)->name, "b.half"); /* the file's order */
    assert_null(weights_find(weights, "__metadata__"));

    const struct weight *half = weights_find(weights, "b.half");
    assert_int_equal(half->rank, 2);
    assert_int_equal(half->count, 4);
    assert_true(weight_to_f32(half, values, &err));
    assert_true(values[0] == 1.0f && values[1] == -2.0f && values[2] == 0x1p-24f);
    assert_true(values[3] > 1e38f);
    assert_true(weight_to_f32(weights_find(weights, "a.brain"), values, &err));
    assert_true(values[0] == 1.5f);
    assert_true(weight_to_f32(weights_find(weights, "c"), values, &err));
    assert_true(values[0] == 3.0f);
    assert_int_equal(weights_find(weights, "none")->count, 0);
    assert_false(weight_to_f32(weights_find(weights, "none"), values, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    weights_close(weights);
    buf_done(&file);
}

static void every_half_becomes_its_single(void **state)
{
    (void)state;
    uint16_t halves[65536];
    float *values = malloc(sizeof *values * 65536);
    struct err err = { 0 };
    assert_non_null(values);
    for (uint32_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    struct weight weight = {
        .name = "all", .type = WEIGHT_F16, .count = 65536, .data = halves, .bytes = sizeof halves
    };
    assert_true(weight_to_f32(&weight, values, &err));
    for (int i = 0; i < 65536; i++) {
        int exponent = i >> 10 & 31, fraction = i & 1023;
        double sign = i & 0x8000 ? -1 : 1, wanted = fraction * 0x1p-24;
        if (exponent == 31) {
            assert_true(fraction ? values[i] != values[i] : (double)values[i] * sign > 1e300);
            continue;
        }
        if (exponent > 0)
            wanted = (1024 + fraction) * 0x1p-25 * (double)(1u << exponent);
        if ((double)values[i] != sign * wanted)
            fail_msg("half 0x%04x", (unsigned)i);
    }
    free(values);
}

/* `count` tensors over the same `bytes` bytes. */
static void sharing_make(struct buf *file, int count, size_t bytes)
{
    static char zeros[8192], header[8192];
    size_t len = 0;
    assert_true(bytes <= sizeof zeros && count < 80);
    for (int i = 0; i < count; i++)
        len += (size_t)snprintf(header + len, sizeof header - len,
                                "%s\"t%d\":{\"dtype\":\"F32\",\"shape\":[%zu],"
                                "\"data_offsets\":[0,%zu]}",
                                i ? "," : "{", i, bytes / 4, bytes);
    snprintf(header + len, sizeof header - len, "}");
    safetensors_make(file, header, zeros, bytes);
}

static void tensors_may_share_bytes_a_few_times(void **state)
{
    (void)state;
    struct buf file;
    sharing_make(&file, 8, 8000); /* tied weights */
    struct weights *weights = opened(buf_str(&file));
    assert_int_equal(weights_count(weights), 8);
    weights_close(weights);
    buf_done(&file);
    sharing_make(&file, 40, 8000); /* 320 kB of tensors in a file of 11 kB */
    refused(buf_str(&file), "share its bytes more than 8 times");
    buf_done(&file);
}

static void broken_safetensors_are_refused(void **state)
{
    (void)state;
#define ONE(type, shape, offsets)                                                                  \
    "{\"t\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    safetensors_refused(ONE("F32", "[4]", "[0,16]"), 15, "not in the file");
    safetensors_refused(ONE("F32", "[4]", "[0,15]"), 16, "needs 16");
    safetensors_refused(ONE("F32", "[4]", "[16,0]"), 16, "not in the file");
    safetensors_refused(ONE("F32", "[4]", "[-4,12]"), 16, "not in the file");
    safetensors_refused(ONE("F32", "[4]", "[0]"), 16, "not in the file");
    safetensors_refused(ONE("F32", "[-4]", "[0,16]"), 16, "impossible shape");
    safetensors_refused(ONE("F32", "[4294967296,4294967296]", "[0,0]"), 0, "impossible shape");
    safetensors_refused(ONE("F32", "[3000000000,3000000000,3000000000,0]", "[0,0]"), 0,
                        "impossible shape");
    safetensors_refused(ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "no usable type or shape");
    safetensors_refused(ONE("F32", "\"4\"", "[0,4]"), 4, "no usable type or shape");
    safetensors_refused("{\"t\":7}", 0, "no usable type or shape");
    safetensors_refused("{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
                        "unusable name");
#undef ONE
    static const char cut[] = "\xff\x00\x00\x00\x00\x00\x00\x00{\"a\":1}";
    refused((struct str){ cut, sizeof cut - 1 }, "ends inside its header");
}

/* ---- ONNX ---- */

static void varint(struct buf *out, uint64_t value)
{
    for (; value > 127; value >>= 7)
        buf_append_char(out, (char)((value & 127) | 128));
    buf_append_char(out, (char)value);
}

static void number(struct buf *out, unsigned field, uint64_t value)
{
    varint(out, field << 3);
    varint(out, value);
}

static void bytes(struct buf *out, unsigned field, const void *data, size_t len)
{
    varint(out, field << 3 | 2);
    varint(out, len);
    buf_append(out, data, len);
}

static void text(struct buf *out, unsigned field, const char *value)
{
    bytes(out, field, value, strlen(value));
}

static void nested(struct buf *out, unsigned field, struct buf *message)
{
    bytes(out, field, message->ptr, message->len);
    buf_done(message);
}

/* An initializer of rank 1 whose values stand in `data_field`. */
static void initializer(struct buf *graph, const char *name, unsigned type, uint64_t size,
                        unsigned data_field, const void *data, size_t len)
{
    struct buf tensor;
    buf_init(&tensor, 1 << 16);
    number(&tensor, 1, size);
    number(&tensor, 2, type);
    text(&tensor, 8, name);
    if (data_field)
        bytes(&tensor, data_field, data, len);
    nested(graph, 5, &tensor);
}

static void conv(struct buf *graph, const char *weight, const char *bias, const char *output)
{
    struct buf node;
    buf_init(&node, 1 << 16);
    text(&node, 1, "input");
    text(&node, 1, weight);
    text(&node, 1, bias);
    text(&node, 2, output);
    text(&node, 4, "Conv");
    nested(graph, 1, &node);
}

static void model_make(struct buf *file, struct buf *graph)
{
    buf_init(file, 1 << 20);
    number(file, 1, 8);
    nested(file, 7, graph);
}

static void onnx_names_come_from_the_convolutions(void **state)
{
    (void)state;
    static const float one = 1, half = 0.5f;
    static const unsigned char int64s[] = { 0xac, 0x02 }; /* 300 */
    struct buf graph, file;
    struct err err = { 0 };
    float value;
    int64_t integer;
    buf_init(&graph, 1 << 18);
    initializer(&graph, "onnx::Conv_1", 1, 1, 9, &one, sizeof one);
    initializer(&graph, "onnx::Conv_2", 1, 1, 4, &half, sizeof half);
    initializer(&graph, "own.name", 7, 1, 7, int64s, sizeof int64s);
    initializer(&graph, "plain", 1, 1, 9, &one, sizeof one);
    conv(&graph, "onnx::Conv_1", "onnx::Conv_2", "/stage1/rebnconvin/conv_s1/Conv_output_0");
    conv(&graph, "plain", "", "17"); /* an export that says nothing of modules */
    model_make(&file, &graph);
    struct weights *weights = opened(buf_str(&file));
    assert_int_equal(weights_count(weights), 4);
    assert_null(weights_find(weights, "onnx::Conv_1"));
    assert_non_null(weights_find(weights, "plain"));
    const struct weight *weight = weights_find(weights, "stage1.rebnconvin.conv_s1.weight");
    assert_non_null(weight);
    assert_true(weight_to_f32(weight, &value, &err));
    assert_true(value == 1.0f);
    weight = weights_find(weights, "stage1.rebnconvin.conv_s1.bias");
    assert_true(weight_to_f32(weight, &value, &err));
    assert_true(value == 0.5f);
    weight = weights_find(weights, "own.name");
    assert_int_equal(weight->type, WEIGHT_I64);
    memcpy(&integer, weight->data, sizeof integer);
    assert_int_equal(integer, 300);
    weights_close(weights);
    buf_done(&file);
}

static void onnx_refused(const char *name, unsigned type, uint64_t size, unsigned data_field,
                         size_t len, const char *words)
{
    static const char zeros[64];
    struct buf graph, file;
    buf_init(&graph, 1 << 18);
    initializer(&graph, name, type, size, data_field, zeros, len);
    model_make(&file, &graph);
    refused(buf_str(&file), words);
    buf_done(&file);
}

static void broken_onnx_is_refused(void **state)
{
    (void)state;
    onnx_refused("t", 1, 4, 9, 15, "needs 16");
    onnx_refused("t", 1, 4, 0, 0, "needs 16");
    onnx_refused("t", 1, UINT64_MAX, 9, 16, "broken");
    onnx_refused("t", 1, (uint64_t)1 << 62, 9, 16, "impossible shape");
    onnx_refused("t", 1, 4, 13, 8, "other files");
    onnx_refused("", 1, 4, 9, 16, "unusable name");
    onnx_refused("t", 10, 4, 4, 16, "broken"); /* floats that claim to be halves */
    refused(S("\x08\x08"), "broken");
    refused(S("\x08\x08\x3a\x7f\x00"), "broken");
    refused(S(""), "neither");
    refused(S("PK\x03\x04 a zip file"), "broken");
    refused(S("7767518\n"), "neither");
}

static void every_cut_of_an_onnx_file_is_an_error_or_whole(void **state)
{
    (void)state;
    static const float one = 1;
    struct buf graph, file;
    buf_init(&graph, 1 << 18);
    initializer(&graph, "a", 1, 1, 9, &one, sizeof one);
    conv(&graph, "a", "b", "/c/Conv_output_0");
    model_make(&file, &graph);
    for (size_t len = 0; len < file.len; len++) {
        struct weights *weights = NULL;
        struct err err = { 0 };
        char *copy = malloc(len + 1); /* of its own, so that a sanitizer sees its end */
        assert_non_null(copy);
        memcpy(copy, file.ptr, len);
        assert_false(weights_open_memory(copy, len, &weights, &err));
        free(copy);
    }
    buf_done(&file);
}

static void two_tensors_of_one_name_are_refused(void **state)
{
    (void)state;
    static const float one = 1;
    struct buf graph, file;
    buf_init(&graph, 1 << 18);
    initializer(&graph, "a", 1, 1, 9, &one, sizeof one);
    initializer(&graph, "a", 1, 1, 9, &one, sizeof one);
    model_make(&file, &graph);
    refused(buf_str(&file), "two tensors named \"a\"");
    buf_done(&file);
}

/* ---- names ---- */

static void names_of(struct buf *file, const char *const *names, size_t count)
{
    struct buf header;
    buf_init(&header, 1 << 16);
    for (size_t i = 0; i < count; i++)
        buf_printf(&header, "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%zu,%zu]}",
                   i ? "," : "{", names[i], i, i + 1);
    buf_append(&header, "}", 2);
    safetensors_make(file, header.ptr, "0123456789", 10);
    buf_done(&header);
}

/* The value of a tensor that names_of made: its place in the list. */
static int value_of(const struct weights *weights, const char *name)
{
    const struct weight *weight = weights_find(weights, name);
    return weight ? *(const char *)weight->data - '0' : -1;
}

static void a_prefix_is_entered(void **state)
{
    (void)state;
    static const char *const names[] = { "params.b", "params_ema.x", "params.a.c",
                                         "params",   "other",        "params." };
    struct buf file;
    names_of(&file, names, 6);
    struct weights *weights = opened(buf_str(&file));
    assert_false(weights_enter(weights, "param"));
    assert_false(weights_enter(weights, "params.b"));
    assert_int_equal(weights_count(weights), 6);
    assert_int_equal(value_of(weights, "other"), 4);
    assert_true(weights_enter(weights, "params"));
    assert_int_equal(weights_count(weights), 2);
    assert_int_equal(value_of(weights, "b"), 0);
    assert_int_equal(value_of(weights, "a.c"), 2);
    assert_int_equal(value_of(weights, "other"), -1);
    assert_true(weights_enter(weights, "a"));
    assert_int_equal(value_of(weights, "c"), 2);
    weights_close(weights);
    buf_done(&file);
}

static void tensors_are_renamed(void **state)
{
    (void)state;
    static const char *const names[] = { "c", "b", "a" };
    struct buf file;
    struct err err = { 0 };
    names_of(&file, names, 3);
    struct weights *weights = opened(buf_str(&file));
    char name[] = "zz";
    assert_true(weights_rename(weights, 2, name, &err));
    name[0] = 'y'; /* it was copied */
    assert_true(weights_rename(weights, 0, "a", &err));
    assert_true(weights_renamed(weights, &err));
    assert_int_equal(value_of(weights, "a"), 0);
    assert_int_equal(value_of(weights, "b"), 1);
    assert_int_equal(value_of(weights, "zz"), 2);
    assert_int_equal(value_of(weights, "c"), -1);
    assert_false(weights_rename(weights, 3, "d", &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(weights_rename(weights, 0, "", &err));
    assert_false(weights_rename(weights, 0, "\xff", &err));
    assert_true(weights_rename(weights, 1, "a", &err));
    assert_false(weights_renamed(weights, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    weights_close(weights);
    buf_done(&file);
}

/* Every type of the format is known; those that are no floats are listed all the same. */
static void all_types_of_safetensors_are_listed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int bytes;
        enum weight_type type;
    } types[] = {
        { "F64", 8, WEIGHT_OTHER },     { "I64", 8, WEIGHT_I64 },
        { "U64", 8, WEIGHT_OTHER },     { "C64", 8, WEIGHT_OTHER },
        { "F32", 4, WEIGHT_F32 },       { "I32", 4, WEIGHT_OTHER },
        { "U32", 4, WEIGHT_OTHER },     { "F16", 2, WEIGHT_F16 },
        { "BF16", 2, WEIGHT_BF16 },     { "I16", 2, WEIGHT_OTHER },
        { "U16", 2, WEIGHT_OTHER },     { "I8", 1, WEIGHT_OTHER },
        { "U8", 1, WEIGHT_U8 },         { "BOOL", 1, WEIGHT_OTHER },
        { "F8_E4M3", 1, WEIGHT_OTHER }, { "F8_E5M2", 1, WEIGHT_OTHER },
        { "F8_E8M0", 1, WEIGHT_OTHER }, { "NEW9", 1, WEIGHT_OTHER },
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char header[128];
        struct buf file;
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}", types[i].name,
                 3 * types[i].bytes);
        safetensors_make(&file, header, "0123456789abcdef01234567", 24);
        struct weights *weights = opened(buf_str(&file));
        assert_int_equal(weights_at(weights, 0)->type, types[i].type);
        weights_close(weights);
        buf_done(&file);
        if (strcmp(types[i].name, "NEW9") == 0)
            continue; /* of unknown size */
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%d]}}", types[i].name,
                 3 * types[i].bytes - 1);
        safetensors_refused(header, 24, "bytes of data where its shape needs");
    }
}

/* ---- files ---- */

static void files_are_mapped_and_absent_ones_told_apart(void **state)
{
    (void)state;
    char path[] = "/tmp/mimeo-weights-XXXXXX";
    struct weights *weights = NULL;
    struct err err = { 0 };
    struct buf file;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_false(weights_open(path, &weights, &err)); /* empty */
    assert_int_equal(err.kind, ERR_INVALID);
    safetensors_make(&file, "{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "7",
                     1);
    assert_int_equal(write(fd, file.ptr, file.len), file.len);
    close(fd);
    assert_true(weights_open(path, &weights, &err));
    assert_int_equal(*(const char *)weights_at(weights, 0)->data, '7');
    assert_null(weights_at(weights, 1));
    weights_close(weights);
    unlink(path);
    assert_false(weights_open(path, &weights, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(weights_open("/tmp", &weights, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    weights_close(NULL);
    buf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_gives_named_tensors),
        cmocka_unit_test(every_half_becomes_its_single),
        cmocka_unit_test(tensors_may_share_bytes_a_few_times),
        cmocka_unit_test(broken_safetensors_are_refused),
        cmocka_unit_test(onnx_names_come_from_the_convolutions),
        cmocka_unit_test(broken_onnx_is_refused),
        cmocka_unit_test(every_cut_of_an_onnx_file_is_an_error_or_whole),
        cmocka_unit_test(two_tensors_of_one_name_are_refused),
        cmocka_unit_test(a_prefix_is_entered),
        cmocka_unit_test(tensors_are_renamed),
        cmocka_unit_test(all_types_of_safetensors_are_listed),
        cmocka_unit_test(files_are_mapped_and_absent_ones_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
