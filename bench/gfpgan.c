/* bench: runner. One 512x512 face by GFPGAN or RestoreFormer: time, memory, and the result to
 * compare with another engine.
 *
 *     bench-gfpgan [--network gfpgan|restoreformer] [--weights FILE] [--threads 2] [--runs 5]
 *                  [--isa plain|avx2|avx512] [--precision f32|bf16] [--stages yes]
 *                  [--dump out.f32] [--compare reference.f32]
 *
 * Without --weights: seeded ones, which bench/gfpgan_peers.py has too (tests/golden/seeded.h). The
 * face is a pattern that both make. Prints one line of key=value pairs and, with --stages, what
 * each stage of the network took. bench/gfpgan.sh runs it in turn with its peers. */
#include "../tests/golden/seeded.h"

#include "base/err.h"
#include "engine/engine.h"
#include "nn/checkpoint.h"
#include "nn/gfpgan.h"
#include "nn/restoreformer.h"
#include "nn/stage.h"

#include <sys/resource.h>
#include <time.h>

#define SIZE 512
#define COUNT ((size_t)3 * SIZE * SIZE)
#define RUNS_MAX 1000
#define STAGES_MAX 64
#define GFPGAN_FLOP_1E9 395.6 /* of the direct convolutions, per face */
#define RESTOREFORMER_FLOP_1E9 682.6

struct stage {
    char name[32];
    double best_ms;
};

struct bench {
    const char *weights, *dump, *compare;
    bool restoreformer, stages;
    int runs;
    struct engine_options engine;
    struct gfpgan *gfpgan;
    struct restoreformer *other;
    struct stage stage[STAGES_MAX];
    int stage_count, stage_at;
    double stage_start;
};

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Of all threads: on a busy machine and with one thread, what the work takes when it is quiet. */
static double cpu_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool file_floats(const char *path, const char *mode, float *values)
{
    FILE *file = fopen(path, mode);
    bool write = mode[0] == 'w', ok = file;
    ok = ok && (write ? fwrite(values, sizeof *values, COUNT, file)
                      : fread(values, sizeof *values, COUNT, file)) == COUNT;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "bench-gfpgan: cannot %s '%s'\n", write ? "write" : "read", path);
    return ok;
}

static void make_face(float *face)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++)
                *face++ =
                    (float)(sin(0.031 * x * (c + 1) + 0.017 * y) * cos(0.023 * y - 0.011 * x * c));
}

static bool option(struct bench *bench, const char *name, const char *value)
{
    static const char *const isas[] = { "best", "plain", "avx2", "avx512" };
    static const char *const precisions[] = { "f32", "bf16" };
    if (strcmp(name, "--weights") == 0)
        bench->weights = value;
    else if (strcmp(name, "--dump") == 0)
        bench->dump = value;
    else if (strcmp(name, "--compare") == 0)
        bench->compare = value;
    else if (strcmp(name, "--runs") == 0)
        bench->runs = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--threads") == 0)
        bench->engine.threads = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--stages") == 0)
        bench->stages = strcmp(value, "yes") == 0;
    else if (strcmp(name, "--network") == 0 && strcmp(value, "gfpgan") == 0)
        bench->restoreformer = false;
    else if (strcmp(name, "--network") == 0 && strcmp(value, "restoreformer") == 0)
        bench->restoreformer = true;
    else {
        for (int i = 0; i < 4; i++) {
            if (strcmp(name, "--isa") == 0 && strcmp(value, isas[i]) == 0)
                return bench->engine.isa = (enum engine_isa)i, true;
            if (i < 2 && strcmp(name, "--precision") == 0 && strcmp(value, precisions[i]) == 0)
                return bench->engine.precision = (enum engine_precision)i, true;
        }
        return false;
    }
    return true;
}

static bool compare(const char *path, const float *restored)
{
    float *reference = malloc(COUNT * sizeof *reference);
    bool ok = reference && file_floats(path, "rb", reference);
    double largest = 0, peak = 0, sum = 0;
    for (size_t i = 0; ok && i < COUNT; i++) {
        double difference = fabs((double)restored[i] - (double)reference[i]);
        largest = difference > largest ? difference : largest;
        peak = fmax(peak, fabs((double)reference[i]));
        sum += difference;
    }
    if (ok)
        printf(" max_relative=%.3g mean_relative=%.3g", largest / peak, sum / (double)COUNT / peak);
    free(reference);
    return ok;
}

static bool see(void *context, const char *name, const struct tensor *result)
{
    struct bench *bench = context;
    (void)result;
    double took = cpu_ms() - bench->stage_start;
    if (bench->stage_at < STAGES_MAX) {
        struct stage *stage = &bench->stage[bench->stage_at++];
        snprintf(stage->name, sizeof stage->name, "%s", name);
        if (bench->stage_at > bench->stage_count) {
            bench->stage_count = bench->stage_at;
            stage->best_ms = took;
        }
        stage->best_ms = took < stage->best_ms ? took : stage->best_ms;
    }
    bench->stage_start = cpu_ms();
    return true;
}

