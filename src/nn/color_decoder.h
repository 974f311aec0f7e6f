/* DDColor's color decoder: learned color queries look at the picture's features at three sizes and
 * become color embeddings. Source: Kang et al., "DDColor", ICCV 2023; the layers are those of
 * Cheng et al., "Masked-attention Mask Transformer", 2022, without masks.
 * Not here: the features (ddcolor.c), what the embeddings are multiplied with (ddcolor.c). */
#ifndef MIMEO_NN_COLOR_DECODER_H
#define MIMEO_NN_COLOR_DECODER_H

#include "engine/matrix.h"
#include "nn/keys.h"

struct color_decoder;

#define COLOR_DECODER_LEVELS 3
#define COLOR_DECODER_DIM 256
#define COLOR_DECODER_QUERIES 100

/* Its tensors, under "PREFIX."; channels: those of the features. */
void color_decoder_keys(struct keys *keys, const char *prefix,
                        const int channels[COLOR_DECODER_LEVELS]);

bool color_decoder_new(struct engine *engine, const struct weights *weights, const char *prefix,
                       const int channels[COLOR_DECODER_LEVELS], struct color_decoder **ret_decoder,
                       struct err *err);
void color_decoder_free(struct color_decoder *decoder);

/* The features of `level` arrive without an affine map that belongs to them: compose it before the
 * projection. scale and shift: [channels[level]]. Before the first run only. */
void color_decoder_fold(struct color_decoder *decoder, int level, const float *scale,
                        const float *shift);

/* levels: blocked, of the three channel counts, any sizes. embeddings: [queries][dim]. */
bool color_decoder_run(struct color_decoder *decoder,
                       const struct tensor levels[COLOR_DECODER_LEVELS],
                       const struct matrix *embeddings, struct err *err);

#endif
