/* Bilinear resizing as the networks were trained with: pixel centres at half coordinates, edges
 * repeated, no smoothing when it shrinks (torch's interpolate with align_corners=False).
 *
 * By rows, so that a caller needs memory for one row only and may share rows among threads.
 * Not here: the smoothing resizers of Pillow and OpenCV. */
#ifndef MIMEO_IMAGE_RESIZE_H
#define MIMEO_IMAGE_RESIZE_H

#include <stdbool.h>

struct err;
struct image;
struct resize;

struct resize_size {
    int width, height; /* >= 1 */
};

/* Plan a resize. Read-only afterwards: any number of threads may use it. ERR_NO_MEMORY. */
bool resize_new(struct resize_size from, struct resize_size to, struct resize **ret_resize,
                struct err *err);
void resize_free(struct resize *resize);

/* Row y of the result: [to.width] from plane [from.height][from.width]. */
void resize_plane_row(const struct resize *resize, const float *plane, int y, float *ret_row);

/* Row y of the result's red, green and blue, each [to.width], in 0..255 for 8 and 16 bits alike.
 * Alpha is ignored. The image must have the size of `from`. */
void resize_image_row(const struct resize *resize, const struct image *image, int y, float *ret_red,
                      float *ret_green, float *ret_blue);

#endif
