/* RRDBNet and SRVGGNetCompact against basicsr's, made by tests/reference/upscalers.py.
 *
 * Seeded weights at published and small configurations: the largest difference over the largest
 * value, measured f32 2.8e-6, bf16 1.3e-2; allowed 1e-4 and 2e-2.
 * Real weights on a part of a photo: PSNR, measured 116 and 121 dB; at least 60 dB is asked for,
 * 40 dB being where differences begin to be visible. */
#include "golden/compare.h"

#include "engine/engine.h"
#include "golden/seeded.h"
#include "nn/rrdb.h"
#include "nn/srvgg.h"

#define FIXTURE "tests/golden/upscalers.safetensors"
#define REAL_FIXTURE "tests/golden/upscalers_real.safetensors"

struct config {
    const char *name;
    bool small, compact;
    struct rrdb_shape rrdb;
    struct srvgg_shape srvgg;
};

static const struct config configs[] = {
    { "rrdb_x4plus", .rrdb = { 64, 32, 23, 4 } },
    { "rrdb_anime", .rrdb = { 64, 32, 6, 4 } },
    { "rrdb_small", .small = true, .rrdb = { 16, 16, 2, 4 } },
    { "rrdb_small_x2", .small = true, .rrdb = { 16, 16, 2, 2 } },
    { "rrdb_small_x1", .small = true, .rrdb = { 16, 16, 1, 1 } },
    { "srvgg_general", .compact = true, .srvgg = { 64, 32, 4 } },
    { "srvgg_video", .compact = true, .srvgg = { 64, 16, 4 } },
    { "srvgg_small_x2", .small = true, .compact = true, .srvgg = { 16, 2, 2 } },
    { "srvgg_small_x3", .small = true, .compact = true, .srvgg = { 16, 1, 3 } },
};

#define CONFIGS (sizeof configs / sizeof configs[0])

/* [3][height][width] in 0..1, the same as picture() in tests/reference/upscalers.py. */
static void formula(float *pixels, int height, int width)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                *pixels++ =
                    (float)((x * x * 3 + y * y * 5 + x * y * 2 + c * 89 + y * 7) % 251) / 250.0f;
}

static struct keys *keys_of(const struct config *config)
{
    struct keys *keys = keys_new(config->name);
    assert_non_null(keys);
    if (config->compact)
        srvgg_keys(&config->srvgg, keys);
    else
        rrdb_keys(&config->rrdb, keys);
    return keys;
}

static struct engine *engine_made(enum engine_precision precision)
{
    struct engine *engine = NULL;
    struct err err = { 0 };
    struct engine_options options = { .threads = 2, .precision = precision };
    if (!engine_new(&options, &engine, &err) && err.kind != ERR_UNAVAILABLE)
        compare_fail(&err);
    return engine;
}

/* Either network behind one door. */
struct net {
    struct rrdb *rrdb;
    struct srvgg *srvgg;
};

static struct net net_made(struct engine *engine, struct weights *weights, bool compact)
{
    struct net net = { 0 };
    struct err err = { 0 };
    if (compact ? !srvgg_new(engine, weights, &net.srvgg, &err)
                : !rrdb_new(engine, weights, &net.rrdb, &err))
        compare_fail(&err);
    return net;
}

static void net_run(const struct net *net, const struct tensor *src, const struct tensor *dst)
{
    struct err err = { 0 };
    if (net->srvgg ? !srvgg_run(net->srvgg, src, dst, &err) : !rrdb_run(net->rrdb, src, dst, &err))
        compare_fail(&err);
}

static void net_free(struct net *net)
{
    rrdb_free(net->rrdb);
    srvgg_free(net->srvgg);
}

static void tables_hold_every_tensor(void **state)
{
    (void)state;
    char path[GOLDEN_PATH_BYTES];
    for (size_t i = 0; i < CONFIGS; i++) {
        snprintf(path, sizeof path, "tests/golden/keys/%s.txt", configs[i].name);
        if (access(path, R_OK) != 0)
            continue; /* lists are kept of three */
        struct keys *keys = keys_of(&configs[i]);
        compare_keys(keys, path);
        keys_free(keys);
    }
}

static void compare_config(struct engine *engine, const struct config *config,
                           const struct weights *fixture, double limit)
{
    char name[64];
    float size[2];
    size_t bytes = 0;
    struct weights *weights = NULL;
    struct err err = { 0 };
    struct keys *keys = keys_of(config);
    void *file = seeded_file(keys, &bytes);
    if (!weights_open_memory(file, bytes, &weights, &err))
        compare_fail(&err);
    struct net net = net_made(engine, weights, config->compact);
    snprintf(name, sizeof name, "%s.size", config->name);
    assert_non_null(weights_find(fixture, name));
    assert_true(weight_to_f32(weights_find(fixture, name), size, &err));
    int height = (int)size[0], width = (int)size[1];
    int factor = config->compact ? srvgg_factor(net.srvgg) : rrdb_factor(net.rrdb);
    struct tensor src = tensor_plain(3, height, width, NULL);
    struct tensor dst = tensor_plain(3, height * factor, width * factor, NULL);
    src.data = malloc(tensor_bytes(&src));
    dst.data = malloc(tensor_bytes(&dst));
    assert_true(src.data && dst.data);
    formula(src.data, height, width);
    net_run(&net, &src, &dst);
    snprintf(name, sizeof name, "%s.result", config->name);
    double off = compare_samples(fixture, name, &dst);
    print_message("%s, %s: relative error %.2g\n", config->name, engine_isa_name(engine), off);
    assert_true(off <= limit);
    free(src.data);
    free(dst.data);
    net_free(&net);
    weights_close(weights);
    free(file);
    keys_free(keys);
}

