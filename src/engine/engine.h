/* The engine: threads, instruction set, precision and memory shared by the operators of a network.
 *
 * An engine belongs to one thread at a time. Two threads may compute at once with an engine each:
 * nothing is shared between engines. Operators are eager functions in conv.h and plane.h; each
 * takes its destination, made with engine_tensor or sliced from a wider tensor.
 *
 * Memory: activations come from one arena per engine, a stack whose pages stay mapped. Take a mark,
 * make tensors, release to the mark, and everything made since is gone:
 *
 *     size_t mark = engine_mark(engine);
 *     ... engine_tensor(engine, 64, 256, 256, &hidden, err) ...
 *     engine_release(engine, mark);
 *
 * Not here: what a network looks like (nn/), reading weight files (weights/). */
#ifndef MIMEO_ENGINE_ENGINE_H
#define MIMEO_ENGINE_ENGINE_H

#include "engine/tensor.h"

struct engine;
struct err;

enum engine_precision {
    ENGINE_F32,  /* the default: as exact as the published weights */
    ENGINE_BF16, /* half the activations, an eighth of the weights; for masks, not for pictures */
};

enum engine_isa {
    ENGINE_ISA_BEST, /* what the machine has */
    ENGINE_ISA_PLAIN,
    ENGINE_ISA_AVX2,
    ENGINE_ISA_AVX512,
};

/* How convolutions are computed. Anything but FASTEST is for tests and measurements: it is taken
 * wherever the shape allows it. */
enum engine_algorithm {
    ENGINE_CONV_FASTEST,
    ENGINE_CONV_WINOGRAD, /* own F(4x4,3x3) and F(6x6,3x3) */
    ENGINE_CONV_DIRECT,   /* own, any shape, f32 only */
    ENGINE_CONV_ONEDNN,   /* an error where oneDNN has only its `ref` implementation */
};

struct engine_options {
    int threads; /* 1..ENGINE_THREADS_MAX; 0 means 1 */
    enum engine_precision precision;
    enum engine_isa isa; /* a cap: ERR_UNAVAILABLE when the machine has less */
    enum engine_algorithm algorithm;
    size_t arena_bytes_max; /* 0 means ENGINE_ARENA_BYTES_DEFAULT; address space, not memory */
};

#define ENGINE_THREADS_MAX 64
#define ENGINE_ARENA_BYTES_DEFAULT ((size_t)4 << 30)

/* Make an engine. ERR_INVALID for bad options, ERR_UNAVAILABLE for what this machine cannot do
 * (an instruction set, bf16), ERR_NO_MEMORY. Free with engine_free. */
bool engine_new(const struct engine_options *options, struct engine **ret_engine, struct err *err);
void engine_free(struct engine *engine);

int engine_block(const struct engine *engine);             /* 8 or 16 */
enum tensor_type engine_type(const struct engine *engine); /* of activations */
const char *engine_isa_name(const struct engine *engine);  /* "avx512", "avx2", "plain" */
int engine_threads(const struct engine *engine);           /* for parallel_run */

size_t engine_mark(const struct engine *engine);
void engine_release(struct engine *engine, size_t mark);
size_t engine_arena_bytes_peak(const struct engine *engine);

/* A new tensor in the arena, content undefined: blocked, of the engine's precision. */
bool engine_tensor(struct engine *engine, int channels, int height, int width,
                   struct tensor *ret_tensor, struct err *err);

/* A new plain f32 tensor in the arena, content undefined. */
bool engine_tensor_plain(struct engine *engine, int channels, int height, int width,
                         struct tensor *ret_tensor, struct err *err);

#endif
