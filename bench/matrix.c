/* bench: runner. Linear layers, 1x1 convolutions and attention of the networks' shapes, in GFLOP/s
 * beside what the machine's multipliers can do in registers.
 *
 *     bench-matrix [--threads 2] [--rounds 5] [--precision f32|bf16] [--isa avx2|plain]
 *                  [--algorithm direct|onednn] [--clock cpu]
 *
 * Best of the rounds: other work on the machine only ever adds. `--clock cpu` counts the time that
 * a single thread really had, for a busy machine. */
#include "base/err.h"
#include "engine/attention.h"
#include "engine/conv.h"
#include "engine/matrix.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ROUNDS_MAX 1000
#define PEAK_STEPS 20000000

static struct engine *engine;
static int rounds = 5;
static double peak_gflops; /* of all threads, at the engine's precision; 0: not known */

static clockid_t clock_id = CLOCK_MONOTONIC;

static double now_s(void)
{
    struct timespec time;
    clock_gettime(clock_id, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const struct err *err)
{
    fprintf(stderr, "bench-matrix: %s%s\n", err->detail, err->cause);
    exit(1);
}

static void noise(float *values, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
}

/* ---- What the multipliers can do: independent sums in registers ---- */

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double peak_avx512(void)
{
    __m512 sums[16], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(1e-3f);
    double start = now_s();
    for (int i = 0; i < 16; i++)
        sums[i] = a;
    for (int step = 0; step < PEAK_STEPS; step++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            sums[i] = _mm512_fmadd_ps(sums[i], a, b);
        __asm__ volatile("" : "+v"(a));
    }
    double seconds = now_s() - start;
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" ::"v"(sums[i]));
    return 2.0 * 16 * 16 * PEAK_STEPS / seconds / 1e9;
}

__attribute__((target("avx512f,avx512bf16"))) static double peak_pairs(void)
{
    __m512 sums[16];
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3a003a00);
    double start = now_s();
    for (int i = 0; i < 16; i++)
        sums[i] = _mm512_set1_ps(0.5f);
    for (int step = 0; step < PEAK_STEPS; step++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], a, a);
        __asm__ volatile("" : "+v"(a));
    }
    double seconds = now_s() - start;
    for (int i = 0; i < 16; i++)
        __asm__ volatile("" ::"v"(sums[i]));
    return 4.0 * 16 * 16 * PEAK_STEPS / seconds / 1e9;
}

__attribute__((target("avx2,fma"))) static double peak_avx2(void)
{
    __m256 sums[12], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(1e-3f);
    double start = now_s();
    for (int i = 0; i < 12; i++)
        sums[i] = a;
    for (int step = 0; step < PEAK_STEPS; step++) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++)
            sums[i] = _mm256_fmadd_ps(sums[i], a, b);
        __asm__ volatile("" : "+x"(a));
    }
    double seconds = now_s() - start;
    for (int i = 0; i < 12; i++)
        __asm__ volatile("" ::"x"(sums[i]));
    return 2.0 * 8 * 12 * PEAK_STEPS / seconds / 1e9;
}
#endif

/* Of one thread. */
static double peak(void)
{
#if defined(__x86_64__)
    bool wide = strcmp(engine_isa_name(engine), "avx512") == 0;
    if (wide && engine_type(engine) == TENSOR_BF16 && __builtin_cpu_supports("avx512bf16"))
        return peak_pairs();
    if (wide)
        return peak_avx512();
    if (strcmp(engine_isa_name(engine), "avx2") == 0)
        return peak_avx2();
#endif
    return 0;
}

static void tell(const char *what, double gflop, double seconds, const char *how)
{
    double rate = gflop / seconds;
    printf("%-44s %8.2f ms %8.1f GFLOP/s", what, seconds * 1e3, rate);
    if (peak_gflops > 0)
        printf(" %4.0f %%", 100 * rate / peak_gflops);
    printf("  %s\n", how);
}

/* ---- The shapes ---- */

static void bench_linear(int rows, int inputs, int outputs, enum linear_activation activation)
{
    char what[80];
    struct err err = { 0 };
    struct linear *linear = NULL;
    struct matrix src, dst;
    size_t mark = engine_mark(engine);
    double best = 1e9;
    if (!engine_matrix(engine, rows, inputs, &src, &err) ||
        !engine_matrix(engine, rows, outputs, &dst, &err) ||
        !linear_new(engine, outputs, inputs, &linear, &err))
        fail(&err);
    noise(src.data, (size_t)rows * src.stride);
    noise(linear_weights(linear), (size_t)outputs * inputs);
    for (int round = 0; round <= rounds; round++) {
        double start = now_s();
        if (!linear_run(engine, linear, &src, activation, NULL, &dst, &err))
            fail(&err);
        if (round > 0 && now_s() - start < best) /* the first packs */
            best = now_s() - start;
    }
    snprintf(what, sizeof what, "linear %d x %d -> %d%s", rows, inputs, outputs,
             activation == LINEAR_GELU ? ", gelu" : "");
    tell(what, 2e-9 * rows * inputs * outputs, best, "");
    linear_free(linear);
    engine_release(engine, mark);
}

