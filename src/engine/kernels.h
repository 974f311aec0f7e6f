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

#include "engine/kernels_product.h"
#include "engine/tensor.h"

/* One convolution, as every kernel gets it. All tensors but a plain `src` or `dst` are blocked by
 * the kernels' width. Activation: max(x, slope * x), so 1 is none and 0 is relu. Afterwards
 * `residual` (NULL: none) is added; it may be `dst` itself. */
struct kernels_conv {
    struct tensor src, dst;
    const struct tensor *residual;
    const float *weights; /* packed; the layout is each kernel's own */
    const float *bias;    /* padded to whole blocks */
    float slope;          /* 0..1 */
    const float *slopes;  /* instead, one per output channel, any; padded likewise; NULL: none */
    int kernel, stride, dilation, padding;
    int tile, tiles_y, tiles_x; /* Winograd: 4 or 6 outputs a side, tiles per phase */
};

/* Winograd scratch of one block of tiles; its layout is in winograd_points.h. */
struct kernels_tiles {
    int first, count; /* which tiles of the plane */
    int next;         /* the tile that this thread does afterwards, to fetch it early; -1: none */
    float *input;     /* transformed source */
    float *output;    /* products, before the output transform */
};

/* Where a resized row or column reads: low and high neighbour and the weight of the high one. */
struct kernels_tap {
    int low, high;
    float weight;
};

/* The same for a cubic: four neighbours each. */
struct kernels_cubic {
    int at[4];
    float weight[4];
};

/* Rows or columns from .. to - 1. */
struct kernels_span {
    int from, to;
};

/* Where a sampled pixel reads: four pixels of the source plane, counted row by row. */
struct kernels_place {
    int at[4];
    float weight[4];
};

enum kernels_function {
    KERNELS_LEAKY_RELU,
    KERNELS_SILU,
    KERNELS_GELU,
    KERNELS_GELU_TANH,
    KERNELS_SIGMOID,
    KERNELS_TANH,
};

/* One activation over a run of elements: lanes from `lanes` on become zero. */
struct kernels_activate {
    enum kernels_function function;
    float slope;
    int lanes;
};

/* plane_affine over a row of one channel block: scale and bias of its channels, map of the row. */
struct kernels_affine {
    const float *scale, *bias, *map; /* each may be NULL */
    float map_weight, slope;
    int lanes; /* those from here on become zero */
};

struct kernels {
    const char *name;
    int width; /* floats per vector = channels per block */

    int winograd_rows; /* tiles that are multiplied at once */
    /* Transform the filters of `count` of a group's `channels` source channels. */
    void (*winograd_weights)(const float *taps, int count, float *weights, int channels,
                             int columns, int tile);
    /* Transform source channel block `block` of the tiles. */
    void (*winograd_input)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                           int block);
    /* Multiply at one of the points for one group of (up to) two output channel blocks. */
    void (*winograd_multiply)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                              int point, int group);
    /* Transform output channel block `block` of the tiles into dst. */
    void (*winograd_output)(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                            int block);

    /* Output row y of a direct convolution, for one group of (up to) two output blocks. */
    void (*direct_row)(const struct kernels_conv *conv, int y, int group);
    /* Output row y of a convolution into a plain f32 dst of few channels; src f32 or bf16. */
    void (*narrow_row)(const struct kernels_conv *conv, int y);

    /* Output row y of a depthwise convolution, one channel block; f32 or bf16. */
    void (*depthwise_row)(const struct kernels_conv *conv, int block, int y);

    /* Values below 0 of one channel block times its slopes, in place; f32 or bf16. */
    void (*prelu)(enum tensor_type type, const float *slopes, void *data, size_t pixels);

    /* One output row of one channel block; f32 or bf16. */
    void (*pool_row)(const struct tensor *src, const struct tensor *dst, int block, int y);
    void (*resize_row)(const struct tensor *src, const struct tensor *dst, int block, int y,
                       const struct kernels_tap *tap_y, const struct kernels_tap *taps_x);
    void (*bicubic_row)(const struct tensor *src, const struct tensor *dst, int block, int y,
                        const struct kernels_cubic *tap_y, const struct kernels_cubic *taps_x);
    void (*area_row)(const struct tensor *src, const struct tensor *dst, int block, int y,
                     const struct kernels_span *span_y, const struct kernels_span *spans_x);
    void (*pool_average_row)(const struct tensor *src, const struct tensor *dst, int block, int y);
    /* Row y of `many` and its rows of `few`, for channel block `block` of `few`: channels to space,
     * or back. Ratios up to 4. */
    void (*shuffle_row)(const struct tensor *few, const struct tensor *many, int block, int y,
                        bool back);
    /* Runs of elements; in bf16 a multiple of the width. */
    void (*add)(enum tensor_type type, const void *a, const void *b, void *dst, size_t count);
    void (*multiply)(enum tensor_type type, const void *a, const void *b, void *dst, size_t count);
    void (*transform)(enum tensor_type type, const void *src, const void *scale, const void *shift,
                      void *dst, size_t count);
    void (*activate)(enum tensor_type type, const struct kernels_activate *work, const void *src,
                     void *dst, size_t count);
    /* Runs of pixels of one channel block. */
    void (*affine_row)(enum tensor_type type, const struct kernels_affine *affine, const void *src,
                       void *dst, int pixels);
    void (*multiply_map)(enum tensor_type type, const void *src, const float *map, void *dst,
                         int pixels);
    void (*sum_pixels)(enum tensor_type type, const void *src, size_t pixels, float *ret_lanes);
    void (*sample_pixels)(enum tensor_type type, const void *plane,
                          const struct kernels_place *places, int pixels, void *dst);

    /* Matrices, and pixels as rows: see kernels_product.h and the bodies for the contracts. */
    void (*copy_view)(const struct kernels_view *src, const struct kernels_view *dst, float scale,
                      bool round);
    void (*add_view)(const struct kernels_view *a, const struct kernels_view *b,
                     const struct kernels_view *dst);
    void (*transpose_panel)(const float *from, size_t step, int rows, int columns, int depth,
                            float *to);
    kernels_product *product, *product_bf16;
    void (*finish)(const struct kernels_finish *finish, const float *sums, int rows);
    void (*norm_rows)(const struct kernels_view *src, const struct kernels_view *dst,
                      const float *scale, const float *shift, float eps, int channels);
    void (*norm_sums)(enum tensor_type type, const void *from, size_t count, double *ret_sums);
    void (*norm_apply)(enum tensor_type type, const void *from, void *to, size_t count,
                       const float *mean, const float *scale, const float *shift, bool silu);
    void (*softmax)(float *scores, int rows, int keys, const float *bias, size_t bias_step,
                    struct kernels_softmax *states, float *ret_factors);
    void (*scale_rows)(float *values, int rows, int blocks, const float *factors);
};

extern const struct kernels kernels_plain;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
/* product_bf16 with dot products of bf16 pairs: input in bf16 too. For CPUs with avx512_bf16. */
kernels_product kernels_pairs_avx512bf16;
#endif

#endif
