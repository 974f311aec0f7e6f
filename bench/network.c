/* bench: runner. One 512x512 picture by GFPGAN, RestoreFormer or DDColor: time, memory, and the
 * result to compare with another engine.
 *
 *     bench-network [--network gfpgan|restoreformer|ddcolor-large|ddcolor-tiny]
 *                   [--weights FILE] [--threads 2] [--runs 5]
 *                   [--isa plain|avx2|avx512] [--precision f32|bf16] [--stages yes]
 *                   [--dump out.f32] [--compare reference.f32]
 *
 * Without --weights: seeded ones, which bench/network_peers.py has too (tests/golden/seeded.h). The
 * picture is a pattern that both make. Prints one line of key=value pairs and, with --stages, what
 * each stage of a network that tells its stages took. bench/network.sh runs it in turn with its
 * peers. */
#include "../tests/golden/seeded.h"

#include "base/err.h"
#include "engine/engine.h"
#include "nn/checkpoint.h"
#include "nn/ddcolor.h"
#include "nn/gfpgan.h"
#include "nn/restoreformer.h"
#include "nn/stage.h"

#include <sys/resource.h>
#include <time.h>

#define SIZE 512
#define PLANE ((size_t)SIZE * SIZE)
#define COUNT (3 * PLANE) /* numbers of a picture; results have as many or fewer */
#define RUNS_MAX 1000
#define STAGES_MAX 64

enum kind { KIND_GFPGAN, KIND_RESTOREFORMER, KIND_DDCOLOR };

static const struct network {
    const char *name;
    enum kind kind;
    double flop_1e9; /* of the direct convolutions and products, per picture */
    size_t results;  /* numbers */
    const struct convnext_config *encoder; /* of DDColor */
} networks[] = {
    { "gfpgan", KIND_GFPGAN, 395.6, 3 * PLANE, NULL },
    { "restoreformer", KIND_RESTOREFORMER, 682.6, 3 * PLANE, NULL },
    { "ddcolor-large", KIND_DDCOLOR, 524.4, 2 * PLANE, &ddcolor_large },
    { "ddcolor-tiny", KIND_DDCOLOR, 193.0, 2 * PLANE, &ddcolor_tiny },
};

struct stage {
    char name[32];
    double best_ms;
};

struct bench {
    const char *weights, *dump, *compare;
    const struct network *network;
    bool stages;
    int runs;
    struct engine_options engine;
    struct gfpgan *gfpgan;
    struct restoreformer *restoreformer;
    struct ddcolor *ddcolor;
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

static bool file_floats(const char *path, const char *mode, float *values, size_t count)
{
    FILE *file = fopen(path, mode);
    bool write = mode[0] == 'w', ok = file;
    ok = ok && (write ? fwrite(values, sizeof *values, count, file)
                      : fread(values, sizeof *values, count, file)) == count;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "bench-network: cannot %s '%s'\n", write ? "write" : "read", path);
    return ok;
}

/* Gray, as tests/reference/ddcolor.py makes it. */
static void make_gray(float *picture)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++)
                *picture++ = (float)(0.5 + 0.25 * sin(0.07 * x + 0.031 * y) +
                                     0.2 * cos(0.0023 * x * y / (1 + SIZE / 256.0)));
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
    else {
        for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
            if (strcmp(name, "--network") == 0 && strcmp(value, networks[i].name) == 0)
                return bench->network = &networks[i], true;
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

static bool compare(const char *path, const float *restored, size_t count)
{
    float *reference = malloc(count * sizeof *reference);
    bool ok = reference && file_floats(path, "rb", reference, count);
    double largest = 0, peak = 0, sum = 0;
    for (size_t i = 0; ok && i < count; i++) {
        double difference = fabs((double)restored[i] - (double)reference[i]);
        largest = difference > largest ? difference : largest;
        peak = fmax(peak, fabs((double)reference[i]));
        sum += difference;
    }
    if (ok)
        printf(" max_relative=%.3g mean_relative=%.3g", largest / peak, sum / (double)count / peak);
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
    bool ok = false;
    switch (bench->network->kind) {
    case KIND_GFPGAN:
        ok = gfpgan_run(bench->gfpgan, face, restored, err);
        break;
    case KIND_RESTOREFORMER:
        ok = restoreformer_run(bench->restoreformer, face, restored, err);
        break;
    case KIND_DDCOLOR:
        ok = ddcolor_run(bench->ddcolor, face, SIZE, SIZE, restored, NULL, err);
        break;
    }
    if (!ok)
        return false;
    *ret_ms = now_ms() - start;
    *ret_cpu_ms = cpu_ms() - cpu_start;
    return true;
}

static bool measure(struct bench *bench, const float *face, float *restored, struct err *err)
{
    double times[RUNS_MAX], cpu[RUNS_MAX], first, first_cpu;
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
           bench->network->flop_1e9 / median * 1e3);
    return true;
}

