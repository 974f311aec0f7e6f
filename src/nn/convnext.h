/* ConvNeXt: a convolutional encoder in four stages. Source: Liu et al., "A ConvNet for the 2020s",
 * CVPR 2022. Each stage's result leaves through a layer norm of its own; there is no classifier.
 * Not here: what is made of the features (ddcolor.c). */
#ifndef MIMEO_NN_CONVNEXT_H
#define MIMEO_NN_CONVNEXT_H

#include "engine/tensor.h"
#include "nn/keys.h"

struct convnext;
struct engine;

#define CONVNEXT_STAGES 4

struct convnext_config {
    int depths[CONVNEXT_STAGES]; /* blocks */
    int dims[CONVNEXT_STAGES];   /* channels; multiples of 16 */
};

/* Its tensors, under "PREFIX." */
void convnext_keys(struct keys *keys, const char *prefix, const struct convnext_config *config);

/* Bind the tensors under "PREFIX.". ERR_INVALID names what does not fit. */
bool convnext_new(struct engine *engine, const struct weights *weights, const char *prefix,
                  const struct convnext_config *config, struct convnext **ret_convnext,
                  struct err *err);
void convnext_free(struct convnext *convnext);

/* Compose an affine map behind the norm of feature `stage`: scale and shift, [dims[stage]]. */
void convnext_fold(struct convnext *convnext, int stage, const float *scale, const float *shift);

/* input: plain f32 [3][h][w], both sides multiples of 32. features[i]: blocked [dims[i]], a side
 * being that of the input divided by 4, 8, 16, 32; they may be slices of wider tensors.
 * `canceled` (may be NULL) is asked before each block: then ERR_CANCELED. */
bool convnext_run(struct convnext *convnext, const struct tensor *input,
                  const struct tensor features[CONVNEXT_STAGES], bool (*canceled)(void *context),
                  void *context, struct err *err);

#endif
