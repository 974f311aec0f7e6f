/* From rows of the network's size, which come in bands from top to bottom, to rows of the result.
 * Where both have the same size the band is the result itself and nothing is copied. Otherwise a
 * band is resized as soon as it is whole, and only the last few of its rows, as wide as the result,
 * are kept for the next.
 * Not here: what fills a band (upscaler.c), the arithmetic of resizing (image/resample.h). */
#ifndef MIMEO_UPSCALE_BANDS_H
#define MIMEO_UPSCALE_BANDS_H

#include <stdbool.h>

struct bands;
struct err;
struct image;

struct bands_options {
    int width, height; /* of the network's result */
    int rows_max;      /* of a band */
    int threads;       /* to resize with */
};

/* `result` has been made, and outlives the bands. ERR_NO_MEMORY. Free with bands_free. */
bool bands_new(const struct bands_options *options, struct image *result, struct bands **ret_bands,
               struct err *err);
void bands_free(struct bands *bands);

/* Where row y (of the network's size) of the present band is to be written: RGBA in the result's
 * bits, bands_options.width pixels. */
void *bands_row(struct bands *bands, int y);

/* All rows before `end` have been written: make what result rows can be made, and begin the next
 * band there. The last call has end == height. */
void bands_finish(struct bands *bands, int end);

#endif
