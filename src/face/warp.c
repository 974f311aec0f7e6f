/* Cutting a face out of a picture, upright: OpenCV's warpAffine with bilinear interpolation, its
 * coordinates in floating point as version 5 has them (versions before it round them to 1/32). */
#include <math.h>
#include <stdatomic.h>

#include "engine/parallel.h"
#include "face/face_private.h"
#include "image/image.h"

/* RGB of what is outside of the picture. */
static const double outside[3] = { 132, 133, 135 };

struct crop {
    const struct image *picture;
    struct face_matrix to_picture;
    float *face;
    atomic_int row;
};

/* The picture's value in 0..255, or the gray around it. */
static double pixel(const struct image *picture, long long x, long long y, int channel)
{
    if (x < 0 || y < 0 || x >= picture->width || y >= picture->height)
        return outside[channel];
    size_t at = ((size_t)y * (size_t)picture->width + (size_t)x) * 4 + (size_t)channel;
    return picture->bits == 16 ? ((const uint16_t *)picture->pixels)[at] / 257.0
                               : ((const uint8_t *)picture->pixels)[at];
}

static void crop_row(struct crop *crop, int y)
{
    const struct image *picture = crop->picture;
    const double *across = crop->to_picture.row[0], *down = crop->to_picture.row[1];
    for (int x = 0; x < FACE_SIZE; x++) {
        float *to = crop->face + (size_t)y * FACE_SIZE + (size_t)x;
        double u = across[0] * x + across[1] * y + across[2];
        double v = down[0] * x + down[1] * y + down[2];
        /* Far outside all is gray; this also keeps the conversions below in range. */
        u = fmin(fmax(u, -2), picture->width + 1);
        v = fmin(fmax(v, -2), picture->height + 1);
        long long left = (long long)floor(u), top = (long long)floor(v);
        double right_part = u - (double)left, bottom_part = v - (double)top;
        for (int c = 0; c < 3; c++) {
            double upper = pixel(picture, left, top, c) * (1 - right_part) +
                           pixel(picture, left + 1, top, c) * right_part;
            double lower = pixel(picture, left, top + 1, c) * (1 - right_part) +
                           pixel(picture, left + 1, top + 1, c) * right_part;
            double value = upper * (1 - bottom_part) + lower * bottom_part;
            to[(size_t)c * FACE_PIXELS] = (float)(picture->bits == 16 ? value : rint(value));
        }
    }
}

static void crop_task(void *context, int thread)
{
    struct crop *crop = context;
    (void)thread;
    for (int y; (y = parallel_next(&crop->row)) < FACE_SIZE;)
        crop_row(crop, y);
}

void face_crop(const struct image *picture, const struct face_matrix *to_face, int threads,
               float *ret_face)
{
    struct crop crop = { .picture = picture, .face = ret_face };
    /* face_align gives none that cannot be inverted. */
    if (!face_matrix_invert(to_face, &crop.to_picture))
        crop.to_picture = (struct face_matrix){ { { 0, 0, -2 }, { 0, 0, -2 } } };
    atomic_init(&crop.row, 0);
    parallel_run(threads, crop_task, &crop);
}
