/* RestoreFormer with seeded weights against PyTorch (tests/reference/restorers.py), stage by stage.
 *
 * Measured with AVX-512: f32 7e-6 at most, in any stage. bf16: 2.6e-2 up to the choice of codes.
 * From there on the largest difference says nothing, since a token near the border between two
 * codes gets the other one: codes are compared by how many are the same (0.96 of them), and what
 * follows with a codebook of one code (4.6e-2: the many norms bring each stage back to full size,
 * with the rounding of all stages before it). */
#include "golden/restorers.h"

#include "nn/restoreformer.h"

#define FIXTURE "tests/golden/restoreformer.safetensors"
#define LIMIT_F32 1e-4
#define LIMIT_BF16 8e-2

static const struct restoreformer_config small = { 64, 32, 3, { 1, 2, 2 }, 2, 64, 32, 4 };
static const struct restoreformer_config single = { 64, 32, 3, { 1, 2, 2 }, 2, 1, 32, 4 };

struct network {
    struct engine *engine;
    struct restoreformer *restoreformer;
    float *face, *restored;
    size_t count; /* of floats of each */
};

/* False when the machine cannot compute with that precision. */
static bool network_new(const struct restoreformer_config *config, enum engine_precision precision,
                        struct network *ret_network)
{
    struct network network = { .engine = restorers_engine(precision) };
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    if (!network.engine)
        return false;
    struct keys *keys = restoreformer_keys(config);
    void *file = seeded_file(keys, &bytes);
    if (!weights_open_memory(file, bytes, &weights, &err))
        compare_fail(&err);
    assert_true(restoreformer_is(weights));
    if (!restoreformer_new(network.engine, weights,
                           config == &restoreformer_published ? NULL : config,
                           &network.restoreformer, &err))
        compare_fail(&err);
    weights_close(weights);
    free(file);
    keys_free(keys);
    network.face = restorers_face(config->size);
    network.count = 3 * (size_t)config->size * (size_t)config->size;
    network.restored = malloc(network.count * sizeof *network.restored);
    assert_non_null(network.restored);
    *ret_network = network;
    return true;
}

static void network_free(struct network *network)
{
    restoreformer_free(network->restoreformer);
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
    restoreformer_watch(network->restoreformer, &(struct stage_watch){ restorers_see, &seen });
    if (!restoreformer_run(network->restoreformer, network->face, network->restored, &err))
        compare_fail(&err);
    assert_true(seen.stages > 3);
    restoreformer_watch(network->restoreformer, &(struct stage_watch){ 0 });
    weights_close(fixture);
    *ret_worst = seen.worst;
}

static void compare(const struct restoreformer_config *config, const char *prefix,
                    enum engine_precision precision, double *ret_worst)
{
    struct network network;
    *ret_worst = 0;
    if (!network_new(config, precision, &network))
        return;
    network_compare(&network, prefix, ret_worst);
    print_message("arena: %zu MB\n", engine_arena_bytes_peak(network.engine) >> 20);
    network_free(&network);
}

static void test_keys_are_those_of_the_state_dict(void **state)
{
    struct keys *keys = restoreformer_keys(&restoreformer_published);
    (void)state;
    compare_keys(keys, "tests/golden/keys/restoreformer.txt");
    keys_free(keys);
}

