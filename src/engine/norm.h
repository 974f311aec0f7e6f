/* Normalisations that depend on the values they normalise. (A batch norm at inference does not: it
 * is folded into the convolution before it.)
 * `scale` and `shift` hold one number per channel. A shape that does not fit is ERR_INVALID. */
#ifndef MIMEO_ENGINE_NORM_H
#define MIMEO_ENGINE_NORM_H

#include "engine/engine.h"
#include "engine/matrix.h"

/* Over the channels of each pixel ("channels first" layer norm of ConvNeXt). Biased variance.
 * scale and shift: padded with zeros to a multiple of 16. Blocked; dst may be src. */
bool norm_layer(struct engine *engine, const struct tensor *src, const float *scale,
                const float *shift, float eps, const struct tensor *dst, struct err *err);

/* Over groups of channels and all pixels of each, statistics in f64 or compensated. `groups`
 * divides the channels. Blocked; dst may be src. silu: dst = x / (1 + exp(-x)) of the normalised x.
 * scale and shift: padded with zeros to a multiple of 16. */
struct norm_group {
    int groups;
    const float *scale, *shift;
    float eps;
    bool silu;
};
bool norm_group(struct engine *engine, const struct tensor *src, const struct norm_group *norm,
                const struct tensor *dst, struct err *err);

/* Over each row of a matrix. dst may be src. */
bool norm_rows(struct engine *engine, const struct matrix *src, const float *scale,
               const float *shift, float eps, const struct matrix *dst, struct err *err);

#endif
