/* What the files of engine/ share about an engine. Private to engine/. */
#ifndef MIMEO_ENGINE_ENGINE_PRIVATE_H
#define MIMEO_ENGINE_ENGINE_PRIVATE_H

#include "engine/engine.h"
#include "engine/kernels.h"

struct conv_onednn;

struct engine {
    const struct kernels *kernels;
    kernels_product *product_pairs; /* NULL where the CPU has no dot products of bf16 */
    int threads;
    enum engine_precision precision;
    enum engine_algorithm algorithm;

    /* The arena: one reservation of address space, used from its start as a stack. */
    char *arena;
    size_t arena_bytes_max, arena_used;
    size_t arena_touched; /* pages below are mapped and stay so */
    size_t arena_peak;

    /* Working memory of the operator that runs, kept for the next one. */
    void *scratch;
    size_t scratch_bytes;

    struct conv_onednn *onednn; /* oneDNN's engine and stream */
};

/* At least `bytes` of working memory, 64-byte aligned, valid until the next call. */
bool engine_scratch(struct engine *engine, size_t bytes, void **ret_scratch, struct err *err);

/* To be called first by every operator: settles how many threads the calling thread may use. */
void engine_enter(const struct engine *engine);

#endif
