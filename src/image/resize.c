#include "image/resize.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "image/image.h"

/* Which two source positions an output position mixes: value[low] and value[high]. */
struct tap {
    int low, high;
    float fraction; /* the share of high */
};

struct resize {
    struct resize_size from, to;
    struct tap *columns, *rows;
};

static struct tap *taps_new(int from, int to)
{
    struct tap *taps = calloc((size_t)to, sizeof *taps);
    double scale = (double)from / to;
    for (int i = 0; taps && i < to; i++) {
        double at = (i + 0.5) * scale - 0.5;
        if (at < 0)
            at = 0;
        int low = (int)floor(at);
        if (low > from - 1)
            low = from - 1;
        taps[i].low = low;
        taps[i].high = low + 1 < from ? low + 1 : low;
        taps[i].fraction = (float)(at - low);
    }
    return taps;
}

bool resize_new(struct resize_size from, struct resize_size to, struct resize **ret_resize,
                struct err *err)
{
    assert(from.width >= 1 && from.height >= 1 && to.width >= 1 && to.height >= 1);
    struct resize *resize = calloc(1, sizeof *resize);
    if (resize) {
        *resize = (struct resize){ .from = from,
                                   .to = to,
                                   .columns = taps_new(from.width, to.width),
                                   .rows = taps_new(from.height, to.height) };
    }
    if (!resize || !resize->columns || !resize->rows) {
        resize_free(resize);
        return err_set(err, ERR_NO_MEMORY, "There is no memory to resize the image.");
    }
    *ret_resize = resize;
    return true;
}

void resize_free(struct resize *resize)
{
    if (!resize)
        return;
    free(resize->columns);
    free(resize->rows);
    free(resize);
}

static inline float mix(float low, float high, float fraction)
{
    return low + (high - low) * fraction;
}

void resize_plane_row(const struct resize *resize, const float *plane, int y, float *ret_row)
{
    struct tap row = resize->rows[y];
    const float *top = plane + (size_t)row.low * (size_t)resize->from.width;
    const float *bottom = plane + (size_t)row.high * (size_t)resize->from.width;
    for (int x = 0; x < resize->to.width; x++) {
        struct tap column = resize->columns[x];
        float above = mix(top[column.low], top[column.high], column.fraction);
        float below = mix(bottom[column.low], bottom[column.high], column.fraction);
        ret_row[x] = mix(above, below, row.fraction);
    }
}

static void image_row_8(const struct resize *resize, const uint8_t *pixels, struct tap row,
                        float *const *planes)
{
    const uint8_t *top = pixels + (size_t)row.low * (size_t)resize->from.width * 4;
    const uint8_t *bottom = pixels + (size_t)row.high * (size_t)resize->from.width * 4;
    for (int x = 0; x < resize->to.width; x++) {
        struct tap column = resize->columns[x];
        size_t low = (size_t)column.low * 4, high = (size_t)column.high * 4;
        for (size_t c = 0; c < 3; c++) {
            float above = mix(top[low + c], top[high + c], column.fraction);
            float below = mix(bottom[low + c], bottom[high + c], column.fraction);
            planes[c][x] = mix(above, below, row.fraction);
        }
    }
}

static void image_row_16(const struct resize *resize, const uint16_t *pixels, struct tap row,
                         float *const *planes)
{
    const uint16_t *top = pixels + (size_t)row.low * (size_t)resize->from.width * 4;
    const uint16_t *bottom = pixels + (size_t)row.high * (size_t)resize->from.width * 4;
    for (int x = 0; x < resize->to.width; x++) {
        struct tap column = resize->columns[x];
        size_t low = (size_t)column.low * 4, high = (size_t)column.high * 4;
        for (size_t c = 0; c < 3; c++) {
            float above = mix(top[low + c], top[high + c], column.fraction);
            float below = mix(bottom[low + c], bottom[high + c], column.fraction);
            planes[c][x] = mix(above, below, row.fraction) / 257.0f;
        }
    }
}

void resize_image_row(const struct resize *resize, const struct image *image, int y, float *ret_red,
                      float *ret_green, float *ret_blue)
{
    assert(image->width == resize->from.width && image->height == resize->from.height);
    float *const planes[3] = { ret_red, ret_green, ret_blue };
    if (image->bits == 16)
        image_row_16(resize, image->pixels, resize->rows[y], planes);
    else
        image_row_8(resize, image->pixels, resize->rows[y], planes);
}
