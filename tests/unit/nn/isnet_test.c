/* IS-Net on seeded random weights: binding by name, folding, cancelling, and that two independent
 * ways to convolve agree on the whole network. The published weights are checked by
 * bench/isnet.sh against ONNX Runtime. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "engine/engine.h"
#include "nn/isnet.h"
#include "weights/weights.h"

#define PIXELS ((size_t)ISNET_SIZE * ISNET_SIZE)
#define HEADER_BYTES ((size_t)1 << 17)
#define DATA_BYTES ((size_t)90 << 20)

/* A safetensors file in memory, made layer by layer. */
struct fake {
    const char *omit;     /* a tensor to leave out */
    const char *misshape; /* a tensor to give one row too few */
    const char *norm;     /* a layer ("stage1.rebnconvin") to give a batch norm */
    bool folded;          /* ... or the same, already folded */
    char *header;
    unsigned char *data;
    size_t header_len, data_len;
    uint32_t state;
};

static float fake_random(struct fake *fake)
{
    fake->state = fake->state * 1664525u + 1013904223u;
    return (float)(fake->state >> 8) / 8388608.0f - 1.0f;
}

/* f32 to f16 for the small normal numbers used here. */
static uint16_t to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t exponent = (bits >> 23) & 255;
    if (exponent < 113)
        return 0;
    return (uint16_t)((bits >> 16 & 0x8000) | (exponent - 112) << 10 | (bits >> 13 & 1023));
}

static void fake_add(struct fake *fake, const char *layer, const char *what, int rank, int out,
                     int in, float value, float spread)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    bool misshape = fake->misshape && strcmp(name, fake->misshape) == 0;
    out -= misshape;
    size_t count = rank == 4 ? (size_t)out * in * 9 : (size_t)out;
    size_t from = fake->data_len;
    assert_true(from + count * 2 <= DATA_BYTES);
    for (size_t i = 0; i < count; i++) {
        uint16_t half = to_half(value + spread * fake_random(fake));
        memcpy(fake->data + fake->data_len, &half, 2);
        fake->data_len += 2;
    }
    if (fake->omit && strcmp(name, fake->omit) == 0) {
        fake->data_len = from;
        return;
    }
    char shape[64];
    if (rank == 4)
        snprintf(shape, sizeof shape, "%d,%d,3,3", out, in);
    else
        snprintf(shape, sizeof shape, "%d", out);
    int len = snprintf(fake->header + fake->header_len, HEADER_BYTES - fake->header_len,
                       "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                       fake->header_len > 1 ? "," : "", name, shape, from, fake->data_len);
    fake->header_len += (size_t)len;
    assert_true(fake->header_len < HEADER_BYTES);
}

/* One convolution. The batch norm of the tests halves: scale 0.5, mean 0, variance 1 - eps. */
static void fake_conv(struct fake *fake, const char *layer, const char *conv, int in, int out)
{
    char name[96];
    bool norm = fake->norm && strcmp(layer, fake->norm) == 0;
    float gain = norm && fake->folded ? 0.5f : 1;
    snprintf(name, sizeof name, "%s%s", layer, conv);
    fake_add(fake, name, "weight", 4, out, in, 0, gain * sqrtf(6.0f / (float)(in * 9)));
    fake_add(fake, name, "bias", 1, out, 1, 0, gain * 0.125f);
    if (!norm || fake->folded)
        return;
    uint32_t state = fake->state; /* the weights that follow must not depend on this */
    snprintf(name, sizeof name, "%s.bn_s1", layer);
    fake_add(fake, name, "weight", 1, out, 1, 0.5f, 0);
    fake_add(fake, name, "bias", 1, out, 1, 0, 0);
    fake_add(fake, name, "running_mean", 1, out, 1, 0, 0);
    fake_add(fake, name, "running_var", 1, out, 1, 1, 0);
    fake->state = state;
}

static void fake_stage(struct fake *fake, const char *stage, int depth, int in, int mid, int out)
{
    char layer[64];
    snprintf(layer, sizeof layer, "%s.rebnconvin", stage);
    fake_conv(fake, layer, ".conv_s1", in, out);
    for (int level = 1; level <= depth; level++) {
        snprintf(layer, sizeof layer, "%s.rebnconv%d", stage, level);
        fake_conv(fake, layer, ".conv_s1", level == 1 ? out : mid, mid);
    }
    for (int level = depth - 1; level >= 1; level--) {
        snprintf(layer, sizeof layer, "%s.rebnconv%dd", stage, level);
        fake_conv(fake, layer, ".conv_s1", 2 * mid, level == 1 ? out : mid);
    }
}

static void fake_network(struct fake *fake)
{
    fake->header[fake->header_len++] = '{';
    fake_conv(fake, "conv_in", "", 3, 64);
    fake_stage(fake, "stage1", 7, 64, 32, 64);
    fake_stage(fake, "stage2", 6, 64, 32, 128);
    fake_stage(fake, "stage3", 5, 128, 64, 256);
    fake_stage(fake, "stage4", 4, 256, 128, 512);
    fake_stage(fake, "stage5", 4, 512, 256, 512);
    fake_stage(fake, "stage6", 4, 512, 256, 512);
    fake_stage(fake, "stage5d", 4, 1024, 256, 512);
    fake_stage(fake, "stage4d", 4, 1024, 128, 256);
    fake_stage(fake, "stage3d", 5, 512, 64, 128);
    fake_stage(fake, "stage2d", 6, 256, 32, 64);
    fake_stage(fake, "stage1d", 7, 128, 16, 64);
    fake_add(fake, "side1", "weight", 4, 1, 64, 0, 0.001f);
    fake_add(fake, "side1", "bias", 1, 1, 1, 0, 0.125f);
    fake->header[fake->header_len++] = '}';
    while (fake->header_len % 8)
        fake->header[fake->header_len++] = ' ';
}

