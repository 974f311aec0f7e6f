/* Resizing as OpenCV's resize does it, number by number: what Real-ESRGAN, GFPGAN and DDColor were
 * published with. Nothing smooths when it shrinks but AREA. Fixed-point rounding of 8-bit values is
 * OpenCV's own, so that results are equal; 16-bit and float ones may differ in the last digit.
 *
 * By rows, in two passes, so that a caller may stream and share rows among threads:
 *
 *     source row --resample_across--> line, as wide as the result --resample_down--> result row
 *
 * A plan is read-only: any number of threads may use it. Facts: OpenCV 4, modules/imgproc/resize.
 * Not here: torch's resizing of pictures for IS-Net (resize.h), resizing in a network (plane.h). */
#ifndef MIMEO_IMAGE_RESAMPLE_H
#define MIMEO_IMAGE_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/resize.h"

struct err;
struct resample;

enum resample_filter {
    RESAMPLE_NEAREST,  /* as torch's interpolate: floor(d * in / out) in f32 */
    RESAMPLE_LINEAR,   /* INTER_LINEAR */
    RESAMPLE_AREA,     /* INTER_AREA: the mean of what a pixel covers; enlarging: like LINEAR */
    RESAMPLE_LANCZOS4, /* INTER_LANCZOS4: 8 x 8 pixels */
};

enum resample_type { RESAMPLE_U8, RESAMPLE_U16, RESAMPLE_F32 };

struct resample_options {
    enum resample_filter filter;
    enum resample_type type;
    int channels; /* interleaved; 1..RESAMPLE_CHANNELS_MAX */
    struct resize_size from, to;
};

#define RESAMPLE_CHANNELS_MAX 4

/* Plan. ERR_INVALID for sizes under one pixel or no such channels, ERR_NO_MEMORY. */
bool resample_new(const struct resample_options *options, struct resample **ret_resample,
                  struct err *err);
void resample_free(struct resample *resample);

/* Bytes of a line: to.width pixels of 4 bytes a channel, aligned as malloc does. */
size_t resample_line_bytes(const struct resample *resample);

/* The first pass: a source row, from.width pixels of the type, into a line. */
void resample_across(const struct resample *resample, const void *row, void *ret_line);

/* Which source rows result row y is made of: first .. first + count - 1. Both ends never fall as y
 * grows. */
void resample_span(const struct resample *resample, int y, int *ret_first, int *ret_count);

/* The most rows that a result row is made of. */
int resample_span_max(const struct resample *resample);

/* The second pass: result row y, to.width pixels of the type, from the lines of its span. */
void resample_down(const struct resample *resample, int y, const void *const *lines, void *ret_row);

/* All of it on the calling thread: [from.height][from.width] to [to.height][to.width] pixels.
 * ERR_NO_MEMORY. */
bool resample_run(const struct resample *resample, const void *pixels, void *ret_pixels,
                  struct err *err);

#endif
