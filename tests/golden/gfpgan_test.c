/* GFPGAN with seeded weights against PyTorch (tests/reference/restorers.py), stage by stage.
 *
 * Measured with AVX-512: f32 3e-6 at most, in any stage. bf16: 1.1e-2 in the picture, 1.9e-2 in the
 * worst stage, and 1.6e-2 in the small network: each of some 40 layers on the way rounds to 8 bits,
 * and what the style codes are off by is the same for a whole plane. */
#include "golden/restorers.h"

#include "nn/gfpgan.h"

#define FIXTURE "tests/golden/gfpgan.safetensors"
#define LIMIT_F32 1e-4
#define LIMIT_BF16 3e-2

static const struct gfpgan_config small = { 64, 64, 1, 48 };

struct network {
    struct engine *engine;
    struct gfpgan *gfpgan;
    float *face, *restored;
    size_t count; /* of floats of each */
};

/* False when the machine cannot compute with that precision. */
static bool network_new(const struct gfpgan_config *config, enum engine_precision precision,
                        bool noise, struct network *ret_network)
{
    struct network network = { .engine = restorers_engine(precision) };
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    if (!network.engine)
        return false;
    struct keys *all = gfpgan_keys(config), *keys = keys_new("GFPGAN");
    for (size_t i = 0; i < keys_count(all); i++) {
        const struct key *key = keys_at(all, i);
        if (noise || key->need != KEY_OPTIONAL)
            keys_add(keys, key->need, key->rank, key->shape, "%s", key->name);
    }
    void *file = seeded_file(keys, &bytes);
    if (!weights_open_memory(file, bytes, &weights, &err))
        compare_fail(&err);
    assert_true(gfpgan_is(weights));
    if (!gfpgan_new(network.engine, weights, config == &gfpgan_published ? NULL : config,
                    &network.gfpgan, &err))
        compare_fail(&err);
    weights_close(weights);
    free(file);
    keys_free(keys);
    keys_free(all);
    network.face = restorers_face(config->size);
    network.count = 3 * (size_t)config->size * (size_t)config->size;
    network.restored = malloc(network.count * sizeof *network.restored);
    assert_non_null(network.restored);
    *ret_network = network;
    return true;
}

static void network_free(struct network *network)
{
    gfpgan_free(network->gfpgan);
    engine_free(network->engine);
    free(network->face);
    free(network->restored);
}

/* Run it once, comparing. */
static void network_compare(struct network *network, const char *prefix, double *ret_worst)
{
    struct restorers_seen seen = { .prefix = prefix, .stages_left = -1 };
    struct weights *fixture = NULL;
    struct err err = { 0 };
    if (!weights_open(FIXTURE, &fixture, &err))
        compare_fail(&err);
    seen.fixture = fixture;
    gfpgan_watch(network->gfpgan, &(struct stage_watch){ restorers_see, &seen });
    if (!gfpgan_run(network->gfpgan, network->face, network->restored, &err))
        compare_fail(&err);
    assert_true(seen.stages > 3);
    gfpgan_watch(network->gfpgan, &(struct stage_watch){ 0 });
    weights_close(fixture);
    *ret_worst = seen.worst;
}

static void compare(const struct gfpgan_config *config, const char *prefix,
                    enum engine_precision precision, double *ret_worst)
{
    struct network network;
    *ret_worst = 0;
    if (!network_new(config, precision, strcmp(prefix, "quiet") != 0, &network))
        return;
    network_compare(&network, prefix, ret_worst);
    print_message("arena: %zu MB\n", engine_arena_bytes_peak(network.engine) >> 20);
    network_free(&network);
}

static void test_keys_are_those_of_the_state_dict(void **state)
{
    struct keys *keys = gfpgan_keys(&gfpgan_published);
    (void)state;
    compare_keys(keys, "tests/golden/keys/gfpgan.txt");
    keys_free(keys);
}