/* Make the file, bind the network; the file is gone afterwards. */
static bool fake_bind(struct fake *fake, struct engine *engine, struct isnet **ret_isnet,
                      struct err *err)
{
    unsigned char *file = malloc(8 + HEADER_BYTES + DATA_BYTES);
    struct weights *weights = NULL;
    fake->header = malloc(HEADER_BYTES);
    fake->data = malloc(DATA_BYTES);
    fake->header_len = fake->data_len = 0;
    fake->state = 7;
    assert_true(file && fake->header && fake->data);
    fake_network(fake);
    uint64_t header_len = fake->header_len;
    memcpy(file, &header_len, 8);
    memcpy(file + 8, fake->header, fake->header_len);
    memcpy(file + 8 + fake->header_len, fake->data, fake->data_len);
    free(fake->header);
    free(fake->data);
    assert_true(weights_open_memory(file, 8 + fake->header_len + fake->data_len, &weights, err));
    bool ok = isnet_new(engine, weights, ret_isnet, err);
    weights_close(weights);
    free(file);
    return ok;
}

static struct engine *new_engine(enum engine_algorithm algorithm, enum engine_precision precision)
{
    struct engine *engine = NULL;
    struct err err = { 0 };
    const struct engine_options options = { .threads = 2,
                                            .algorithm = algorithm,
                                            .precision = precision };
    (void)engine_new(&options, &engine, &err);
    return engine;
}

static float *random_input(void)
{
    float *input = malloc(3 * PIXELS * sizeof *input);
    struct fake fake = { .state = 3 };
    assert_non_null(input);
    for (size_t i = 0; i < 3 * PIXELS; i++)
        input[i] = 0.5f * fake_random(&fake);
    return input;
}

/* The matte of a fake network. */
static float *matte_of(struct fake fake, enum engine_algorithm algorithm, const float *input)
{
    struct engine *engine = new_engine(algorithm, ENGINE_F32);
    struct isnet *isnet = NULL;
    struct err err = { 0 };
    float *matte = malloc(PIXELS * sizeof *matte);
    assert_non_null(matte);
    assert_true(fake_bind(&fake, engine, &isnet, &err));
    assert_true(isnet_matte(isnet, input, matte, NULL, NULL, &err));
    isnet_free(isnet);
    engine_free(engine);
    return matte;
}

static float largest_difference(const float *a, const float *b)
{
    float largest = 0;
    for (size_t i = 0; i < PIXELS; i++)
        largest = fmaxf(largest, fabsf(a[i] - b[i]));
    return largest;
}

static void winograd_and_direct_agree_and_norms_are_folded(void **state)
{
    (void)state;
    const char *norm = "stage2d.rebnconvin";
    float *input = random_input();
    float *winograd = matte_of((struct fake){ .norm = norm }, ENGINE_CONV_FASTEST, input);
    float *direct =
        matte_of((struct fake){ .norm = norm, .folded = true }, ENGINE_CONV_DIRECT, input);
    float *other = matte_of((struct fake){ 0 }, ENGINE_CONV_FASTEST, input);
    float least = 1, most = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        least = fminf(least, winograd[i]);
        most = fmaxf(most, winograd[i]);
    }
    /* The network says something, the two ways say the same, and the norm makes a difference. */
    print_message("matte %g .. %g, ways differ by %g, norm by %g\n", (double)least, (double)most,
                  (double)largest_difference(winograd, direct),
                  (double)largest_difference(winograd, other));
    assert_true(least >= 0 && most <= 1 && most - least > 0.05f);
    assert_true(largest_difference(winograd, direct) <= 1e-4f);
    assert_true(largest_difference(winograd, other) > 1e-3f);
    free(input);
    free(winograd);
    free(direct);
    free(other);
}

static void errors_name_the_tensor(void **state)
{
    (void)state;
    struct engine *engine = new_engine(ENGINE_CONV_FASTEST, ENGINE_F32);
    struct isnet *isnet = NULL;
    struct err err = { 0 };
    assert_false(fake_bind(&(struct fake){ .omit = "stage5.rebnconv3d.conv_s1.weight" }, engine,
                           &isnet, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "stage5.rebnconv3d.conv_s1.weight"));
    assert_false(fake_bind(&(struct fake){ .misshape = "side1.bias" }, engine, &isnet, &err));
    assert_non_null(strstr(err.detail, "side1.bias"));
    assert_null(isnet);
    engine_free(engine);
}

static bool cancel_at_zero(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

static void cancelling_between_stages_gives_everything_back(void **state)
{
    (void)state;
    struct engine *engine = new_engine(ENGINE_CONV_FASTEST, ENGINE_F32);
    struct isnet *isnet = NULL;
    struct err err = { 0 };
    float *input = random_input(), *matte = malloc(PIXELS * sizeof *matte);
    int left = 2;
    assert_true(fake_bind(&(struct fake){ 0 }, engine, &isnet, &err));
    assert_false(isnet_matte(isnet, input, matte, cancel_at_zero, &left, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(engine_mark(engine), 0);
    left = 100;
    assert_true(isnet_matte(isnet, input, matte, cancel_at_zero, &left, &err));
    assert_int_equal(left, 100 - 11); /* asked once per stage */
    isnet_free(isnet);
    engine_free(engine);
    free(input);
    free(matte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd_and_direct_agree_and_norms_are_folded),
        cmocka_unit_test(errors_name_the_tensor),
        cmocka_unit_test(cancelling_between_stages_gives_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
