/* The mask of a face: which classes belong to it, and how it fades out. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "engine/parallel.h"
#include "face/face_private.h"

#define BLUR_RADIUS 50
#define BLUR_TAPS (2 * BLUR_RADIUS + 1)
#define BLUR_SIGMA 11.0
#define BLUR_TIMES 2
#define MASK_FRAME 10 /* pixels at the edge that are never pasted */

/* As good as 1. What the order of summing leaves, 1 less a ten-millionth of a billionth, would cost
 * the middle of a face a level when it is cut down to whole ones. */
#define MASK_FULL (1 - 1e-9)

/* ParseNet's classes that are face: all but background 0, hat 14, necklace 16, neck 17, cloth 18.
 */
#define MASK_CLASSES 0xBFFEu

/* One pass over rows: dst = src blurred along x or along y. */
struct blur {
    const double *taps, *src;
    double *dst;
    bool down;
    atomic_int row;
};

/* Where a row or column outside of the mask is reflected to, the edge not repeated. */
static int reflected(int at)
{
    if (at < 0)
        return -at;
    return at < FACE_SIZE ? at : 2 * (FACE_SIZE - 1) - at;
}

static void blur_along(const struct blur *blur, int y, double *dst)
{
    const double *src = blur->src + (size_t)y * FACE_SIZE;
    double padded[FACE_SIZE + 2 * BLUR_RADIUS];
    for (int x = 0; x < FACE_SIZE + 2 * BLUR_RADIUS; x++)
        padded[x] = src[reflected(x - BLUR_RADIUS)];
    for (int i = 0; i < BLUR_TAPS; i++)
        for (int x = 0; x < FACE_SIZE; x++)
            dst[x] += blur->taps[i] * padded[x + i];
}

static void blur_down(const struct blur *blur, int y, double *dst)
{
    for (int i = 0; i < BLUR_TAPS; i++) {
        const double *src = blur->src + (size_t)reflected(y + i - BLUR_RADIUS) * FACE_SIZE;
        for (int x = 0; x < FACE_SIZE; x++)
            dst[x] += blur->taps[i] * src[x];
    }
}

static void blur_task(void *context, int thread)
{
    struct blur *blur = context;
    (void)thread;
    for (int y; (y = parallel_next(&blur->row)) < FACE_SIZE;) {
        double *dst = blur->dst + (size_t)y * FACE_SIZE;
        for (int x = 0; x < FACE_SIZE; x++)
            dst[x] = 0;
        (blur->down ? blur_down : blur_along)(blur, y, dst);
    }
}

static void blur_run(const double *taps, const double *src, double *dst, bool down, int threads)
{
    struct blur blur = { .taps = taps, .src = src, .dst = dst, .down = down };
    atomic_init(&blur.row, 0);
    parallel_run(threads, blur_task, &blur);
}

bool face_mask(const uint8_t *classes, int threads, double *ret_mask, struct err *err)
{
    double taps[BLUR_TAPS], sum = 0, *half = malloc(FACE_PIXELS * sizeof *half);
    if (!half)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for a mask.");
    for (int i = 0; i < BLUR_TAPS; i++) {
        double from_centre = i - BLUR_RADIUS;
        taps[i] = exp(-from_centre * from_centre / (2 * BLUR_SIGMA * BLUR_SIGMA));
        sum += taps[i];
    }
    for (int i = 0; i < BLUR_TAPS; i++)
        taps[i] /= sum;
    for (size_t i = 0; i < FACE_PIXELS; i++)
        ret_mask[i] = classes[i] < 32 && (MASK_CLASSES >> classes[i] & 1) ? 255 : 0;
    for (int i = 0; i < BLUR_TIMES; i++) {
        blur_run(taps, ret_mask, half, false, threads);
        blur_run(taps, half, ret_mask, true, threads);
    }
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++) {
            bool framed = y < MASK_FRAME || y >= FACE_SIZE - MASK_FRAME || x < MASK_FRAME ||
                          x >= FACE_SIZE - MASK_FRAME;
            double *value = ret_mask + (size_t)y * FACE_SIZE + (size_t)x;
            *value = framed ? 0 : *value / 255 > MASK_FULL ? 1 : *value / 255;
        }
    free(half);
    return true;
}