static void test_small_is_like_the_reference(void **state)
{
    double worst;
    (void)state;
    compare(&small, "small", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_without_noise_maps_the_noise_is_zero(void **state)
{
    double worst;
    (void)state;
    compare(&small, "quiet", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_full_is_like_the_reference(void **state)
{
    double worst;
    (void)state;
    if (COMPARE_SANITIZED)
        skip();
    compare(&gfpgan_published, "full", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_bf16_is_near_the_reference(void **state)
{
    double worst;
    (void)state;
    compare(&small, "small", ENGINE_BF16, &worst);
    assert_true(worst < LIMIT_BF16);
    if (COMPARE_SANITIZED)
        return;
    compare(&gfpgan_published, "full", ENGINE_BF16, &worst);
    assert_true(worst < LIMIT_BF16);
}

static void test_again_gives_the_same_bits(void **state)
{
    struct network network;
    struct err err = { 0 };
    (void)state;
    assert_true(network_new(&small, ENGINE_F32, true, &network));
    float *first = malloc(network.count * sizeof *first);
    assert_non_null(first);
    assert_true(gfpgan_run(network.gfpgan, network.face, first, &err));
    assert_true(gfpgan_run(network.gfpgan, network.face, network.restored, &err));
    assert_memory_equal(first, network.restored, network.count * sizeof *first);
    free(first);
    network_free(&network);
}

static void test_a_watcher_can_end_a_run(void **state)
{
    struct restorers_seen seen = { .stages_left = 2 };
    struct network network;
    struct err err = { 0 };
    (void)state;
    assert_true(network_new(&small, ENGINE_F32, true, &network));
    gfpgan_watch(network.gfpgan, &(struct stage_watch){ restorers_see, &seen });
    size_t mark = engine_mark(network.engine);
    assert_false(gfpgan_run(network.gfpgan, network.face, network.restored, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(seen.stages, 3);
    assert_int_equal(engine_mark(network.engine), mark);
    network_free(&network);
}

/* One error counts and names what is missing, left over and misshapen. */
static void test_a_wrong_file_is_told_whole(void **state)
{
    struct engine *engine = restorers_engine(ENGINE_F32);
    struct keys *all = gfpgan_keys(&small), *keys = keys_new("something");
    struct gfpgan *gfpgan = NULL;
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    (void)state;
    for (size_t i = 0; i < keys_count(all); i++) {
        const struct key *key = keys_at(all, i);
        if (strcmp(key->name, "final_conv.bias") == 0)
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(7), "%s", key->name);
        else if (strcmp(key->name, "conv_body_up.1.skip.weight") != 0)
            keys_add(keys, key->need, key->rank, key->shape, "%s", key->name);
    }
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3), "stranger");
    void *file = seeded_file(keys, &bytes);
    assert_true(weights_open_memory(file, bytes, &weights, &err));
    assert_false(gfpgan_new(engine, weights, &small, &gfpgan, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "final_conv.bias"));
    assert_non_null(strstr(err.detail, "conv_body_up.1.skip.weight"));
    assert_non_null(strstr(err.detail, "stranger"));
    weights_close(weights);
    free(file);
    keys_free(keys);
    keys_free(all);
    engine_free(engine);
}

static void test_impossible_measures_are_refused(void **state)
{
    static const struct gfpgan_config wrong[] = {
        { 4, 64, 1, 48 },  { 100, 64, 1, 48 },    { 2048, 512, 2, 512 }, { 64, 48, 1, 48 },
        { 64, 64, 0, 48 }, { 1024, 512, 1, 512 }, { 64, 64, 1, 0 },
    };
    struct engine *engine = restorers_engine(ENGINE_F32);
    struct weights *weights = NULL;
    struct gfpgan *gfpgan = NULL;
    struct err err = { 0 };
    (void)state;
    assert_true(weights_open(FIXTURE, &weights, &err));
    assert_false(gfpgan_is(weights));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(gfpgan_new(engine, weights, &wrong[i], &gfpgan, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.detail, "no GFPGAN can have these measures");
    }
    weights_close(weights);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_those_of_the_state_dict),
        cmocka_unit_test(test_small_is_like_the_reference),
        cmocka_unit_test(test_without_noise_maps_the_noise_is_zero),
        cmocka_unit_test(test_full_is_like_the_reference),
        cmocka_unit_test(test_bf16_is_near_the_reference),
        cmocka_unit_test(test_again_gives_the_same_bits),
        cmocka_unit_test(test_a_watcher_can_end_a_run),
        cmocka_unit_test(test_a_wrong_file_is_told_whole),
        cmocka_unit_test(test_impossible_measures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
