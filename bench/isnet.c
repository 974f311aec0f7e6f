/* bench: runner. IS-Net at 1024x1024: time, memory, and the matte to compare with another engine.
 *
 *     bench-isnet --weights isnet.onnx [--input in.f32] [--threads 2] [--runs 5] [--isa avx2]
 *                 [--algorithm winograd|direct|onednn] [--precision f32|bf16]
 *                 [--dump out.f32] [--compare reference.f32]
 *
 * The input is [3][1024][1024] little-endian f32, already normalised; without it, seeded noise.
 * Prints one line of key=value pairs. bench/isnet.sh runs it in turn with ONNX Runtime. */
#include "base/err.h"
#include "engine/engine.h"
#include "nn/isnet.h"
#include "weights/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define PIXELS ((size_t)ISNET_SIZE * ISNET_SIZE)
#define RUNS_MAX 1000
#define FLOP_1E9 319.2 /* of the direct convolutions, per pass */

struct bench {
    const char *weights, *input, *dump, *compare;
    int runs;
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

static bool read_floats(const char *path, float *ret_values, size_t count)
{
    FILE *file = fopen(path, "rb");
    bool ok = file && fread(ret_values, sizeof *ret_values, count, file) == count;
    if (file)
        fclose(file);
    if (!ok)
        fprintf(stderr, "bench-isnet: cannot read %zu floats from '%s'\n", count, path);
    return ok;
}

static bool write_floats(const char *path, const float *values, size_t count)
{
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(values, sizeof *values, count, file) == count;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "bench-isnet: cannot write '%s'\n", path);
    return ok;
}

static void noise(float *values, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
}

static bool option(struct bench *bench, const char *name, const char *value)
{
    static const char *const isas[] = { "best", "plain", "avx2", "avx512" };
    static const char *const algorithms[] = { "fastest", "winograd", "direct", "onednn" };
    static const char *const precisions[] = { "f32", "bf16" };
    if (strcmp(name, "--weights") == 0)
        bench->weights = value;
    else if (strcmp(name, "--input") == 0)
        bench->input = value;
    else if (strcmp(name, "--dump") == 0)
        bench->dump = value;
    else if (strcmp(name, "--compare") == 0)
        bench->compare = value;
    else if (strcmp(name, "--runs") == 0)
        bench->runs = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--threads") == 0)
        bench->engine.threads = (int)strtol(value, NULL, 10);
    else {
        for (int i = 0; i < 4; i++) {
            if (strcmp(name, "--isa") == 0 && strcmp(value, isas[i]) == 0)
                return bench->engine.isa = (enum engine_isa)i, true;
            if (strcmp(name, "--algorithm") == 0 && strcmp(value, algorithms[i]) == 0)
                return bench->engine.algorithm = (enum engine_algorithm)i, true;
            if (i < 2 && strcmp(name, "--precision") == 0 && strcmp(value, precisions[i]) == 0)
                return bench->engine.precision = (enum engine_precision)i, true;
        }
        return false;
    }
    return true;
}

static bool compare(const char *path, const float *matte)
{
    float *reference = malloc(PIXELS * sizeof *reference);
    bool ok = reference && read_floats(path, reference, PIXELS);
    double largest = 0, sum = 0;
    for (size_t i = 0; ok && i < PIXELS; i++) {
        double difference = fabs((double)matte[i] - (double)reference[i]);
        largest = difference > largest ? difference : largest;
        sum += difference;
    }
    if (ok)
        printf(" max_abs=%.3g mean_abs=%.3g", largest, sum / (double)PIXELS);
    free(reference);
    return ok;
}

static bool measure(const struct bench *bench, struct isnet *isnet, const float *input,
                    float *matte, struct err *err)
{
    double times[RUNS_MAX];
    double start = now_ms();
    if (!isnet_matte(isnet, input, matte, NULL, NULL, err))
        return false;
    double first = now_ms() - start;
    for (int i = 0; i < bench->runs; i++) {
        start = now_ms();
        if (!isnet_matte(isnet, input, matte, NULL, NULL, err))
            return false;
        times[i] = now_ms() - start;
    }
    qsort(times, (size_t)bench->runs, sizeof *times, by_value);
    double median = times[bench->runs / 2];
    printf("engine=mimeo median_ms=%.1f best_ms=%.1f first_ms=%.1f gflops=%.0f", median, times[0],
           first, FLOP_1E9 / median * 1e3);
    return true;
}

static bool run(const struct bench *bench, float *input, float *matte, struct err *err)
{
    struct weights *weights = NULL;
    struct engine *engine = NULL;
    struct isnet *isnet = NULL;
    struct rusage usage;
    bool ok = engine_new(&bench->engine, &engine, err) &&
              weights_open(bench->weights, &weights, err) &&
              isnet_new(engine, weights, &isnet, err);
    weights_close(weights);
    ok = ok && measure(bench, isnet, input, matte, err);
    if (ok) {
        getrusage(RUSAGE_SELF, &usage);
        printf(" peak_rss_mb=%ld arena_mb=%zu isa=%s threads=%d", usage.ru_maxrss / 1024,
               engine_arena_bytes_peak(engine) >> 20, engine_isa_name(engine),
               bench->engine.threads);
    }
    isnet_free(isnet);
    engine_free(engine);
    return ok;
}

int main(int argc, char **argv)
{
    struct bench bench = { .runs = 5, .engine = { .threads = 2 } };
    struct err err = { 0 };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&bench, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench-isnet: bad option '%s'\n", argv[i]);
            return 2;
        }
    if (!bench.weights || bench.runs < 1 || bench.runs > RUNS_MAX) {
        fprintf(stderr, "use: bench-isnet --weights FILE [options]; see bench/isnet.c\n");
        return 2;
    }
    float *input = malloc(3 * PIXELS * sizeof *input), *matte = malloc(PIXELS * sizeof *matte);
    bool ok = input && matte;
    if (ok && bench.input)
        ok = read_floats(bench.input, input, 3 * PIXELS);
    else if (ok)
        noise(input, 3 * PIXELS);
    if (ok && !run(&bench, input, matte, &err)) {
        fprintf(stderr, "bench-isnet: %s%s\n", err.detail, err.cause);
        ok = false;
    }
    ok = ok && (!bench.compare || compare(bench.compare, matte));
    printf("\n");
    ok = ok && (!bench.dump || write_floats(bench.dump, matte, PIXELS));
    free(input);
    free(matte);
    return ok ? 0 : 1;
}
