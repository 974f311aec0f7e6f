/* Operators on planes that are not convolutions: pooling, resizing, adding, the logistic function,
 * and changing layout or type. Source and destination may be views; they must not overlap except
 * where it says so. A shape that does not fit is ERR_INVALID. */
#ifndef MIMEO_ENGINE_PLANE_H
#define MIMEO_ENGINE_PLANE_H

#include "engine/engine.h"

/* Maximum over 2x2 windows, stride 2; an odd last row or column is a window of its own ("ceil
 * mode"). dst is (h+1)/2 x (w+1)/2, blocked, of src's type. */
bool plane_pool_max(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                    struct err *err);

/* Bilinear, pixel centres at half coordinates (align_corners False), not antialiased. Blocked in
 * the engine's type, or plain f32. Any sizes. */
bool plane_resize(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                  struct err *err);

/* dst = a + b, all of one shape, type and layout. dst may be a or b. */
bool plane_add(struct engine *engine, const struct tensor *a, const struct tensor *b,
               const struct tensor *dst, struct err *err);

/* dst = 1 / (1 + exp(-src)), plain f32. dst may be src. */
bool plane_sigmoid(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err);

/* Copy between layouts (plain, blocked) and types (f32, bf16), each way. */
bool plane_convert(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err);

#endif
