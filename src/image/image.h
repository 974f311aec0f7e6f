/* Pictures in and out: any raster file people send becomes RGBA in memory, upright.
 *
 * Reads JPEG, PNG, WebP, GIF (first frame), AVIF and HEIC, told by content; nothing else, however
 * much libvips could read. The input is hostile: the size is checked from the header before a pixel
 * is decoded, and a broken or shortened file is refused rather than half shown.
 * Not here: resizing (image/resize.h), what a model makes of the pixels (models/). */
#ifndef MIMEO_IMAGE_IMAGE_H
#define MIMEO_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Width times height. A picture of this size takes 400 MB of memory; with 16 bits per channel the
 * limit is half as many pixels, which is as much memory. */
#define IMAGE_PIXELS_MAX 100000000

/* Bytes of a picture's file. */
#define IMAGE_FILE_BYTES_MAX ((size_t)256 << 20)

struct image {
    int width, height;
    int bits;       /* per channel: 8 or 16 */
    bool has_alpha; /* does it have transparency? Otherwise alpha is opaque everywhere. */
    bool is_gray;   /* red, green and blue are equal everywhere: the file had one of them */
    void *pixels;   /* [height][width][4] RGBA, not premultiplied; uint8_t or uint16_t by bits */
    void *profile;  /* the ICC profile of an RGB file, kept for writing; or NULL */
    size_t profile_bytes;
};

/* Start the image library: a tenth of a second, which would otherwise be part of the first
 * picture's. Optional, and more than once is fine. Any thread. ERR_INTERNAL. */
bool image_start(struct err *err);

/* Open a file, or bytes. Values of RGB files are untouched (a profile comes along); gray becomes
 * three equal channels, a palette its colours, CMYK goes through its profile (or a common one) to
 * sRGB. EXIF orientation is applied. ERR_INVALID with one sentence when it is no picture that can
 * be read, ERR_TOO_LARGE, ERR_NO_MEMORY. Free with image_done. One thread at a time per process. */
bool image_open(const char *path, struct image *ret_image, struct err *err);
bool image_open_memory(const void *bytes, size_t len, struct image *ret_image, struct err *err);
void image_done(struct image *image); /* a zeroed or done image is fine */

/* A picture of zeros; `bits` is 8 or 16. Memory is taken as it is written to. ERR_INVALID for no
 * size, ERR_NO_MEMORY. Free with image_done. Any thread. */
bool image_new(int width, int height, int bits, struct image *ret_image, struct err *err);

/* Take the flags and a copy of the profile of `from`. ERR_NO_MEMORY. */
bool image_copy_kind(const struct image *from, struct image *image, struct err *err);

/* Write as PNG: an alpha channel where has_alpha, one channel for the colours where is_gray, the
 * profile, no other metadata. ERR_INTERNAL. */
bool image_save_png(const struct image *image, const char *path, struct err *err);

#endif
