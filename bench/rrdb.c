/* bench: runner. RRDBNet on one square tile: time, memory, and the picture to compare with others.
 *
 *     bench-rrdb --weights FILE|seeded [--size 256] [--depth 23] [--threads 2] [--runs 3]
 *                [--isa avx2] [--precision f32|bf16] [--dump out.f32] [--compare reference.f32]
 *                [--export FOLDER]
 *
 * The tile is seeded noise, smoothed, in 0..1. `seeded` makes weights for the shape of the
 * published x4 network, `depth` blocks of it. --export writes FOLDER/weights.f32 (every tensor in
 * the order of rrdb_keys, as published) and FOLDER/input.f32 for the other engines, and
 * FOLDER/shape.json. Prints one line of key=value pairs. bench/rrdb.sh runs it in turn with ONNX
 * Runtime. */
#include "../tests/golden/seeded.h"

#include "base/err.h"
#include "engine/engine.h"
#include "nn/rrdb.h"

#include <sys/resource.h>
#include <time.h>

#define RUNS_MAX 1000
#define SIZE_MAX_PIXELS 2048

struct bench {
    const char *weights, *dump, *compare, *folder;
    int runs, size, depth;
    struct engine_options engine;
};

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool write_floats(FILE *file, const float *values, size_t count)
{
    return fwrite(values, sizeof *values, count, file) == count;
}

static bool write_file(const char *path, const float *values, size_t count)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && write_floats(file, values, count);
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "bench-rrdb: cannot write '%s'\n", path);
    return ok;
}

/* Noise with the falling spectrum of pictures: each pixel is mostly its left and upper neighbour.
 */
static void picture(float *values, int size)
{
    uint32_t state = 1;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++) {
                float *at = values + ((size_t)c * size + y) * size + x;
                state = state * 1664525u + 1013904223u;
                float noise = (float)(state >> 8) / 16777216.0f;
                float left = x ? at[-1] : noise, up = y ? at[-size] : noise;
                *at = 0.45f * left + 0.45f * up + 0.1f * noise;
            }
}

static bool export_weights(const char *path, const struct keys *keys, const struct weights *weights,
                           struct err *err)
{
    FILE *file = fopen(path, "wb");
    bool ok = file != NULL;
    for (size_t i = 0; ok && i < keys_count(keys); i++) {
        const struct weight *weight = weights_find(weights, keys_at(keys, i)->name);
        float *values = weight ? malloc((size_t)weight->count * sizeof *values) : NULL;
        ok = values && weight_to_f32(weight, values, err) &&
             write_floats(file, values, (size_t)weight->count);
        free(values);
    }
    if (file && fclose(file) != 0)
        ok = false;
    return ok || err_set(err, ERR_INTERNAL, "cannot write '%s'", path);
}

/* What another engine needs to run the same network on the same tile. */
static bool export(const struct bench *bench, const struct rrdb_shape *shape,
                   const struct weights *weights, const float *input, struct err *err)
{
    char path[4096];
    struct keys *keys = keys_new("RRDBNet");
    bool ok = keys != NULL;
    if (ok)
        rrdb_keys(shape, keys);
    snprintf(path, sizeof path, "%s/weights.f32", bench->folder);
    ok = ok && keys_ok(keys, err) && export_weights(path, keys, weights, err);
    keys_free(keys);
    snprintf(path, sizeof path, "%s/input.f32", bench->folder);
    ok = ok && write_file(path, input, (size_t)3 * bench->size * bench->size);
    snprintf(path, sizeof path, "%s/shape.json", bench->folder);
    FILE *file = ok ? fopen(path, "w") : NULL;
    ok = file && fprintf(file, "{\"features\": %d, \"growth\": %d, \"depth\": %d, \"size\": %d}\n",
                         shape->features, shape->growth, shape->depth, bench->size) > 0;
    if (file && fclose(file) != 0)
        ok = false;
    return ok || err_set(err, ERR_INTERNAL, "cannot write '%s'", path);
}

static bool option(struct bench *bench, const char *name, const char *value)
{
    static const char *const isas[] = { "best", "plain", "avx2", "avx512" };
    static const char *const precisions[] = { "f32", "bf16" };
    const struct {
        const char *name, **text;
        int *number;
    } options[] = {
        { "--weights", &bench->weights, NULL }, { "--dump", &bench->dump, NULL },
        { "--compare", &bench->compare, NULL }, { "--export", &bench->folder, NULL },
        { "--runs", NULL, &bench->runs },       { "--threads", NULL, &bench->engine.threads },
        { "--size", NULL, &bench->size },       { "--depth", NULL, &bench->depth },
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(name, options[i].name) == 0) {
            if (options[i].text)
                *options[i].text = value;
            else
                *options[i].number = (int)strtol(value, NULL, 10);
            return true;
        }
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, "--isa") == 0 && strcmp(value, isas[i]) == 0)
            return bench->engine.isa = (enum engine_isa)i, true;
        if (i < 2 && strcmp(name, "--precision") == 0 && strcmp(value, precisions[i]) == 0)
            return bench->engine.precision = (enum engine_precision)i, true;
    }
    return false;
}

