/* DDColor with seeded weights against PyTorch (tests/reference/ddcolor.py), at its real
 * configuration.
 *
 * Measured with AVX-512: f32 at most 3e-6 in every intermediate tensor and 1.7e-5 in a and b of the
 * 512 x 512 run (the color queries' softmax over 16,384 places); bf16 at most 1.3e-2. */
#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/engine.h"
#include "nn/ddcolor.h"

#define FIXTURE "tests/golden/ddcolor.safetensors"
#define LIMIT_F32 1e-4
#define LIMIT_BF16 2e-2

struct observed {
    const struct weights *fixture;
    const char *name;
    double worst;
};

static void on_tensor(void *context, const char *name, const struct tensor *tensor)
{
    struct observed *observed = context;
    char full[64];
    snprintf(full, sizeof full, "%s.%s", observed->name, name);
    double difference = compare_samples(observed->fixture, full, tensor);
    print_message("%s: %.2g\n", full, difference);
    observed->worst = fmax(observed->worst, difference);
}

static float *picture(int size)
{
    size_t plane = (size_t)size * (size_t)size;
    float *rgb = malloc(3 * plane * sizeof *rgb);
    assert_non_null(rgb);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            double wave = 0.25 * sin(0.07 * x + 0.031 * y);
            double value = 0.5 + wave + 0.2 * cos(0.0023 * x * y / (1 + size / 256.0));
            rgb[(size_t)y * (size_t)size + (size_t)x] = (float)value;
        }
    memcpy(rgb + plane, rgb, plane * sizeof *rgb);
    memcpy(rgb + 2 * plane, rgb, plane * sizeof *rgb);
    return rgb;
}

static struct weights *seeded_open(const struct convnext_config *config, void **ret_file)
{
    struct err err = { 0 };
    struct weights *weights = NULL;
    size_t bytes = 0;
    struct keys *keys = keys_new("DDColor");
    assert_non_null(keys);
    ddcolor_keys(keys, config);
    *ret_file = seeded_file(keys, &bytes);
    keys_free(keys);
    if (!weights_open_memory(*ret_file, bytes, &weights, &err))
        compare_fail(&err);
    return weights;
}

/* Compare every tensor; returns the largest difference of a and b. Negative when the machine
 * cannot compute with that precision. */
static double compare(const char *name, const struct convnext_config *config, int size,
                      enum engine_precision precision, double *ret_worst)
{
    struct err err = { 0 };
    struct engine_options options = { .threads = 2, .precision = precision };
    struct engine *engine = NULL;
    struct weights *fixture = NULL;
    struct ddcolor *ddcolor = NULL;
    void *file = NULL;
    char full[64];
    if (!engine_new(&options, &engine, &err)) {
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        return -1;
    }
    struct weights *weights = seeded_open(config, &file);
    if (!weights_open(FIXTURE, &fixture, &err) || !ddcolor_new(engine, weights, &ddcolor, &err))
        compare_fail(&err);
    weights_close(weights);
    free(file);
    float *rgb = picture(size), *ab = malloc((size_t)2 * size * size * sizeof *ab);
    assert_non_null(ab);
    struct observed observed = { fixture, name, 0 };
    struct ddcolor_watch watch = { .observe = on_tensor, .context = &observed };
    if (!ddcolor_run(ddcolor, rgb, size, size, ab, &watch, &err))
        compare_fail(&err);
    struct tensor result = tensor_plain(2, size, size, ab);
    snprintf(full, sizeof full, "%s.ab", name);
    double difference = compare_samples(fixture, full, &result);
    print_message("%s: %.2g\n", full, difference);
    *ret_worst = fmax(observed.worst, difference);
    free(rgb);
    free(ab);
    ddcolor_free(ddcolor);
    weights_close(fixture);
    engine_free(engine);
    return difference;
}

static void test_keys(void **state)
{
    (void)state;
    const struct {
        const struct convnext_config *config;
        const char *path;
    } files[] = { { &ddcolor_large, "tests/golden/keys/ddcolor_large.txt" },
                  { &ddcolor_tiny, "tests/golden/keys/ddcolor_tiny.txt" } };
    for (size_t i = 0; i < 2; i++) {
        struct keys *keys = keys_new("DDColor");
        ddcolor_keys(keys, files[i].config);
        compare_keys(keys, files[i].path);
        keys_free(keys);
    }
}

static void test_tiny_small(void **state)
{
    (void)state;
    double worst = 0;
    compare("tiny64", &ddcolor_tiny, 64, ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_tiny(void **state)
{
    (void)state;
    double worst = 0;
    if (COMPARE_SANITIZED)
        skip();
    compare("tiny512", &ddcolor_tiny, DDCOLOR_SIZE, ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_large(void **state)
{
    (void)state;
    double worst = 0;
    if (COMPARE_SANITIZED)
        skip();
    compare("large128", &ddcolor_large, 128, ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_tiny_bf16(void **state)
{
    (void)state;
    double worst = 0;
    compare("tiny64", &ddcolor_tiny, 64, ENGINE_BF16, &worst);
    assert_true(worst < LIMIT_BF16);
}

/* A file of another network: one sentence that counts and names. */
static void test_wrong_weights(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct engine *engine = NULL;
    struct ddcolor *ddcolor = NULL;
    struct weights *weights = NULL;
    size_t bytes = 0;
    struct keys *keys = keys_new("something");
    keys_add_conv(keys, "encoder.arch.downsample_layers.0.0", 96, 3, 5, true);
    keys_add_linear(keys, "stranger", 4, 4);
    void *file = seeded_file(keys, &bytes);
    keys_free(keys);
    assert_true(engine_new(&(struct engine_options){ 0 }, &engine, &err));
    assert_true(weights_open_memory(file, bytes, &weights, &err));
    assert_false(ddcolor_new(engine, weights, &ddcolor, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "missing"));
    assert_non_null(strstr(err.detail, "unexpected"));
    assert_non_null(strstr(err.detail, "another shape"));
    weights_close(weights);
    free(file);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_tiny_small),
        cmocka_unit_test(test_tiny),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_tiny_bf16), cmocka_unit_test(test_wrong_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
