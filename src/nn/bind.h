/* Filling the engine's filters from tensors by name: what every network does when it is made.
 * The shapes have been checked by keys_check (keys.h) but are checked again here, cheaply.
 * Not here: names and shapes of a network (its own file). */
#ifndef MIMEO_NN_BIND_H
#define MIMEO_NN_BIND_H

#include <stdint.h>

#include "engine/conv.h"
#include "engine/matrix.h"

struct err;
struct weights;

/* A convolution from "PREFIX.weight" and, when the file has it, "PREFIX.bias". `norm` (NULL: none)
 * is the prefix of a batch norm behind it, folded in when the file has it. A linear layer's weight
 * [out][in] fills a 1x1 filter. ERR_INVALID names what does not fit. */
bool bind_conv(struct engine *engine, const struct weights *weights, const char *prefix,
               const char *norm, float norm_eps, const struct conv_shape *shape,
               struct conv_filter **ret_filter, struct err *err);

/* A linear layer from "PREFIX.weight" [out][in] and, when there, "PREFIX.bias". */
bool bind_linear(struct engine *engine, const struct weights *weights, const char *prefix, int out,
                 int in, struct linear **ret_linear, struct err *err);

/* y = W (x * scale + shift) + b as one filter: fold an affine map of the inputs into a 1x1 filter
 * that is not packed yet. scale and shift: [in]. */
void bind_fold_input(struct conv_filter *filter, int out, int in, const float *scale,
                     const float *shift);

/* A tensor's numbers as f32 in memory of their own, zeros up to a multiple of 16 behind them (as
 * the engine's per-channel arguments want). `count` is how many there must be. Free with free. */
bool bind_values(const struct weights *weights, const char *name, int64_t count, float **ret_values,
                 struct err *err);

#endif
