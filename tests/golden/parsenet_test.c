/* ParseNet with seeded weights against facexlib (tests/reference/faces.py), at its real size and at
 * 48 x 64.
 *
 * Measured with AVX-512, relative to the largest logit: f32 8e-6, bf16 1.5e-2. The classes of the
 * samples are the same but where two logits are nearly equal: at most one in two hundred may
 * differ. */
#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/engine.h"
#include "nn/parsenet.h"

#define FIXTURE "tests/golden/faces.safetensors"
#define LIMIT_F32 1e-4
#define LIMIT_BF16 5e-2

static void table_is_the_state_dict(void **state)
{
    (void)state;
    struct keys *keys = parsenet_keys();
    assert_non_null(keys);
    compare_keys(keys, "tests/golden/keys/parsenet.txt");
    keys_free(keys);
}

static struct parsenet *seeded_net(struct engine *engine)
{
    struct parsenet *net = NULL;
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    struct keys *keys = parsenet_keys();
    assert_non_null(keys);
    void *file = seeded_file(keys, &bytes);
    keys_free(keys);
    if (!weights_open_memory(file, bytes, &weights, &err) ||
        !parsenet_new(engine, weights, &net, &err))
        compare_fail(&err);
    weights_close(weights);
    free(file);
    return net;
}

/* The formula of the reference, in -1..1. */
static void fill_picture(const struct tensor *planes)
{
    float *values = planes->data;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < planes->height; y++)
            for (int x = 0; x < planes->width; x++) {
                double wave = 127.5 + 90 * sin(0.11 * x + 0.05 * y + c);
                wave += 35 * cos(0.0013 * x * y + 2 * c);
                *values++ = (float)wave / 127.5f - 1;
            }
}

static int class_at(const struct tensor *logits, size_t pixel)
{
    size_t plane = (size_t)logits->height * (size_t)logits->width;
    const float *values = logits->data;
    int best = 0;
    for (int class = 1; class < PARSENET_CLASSES; class ++)
        if (values[(size_t) class * plane + pixel] > values[(size_t)best * plane + pixel])
            best = class;
    return best;
}

static void compare_classes(const struct weights *fixture, const char *name,
                            const struct tensor *logits)
{
    size_t total = (size_t)logits->height * (size_t)logits->width, wrong = 0;
    const struct weight *weight = weights_find(fixture, name);
    assert_non_null(weight);
    assert_int_equal(weight->type, WEIGHT_U8);
    size_t count = (size_t)weight->count;
    for (size_t i = 0; i < count; i++)
        wrong += class_at(logits, i * total / count) != ((const uint8_t *)weight->data)[i];
    print_message("%s: %zu of %zu differ\n", name, wrong, count);
    assert_in_range(wrong, 0, count / 200);
}

/* Largest relative difference; negative when the machine cannot compute with that precision. */
static double compare(const char *name, int width, int height, enum engine_precision precision)
{
    struct engine_options options = { .threads = 2, .precision = precision };
    struct engine *engine = NULL;
    struct weights *fixture = NULL;
    struct tensor planes, logits;
    struct err err = { 0 };
    char classes[64];
    if (!engine_new(&options, &engine, &err)) {
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        return -1;
    }
    struct parsenet *net = seeded_net(engine);
    if (!weights_open(FIXTURE, &fixture, &err) ||
        !engine_tensor_plain(engine, 3, height, width, &planes, &err) ||
        !engine_tensor_plain(engine, PARSENET_CLASSES, height, width, &logits, &err))
        compare_fail(&err);
    fill_picture(&planes);
    if (!parsenet_run(net, &planes, &logits, &err))
        compare_fail(&err);
    double difference = compare_samples(fixture, name, &logits);
    print_message("%s: %.2g\n", name, difference);
    snprintf(classes, sizeof classes, "%s.classes", name);
    if (precision == ENGINE_F32)
        compare_classes(fixture, classes, &logits);
    /* A size that cannot be halved four times is refused. */
    planes.width = logits.width = width - 8;
    assert_false(parsenet_run(net, &planes, &logits, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    weights_close(fixture);
    parsenet_free(net);
    engine_free(engine);
    return difference;
}

static void small_faces_are_parsed_as_facexlib_does(void **state)
{
    (void)state;
    assert_true(compare("parsenet.small", 48, 64, ENGINE_F32) < LIMIT_F32);
}

static void faces_are_parsed_as_facexlib_does(void **state)
{
    (void)state;
    if (COMPARE_SANITIZED)
        skip();
    assert_true(compare("parsenet.real", PARSENET_SIZE, PARSENET_SIZE, ENGINE_F32) < LIMIT_F32);
}

static void parsing_in_bf16_is_close(void **state)
{
    (void)state;
    double worst = compare("parsenet.small", 48, 64, ENGINE_BF16);
    if (worst < 0)
        skip();
    assert_true(worst < LIMIT_BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_state_dict),
        cmocka_unit_test(small_faces_are_parsed_as_facexlib_does),
        cmocka_unit_test(faces_are_parsed_as_facexlib_does),
        cmocka_unit_test(parsing_in_bf16_is_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