static bool run_once(struct bench *bench, const float *face, float *restored, double *ret_ms,
                     double *ret_cpu_ms, struct err *err)
{
    double start = now_ms(), cpu_start = cpu_ms();
    bench->stage_start = cpu_start;
    bench->stage_at = 0;
    if (!(bench->restoreformer ? restoreformer_run(bench->other, face, restored, err)
                               : gfpgan_run(bench->gfpgan, face, restored, err)))
        return false;
    *ret_ms = now_ms() - start;
    *ret_cpu_ms = cpu_ms() - cpu_start;
    return true;
}

static bool measure(struct bench *bench, const float *face, float *restored, struct err *err)
{
    double times[RUNS_MAX], cpu[RUNS_MAX], first, first_cpu;
    double flop = bench->restoreformer ? RESTOREFORMER_FLOP_1E9 : GFPGAN_FLOP_1E9;
    if (!run_once(bench, face, restored, &first, &first_cpu, err))
        return false;
    bench->stage_count = 0;
    for (int i = 0; i < bench->runs; i++)
        if (!run_once(bench, face, restored, &times[i], &cpu[i], err))
            return false;
    qsort(times, (size_t)bench->runs, sizeof *times, by_value);
    qsort(cpu, (size_t)bench->runs, sizeof *cpu, by_value);
    double median = times[bench->runs / 2];
    printf("engine=mimeo precision=%s median_ms=%.1f best_ms=%.1f best_cpu_ms=%.1f first_ms=%.1f "
           "gflops=%.0f",
           bench->engine.precision == ENGINE_BF16 ? "bf16" : "f32", median, times[0], cpu[0], first,
           flop / median * 1e3);
    return true;
}

/* Make the network, of a file or of seeded weights. */
static bool network_new(struct bench *bench, struct engine *engine, struct err *err)
{
    const struct stage_watch watch = { bench->stages ? see : NULL, bench };
    struct weights *weights = NULL;
    struct keys *keys = bench->restoreformer ? restoreformer_keys(&restoreformer_published)
                                             : gfpgan_keys(&gfpgan_published);
    void *file = NULL;
    size_t bytes = 0;
    if (!bench->weights)
        file = seeded_file(keys, &bytes);
    bool ok = bench->weights ? weights_open(bench->weights, &weights, err)
                             : weights_open_memory(file, bytes, &weights, err);
    if (ok)
        checkpoint_enter(weights);
    ok = ok && (bench->restoreformer ? restoreformer_new(engine, weights, NULL, &bench->other, err)
                                     : gfpgan_new(engine, weights, NULL, &bench->gfpgan, err));
    if (ok && bench->restoreformer)
        restoreformer_watch(bench->other, &watch);
    else if (ok)
        gfpgan_watch(bench->gfpgan, &watch);
    weights_close(weights);
    keys_free(keys);
    free(file);
    return ok;
}

static bool run(struct bench *bench, const float *face, float *restored, struct err *err)
{
    struct engine *engine = NULL;
    struct rusage usage;
    bool ok = engine_new(&bench->engine, &engine, err) && network_new(bench, engine, err) &&
              measure(bench, face, restored, err);
    if (ok) {
        getrusage(RUSAGE_SELF, &usage);
        printf(" peak_rss_mb=%ld arena_mb=%zu isa=%s threads=%d", usage.ru_maxrss / 1024,
               engine_arena_bytes_peak(engine) >> 20, engine_isa_name(engine),
               bench->engine.threads);
    }
    gfpgan_free(bench->gfpgan);
    restoreformer_free(bench->other);
    engine_free(engine);
    return ok;
}

int main(int argc, char **argv)
{
    struct bench bench = { .runs = 5, .engine = { .threads = 2 } };
    struct err err = { 0 };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&bench, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench-gfpgan: bad option '%s'; see bench/gfpgan.c\n", argv[i]);
            return 2;
        }
    if (bench.runs < 1 || bench.runs > RUNS_MAX) {
        fprintf(stderr, "bench-gfpgan: --runs must be 1 to %d\n", RUNS_MAX);
        return 2;
    }
    float *face = malloc(COUNT * sizeof *face), *restored = malloc(COUNT * sizeof *restored);
    bool ok = face && restored;
    if (ok)
        make_face(face);
    if (ok && !run(&bench, face, restored, &err)) {
        fprintf(stderr, "bench-gfpgan: %s%s\n", err.detail, err.cause);
        ok = false;
    }
    ok = ok && (!bench.compare || compare(bench.compare, restored));
    printf("\n");
    for (int i = 0; i < bench.stage_count; i++)
        printf("  %-12s %7.2f ms\n", bench.stage[i].name, bench.stage[i].best_ms);
    ok = ok && (!bench.dump || file_floats(bench.dump, "wb", restored));
    free(face);
    free(restored);
    return ok ? 0 : 1;
}
