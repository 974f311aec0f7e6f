/* ParseNet: says of every pixel of an upright face what it is (skin, hair, an eye, background).
 * Source: the parsing network of PSFR-GAN (Chen et al., "Progressive Semantic-Aware Style
 * Transformation for Blind Face Restoration", CVPR 2021) with facexlib's `parsenet` weights.
 * Its second output, a picture, is not computed.
 * Not here: which of the classes make a mask (face/). */
#ifndef MIMEO_NN_PARSENET_H
#define MIMEO_NN_PARSENET_H

#include <stdint.h>

#include "engine/tensor.h"
#include "nn/keys.h"

struct engine;
struct parsenet;

#define PARSENET_CLASSES 19
#define PARSENET_SIZE 512 /* pixels; the side of the faces it was trained with */
#define PARSENET_UNIT 16  /* both sides of its input are multiples, and at least twice as much */

/* The tensors of the published file. NULL: no memory. */
struct keys *parsenet_keys(void);

/* Bind the network to its weights; batch norms are folded. ERR_INVALID says which tensors do not
 * fit. `weights` may be closed afterwards; `engine` must outlive the network. Free with
 * parsenet_free. */
bool parsenet_new(struct engine *engine, const struct weights *weights,
                  struct parsenet **ret_parsenet, struct err *err);
void parsenet_free(struct parsenet *parsenet);

/* src: plain f32 [3][h][w], RGB in -1..1. dst: plain f32 [PARSENET_CLASSES][h][w], the larger the
 * likelier. ERR_INVALID for a size that does not fit, ERR_NO_MEMORY. */
bool parsenet_run(struct parsenet *parsenet, const struct tensor *src, const struct tensor *dst,
                  struct err *err);

#endif
