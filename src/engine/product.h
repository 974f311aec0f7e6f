/* Products of large matrices, divided among threads and into pieces that fit the caches. What
 * linear layers, matrix products and 1x1 convolutions are made of. Private to engine/. */
#ifndef MIMEO_ENGINE_PRODUCT_H
#define MIMEO_ENGINE_PRODUCT_H

#include "engine/engine_private.h"
#include "engine/matrix.h"

/* How operands are multiplied. Sums are f32 always. */
enum product_operands {
    PRODUCT_F32,
    PRODUCT_BF16, /* weights in bf16, the source rounded to bf16 */
};

/* Weights packed for the kernels of an engine: panels of two vectors of outputs (the last may be
 * one), each [inputs, padded to whole vectors][outputs of the panel]; bf16 in pairs of inputs. */
struct product_weights {
    enum product_operands operands;
    int outputs, inputs;
    void *data; /* borrowed */
};

size_t product_weights_bytes(const struct engine *engine, const struct product_weights *weights);

/* Pack numbers whose (output, input) stands at from[output * stride + input] into weights->data,
 * with all threads. */
void product_pack(struct engine *engine, const struct product_weights *weights, const float *from,
                  size_t stride);

/* A matrix that may be: positive sides, a stride that holds its columns. ERR_INVALID. */
bool matrix_check(const struct matrix *matrix, const char *what, struct err *err);

struct kernels_view product_view_matrix(const struct engine *engine, const struct matrix *matrix);
struct kernels_view product_view_tensor(const struct tensor *tensor);

/* finish->dst = activation(src * transpose(weights) + bias) + residual. src must not overlap dst.
 * Fails only for want of memory. */
bool product_run(struct engine *engine, const struct kernels_view *src,
                 const struct product_weights *weights, const struct kernels_finish *finish,
                 struct err *err);

#endif
