/* The inner loops of the operators, once per instruction set.
 *
 * kernels_avx512.c, kernels_avx2.c and kernels_plain.c compile the same templates
 * (kernels_*_body.h) with another vector type and export one table each; engine.c chooses one.
 * A kernel does a part of an operator that one thread can do alone; it checks nothing and cannot
 * fail. The layer above (winograd.c, conv.c, plane.c) checks, divides and gives out the parts.
 *
 * Private to engine/. */
#ifndef MIMEO_ENGINE_KERNELS_H
#define MIMEO_ENGINE_KERNELS_H

#include "engine/tensor.h"

/* One convolution, as every kernel gets it. All tensors but a plain `src` or `dst` are blocked by
 * the kernels' width. Activation: max(x, slope * x), so 1 is none and 0 is relu. Afterwards
 * `residual` (NULL: none) is added; it may be `dst` itself. */
struct kernels_conv {
    struct tensor src, dst;
    const struct tensor *residual;
    const float *weights; /* packed; the layout is each kernel's own */
    const float *bias;    /* padded to whole blocks */
    float slope;
    int kernel, stride, dilation, padding;
    int tiles_y, tiles_x; /* Winograd: 4x4 output tiles per phase (see winograd.c) */
};

/* Winograd scratch of one block of tiles: [36][channel blocks][tiles][width]. */
struct kernels_tiles {
    int first, count; /* which tiles of the plane */
    float *input;     /* transformed source */
    float *output;    /* products, before the output transform */
};

/* Where a resized row or column reads: low and high neighbour and the weight of the high one. */
struct kernels_tap {
    int low, high;
    float weight;
};

struct kernels {
    const char *name;
    int width; /* floats per vector = channels per block */

    /* Transform source channel block `block` of the tiles. */
    void (*winograd_input)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                           int block);
    /* Multiply at one of the 36 points for one group of (up to) two output channel blocks. */
    void (*winograd_multiply)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                              int point, int group);
    /* Transform output channel block `block` of the tiles into dst. */
    void (*winograd_output)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                            int block);

    /* Output row y of a direct convolution, for one group of (up to) two output blocks. */
    void (*direct_row)(const struct kernels_conv *conv, int y, int group);
    /* Output row y of a convolution into a plain f32 dst of few channels; src f32 or bf16. */
    void (*narrow_row)(const struct kernels_conv *conv, int y);

    /* One output row of one channel block; f32 or bf16. */
    void (*pool_row)(const struct tensor *src, const struct tensor *dst, int block, int y);
    void (*resize_row)(const struct tensor *src, const struct tensor *dst, int block, int y,
                       const struct kernels_tap *tap_y, const struct kernels_tap *taps_x);
    /* dst[i] = a[i] + b[i]; count is a multiple of the width. */
    void (*add)(enum tensor_type type, const void *a, const void *b, void *dst, size_t count);
};

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
#endif

#endif