static struct keys *network_keys(const struct network *network)
{
    if (network->kind == KIND_GFPGAN)
        return gfpgan_keys(&gfpgan_published);
    if (network->kind == KIND_RESTOREFORMER)
        return restoreformer_keys(&restoreformer_published);
    struct keys *keys = keys_new("DDColor");
    if (keys)
        ddcolor_keys(keys, network->encoder);
    return keys;
}

/* Bind the weights to the network. */
static bool network_bind(struct bench *bench, struct engine *engine, struct weights *weights,
                         struct err *err)
{
    const struct stage_watch watch = { bench->stages ? see : NULL, bench };
    bool ok = false;
    checkpoint_enter(weights);
    switch (bench->network->kind) {
    case KIND_GFPGAN:
        ok = gfpgan_new(engine, weights, NULL, &bench->gfpgan, err);
        if (ok)
            gfpgan_watch(bench->gfpgan, &watch);
        break;
    case KIND_RESTOREFORMER:
        ok = restoreformer_new(engine, weights, NULL, &bench->restoreformer, err);
        if (ok)
            restoreformer_watch(bench->restoreformer, &watch);
        break;
    case KIND_DDCOLOR:
        ok = ddcolor_new(engine, weights, &bench->ddcolor, err);
        break;
    }
    return ok;
}

/* Make the network, of a file or of seeded weights. */
static bool network_new(struct bench *bench, struct engine *engine, struct err *err)
{
    struct weights *weights = NULL;
    struct keys *keys = network_keys(bench->network);
    void *file = NULL;
    size_t bytes = 0;
    if (keys && !bench->weights)
        file = seeded_file(keys, &bytes);
    bool ok = bench->weights ? weights_open(bench->weights, &weights, err)
                             : weights_open_memory(file, bytes, &weights, err);
    ok = ok && network_bind(bench, engine, weights, err);
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
    restoreformer_free(bench->restoreformer);
    ddcolor_free(bench->ddcolor);
    engine_free(engine);
    return ok;
}

int main(int argc, char **argv)
{
    struct bench bench = { .network = networks, .runs = 5, .engine = { .threads = 2 } };
    struct err err = { 0 };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&bench, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench-network: bad option '%s'; see bench/network.c\n", argv[i]);
            return 2;
        }
    if (bench.runs < 1 || bench.runs > RUNS_MAX) {
        fprintf(stderr, "bench-network: --runs must be 1 to %d\n", RUNS_MAX);
        return 2;
    }
    float *face = malloc(COUNT * sizeof *face), *restored = malloc(COUNT * sizeof *restored);
    bool ok = face && restored;
    if (ok && bench.network->kind == KIND_DDCOLOR)
        make_gray(face);
    else if (ok)
        make_face(face);
    if (ok && !run(&bench, face, restored, &err)) {
        fprintf(stderr, "bench-network: %s%s\n", err.detail, err.cause);
        ok = false;
    }
    ok = ok && (!bench.compare || compare(bench.compare, restored, bench.network->results));
    printf("\n");
    for (int i = 0; i < bench.stage_count; i++)
        printf("  %-12s %7.2f ms\n", bench.stage[i].name, bench.stage[i].best_ms);
    ok = ok && (!bench.dump || file_floats(bench.dump, "wb", restored, bench.network->results));
    free(face);
    free(restored);
    return ok ? 0 : 1;
}
