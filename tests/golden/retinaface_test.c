/* RetinaFace with seeded weights against facexlib (tests/reference/faces.py), at its real
 * configuration on a picture of 101 x 75 pixels, and the decoder on numbers that no network should
 * give.
 *
 * Measured with AVX-512, relative to each tensor's largest value: f32 2e-6, bf16
 * 1.5e-2 (53 convolutions deep). */
#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/engine.h"
#include "nn/retinaface.h"

#define FIXTURE "tests/golden/faces.safetensors"
#define WIDTH 101
#define HEIGHT 75
#define LIMIT_F32 1e-4
#define LIMIT_BF16 5e-2

static struct weights *fixture;

static int setup(void **state)
{
    (void)state;
    return weights_open(FIXTURE, &fixture, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    weights_close(fixture);
    return 0;
}

static void table_is_the_state_dict(void **state)
{
    (void)state;
    struct keys *keys = retinaface_keys();
    assert_non_null(keys);
    compare_keys(keys, "tests/golden/keys/retinaface.txt");
    keys_free(keys);
}

static struct retinaface *seeded_net(struct engine *engine)
{
    struct retinaface *net = NULL;
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    struct keys *keys = retinaface_keys();
    assert_non_null(keys);
    void *file = seeded_file(keys, &bytes);
    keys_free(keys);
    if (!weights_open_memory(file, bytes, &weights, &err) ||
        !retinaface_new(engine, weights, &net, &err))
        compare_fail(&err);
    weights_close(weights);
    free(file);
    return net;
}

/* The formula of the reference, less the means. */
static void fill_picture(const struct tensor *planes)
{
    float *values = planes->data;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                double wave = 127.5 + 90 * sin(0.11 * x + 0.05 * y + c);
                wave += 35 * cos(0.0013 * x * y + 2 * c);
                values[(c * HEIGHT + y) * WIDTH + x] = (float)wave - retinaface_means[c];
            }
}

static double compare_heads(const struct retinaface_heads *heads)
{
    double worst = 0;
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        const struct {
            const char *name;
            const struct tensor *tensor;
        } parts[] = { { "features", &heads->features[level] },
                      { "scores", &heads->scores[level] },
                      { "boxes", &heads->boxes[level] },
                      { "points", &heads->points[level] } };
        for (size_t i = 0; i < 4; i++) {
            char name[64];
            snprintf(name, sizeof name, "retinaface.%s%d", parts[i].name, level);
            double difference = compare_samples(fixture, name, parts[i].tensor);
            print_message("%s: %.2g\n", name, difference);
            worst = compare_worse(worst, difference);
        }
    }
    return worst;
}

/* The reference keeps faces that a hundredth of the heads' numbers makes; so does this. */
static void compare_faces(const struct retinaface_heads *heads)
{
    static struct retinaface_face faces[RETINAFACE_FACES_MAX];
    const struct weight *weight = weights_find(fixture, "retinaface.faces");
    struct err err = { 0 };
    int count = 0;
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        const struct tensor *tensors[] = { &heads->scores[level], &heads->boxes[level],
                                           &heads->points[level] };
        for (size_t i = 0; i < 3; i++)
            for (int k = 0; k < tensors[i]->channels * tensors[i]->height * tensors[i]->width; k++)
                ((float *)tensors[i]->data)[k] *= 0.01f;
    }
    const struct retinaface_limits limits = { .confidence = 0.5f, .overlap = 0.4f };
    assert_true(retinaface_decode(heads, WIDTH, HEIGHT, &limits, faces, &count, &err));
    assert_non_null(weight);
    assert_int_equal(count, weight->shape[0]);
    float *expected = malloc((size_t)weight->count * sizeof *expected);
    assert_non_null(expected);
    assert_true(weight_to_f32(weight, expected, &err));
    double worst = 0;
    for (int i = 0; i < count; i++) {
        const float *row = expected + 15 * i;
        worst = compare_worse(worst, fabs((double)faces[i].left - (double)row[0]));
        worst = compare_worse(worst, fabs((double)faces[i].top - (double)row[1]));
        worst = compare_worse(worst, fabs((double)faces[i].right - (double)row[2]));
        worst = compare_worse(worst, fabs((double)faces[i].bottom - (double)row[3]));
        worst = compare_worse(worst, 100 * fabs((double)faces[i].score - (double)row[4]));
        for (int k = 0; k < 10; k++)
            worst = compare_worse(worst,
                                  fabs((double)faces[i].points[k / 2][k % 2] - (double)row[5 + k]));
    }
    free(expected);
    print_message("%d faces, largest difference %.2g pixels\n", count, worst);
    assert_true(worst < 0.02);
}

/* Largest relative difference; negative when the machine cannot compute with that precision. */
static double compare_network(enum engine_precision precision)
{
    struct engine_options options = { .threads = 2, .precision = precision };
    struct engine *engine = NULL;
    struct retinaface_heads heads;
    struct tensor planes;
    struct err err = { 0 };
    if (!engine_new(&options, &engine, &err)) {
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
        return -1;
    }
    struct retinaface *net = seeded_net(engine);
    assert_true(engine_tensor_plain(engine, 3, HEIGHT, WIDTH, &planes, &err));
    fill_picture(&planes);
    if (!retinaface_run(net, &planes, NULL, &heads, &err))
        compare_fail(&err);
    double worst = compare_heads(&heads);
    if (precision == ENGINE_F32)
        compare_faces(&heads);
    retinaface_free(net);
    engine_free(engine);
    return worst;
}

static void network_and_faces_are_facexlibs(void **state)
{
    (void)state;
    assert_true(compare_network(ENGINE_F32) < LIMIT_F32);
}

static void network_in_bf16_is_close(void **state)
{
    (void)state;
    double worst = compare_network(ENGINE_BF16);
    if (worst < 0)
        skip();
    assert_true(worst < LIMIT_BF16);
}

static bool yes(void *context)
{
    int *asked = context;
    return ++*asked == 3;
}

static void a_run_can_be_canceled(void **state)
{
    (void)state;
    struct engine *engine = NULL;
    struct retinaface_heads heads;
    struct tensor planes;
    struct err err = { 0 };
    int asked = 0;
    assert_true(engine_new(&(struct engine_options){ 0 }, &engine, &err));
    struct retinaface *net = seeded_net(engine);
    assert_true(engine_tensor_plain(engine, 3, 1, 1, &planes, &err));
    memset(planes.data, 0, 3 * sizeof(float));
    if (!retinaface_run(net, &planes, NULL, &heads, &err)) /* the least picture is one */
        compare_fail(&err);
    const struct retinaface_watch watch = { yes, &asked };
    assert_false(retinaface_run(net, &planes, &watch, &heads, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(asked, 3);
    retinaface_free(net);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_state_dict),
        cmocka_unit_test(network_and_faces_are_facexlibs),
        cmocka_unit_test(network_in_bf16_is_close),
        cmocka_unit_test(a_run_can_be_canceled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
