/* Enlarging pictures of any size with a network, in bounded memory.
 *
 * The picture is cut into tiles that overlap; a tile's border, where the network lacks its
 * surroundings, is thrown away, so that no seam is seen. Results leave as bands of whole rows, top
 * to bottom, already resized to what is asked for: the network's own size never exists as a whole.
 * Not here: what a network looks like (nn/), decoding and encoding (image/). */
#ifndef MIMEO_UPSCALE_UPSCALE_H
#define MIMEO_UPSCALE_UPSCALE_H

#include <stdbool.h>

struct engine;
struct err;
struct image;
struct upscaler;
struct weights;

/* Recognise the network that the weights hold (RRDBNet of any depth, with any usual naming;
 * SRVGGNetCompact) and bind it. `weights` may be closed afterwards; names may have been changed.
 * ERR_INVALID when it is none of these, or naming what is missing, unexpected or misshapen. */
bool upscaler_new(struct engine *engine, struct weights *weights, struct upscaler **ret_upscaler,
                  struct err *err);
void upscaler_free(struct upscaler *upscaler);
int upscaler_factor(const struct upscaler *upscaler); /* of the network: 4 or 2 */

struct upscale_options {
    double scale; /* > 0: the result has floor(width * scale) x floor(height * scale) pixels */
    int tile;     /* input pixels a side of a square tile, borders included; others have as many
                   * pixels; 0: what suits the network */
    int border;   /* input pixels thrown away on each side; 0: what suits the network */
    bool (*canceled)(void *context);                      /* asked before each tile; may be NULL */
    void (*progress)(void *context, int done, int total); /* after each tile; may be NULL */
    void *context;
};

/* Enlarge. The result has the source's bits, alpha, grayness and profile; alpha, where there is
 * some, is enlarged by the network as a gray picture. Values are rounded to the source's bits at
 * the network's size and then resized as OpenCV's INTER_LANCZOS4 does when scale is not the
 * network's factor (what Real-ESRGAN does). Free with image_done. ERR_TOO_LARGE beyond
 * UPSCALE_PIXELS_MAX or UPSCALE_SIDE_MAX and ERR_INVALID for a side under one pixel are told before
 * anything is computed. ERR_CANCELED, ERR_NO_MEMORY. One call at a time per engine. */
bool upscaler_run(struct upscaler *upscaler, const struct image *source,
                  const struct upscale_options *options, struct image *ret_result, struct err *err);

#define UPSCALE_PIXELS_MAX 200000000 /* of a result; 16-bit ones may have half as many */
#define UPSCALE_SIDE_MAX 65535       /* of a source */

#endif
