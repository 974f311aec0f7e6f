/* Laying a restored face over the canvas, by its mask. Each face is cut down to whole levels in
 * turn (the original keeps fractions until the last: one level less where faces overlap). */
#include <math.h>
#include <stdatomic.h>

#include "engine/parallel.h"
#include "face/face_private.h"
#include "image/image.h"

struct paste {
    struct image *canvas;
    struct face_matrix to_face;
    const uint8_t *face;
    const double *mask;
    int left, right, bottom; /* of the part of the canvas that the face reaches */
    atomic_int row;
};

/* Four neighbours in the face and their shares. */
struct paste_place {
    size_t at; /* of the upper left one */
    double shares[4];
};

static const size_t neighbours[4] = { 0, 1, FACE_SIZE, FACE_SIZE + 1 };

/* False outside of the face and in the frame of it that is never pasted. */
static bool place_make(double u, double v, struct paste_place *ret_place)
{
    if (!(u >= 0 && v >= 0 && u < FACE_SIZE - 1 && v < FACE_SIZE - 1))
        return false;
    double left = floor(u), top = floor(v), right_part = u - left, bottom_part = v - top;
    *ret_place = (struct paste_place){
        .at = (size_t)top * FACE_SIZE + (size_t)left,
        .shares = { (1 - right_part) * (1 - bottom_part), right_part * (1 - bottom_part),
                    (1 - right_part) * bottom_part, right_part * bottom_part },
    };
    return true;
}

/* OpenCV's coordinates for what is not of 8 bits: the terms in 1/1024, their sum in 1/32. */
static double coarse(const double *row, int x, int y)
{
    double sum = rint((row[1] * y + row[2]) * 1024) + rint(row[0] * x * 1024);
    return floor((sum + 16) / 32) / 32;
}

static double paste_mask(const struct paste *paste, int x, int y)
{
    const double *across = paste->to_face.row[0], *down = paste->to_face.row[1];
    struct paste_place place;
    double mask = 0;
    if (!place_make(coarse(across, x, y), coarse(down, x, y), &place))
        return 0;
    for (int i = 0; i < 4; i++)
        mask += place.shares[i] * paste->mask[place.at + neighbours[i]];
    return mask;
}

/* The face's level there, rounded as its warp to the canvas' size is. */
static double paste_level(const struct paste *paste, const struct paste_place *place,
                          size_t channel)
{
    double value = 0;
    for (int i = 0; i < 4; i++)
        value += place->shares[i] * paste->face[(place->at + neighbours[i]) * 3 + channel];
    return rint(value);
}

static void paste_row(const struct paste *paste, int y)
{
    struct image *canvas = paste->canvas;
    const double *across = paste->to_face.row[0], *down = paste->to_face.row[1];
    for (int x = paste->left; x < paste->right; x++) {
        struct paste_place place;
        double mask = paste_mask(paste, x, y);
        if (!(mask > 0) || !place_make(across[0] * x + across[1] * y + across[2],
                                       down[0] * x + down[1] * y + down[2], &place))
            continue;
        size_t at = ((size_t)y * (size_t)canvas->width + (size_t)x) * 4;
        for (size_t c = 0; c < 3; c++) {
            double face = paste_level(paste, &place, c);
            if (canvas->bits == 16) {
                uint16_t *to = (uint16_t *)canvas->pixels + at + c;
                *to = (uint16_t)(mask * (face * 257) + (1 - mask) * *to);
            } else {
                uint8_t *to = (uint8_t *)canvas->pixels + at + c;
                *to = (uint8_t)(mask * face + (1 - mask) * *to);
            }
        }
    }
}

static void paste_task(void *context, int thread)
{
    struct paste *paste = context;
    (void)thread;
    for (int y; (y = parallel_next(&paste->row)) < paste->bottom;)
        paste_row(paste, y);
}

static int clamped(double value, int limit)
{
    return value > 0 ? value < limit ? (int)value : limit : 0; /* 0 also for what is no number */
}

void face_paste(struct image *canvas, const struct face_matrix *to_canvas, const uint8_t *face,
                const double *mask, int threads)
{
    struct paste paste = { .canvas = canvas, .face = face, .mask = mask };
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };
    if (!face_matrix_invert(to_canvas, &paste.to_face))
        return;
    for (int corner = 0; corner < 4; corner++)
        for (int k = 0; k < 2; k++) {
            const double *row = to_canvas->row[k];
            double at = row[0] * (corner & 1 ? FACE_SIZE : 0) +
                        row[1] * (corner & 2 ? FACE_SIZE : 0) + row[2];
            low[k] = fmin(low[k], at);
            high[k] = fmax(high[k], at);
        }
    paste.left = clamped(floor(low[0]), canvas->width);
    paste.right = clamped(ceil(high[0]) + 1, canvas->width);
    paste.bottom = clamped(ceil(high[1]) + 1, canvas->height);
    atomic_init(&paste.row, clamped(floor(low[1]), canvas->height));
    parallel_run(threads, paste_task, &paste);
}
