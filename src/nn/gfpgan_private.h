/* What the files of GFPGAN share: the bound network. Private to nn/gfpgan*.c. */
#ifndef MIMEO_NN_GFPGAN_PRIVATE_H
#define MIMEO_NN_GFPGAN_PRIVATE_H

#include "engine/conv.h"
#include "engine/matrix.h"
#include "nn/gfpgan.h"
#include "nn/stage.h"

#define GFPGAN_LEVELS_MAX 8 /* of a picture of 1024 */

/* A residual block of the U-Net, which halves or doubles the size by bilinear resizing. */
struct gfpgan_block {
    struct conv_filter *conv1, *conv2, *skip;
};

/* A 3x3 convolution whose weights depend on a style code: W[o][i] * s[i], each output then divided
 * by the length of its weights. Computed as scale the inputs, convolve with W, scale the outputs.
 */
struct gfpgan_style {
    struct conv_filter *filter;
    struct linear *modulation; /* code -> s */
    float *squares;            /* [out][in]: each 3x3 filter's sum of squares */
    float *bias;               /* [out] */
    float *noise;              /* [size][size]; NULL: none */
    float noise_weight;
    int in_channels, out_channels;
};

/* A modulated 1x1 convolution to red, green and blue. So few weights are modulated themselves. */
struct gfpgan_rgb {
    float *weights, *bias; /* [3][in], [3] */
    struct linear *modulation;
    int in_channels;
};

/* What belongs to one size: 8, 16, .. */
struct gfpgan_level {
    struct gfpgan_block up;
    struct conv_filter *condition; /* the first layers of scale and shift, one above the other */
    struct conv_filter *scale, *shift;
    struct gfpgan_style wide, same; /* the first reads the size below, doubled */
    struct gfpgan_rgb rgb;
};

struct gfpgan {
    struct engine *engine;
    struct gfpgan_config config;
    int levels, codes;
    struct conv_filter *first, *last; /* of the U-Net's way down */
    struct linear *code;
    struct gfpgan_block down[GFPGAN_LEVELS_MAX];  /* 0 is the largest */
    struct gfpgan_level level[GFPGAN_LEVELS_MAX]; /* 0 makes 8 x 8 */
    float *constant;                              /* [width][4][4] */
    struct gfpgan_style start;
    struct gfpgan_rgb start_rgb;
    struct stage_watch watch;
};

/* Channels of the generator at a size; the U-Net has half of them. */
int gfpgan_channels(const struct gfpgan_config *config, int size);

#endif
