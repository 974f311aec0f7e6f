/* IS-Net (ISNetDIS): dichotomous image segmentation, the network of RMBG-1.4 and of imgly's
 * background removal. Source: Qin et al., "Highly Accurate Dichotomous Image Segmentation",
 * ECCV 2022. Only the path to side output 1 is computed.
 * Not here: how a picture becomes its input and its output a matte (models/remove_background.c). */
#ifndef MIMEO_NN_ISNET_H
#define MIMEO_NN_ISNET_H

#include <stdbool.h>

struct engine;
struct err;
struct isnet;
struct weights;

#define ISNET_SIZE 1024 /* pixels; both sides of the input and the output */

/* Bind the network to its weights: 119 convolutions by state-dict name; batch norms
 * (".bn_s1.{weight,bias,running_mean,running_var}", eps 1e-5) are folded when the file has them.
 * Errors name the missing, unexpected and misshapen tensors. `weights` may be closed afterwards;
 * `engine` must outlive the network. */
bool isnet_new(struct engine *engine, const struct weights *weights, struct isnet **ret_isnet,
               struct err *err);
void isnet_free(struct isnet *isnet);

/* One forward pass. input: [3][1024][1024] f32, planar RGB, already normalised. ret_matte:
 * [1024][1024] f32 in 0..1 (after the sigmoid). `canceled` (may be NULL) is asked between stages;
 * when it says true the result is ERR_CANCELED. One call at a time per network. */
bool isnet_matte(struct isnet *isnet, const float *input, float *ret_matte,
                 bool (*canceled)(void *context), void *context, struct err *err);

#endif
