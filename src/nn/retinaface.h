/* RetinaFace with a ResNet-50: finds faces and, in each, five points. Source: Deng et al.,
 * "RetinaFace: Single-shot Multi-level Face Localisation in the Wild", CVPR 2020; the weights and
 * the details are those of facexlib's `retinaface_resnet50`.
 *
 *   picture --> ResNet-50 --> three scales --> pyramid --> context --> heads --> faces
 *
 * Not here: choosing the size that a picture is searched at, and what is done with the faces
 * (face/). */
#ifndef MIMEO_NN_RETINAFACE_H
#define MIMEO_NN_RETINAFACE_H

#include "engine/tensor.h"
#include "nn/keys.h"

struct engine;
struct retinaface;

#define RETINAFACE_LEVELS 3 /* cells of 8, 16 and 32 pixels, two anchors each */
#define RETINAFACE_POINTS 5 /* the eyes, the nose, the corners of the mouth; left ones first */

/* Results of one picture. A crowd of that many faces fills a picture of 4 megapixels with faces of
 * 90 pixels each; what comes after them has the lowest scores. */
#define RETINAFACE_FACES_MAX 512

/* What the network wants taken off blue, green and red. */
extern const float retinaface_means[3];

/* The tensors of the published file, without its prefix "module.". NULL: no memory. */
struct keys *retinaface_keys(void);

/* Bind the network to its weights, of which "module." was taken off (weights_enter). Batch norms
 * are folded. ERR_INVALID says which tensors do not fit. `weights` may be closed afterwards;
 * `engine` must outlive the network. Free with retinaface_free. */
bool retinaface_new(struct engine *engine, const struct weights *weights,
                    struct retinaface **ret_retinaface, struct err *err);
void retinaface_free(struct retinaface *retinaface);

/* What the network says of every cell of each level, before it is decoded. Plain f32: scores
 * [2 anchors x (no face, face)], boxes [2 x 4], points [2 x 10]; `features` is what the heads read,
 * blocked [256]. All in the engine's arena: they are gone when a mark before them is released. */
struct retinaface_heads {
    struct tensor features[RETINAFACE_LEVELS];
    struct tensor scores[RETINAFACE_LEVELS], boxes[RETINAFACE_LEVELS], points[RETINAFACE_LEVELS];
};

struct retinaface_watch {
    bool (*canceled)(void *context); /* asked between stages; may be NULL */
    void *context;
};

/* The network alone. src: plain f32 [3][h][w], BGR in 0..255 less retinaface_means, any size.
 * Memory: about 220 bytes of arena a pixel. ERR_CANCELED, ERR_NO_MEMORY. */
bool retinaface_run(struct retinaface *retinaface, const struct tensor *src,
                    const struct retinaface_watch *watch, struct retinaface_heads *ret_heads,
                    struct err *err);

struct retinaface_face {
    float left, top, right, bottom; /* pixels of src; may reach beyond it */
    float score;                    /* 0..1 */
    float points[RETINAFACE_POINTS][2];
};

struct retinaface_limits {
    float confidence; /* faces with a score above it */
    float overlap;    /* of two that share more of their union, the one with the higher score */
};

/* Faces from the heads of a picture of width x height, highest score first, at most
 * RETINAFACE_FACES_MAX; ret_faces has room for that many. Whatever the numbers are, the results
 * are finite. ERR_NO_MEMORY. */
bool retinaface_decode(const struct retinaface_heads *heads, int width, int height,
                       const struct retinaface_limits *limits, struct retinaface_face *ret_faces,
                       int *ret_count, struct err *err);

#endif
