/* ncnn's two files, well made and broken, written here. */
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
#include "weights/weights_private.h"

#define TAG_F32 0x00000000u
#define TAG_F16 0x01306b47u
#define TAG_RAW 0x0002c056u
#define TAG_INT8 0x000d4b38u

#define HEAD(layers) "7767517\n" layers " 9\n"

static void add_tag(struct buf *bin, uint32_t tag)
{
    buf_append(bin, &tag, sizeof tag);
}

/* from, from + 1, ... as f32. */
static void add_floats(struct buf *bin, int count, int from)
{
    for (int i = 0; i < count; i++) {
        float value = (float)(from + i);
        buf_append(bin, &value, sizeof value);
    }
}

static struct weights *opened(const char *param, struct buf *bin)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (!weights_open_two(str_from(param), buf_str(bin), &weights, &err))
        fail_msg("%s%s", err.detail, err.cause);
    return weights;
}

static void refused(const char *param, struct buf *bin, const char *words)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (weights_open_two(str_from(param), buf_str(bin), &weights, &err))
        fail_msg("opened, where \"%s\" was expected", words);
    assert_int_equal(err.kind, ERR_INVALID);
    if (!strstr(err.detail, words))
        fail_msg("\"%s\" does not say \"%s\"", err.detail, words);
}

static void assert_tensor(const struct weights *weights, size_t index, const char *name,
                          const char *shape, float first)
{
    const struct weight *weight = weights_at(weights, index);
    char text[64] = "";
    float values[64];
    struct err err = { 0 };
    assert_non_null(weight);
    assert_string_equal(weight->name, name);
    for (int i = 0; i < weight->rank; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i ? "," : "",
                 (int)weight->shape[i]);
    assert_string_equal(text, shape);
    assert_true(weight->count <= 64);
    assert_true(weight_to_f32(weight, values, &err));
    assert_true(values[0] == first);
}

static void layers_give_their_tensors_in_order(void **state)
{
    (void)state;
    static const char param[] =
        HEAD("11") "Input     data   0 1 data\r\n"
                   "Split            s   1 2 data a b\n"
                   "Convolution c 1 1 a d 0=2 1=3 4=1 5=1 6=18 9=2 -23310=1,2.000000e-01\n"
                   "ConvolutionDepthWise w 1 1 d e 0=2 1=3 11=1 6=6 7=2\n"
                   "\n"
                   "Deconvolution t 1 1 e f 0=3 1=2 3=2 5=1 6=24\n"
                   "InnerProduct i 1 1 f g 0=2 1=1 2=6\n"
                   "PReLU p 1 1 g h 0=2\n"
                   "BatchNorm n 1 1 h k 0=1 1=1e-5\n"
                   "Scale sc 1 1 k l 0=2 1=1\n"
                   "Scale by 2 1 l b m 0=-233\n"
                   "Convolution given 2 1 m b out 0=4 1=3 6=36 19=1\n";
    /* The halves 1 .. 18: the first is 0x3c00. */
    static const uint16_t halves[18] = { 0x3c00, 0x4000 };
    struct buf bin;
    buf_init(&bin, 1 << 16);
    add_tag(&bin, TAG_F16);
    buf_append(&bin, halves, sizeof halves);
    add_floats(&bin, 2, 100);
    add_tag(&bin, TAG_RAW);
    add_floats(&bin, 6, 200);
    add_tag(&bin, TAG_F32);
    add_floats(&bin, 24, 300);
    add_floats(&bin, 3, 400);
    add_tag(&bin, TAG_F32);
    add_floats(&bin, 6, 500);
    add_floats(&bin, 2, 600);
    add_floats(&bin, 2, 700);
    add_floats(&bin, 4, 800);
    add_floats(&bin, 4, 900);

    struct weights *weights = opened(param, &bin);
    assert_int_equal(weights_format(weights), WEIGHTS_NCNN);
    assert_int_equal(weights_count(weights), 14);
    assert_tensor(weights, 0, "c.weight", "2,1,3,3", 1);
    assert_tensor(weights, 1, "c.bias", "2", 100);
    assert_tensor(weights, 2, "w.weight", "2,1,1,3", 200);
    assert_tensor(weights, 3, "t.weight", "3,2,2,2", 300);
    assert_tensor(weights, 4, "t.bias", "3", 400);
    assert_tensor(weights, 5, "i.weight", "2,3", 500);
    assert_tensor(weights, 6, "i.bias", "2", 600);
    assert_tensor(weights, 7, "p.slope", "2", 700);
    assert_tensor(weights, 8, "n.weight", "1", 800);
    assert_tensor(weights, 9, "n.running_mean", "1", 801);
    assert_tensor(weights, 10, "n.running_var", "1", 802);
    assert_tensor(weights, 11, "n.bias", "1", 803);
    assert_tensor(weights, 12, "sc.weight", "2", 900);
    assert_tensor(weights, 13, "sc.bias", "2", 902);
    weights_close(weights);
    buf_done(&bin);
}

/* An odd number of halves is padded to 4 bytes. */
static void odd_halves_are_padded(void **state)
{
    (void)state;
    static const uint16_t halves[2] = { 0x3c00, 0xffff };
    struct buf bin;
    buf_init(&bin, 1 << 10);
    add_tag(&bin, TAG_F16);
    buf_append(&bin, halves, sizeof halves);
    add_floats(&bin, 1, 5);
    struct weights *weights = opened(HEAD("1") "Convolution c 1 1 a b 0=1 1=1 5=1 6=1\n", &bin);
    assert_tensor(weights, 0, "c.weight", "1,1,1,1", 1);
    assert_tensor(weights, 1, "c.bias", "1", 5);
    weights_close(weights);
    buf_done(&bin);
}

