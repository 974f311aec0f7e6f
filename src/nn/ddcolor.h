/* DDColor: colors for a gray picture. Source: Kang et al., "DDColor: Towards Photo-Realistic Image
 * Colorization via Dual Decoders", ICCV 2023, with the published checkpoints' configuration.
 *
 *   gray RGB --> ConvNeXt --> U-net decoder --> features 256 at full size --\
 *                                   \--> color decoder --> 100 embeddings ---> mixed --> a, b
 *
 * Not here: Lab, and how a picture becomes the input (image/lab.h, models/colorize.c). */
#ifndef MIMEO_NN_DDCOLOR_H
#define MIMEO_NN_DDCOLOR_H

#include "nn/convnext.h"

struct ddcolor;

#define DDCOLOR_SIZE 512 /* pixels a side, as published networks want it */

extern const struct convnext_config ddcolor_large, ddcolor_tiny;

/* Every tensor of a checkpoint with that encoder. */
void ddcolor_keys(struct keys *keys, const struct convnext_config *encoder);

/* Bind; large or tiny is told by the tensors. Tensors under "params." are found, too (names are
 * changed then). ERR_INVALID names what is missing, unexpected or misshapen. `weights` may be
 * closed afterwards; `engine` must outlive the network. */
bool ddcolor_new(struct engine *engine, struct weights *weights, struct ddcolor **ret_ddcolor,
                 struct err *err);
void ddcolor_free(struct ddcolor *ddcolor);

struct ddcolor_watch {
    bool (*canceled)(void *context); /* asked between blocks; may be NULL */
    /* Sees intermediate tensors by name: "feature0" .. "feature3" (of the encoder, with the batch
     * norm and ReLU that the decoder puts on the first three), "level0" .. "level2" (of the
     * decoder, before their batch norm), "embeddings" (as [1][queries][dim], plain). For tests;
     * may be NULL. */
    void (*observe)(void *context, const char *name, const struct tensor *tensor);
    void *context;
};

/* One forward pass. rgb: [3][height][width], planar, 0..1, three times the same gray; both sides
 * multiples of 32. ret_ab: [2][height][width], a and b of Lab in its own units (about -110..110).
 * One call at a time per network. */
bool ddcolor_run(struct ddcolor *ddcolor, const float *rgb, int height, int width, float *ret_ab,
                 const struct ddcolor_watch *watch, struct err *err);

#endif