static void test_small_is_like_the_reference(void **state)
{
    double worst;
    (void)state;
    compare(&small, "small", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

static void test_full_is_like_the_reference(void **state)
{
    double worst;
    (void)state;
    if (COMPARE_SANITIZED)
        skip();
    compare(&restoreformer_published, "full", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
}

struct choice {
    struct restorers_seen seen;
    double latent, same; /* difference before the choice; share of equal values after it */
};

static bool choice_see(void *context, const char *stage, const struct tensor *result)
{
    struct choice *choice = context;
    char name[64];
    bool on = restorers_see(&choice->seen, stage, result);
    if (strcmp(stage, "latent") == 0)
        choice->latent = choice->seen.worst;
    if (strcmp(stage, "code") != 0)
        return on;
    snprintf(name, sizeof name, "%s.%s", choice->seen.prefix, stage);
    const struct weight *weight = weights_find(choice->seen.fixture, name);
    size_t total = (size_t)result->channels * (size_t)result->height * (size_t)result->width;
    float samples[COMPARE_SAMPLES];
    assert_int_equal(weight->count, COMPARE_SAMPLES);
    assert_true(weight_to_f32(weight, samples, NULL));
    for (size_t i = 0; i < COMPARE_SAMPLES; i++) {
        double value = compare_at(result, i * total / COMPARE_SAMPLES);
        if (fabs(value - (double)samples[i]) <= fabs((double)samples[i]) / 128) /* of bf16 */
            choice->same += 1.0 / COMPARE_SAMPLES;
    }
    print_message("the same code: %.3f\n", choice->same);
    return on;
}

static void check_choice(const struct restoreformer_config *config, const char *prefix,
                         double wanted)
{
    struct choice choice = { .seen = { .prefix = prefix, .stages_left = -1 } };
    struct weights *fixture = NULL;
    struct network network;
    struct err err = { 0 };
    if (!network_new(config, ENGINE_BF16, &network))
        return;
    if (!weights_open(FIXTURE, &fixture, &err))
        compare_fail(&err);
    choice.seen.fixture = fixture;
    restoreformer_watch(network.restoreformer, &(struct stage_watch){ choice_see, &choice });
    if (!restoreformer_run(network.restoreformer, network.face, network.restored, &err))
        compare_fail(&err);
    assert_true(choice.latent < LIMIT_BF16);
    assert_true(choice.same > wanted);
    weights_close(fixture);
    network_free(&network);
}

static void test_bf16_is_near_the_reference(void **state)
{
    double worst;
    (void)state;
    compare(&single, "single", ENGINE_F32, &worst);
    assert_true(worst < LIMIT_F32);
    compare(&single, "single", ENGINE_BF16, &worst);
    assert_true(worst < LIMIT_BF16);
}

static void test_bf16_chooses_most_codes_alike(void **state)
{
    (void)state;
    check_choice(&small, "small", 0.8);
    if (!COMPARE_SANITIZED)
        check_choice(&restoreformer_published, "full", 0.8);
}

static void test_again_gives_the_same_bits(void **state)
{
    struct network network;
    struct err err = { 0 };
    (void)state;
    assert_true(network_new(&small, ENGINE_F32, &network));
    float *first = malloc(network.count * sizeof *first);
    assert_non_null(first);
    assert_true(restoreformer_run(network.restoreformer, network.face, first, &err));
    assert_true(restoreformer_run(network.restoreformer, network.face, network.restored, &err));
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
    assert_true(network_new(&small, ENGINE_F32, &network));
    restoreformer_watch(network.restoreformer, &(struct stage_watch){ restorers_see, &seen });
    size_t mark = engine_mark(network.engine);
    assert_false(restoreformer_run(network.restoreformer, network.face, network.restored, &err));
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_int_equal(seen.stages, 3);
    assert_int_equal(engine_mark(network.engine), mark);
    network_free(&network);
}

/* One error counts and names what is missing, left over and misshapen. */
static void test_a_wrong_file_is_told_whole(void **state)
{
    struct engine *engine = restorers_engine(ENGINE_F32);
    struct keys *all = restoreformer_keys(&small), *keys = keys_new("something");
    struct restoreformer *restoreformer = NULL;
    struct weights *weights = NULL;
    struct err err = { 0 };
    size_t bytes = 0;
    (void)state;
    for (size_t i = 0; i < keys_count(all); i++) {
        const struct key *key = keys_at(all, i);
        if (strcmp(key->name, "decoder.conv_in.bias") == 0)
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(7), "%s", key->name);
        else if (strcmp(key->name, "decoder.up.0.block.0.nin_shortcut.weight") != 0)
            keys_add(keys, key->need, key->rank, key->shape, "%s", key->name);
    }
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3), "stranger");
    void *file = seeded_file(keys, &bytes);
    assert_true(weights_open_memory(file, bytes, &weights, &err));
    assert_false(restoreformer_new(engine, weights, &small, &restoreformer, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.detail, "decoder.conv_in.bias"));
    assert_non_null(strstr(err.detail, "decoder.up.0.block.0.nin_shortcut.weight"));
    assert_non_null(strstr(err.detail, "stranger"));
    weights_close(weights);
    free(file);
    keys_free(keys);
    keys_free(all);
    engine_free(engine);
}

static void test_impossible_measures_are_refused(void **state)
{
    struct restoreformer_config wrong[] = { small, small, small, small, small };
    wrong[0].size = 66;
    wrong[1].channels = 48;
    wrong[2].heads = 5;
    wrong[3].multipliers[2] = 0;
    wrong[4].levels = RESTOREFORMER_LEVELS_MAX + 1;
    struct engine *engine = restorers_engine(ENGINE_F32);
    struct weights *weights = NULL;
    struct restoreformer *restoreformer = NULL;
    struct err err = { 0 };
    (void)state;
    assert_true(weights_open(FIXTURE, &weights, &err));
    assert_false(restoreformer_is(weights));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(restoreformer_new(engine, weights, &wrong[i], &restoreformer, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.detail, "no RestoreFormer can have these measures");
    }
    weights_close(weights);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_those_of_the_state_dict),
        cmocka_unit_test(test_small_is_like_the_reference),
        cmocka_unit_test(test_full_is_like_the_reference),
        cmocka_unit_test(test_bf16_is_near_the_reference),
        cmocka_unit_test(test_bf16_chooses_most_codes_alike),
        cmocka_unit_test(test_again_gives_the_same_bits),
        cmocka_unit_test(test_a_watcher_can_end_a_run),
        cmocka_unit_test(test_a_wrong_file_is_told_whole),
        cmocka_unit_test(test_impossible_measures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
