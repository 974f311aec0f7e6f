#include "engine/engine.h"

#include "base/err.h"
#include "engine/conv_onednn.h"
#include "engine/engine_private.h"
#include "engine/memory.h"
#include "engine/parallel.h"

#include <assert.h>
#include <stdlib.h>

#define ENGINE_ALIGNMENT 64u           /* one cache line, one AVX-512 vector */
#define ENGINE_TOUCH_BYTES (2u << 20)  /* one huge page */
#define ENGINE_DIMENSION_MAX (1 << 20) /* of a tensor; keeps products in range of size_t */

static bool engine_isa_present(enum engine_isa isa)
{
#if defined(__x86_64__)
    if (isa == ENGINE_ISA_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (isa == ENGINE_ISA_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return isa == ENGINE_ISA_PLAIN;
}

static const struct kernels *engine_kernels(enum engine_isa isa)
{
#if defined(__x86_64__)
    if (isa == ENGINE_ISA_AVX512)
        return &kernels_avx512;
    if (isa == ENGINE_ISA_AVX2)
        return &kernels_avx2;
#endif
    (void)isa;
    return &kernels_plain;
}

static bool engine_choose_isa(enum engine_isa wanted, enum engine_isa *ret_isa, struct err *err)
{
    if (wanted != ENGINE_ISA_BEST) {
        if (!engine_isa_present(wanted))
            return err_set(err, ERR_UNAVAILABLE, "this machine has no %s",
                           engine_kernels(wanted)->name);
        *ret_isa = wanted;
        return true;
    }
    /* oneDNN may have been told to use less than the machine has; its layouts follow that. */
    bool wide = conv_onednn_block() != 8 && engine_isa_present(ENGINE_ISA_AVX512);
    if (wide)
        *ret_isa = ENGINE_ISA_AVX512;
    else
        *ret_isa = engine_isa_present(ENGINE_ISA_AVX2) ? ENGINE_ISA_AVX2 : ENGINE_ISA_PLAIN;
    return true;
}

static bool engine_init(struct engine *engine, const struct engine_options *options,
                        struct err *err)
{
    enum engine_isa isa;
    if (options->threads < 0 || options->threads > ENGINE_THREADS_MAX)
        return err_set(err, ERR_INVALID, "threads must be at most %d", ENGINE_THREADS_MAX);
    if (!engine_choose_isa(options->isa, &isa, err))
        return false;
    engine->kernels = engine_kernels(isa);
#if defined(__x86_64__)
    if (isa == ENGINE_ISA_AVX512 && __builtin_cpu_supports("avx512bf16"))
        engine->product_pairs = kernels_pairs_avx512bf16;
#endif
    engine->threads = options->threads ? options->threads : 1;
    engine->precision = options->precision;
    engine->algorithm = options->algorithm;
    engine->arena_bytes_max =
        options->arena_bytes_max ? options->arena_bytes_max : ENGINE_ARENA_BYTES_DEFAULT;
    engine->arena = memory_new(engine->arena_bytes_max);
    if (!engine->arena)
        return err_set(err, ERR_NO_MEMORY, "no address space for an arena of %zu bytes",
                       engine->arena_bytes_max);
    if (!conv_onednn_new(&engine->onednn, err))
        return false;
    engine_enter(engine);
    if (engine->precision == ENGINE_BF16 && !conv_onednn_has_bf16(engine))
        return err_set(err, ERR_UNAVAILABLE, "this machine has no fast bf16 convolution");
    return true;
}

bool engine_new(const struct engine_options *options, struct engine **ret_engine, struct err *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return err_set(err, ERR_NO_MEMORY, "no memory for an engine");
    if (!engine_init(engine, options, err)) {
        engine_free(engine);
        return false;
    }
    *ret_engine = engine;
    return true;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    conv_onednn_free(engine->onednn);
    memory_free(engine->scratch, engine->scratch_bytes);
    memory_free(engine->arena, engine->arena_bytes_max);
    free(engine);
}

int engine_block(const struct engine *engine)
{
    return engine->kernels->width;
}

enum tensor_type engine_type(const struct engine *engine)
{
    return engine->precision == ENGINE_BF16 ? TENSOR_BF16 : TENSOR_F32;
}

int engine_threads(const struct engine *engine)
{
    return engine->threads;
}

const char *engine_isa_name(const struct engine *engine)
{
    return engine->kernels->name;
}

void engine_enter(const struct engine *engine)
{
    parallel_limit(engine->threads);
}

size_t engine_mark(const struct engine *engine)
{
    return engine->arena_used;
}

void engine_release(struct engine *engine, size_t mark)
{
    assert(mark <= engine->arena_used);
    engine->arena_used = mark;
}

size_t engine_arena_bytes_peak(const struct engine *engine)
{
    return engine->arena_peak;
}

struct engine_touch {
    char *from;
    size_t bytes;
    atomic_int next;
};

static void engine_touch_task(void *context, int thread)
{
    struct engine_touch *touch = context;
    (void)thread;
    for (;;) {
        size_t at = (size_t)parallel_next(&touch->next) * ENGINE_TOUCH_BYTES;
        if (at >= touch->bytes)
            return;
        size_t end =
            at + ENGINE_TOUCH_BYTES < touch->bytes ? at + ENGINE_TOUCH_BYTES : touch->bytes;
        for (; at < end; at += 4096)
            *(volatile char *)(touch->from + at) = 0;
    }
}

/* Map the pages of new memory with all threads, ahead of the kernels: a page fault inside one
 * stalls it, and with one thread at a time the system clears pages at a fraction of the speed. */
static void engine_touch(struct engine *engine, char *from, size_t bytes)
{
    struct engine_touch touch = { .from = from, .bytes = bytes };
    parallel_run(engine->threads, engine_touch_task, &touch);
}

static bool engine_arena_take(struct engine *engine, size_t bytes, void **ret_memory,
                              struct err *err)
{
    bytes = (bytes + ENGINE_ALIGNMENT - 1) / ENGINE_ALIGNMENT * ENGINE_ALIGNMENT;
    if (bytes > engine->arena_bytes_max - engine->arena_used)
        return err_set(err, ERR_NO_MEMORY, "activations need more than %zu bytes",
                       engine->arena_bytes_max);
    *ret_memory = engine->arena + engine->arena_used;
    engine->arena_used += bytes;
    if (engine->arena_used > engine->arena_peak)
        engine->arena_peak = engine->arena_used;
    if (engine->arena_used > engine->arena_touched) {
        size_t from = engine->arena_touched;
        size_t to =
            (engine->arena_used + ENGINE_TOUCH_BYTES - 1) / ENGINE_TOUCH_BYTES * ENGINE_TOUCH_BYTES;
        to = to < engine->arena_bytes_max ? to : engine->arena_bytes_max;
        engine_touch(engine, engine->arena + from, to - from);
        engine->arena_touched = to;
    }
    return true;
}

bool engine_scratch(struct engine *engine, size_t bytes, void **ret_scratch, struct err *err)
{
    if (bytes > engine->scratch_bytes) {
        memory_free(engine->scratch, engine->scratch_bytes);
        engine->scratch_bytes = 0;
        engine->scratch = memory_new(bytes);
        if (!engine->scratch)
            return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of scratch", bytes);
        engine->scratch_bytes = bytes;
    }
    *ret_scratch = engine->scratch;
    return true;
}

static bool engine_tensor_take(struct engine *engine, struct tensor tensor,
                               struct tensor *ret_tensor, struct err *err)
{
    if (tensor.channels < 1 || tensor.height < 1 || tensor.width < 1 ||
        tensor.channels > ENGINE_DIMENSION_MAX || tensor.height > ENGINE_DIMENSION_MAX ||
        tensor.width > ENGINE_DIMENSION_MAX)
        return err_set(err, ERR_INVALID, "a tensor cannot be %d x %d x %d", tensor.channels,
                       tensor.height, tensor.width);
    if (!engine_arena_take(engine, tensor_bytes(&tensor), &tensor.data, err))
        return false;
    *ret_tensor = tensor;
    return true;
}

bool engine_tensor(struct engine *engine, int channels, int height, int width,
                   struct tensor *ret_tensor, struct err *err)
{
    struct tensor tensor = { .type = engine_type(engine),
                             .block = engine_block(engine),
                             .channels = channels,
                             .height = height,
                             .width = width };
    return engine_tensor_take(engine, tensor, ret_tensor, err);
}

bool engine_tensor_plain(struct engine *engine, int channels, int height, int width,
                         struct tensor *ret_tensor, struct err *err)
{
    return engine_tensor_take(engine, tensor_plain(channels, height, width, NULL), ret_tensor, err);
}