static void compare_all(enum engine_precision precision, double limit)
{
    struct weights *fixture = NULL;
    struct err err = { 0 };
    struct engine *engine = engine_made(precision);
    if (!engine) {
        print_message("this machine computes no bf16\n");
        return;
    }
    if (!weights_open(FIXTURE, &fixture, &err))
        compare_fail(&err);
    for (size_t i = 0; i < CONFIGS; i++)
        if (configs[i].small || !COMPARE_SANITIZED)
            compare_config(engine, &configs[i], fixture, limit);
    weights_close(fixture);
    engine_free(engine);
}

static void networks_compute_what_basicsr_does(void **state)
{
    (void)state;
    compare_all(ENGINE_F32, 1e-4);
}

static void so_they_do_in_bf16(void **state)
{
    (void)state;
    compare_all(ENGINE_BF16, 2e-2);
}

/* ---- Real weights ---------------------------------------------------------------------------- */

/* PSNR of a network on the photo's middle, in dB, over the samples. */
static double real_psnr(const char *where, const char *file, const char *result_name)
{
    char path[GOLDEN_PATH_BYTES];
    const char *root = getenv("MIMEO_WEIGHTS");
    struct weights *fixture = NULL, *weights = NULL;
    struct err err = { 0 };
    struct engine *engine = engine_made(ENGINE_F32);
    snprintf(path, sizeof path, "%s/%s/%s", root ? root : ".mimeo/weights", where, file);
    if (!weights_open(path, &weights, &err) || !weights_open(REAL_FIXTURE, &fixture, &err))
        compare_fail(&err);
    const struct weight *crop = weights_find(fixture, "crop");
    const struct weight *result = weights_find(fixture, result_name);
    assert_true(crop && result && crop->rank == 3);
    int height = (int)crop->shape[0], width = (int)crop->shape[1];
    struct tensor src = tensor_plain(3, height, width, malloc((size_t)crop->count * 4));
    struct tensor dst =
        tensor_plain(3, 4 * height, 4 * width, malloc((size_t)crop->count * 16 * 4));
    float samples[COMPARE_SAMPLES];
    assert_true(src.data && dst.data && weight_to_f32(result, samples, &err));
    for (int i = 0; i < crop->count; i++)
        ((float *)src.data)[(size_t)(i % 3) * height * width + i / 3] =
            (float)((const uint8_t *)crop->data)[i] / 255.0f;
    struct net net = net_made(engine, weights, false);
    net_run(&net, &src, &dst);
    double sum = 0;
    size_t total = tensor_bytes(&dst) / sizeof(float);
    for (size_t i = 0; i < COMPARE_SAMPLES; i++) {
        double off = compare_at(&dst, i * total / COMPARE_SAMPLES) - (double)samples[i];
        sum += off * off / COMPARE_SAMPLES;
    }
    net_free(&net);
    free(src.data);
    free(dst.data);
    weights_close(weights);
    weights_close(fixture);
    engine_free(engine);
    return -10 * log10(sum);
}

static void real_networks_show_the_same_picture(void **state)
{
    (void)state;
    if (COMPARE_SANITIZED)
        return; /* minutes there */
    double photo = real_psnr("nightmareai/real-esrgan", "realesrgan-x4plus.param", "x4plus.result");
    double drawing =
        real_psnr("mimeo/real-esrgan-anime", "realesrgan-x4plus-anime.param", "anime.result");
    print_message("PSNR: x4plus %.1f dB, anime %.1f dB\n", photo, drawing);
    assert_true(photo >= 60 && drawing >= 60);
}

/* ---- Namings --------------------------------------------------------------------------------- */

/* The small network's tensors under the names that a change of each gives. */
static void renamed_network(const char *what, void (*rename)(const char *name, char *ret_name))
{
    const struct rrdb_shape shape = { 16, 16, 2, 4 };
    struct keys *keys = keys_new("RRDBNet"), *others = keys_new(what);
    struct engine *engine = engine_made(ENGINE_F32);
    struct err err = { 0 };
    struct weights *weights = NULL;
    struct rrdb *rrdb = NULL;
    size_t bytes = 0;
    rrdb_keys(&shape, keys);
    for (size_t i = 0; i < keys_count(keys); i++) {
        const struct key *key = keys_at(keys, i);
        char name[KEYS_NAME_BYTES];
        rename(key->name, name);
        keys_add(others, KEY_REQUIRED, key->rank, key->shape, "%s", name);
    }
    void *file = seeded_file(others, &bytes);
    if (!weights_open_memory(file, bytes, &weights, &err) ||
        !rrdb_new(engine, weights, &rrdb, &err))
        compare_fail(&err);
    assert_int_equal(rrdb_shape(rrdb).depth, 2);
    assert_int_equal(rrdb_shape(rrdb).growth, 16);
    assert_int_equal(rrdb_factor(rrdb), 4);
    rrdb_free(rrdb);
    weights_close(weights);
    free(file);
    engine_free(engine);
    keys_free(keys);
    keys_free(others);
}

