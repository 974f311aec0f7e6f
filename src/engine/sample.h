/* Reading planes at places that are computed: grid sampling and deformable convolution.
 * A shape that does not fit is ERR_INVALID. */
#ifndef MIMEO_ENGINE_SAMPLE_H
#define MIMEO_ENGINE_SAMPLE_H

#include "engine/conv.h"
#include "engine/plane.h"

/* torch's grid_sample, bilinear: grid is plain f32 [2][h][w] (x, then y, in -1 .. 1), dst is
 * [channels][h][w]. Outside src: zeros or, with PLANE_REPLICATE, the nearest pixel. */
struct sample_grid {
    bool corners; /* align_corners */
    enum plane_border border;
};
bool sample_grid(struct engine *engine, const struct tensor *src, const struct tensor *grid,
                 const struct sample_grid *options, const struct tensor *dst, struct err *err);

/* Deformable convolution, version 2 (Zhu et al., 2019), stride 1, one offset group: tap t of the
 * filter reads src bilinearly (zeros outside) at its place plus offset channels 2t (y) and 2t+1
 * (x), times mask channel t. offset: plain f32 [2 k k][h][w], mask: plain f32 [k k][h][w]. */
bool sample_deformable(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
                       const struct tensor *offset, const struct tensor *mask, int padding,
                       const struct tensor *dst, struct err *err);

#endif
