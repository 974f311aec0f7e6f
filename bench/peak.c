/* The machine's peak: how many multiplications and additions per second its vector units do when
 * nothing else holds them up (no memory, no dependencies). Benchmarks state their share of it.
 *
 *     bench-peak [threads]
 *
 * Prints one line of key=value pairs: f32_gflops (fused multiply-add with the widest vectors of
 * this machine) and, where the CPU has such instructions, bf16_gflops (dot products of pairs).
 * x86-64 only; elsewhere it says so and fails. The best of several short runs: the peak is a
 * property of the machine, not of what else runs on it. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define THREADS_MAX 64
#define ROUNDS 15
#define STEPS 1500000L /* about 6 ms: short enough to fit between other processes' slices */
#define CHAINS 12      /* independent sums: latency 4, two units */

enum peak_kind { PEAK_F32_256, PEAK_F32_512, PEAK_BF16_512 };

/* The sums are read and written by the assembler statement, so nothing can be left out. */
#define PEAK_LOOP(vector, instruction)                                                             \
    vector sums[CHAINS], a = { 0 }, b = { 0 };                                                     \
    _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) sums[i] = a;                         \
    for (long step = 0; step < STEPS; step++) {                                                    \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) __asm__ volatile(                \
            instruction " %2, %1, %0" : "+v"(sums[i]) : "v"(a), "v"(b));                           \
    }

__attribute__((target("avx2,fma"))) static void peak_f32_256(void)
{
    PEAK_LOOP(__m256, "vfmadd231ps")
}

__attribute__((target("avx512f"))) static void peak_f32_512(void)
{
    PEAK_LOOP(__m512, "vfmadd231ps")
}

__attribute__((target("avx512f,avx512bf16"))) static void peak_bf16_512(void)
{
    PEAK_LOOP(__m512, "vdpbf16ps")
}

static void *peak_thread(void *context)
{
    switch (*(const enum peak_kind *)context) {
    case PEAK_F32_256:
        peak_f32_256();
        break;
    case PEAK_F32_512:
        peak_f32_512();
        break;
    case PEAK_BF16_512:
        peak_bf16_512();
        break;
    }
    return NULL;
}

static double peak_gflops(enum peak_kind kind, int threads)
{
    static const int lanes[] = { 8, 16, 32 };
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t others[THREADS_MAX];
        struct timespec start, end;
        int started = 0;
        clock_gettime(CLOCK_MONOTONIC, &start);
        while (started < threads - 1 &&
               pthread_create(&others[started], NULL, peak_thread, &kind) == 0)
            started++;
        peak_thread(&kind);
        for (int i = 0; i < started; i++)
            pthread_join(others[i], NULL);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double seconds =
            (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
        double flop = 2.0 * lanes[kind] * CHAINS * (double)STEPS * (started + 1);
        best = flop / seconds / 1e9 > best ? flop / seconds / 1e9 : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 2;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "use: bench-peak [threads, 1 to %d]\n", THREADS_MAX);
        return 2;
    }
    bool wide = __builtin_cpu_supports("avx512f");
    if (!wide && !__builtin_cpu_supports("fma")) {
        fprintf(stderr, "bench-peak: this machine has no fused multiply-add\n");
        return 1;
    }
    printf("threads=%ld f32_gflops=%.0f", threads,
           peak_gflops(wide ? PEAK_F32_512 : PEAK_F32_256, (int)threads));
    if (wide && __builtin_cpu_supports("avx512bf16"))
        printf(" bf16_gflops=%.0f", peak_gflops(PEAK_BF16_512, (int)threads));
    printf("\n");
    return 0;
}
#else
int main(void)
{
    fprintf(stderr, "bench-peak: only for x86-64\n");
    return 1;
}
#endif