static void nested(const char *name, char *ret_name)
{
    snprintf(ret_name, KEYS_NAME_BYTES, "params_ema.module.%s", name);
}

static const char *replaced(const char *name, const char *const (*table)[2], char *ret_rest)
{
    for (; (*table)[0]; table++)
        if (strncmp(name, (*table)[0], strlen((*table)[0])) == 0) {
            snprintf(ret_rest, KEYS_NAME_BYTES, "%s", name + strlen((*table)[0]));
            return (*table)[1];
        }
    return NULL;
}

static void of_2018(const char *name, char *ret_name)
{
    static const char *const table[][2] = {
        { "conv_first.", "model.0." },
        { "conv_body.", "model.1.sub.2." },
        { "conv_up1.", "model.3." },
        { "conv_up2.", "model.6." },
        { "conv_hr.", "model.8." },
        { "conv_last.", "model.10." },
        { NULL, NULL },
    };
    char rest[KEYS_NAME_BYTES], what[8];
    int block, dense, conv;
    const char *beginning = replaced(name, table, rest);
    if (beginning)
        snprintf(ret_name, KEYS_NAME_BYTES, "%s%.100s", beginning, rest);
    else if (sscanf(name, "body.%d.rdb%d.conv%d.%7s", &block, &dense, &conv, what) == 4)
        snprintf(ret_name, KEYS_NAME_BYTES, "model.1.sub.%d.RDB%d.conv%d.0.%s", block, dense, conv,
                 what);
}

static void of_2020(const char *name, char *ret_name)
{
    static const char *const table[][2] = {
        { "conv_body.", "trunk_conv." },
        { "conv_up1.", "upconv1." },
        { "conv_up2.", "upconv2." },
        { "conv_hr.", "HRconv." },
        { NULL, NULL },
    };
    char rest[KEYS_NAME_BYTES], what[8];
    int block, dense, conv;
    const char *beginning = replaced(name, table, rest);
    if (beginning)
        snprintf(ret_name, KEYS_NAME_BYTES, "%s%.100s", beginning, rest);
    else if (sscanf(name, "body.%d.rdb%d.conv%d.%7s", &block, &dense, &conv, what) == 4)
        snprintf(ret_name, KEYS_NAME_BYTES, "RRDB_trunk.%d.RDB%d.conv%d.%s", block, dense, conv,
                 what);
    else
        snprintf(ret_name, KEYS_NAME_BYTES, "%s", name);
}

static void every_naming_is_known(void **state)
{
    (void)state;
    renamed_network("nested", nested);
    renamed_network("2018", of_2018);
    renamed_network("2020", of_2020);
}

/* What is missing, unexpected or misshapen is named. */
static void a_broken_network_is_refused(void **state)
{
    (void)state;
    const struct rrdb_shape shape = { 16, 16, 1, 4 };
    struct engine *engine = engine_made(ENGINE_F32);
    for (int broken = 0; broken < 3; broken++) {
        struct keys *keys = keys_new("RRDBNet"), *others = keys_new("broken");
        struct err err = { 0 };
        struct weights *weights = NULL;
        struct rrdb *rrdb = NULL;
        size_t bytes = 0;
        rrdb_keys(&shape, keys);
        for (size_t i = 0; i < keys_count(keys); i++) {
            struct key key = *keys_at(keys, i);
            bool it = strcmp(key.name, "body.0.rdb2.conv4.weight") == 0;
            if (it && broken == 0)
                continue;
            if (it && broken == 1)
                key.shape[1] += 16;
            keys_add(others, KEY_REQUIRED, key.rank, key.shape, "%s", key.name);
        }
        if (broken == 2)
            keys_add(others, KEY_REQUIRED, KEYS_SHAPE(16), "body.0.rdb2.conv4.weights");
        void *file = seeded_file(others, &bytes);
        assert_true(weights_open_memory(file, bytes, &weights, &err));
        assert_false(rrdb_new(engine, weights, &rrdb, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.detail, "body.0.rdb2.conv4.weight"));
        weights_close(weights);
        free(file);
        keys_free(keys);
        keys_free(others);
    }
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_hold_every_tensor),
        cmocka_unit_test(networks_compute_what_basicsr_does),
        cmocka_unit_test(so_they_do_in_bf16),
        cmocka_unit_test(real_networks_show_the_same_picture),
        cmocka_unit_test(every_naming_is_known),
        cmocka_unit_test(a_broken_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
