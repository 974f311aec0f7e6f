/* Operators on planes that are not convolutions: pooling, resizing, padding, shuffling pixels,
 * element-wise arithmetic and activations, and changing layout or type. Tensors are blocked in the
 * engine's type unless it says otherwise. Source and destination may be views; they must not
 * overlap except where it says so. A shape that does not fit is ERR_INVALID, a lack of memory for
 * tables (of resizing, of factors per channel) ERR_NO_MEMORY; nothing else fails.
 * Not here: norms (norm.h), matrices and attention (matrix.h, attention.h). */
#ifndef MIMEO_ENGINE_PLANE_H
#define MIMEO_ENGINE_PLANE_H

#include "engine/engine.h"

/* Maximum over 2x2 windows, stride 2; an odd last row or column is a window of its own ("ceil
 * mode"). dst is (h+1)/2 x (w+1)/2, blocked, of src's type. */
bool plane_pool_max(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                    struct err *err);

/* Mean over 2x2 windows, stride 1: dst is (h-1) x (w-1). */
bool plane_pool_average(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                        struct err *err);

/* The mean of each channel: dst is [channels][1][1]. */
bool plane_mean(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                struct err *err);

/* As torch's interpolate, none antialiased. Pixel centres are at half coordinates but for
 * BILINEAR_CORNERS (align_corners=True); BICUBIC has a = -0.75; NEAREST is floor(d * in / out) in
 * f32; AREA is adaptive average pooling. */
enum plane_filter {
    PLANE_NEAREST,
    PLANE_BILINEAR,
    PLANE_BILINEAR_CORNERS,
    PLANE_BICUBIC,
    PLANE_AREA,
};

/* Resize to the size of dst, any sizes. Blocked in the engine's type, or plain f32. */
bool plane_resize(struct engine *engine, const struct tensor *src, enum plane_filter filter,
                  const struct tensor *dst, struct err *err);

enum plane_border { PLANE_ZERO, PLANE_REPLICATE, PLANE_REFLECT }; /* reflect: not the edge twice */

struct plane_margins {
    int top, left, bottom, right; /* >= 0; reflect: less than the side of src */
};

/* Blocked, or plain f32, as are cropping and shuffling. */
bool plane_pad(struct engine *engine, const struct tensor *src, const struct plane_margins *margins,
               enum plane_border border, const struct tensor *dst, struct err *err);

/* dst = the part of src that begins at (top, left) and has dst's size. */
bool plane_crop(struct engine *engine, const struct tensor *src, int top, int left,
                const struct tensor *dst, struct err *err);

/* Channels to space: dst[c][y * r + dy][x * r + dx] = src[c * r * r + dy * r + dx][y][x], r being
 * dst.height / src.height, at most 64. And back. Plain to blocked and the other way too. */
bool plane_shuffle(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err);
bool plane_unshuffle(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                     struct err *err);

/* dst = a + b, all of one shape, type and layout. dst may be a or b. */
bool plane_add(struct engine *engine, const struct tensor *a, const struct tensor *b,
               const struct tensor *dst, struct err *err);

/* dst = a * b, all of one shape, type and layout; or b is [channels][1][1] (blocked or plain f32)
 * or [1][h][w] (plain f32) and is repeated. dst may be a, and b where nothing is repeated. */
bool plane_multiply(struct engine *engine, const struct tensor *a, const struct tensor *b,
                    const struct tensor *dst, struct err *err);

enum plane_activation {
    PLANE_RELU,
    PLANE_LEAKY_RELU, /* `slope` */
    PLANE_SILU,       /* x / (1 + exp(-x)) */
    PLANE_GELU,       /* x * (1 + erf(x / sqrt(2))) / 2, not the tanh form */
    PLANE_GELU_TANH,
    PLANE_SIGMOID,
    PLANE_TANH,
};

/* dst = activation(src), blocked or plain f32. dst may be src. */
bool plane_activate(struct engine *engine, const struct tensor *src, enum plane_activation kind,
                    float slope, const struct tensor *dst, struct err *err);

/* dst = leaky_relu(src * scale[c] + map[y][x] * map_weight + bias[c], slope): what modulated
 * convolutions need before (scale alone) and after (demodulation, noise, bias). `scale` and `bias`
 * hold one number per channel, padded with zeros to a multiple of 16 (NULL: 1 and 0); `map` is
 * [height][width] (NULL: none); slope 1 is no activation. dst may be src. */
struct plane_affine {
    const float *scale, *bias, *map;
    float map_weight, slope;
};
bool plane_affine(struct engine *engine, const struct tensor *src,
                  const struct plane_affine *affine, const struct tensor *dst, struct err *err);

/* dst = src * scale + shift, all of one shape (spatial feature transform), blocked or plain f32.
 * dst may be any. */
bool plane_transform(struct engine *engine, const struct tensor *src, const struct tensor *scale,
                     const struct tensor *shift, const struct tensor *dst, struct err *err);

/* Copy between layouts (plain, blocked) and types (f32, bf16), each way. */
bool plane_convert(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err);

#endif