static void bench_conv(int side, int inputs, int outputs)
{
    char what[80];
    struct err err = { 0 };
    struct conv_filter *filter = NULL;
    struct conv_shape shape = { .out_channels = outputs, .in_channels = inputs, .kernel = 1 };
    struct conv_options options = { 0 };
    struct tensor src, dst;
    size_t mark = engine_mark(engine);
    double best = 1e9;
    if (!engine_tensor(engine, inputs, side, side, &src, &err) ||
        !engine_tensor(engine, outputs, side, side, &dst, &err) ||
        !conv_filter_new(engine, &shape, &filter, &err))
        fail(&err);
    memset(src.data, 0, tensor_bytes(&src));
    noise(conv_filter_weights(filter), (size_t)outputs * inputs);
    for (int round = 0; round <= rounds; round++) {
        double start = now_s();
        if (!conv_run(engine, filter, &src, &options, &dst, &err))
            fail(&err);
        if (round > 0 && now_s() - start < best)
            best = now_s() - start;
    }
    snprintf(what, sizeof what, "conv 1x1 %d x %d, %d -> %d", side, side, inputs, outputs);
    tell(what, 2e-9 * side * side * inputs * outputs, best, conv_filter_algorithm(filter));
    conv_filter_free(filter);
    engine_release(engine, mark);
}

static void bench_attention(int queries, int keys, int heads, int columns)
{
    char what[80];
    struct err err = { 0 };
    struct matrix query, key, value, dst;
    struct attention attention = { .heads = heads };
    size_t mark = engine_mark(engine);
    double best = 1e9;
    if (!engine_matrix(engine, queries, heads * columns, &query, &err) ||
        !engine_matrix(engine, keys, heads * columns, &key, &err) ||
        !engine_matrix(engine, keys, heads * columns, &value, &err) ||
        !engine_matrix(engine, queries, heads * columns, &dst, &err))
        fail(&err);
    noise(query.data, (size_t)queries * query.stride);
    noise(key.data, (size_t)keys * key.stride);
    noise(value.data, (size_t)keys * value.stride);
    for (int round = 0; round <= rounds; round++) {
        double start = now_s();
        if (!attention_run(engine, &query, &key, &value, &attention, &dst, &err))
            fail(&err);
        if (round > 0 && now_s() - start < best)
            best = now_s() - start;
    }
    snprintf(what, sizeof what, "attention %d to %d, %d x %d", queries, keys, heads, columns);
    tell(what, 4e-9 * queries * keys * heads * columns, best, "");
    engine_release(engine, mark);
}

static bool option(struct engine_options *options, const char *name, const char *value)
{
    if (strcmp(name, "--threads") == 0)
        options->threads = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--rounds") == 0)
        rounds = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--precision") == 0)
        options->precision = strcmp(value, "bf16") == 0 ? ENGINE_BF16 : ENGINE_F32;
    else if (strcmp(name, "--isa") == 0)
        options->isa = strcmp(value, "avx2") == 0 ? ENGINE_ISA_AVX2 : ENGINE_ISA_PLAIN;
    else if (strcmp(name, "--algorithm") == 0)
        options->algorithm = strcmp(value, "direct") == 0 ? ENGINE_CONV_DIRECT : ENGINE_CONV_ONEDNN;
    else if (strcmp(name, "--clock") == 0)
        clock_id = strcmp(value, "cpu") == 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    else
        return false;
    return rounds > 0 && rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
    static const int stages[][2] = { { 192, 128 }, { 384, 64 }, { 768, 32 }, { 1536, 16 } };
    struct engine_options options = { .threads = 2 };
    struct err err = { 0 };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !option(&options, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench-matrix: see the head of bench/matrix.c\n");
            return 2;
        }
    if (!engine_new(&options, &engine, &err))
        fail(&err);
    peak_gflops = peak() * options.threads;
    printf("%s, %s, %d threads: %.1f GFLOP/s in registers\n", engine_isa_name(engine),
           engine_type(engine) == TENSOR_BF16 ? "bf16" : "f32", options.threads, peak_gflops);
    for (int i = 0; i < 4; i++) {
        int channels = stages[i][0], side = stages[i][1];
        bench_linear(side * side, channels, 4 * channels, LINEAR_NONE);
        bench_linear(side * side, channels, 4 * channels, LINEAR_GELU);
        bench_linear(side * side, 4 * channels, channels, LINEAR_NONE);
        bench_conv(side, channels, 4 * channels);
        bench_conv(side, 4 * channels, channels);
    }
    bench_linear(256, 512, 512, LINEAR_NONE);
    bench_attention(100, 16384, 8, 32);
    bench_attention(256, 256, 8, 64);
    bench_attention(4096, 4096, 10, 64);
    engine_free(engine);
    return 0;
}
