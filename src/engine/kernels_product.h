/* What the kernels of matrices share: rows of numbers seen alike, whether they are a matrix's or
 * the pixels of a blocked tensor, and a product of them in pieces. See kernels_product_body.h.
 * Private to engine/. */
#ifndef MIMEO_ENGINE_KERNELS_PRODUCT_H
#define MIMEO_ENGINE_KERNELS_PRODUCT_H

#include "engine/tensor.h"

/* Rows of f32 or bf16. Element (row, column) stands at
 *
 *     column / width * block_step + row * row_step + column % width
 *
 * so a matrix has block_step = width, and a blocked tensor's pixels have row_step = width. The last
 * block of a matrix may be cut short by `columns`; a tensor's are always whole. */
struct kernels_view {
    enum tensor_type type;
    void *data;
    int rows, columns;
    size_t row_step, block_step; /* elements */
};

enum kernels_finish_kind {
    FINISH_NONE,
    FINISH_LEAKY, /* max(x, slope * x) */
    FINISH_SILU,
    FINISH_GELU,
    FINISH_GELU_TANH,
};

/* sums = input * weights, or += when `more`.
 * input: [blocks][rows][width], f32, or bf16 for the kernels that multiply pairs of bf16.
 * weights: [blocks][width][vectors * width] f32; or bf16 [blocks][width / 2][vectors * width][2].
 * sums: [vectors][rows][width]. vectors is 1 or 2. */
typedef void kernels_product(const void *input, int rows, int blocks, const void *weights,
                             int vectors, float *sums, bool more);

/* dst = activation(sums + bias) + residual, for the columns of dst from 0 on. */
struct kernels_finish {
    struct kernels_view dst;
    struct kernels_view residual; /* data NULL: none */
    const float *bias;            /* whole vectors; NULL: none */
    enum kernels_finish_kind activation;
    float slope;
};

/* What softmax keeps per row between chunks of keys. */
struct kernels_softmax {
    float largest, sum;
};

#endif
