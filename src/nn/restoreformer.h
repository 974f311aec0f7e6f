/* RestoreFormer: a face restorer with a codebook. Source: Wang et al., "RestoreFormer: High-Quality
 * Blind Face Restoration from Undegraded Key-Value Pairs", CVPR 2022. An encoder, the nearest of
 * 1024 learned codes for each of its 16 x 16 results, and a decoder that attends: its queries are
 * the encoder's features, its keys and values what became of the codes.
 *
 * It draws no noise: one face gives one result. With bf16 activations some 5 % of the codes are
 * others than in f32, and the picture with them: an f32 engine is wanted.
 * Not here: finding, cropping and pasting faces (face/). */
#ifndef MIMEO_NN_RESTOREFORMER_H
#define MIMEO_NN_RESTOREFORMER_H

#include <stdbool.h>

struct engine;
struct err;
struct keys;
struct restoreformer;
struct stage_watch;
struct weights;

#define RESTOREFORMER_SIZE 512 /* pixels a side, of the published input and output */
#define RESTOREFORMER_LEVELS_MAX 8

/* The measures of a network: level N has channels * multipliers[N] channels at size / 2^N; the last
 * level attends. */
struct restoreformer_config {
    int size;     /* a multiple of 2^(levels - 1) */
    int channels; /* a multiple of 32, the groups of its norms */
    int levels;   /* 1 .. RESTOREFORMER_LEVELS_MAX */
    int multipliers[RESTOREFORMER_LEVELS_MAX];
    int blocks;       /* residual blocks of an encoder level; the decoder has one more; 1 .. 4 */
    int codes;        /* of the codebook */
    int code_columns; /* a multiple of 16 */
    int heads;        /* of attention; divides the last level's channels */
};
extern const struct restoreformer_config restoreformer_published;

/* Every tensor of the checkpoint by its name in the state dict. Free with keys_free. NULL when
 * there is no memory. */
struct keys *restoreformer_keys(const struct restoreformer_config *config);

/* Is it this network (names as below)? A look at two names; restoreformer_new checks all. */
bool restoreformer_is(const struct weights *weights);

/* Bind a network to its weights. Names are those of the state dict: a published file is entered
 * first (checkpoint_enter). config NULL: restoreformer_published.
 * ERR_INVALID tells what is missing, unexpected or misshapen. `weights` may be closed afterwards;
 * `engine` must outlive the network. */
bool restoreformer_new(struct engine *engine, const struct weights *weights,
                       const struct restoreformer_config *config,
                       struct restoreformer **ret_restoreformer, struct err *err);
void restoreformer_free(struct restoreformer *restoreformer);

/* Watch every later run: "down.N" (encoder, N = 0 first), "middle",
 * "latent", "code" (the chosen codes), "up.N" (decoder, 0 last) and "image". */
void restoreformer_watch(struct restoreformer *restoreformer, const struct stage_watch *watch);

/* One face. face: [3][size][size] f32, planar RGB, -1 .. 1; ret_face: the same, not clamped. One
 * call at a time per network. ERR_NO_MEMORY, ERR_CANCELED, ERR_UNAVAILABLE (an operator that this
 * engine's precision has not). */
bool restoreformer_run(struct restoreformer *restoreformer, const float *face, float *ret_face,
                       struct err *err);

#endif
