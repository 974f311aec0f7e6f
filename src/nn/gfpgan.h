/* GFPGANv1Clean: the face restorer of GFPGAN v1.2, v1.3 and v1.4. Source: Wang et al., "Towards
 * Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021, in its form without
 * own operators: a U-Net reads the face and gives style codes and, at each size, a scale and a
 * shift for half of the channels of a StyleGAN2 generator, whose picture is the result.
 *
 * Noise: the generator adds a map of noise after each convolution. The published program draws it
 * anew for every face; here it is the map that the checkpoint keeps for that place
 * ("stylegan_decoder.noises.noiseN"), zeros where it has none. So one face gives one result.
 * Not computed: the U-Net's own pictures ("toRGB", for training) and the network before the style
 * codes ("style_mlp": the U-Net's codes are in its output's space).
 * Not here: finding, cropping and pasting faces (face/). */
#ifndef MIMEO_NN_GFPGAN_H
#define MIMEO_NN_GFPGAN_H

#include <stdbool.h>

struct engine;
struct err;
struct gfpgan;
struct keys;
struct stage_watch;
struct weights;

#define GFPGAN_SIZE 512 /* pixels a side, of the published input and output */

/* The measures of a network. The generator has `width` channels up to 32 x 32 pixels, and
 * `width * multiplier / 2^(n + 1)` at 64 * 2^n; the U-Net half of them. */
struct gfpgan_config {
    int size;          /* of the picture: 8, 16, .. 1024 */
    int width;         /* a multiple of 32 */
    int multiplier;    /* such that U-Net channels stay multiples of 16 */
    int style_columns; /* of a style code */
};
extern const struct gfpgan_config gfpgan_published; /* 512, 512, 2, 512 */

/* Every tensor of the checkpoint by its name in the state dict. Free with keys_free. NULL when
 * there is no memory. */
struct keys *gfpgan_keys(const struct gfpgan_config *config);

/* Is it this network (names as below)? A look at two names; gfpgan_new checks all. */
bool gfpgan_is(const struct weights *weights);

/* Bind a network to its weights. Names are those of the state dict: a published file is entered
 * first (checkpoint_enter). config NULL: gfpgan_published. ERR_INVALID tells what is
 * missing, unexpected or misshapen. `weights` may be closed afterwards; `engine` must outlive the
 * network. */
bool gfpgan_new(struct engine *engine, const struct weights *weights,
                const struct gfpgan_config *config, struct gfpgan **ret_gfpgan, struct err *err);
void gfpgan_free(struct gfpgan *gfpgan);

/* Watch every later run: "down.N" (U-Net, N = 0 first), "code",
 * "up.N", "style.N" (generator, 0 the smallest) and "image". */
void gfpgan_watch(struct gfpgan *gfpgan, const struct stage_watch *watch);

/* One face. face: [3][size][size] f32, planar RGB, -1 .. 1; ret_face: the same, not clamped. One
 * call at a time per network. ERR_NO_MEMORY, ERR_CANCELED, ERR_UNAVAILABLE (an operator that this
 * engine's precision has not). */
bool gfpgan_run(struct gfpgan *gfpgan, const float *face, float *ret_face, struct err *err);

#endif