static bool compare(const char *path, const float *values, size_t count)
{
    float *reference = malloc(count * sizeof *reference);
    FILE *file = fopen(path, "rb");
    bool ok = reference && file && fread(reference, sizeof *reference, count, file) == count;
    double largest = 0, squares = 0, range = 0;
    for (size_t i = 0; ok && i < count; i++) {
        double difference = fabs((double)values[i] - (double)reference[i]);
        largest = difference > largest ? difference : largest;
        range = fabs((double)reference[i]) > range ? fabs((double)reference[i]) : range;
        squares += difference * difference;
    }
    if (ok)
        printf(" max_abs=%.3g max_relative=%.3g psnr_db=%.1f", largest, largest / range,
               10 * log10((double)count / squares));
    else
        fprintf(stderr, "bench-rrdb: cannot read %zu floats from '%s'\n", count, path);
    if (file)
        fclose(file);
    free(reference);
    return ok;
}

/* Direct convolutions' multiplications and additions, in 1e9, with the tail at 2 and 4 times the
 * size. */
static double flop_1e9(const struct rrdb_shape *shape, int size)
{
    double f = shape->features, g = shape->growth, dense = 0;
    for (int conv = 0; conv < 5; conv++)
        dense += (f + conv * g) * (conv < 4 ? g : f);
    double per_pixel =
        3 * shape->depth * dense + 3 * f + f * f + 4 * f * f + 16 * (2 * f * f + 3 * f);
    return per_pixel * 18 * size * size / 1e9;
}

static bool measure(const struct bench *bench, struct rrdb *rrdb, float *input, float *output,
                    struct err *err)
{
    double times[RUNS_MAX], first = 0;
    int factor = rrdb_factor(rrdb);
    struct tensor src = tensor_plain(3, bench->size, bench->size, input);
    struct tensor dst = tensor_plain(3, factor * bench->size, factor * bench->size, output);
    for (int i = -1; i < bench->runs; i++) {
        double start = now_ms();
        if (!rrdb_run(rrdb, &src, &dst, err))
            return false;
        if (i < 0)
            first = now_ms() - start;
        else
            times[i] = now_ms() - start;
    }
    qsort(times, (size_t)bench->runs, sizeof *times, by_value);
    struct rrdb_shape shape = rrdb_shape(rrdb);
    double median = times[bench->runs / 2], flop = flop_1e9(&shape, bench->size);
    printf("engine=mimeo median_ms=%.1f best_ms=%.1f first_ms=%.1f gflop=%.0f gflops=%.0f", median,
           times[0], first, flop, flop / median * 1e3);
    return true;
}

static bool open_weights(const struct bench *bench, struct weights **ret_weights, void **ret_file,
                         struct err *err)
{
    if (strcmp(bench->weights, "seeded") != 0)
        return weights_open(bench->weights, ret_weights, err);
    const struct rrdb_shape shape = {
        .features = 64, .growth = 32, .depth = bench->depth, .factor = 4
    };
    struct keys *keys = keys_new("RRDBNet");
    size_t bytes = 0;
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of names");
    rrdb_keys(&shape, keys);
    bool ok = keys_ok(keys, err);
    if (ok)
        *ret_file = seeded_file(keys, &bytes);
    keys_free(keys);
    return ok && weights_open_memory(*ret_file, bytes, ret_weights, err);
}

static bool run(const struct bench *bench, float *input, float *output, struct err *err)
{
    struct weights *weights = NULL;
    struct engine *engine = NULL;
    struct rrdb *rrdb = NULL;
    struct rusage usage;
    void *file = NULL;
    bool ok = engine_new(&bench->engine, &engine, err) &&
              open_weights(bench, &weights, &file, err) && rrdb_new(engine, weights, &rrdb, err);
    if (ok && bench->folder) {
        struct rrdb_shape shape = rrdb_shape(rrdb);
        ok = export(bench, &shape, weights, input, err);
    }
    weights_close(weights);
    free(file);
    ok = ok && (bench->runs == 0 || measure(bench, rrdb, input, output, err));
    if (ok) {
        getrusage(RUSAGE_SELF, &usage);
        printf(" peak_rss_mb=%ld arena_mb=%zu isa=%s threads=%d", usage.ru_maxrss / 1024,
               engine_arena_bytes_peak(engine) >> 20, engine_isa_name(engine),
               bench->engine.threads);
    }
    rrdb_free(rrdb);
    engine_free(engine);
    return ok;
}

int main(int argc, char **argv)
{
    struct bench bench = { .runs = 3, .size = 256, .depth = 23, .engine = { .threads = 2 } };
    struct err err = { 0 };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&bench, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench-rrdb: bad option '%s'\n", argv[i]);
            return 2;
        }
    if (!bench.weights || bench.runs < 0 || bench.runs > RUNS_MAX || bench.size < 8 ||
        bench.size > SIZE_MAX_PIXELS) {
        fprintf(stderr, "use: bench-rrdb --weights FILE|seeded [options]; see bench/rrdb.c\n");
        return 2;
    }
    size_t pixels = (size_t)bench.size * bench.size;
    float *input = malloc(3 * pixels * sizeof *input);
    float *output = malloc(16 * 3 * pixels * sizeof *output);
    bool ok = input && output;
    if (ok)
        picture(input, bench.size);
    if (ok && !run(&bench, input, output, &err)) {
        fprintf(stderr, "bench-rrdb: %s%s\n", err.detail, err.cause);
        ok = false;
    }
    ok = ok && (!bench.compare || compare(bench.compare, output, 16 * 3 * pixels));
    printf("\n");
    ok = ok && (!bench.dump || write_file(bench.dump, output, 16 * 3 * pixels));
    free(input);
    free(output);
    return ok ? 0 : 1;
}