static void broken_texts_are_refused(void **state)
{
    (void)state;
    struct buf bin;
    buf_init(&bin, 1 << 10);
    refused("7767517\n", &bin, "how many layers");
    refused("7767517\none 2\n", &bin, "how many layers");
    refused(HEAD("2") "Input a 0 1 a\n", &bin, "1 layers where it announces 2");
    refused(HEAD("0") "Input a 0 1 a\n", &bin, "1 layers where it announces 0");
    refused(HEAD("1") "Input a 0\n", &bin, "no layer");
    refused(HEAD("1") "Input a 0 2 a\n", &bin, "no layer");
    refused(HEAD("1") "Input a 0 -1 a\n", &bin, "no layer");
    refused(HEAD("1") "Input a 9223372036854775807 9223372036854775807 a\n", &bin, "no layer");
    refused(HEAD("1") "Input a 0 1 a extra\n", &bin, "no layer");
    refused(HEAD("1") "LSTM a 1 1 b c 0=4\n", &bin, "\"a\" (LSTM) of the ncnn file is of a type");
    char text[2000] = HEAD("1");
    for (int i = 0; i < 600; i++)
        text[strlen(text)] = i == 300 ? ' ' : 'x'; /* words that are longer than an error */
    memcpy(text + strlen(text), " 0 0\n", 5);
    refused(text, &bin, "x) of the ncnn file is of a type that is not supported");
    add_floats(&bin, 1, 0);
    refused(HEAD("1") "Input a 0 1 a\n", &bin, "4 bytes more");
    buf_done(&bin);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Convolution c 1 1 a b 1=3 6=9",      /* no outputs */
        "Convolution c 1 1 a b 0=1 6=9",      /* no kernel */
        "Convolution c 1 1 a b 0=1 1=3",      /* no weights */
        "Convolution c 1 1 a b 0=1 1=3 6=10", /* not whole filters */
        "Convolution c 1 1 a b 0=1 1=3 11=-3 6=9",
        "Convolution c 1 1 a b 0=4611686018427387904 1=3 6=9",
        "Convolution c 1 1 a b 0=2147483647 1=2147483647 11=2147483647 6=2147483648",
        "InnerProduct i 1 1 a b 0=3 2=4",
        "PReLU p 1 1 a b",
        "PReLU p 1 1 a b 0=1.5",
        "BatchNorm n 1 1 a b 0=-1",
        "Scale s 1 1 a b 0=0",
    };
    struct buf bin;
    buf_init(&bin, 1 << 10);
    add_floats(&bin, 64, 0);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char param[256];
        snprintf(param, sizeof param, HEAD("1") "%s\n", lines[i]);
        refused(param, &bin, "no usable size");
    }
    refused(HEAD("1") "PReLU p 1 1 a b 0=65\n", &bin, "more numbers than the .bin file has");
    refused(HEAD("1") "Convolution c 1 1 a b 0=1 1=1 6=2147483648\n", &bin, "more numbers than");
    refused(HEAD("1") "Convolution c 1 1 a b 0=1 1=1 6=1 8=2\n", &bin, "is quantised");
    buf_done(&bin);
    buf_init(&bin, 1 << 10);
    add_tag(&bin, TAG_INT8);
    add_floats(&bin, 1, 0);
    refused(HEAD("1") "Convolution c 1 1 a b 0=1 1=1 6=4\n", &bin, "is quantised");
    buf_done(&bin);
}

static void layers_of_one_name_are_refused(void **state)
{
    (void)state;
    struct buf bin;
    buf_init(&bin, 1 << 10);
    add_floats(&bin, 2, 0);
    refused(HEAD("2") "PReLU p 1 1 a b 0=1\nPReLU p 1 1 b c 0=1\n", &bin, "two tensors named");
    buf_done(&bin);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static void the_bin_lies_beside_the_param(void **state)
{
    (void)state;
    static const char param[] = HEAD("1") "PReLU p 1 1 a b 0=1\n";
    char folder[] = "/tmp/mimeo-ncnn-XXXXXX", param_path[64], bin_path[64], other_path[64];
    struct weights *weights = NULL;
    struct err err = { 0 };
    float slope = 0.25f;
    assert_non_null(mkdtemp(folder));
    snprintf(param_path, sizeof param_path, "%s/net.param", folder);
    snprintf(bin_path, sizeof bin_path, "%s/net.bin", folder);
    snprintf(other_path, sizeof other_path, "%s/net.txt", folder);
    write_file(param_path, param, sizeof param - 1);
    assert_false(weights_open(param_path, &weights, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    write_file(bin_path, &slope, sizeof slope);
    assert_true(weights_open(param_path, &weights, &err));
    assert_tensor(weights, 0, "p.slope", "1", 0.25f);
    weights_close(weights);
    weights = NULL;
    write_file(other_path, param, sizeof param - 1);
    assert_false(weights_open(other_path, &weights, &err));
    assert_non_null(strstr(err.detail, ".param"));
    assert_false(weights_open_memory(param, sizeof param - 1, &weights, &err));
    assert_null(weights);
    unlink(param_path);
    unlink(bin_path);
    unlink(other_path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_give_their_tensors_in_order),
        cmocka_unit_test(odd_halves_are_padded),
        cmocka_unit_test(broken_texts_are_refused),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(layers_of_one_name_are_refused),
        cmocka_unit_test(the_bin_lies_beside_the_param),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
