#include "engine/plane.h"

#include "base/err.h"
#include "engine/engine_private.h"
#include "engine/parallel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define PLANE_ADD_FLOATS 16384u /* elements per unit of work */

/* One operator running: its tensors and the next row (or run of elements) to do. */
struct plane_work {
    const struct kernels *kernels;
    struct tensor a, b, dst;
    const struct kernels_tap *taps_x, *taps_y;
    atomic_int next;
};

static bool plane_fits(bool fits, const char *what, const struct tensor *src,
                       const struct tensor *dst, struct err *err)
{
    return fits ||
           err_set(err, ERR_INVALID, "cannot %s %dx%dx%d into %dx%dx%d", what, src->channels,
                   src->height, src->width, dst->channels, dst->height, dst->width);
}

static bool plane_same_layout(const struct tensor *a, const struct tensor *b)
{
    return a->type == b->type && a->block == b->block;
}

static void plane_start(struct engine *engine, parallel_task *task, struct plane_work *work)
{
    engine_enter(engine);
    work->kernels = engine->kernels;
    atomic_store(&work->next, 0);
    parallel_run(engine->threads, task, work);
}

static void plane_pool_task(void *context, int thread)
{
    struct plane_work *work = context;
    int rows = work->dst.height, units = rows * tensor_blocks(&work->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        work->kernels->pool_row(&work->a, &work->dst, unit / rows, unit % rows);
}

bool plane_pool_max(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                    struct err *err)
{
    bool fits = dst->channels == src->channels && dst->height == (src->height + 1) / 2 &&
                dst->width == (src->width + 1) / 2 && src->block == engine_block(engine) &&
                plane_same_layout(src, dst);
    if (!plane_fits(fits, "pool", src, dst, err))
        return false;
    struct plane_work work = { .a = *src, .dst = *dst };
    plane_start(engine, plane_pool_task, &work);
    return true;
}

/* Where each of `to` pixels reads among `from`. */
static void plane_resize_taps(struct kernels_tap *taps, int from, int to)
{
    float scale = (float)from / (float)to;
    for (int i = 0; i < to; i++) {
        float at = ((float)i + 0.5f) * scale - 0.5f;
        at = at > 0 ? at : 0;
        int low = (int)at;
        low = low < from - 1 ? low : from - 1;
        taps[i].low = low;
        taps[i].high = low + 1 < from ? low + 1 : low;
        taps[i].weight = at - (float)low;
    }
}

static void plane_resize_plain_row(const struct plane_work *work, int channel, int y)
{
    const struct tensor *src = &work->a, *dst = &work->dst;
    const struct kernels_tap *tap = &work->taps_y[y];
    const float *plane = (const float *)src->data + (size_t)channel * src->height * src->width;
    const float *upper = plane + (size_t)tap->low * src->width;
    const float *lower = plane + (size_t)tap->high * src->width;
    float *to = (float *)dst->data + ((size_t)channel * dst->height + y) * dst->width;
    for (int x = 0; x < dst->width; x++) {
        const struct kernels_tap *across = &work->taps_x[x];
        float first = upper[across->low] + (lower[across->low] - upper[across->low]) * tap->weight;
        float second =
            upper[across->high] + (lower[across->high] - upper[across->high]) * tap->weight;
        to[x] = first + (second - first) * across->weight;
    }
}

static void plane_resize_task(void *context, int thread)
{
    struct plane_work *work = context;
    int rows = work->dst.height, units = rows * tensor_blocks(&work->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;) {
        int block = unit / rows, y = unit % rows;
        if (work->dst.block == 1)
            plane_resize_plain_row(work, block, y);
        else
            work->kernels->resize_row(&work->a, &work->dst, block, y, &work->taps_y[y],
                                      work->taps_x);
    }
}

bool plane_resize(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                  struct err *err)
{
    bool plain = src->block == 1 && src->type == TENSOR_F32;
    bool fits = dst->channels == src->channels && plane_same_layout(src, dst) &&
                (plain || src->block == engine_block(engine));
    if (!plane_fits(fits, "resize", src, dst, err))
        return false;
    size_t count = (size_t)dst->width + (size_t)dst->height;
    void *scratch = NULL;
    if (!engine_scratch(engine, count * sizeof(struct kernels_tap), &scratch, err))
        return false;
    struct kernels_tap *taps = scratch;
    plane_resize_taps(taps, src->width, dst->width);
    plane_resize_taps(taps + dst->width, src->height, dst->height);
    struct plane_work work = {
        .a = *src, .dst = *dst, .taps_x = taps, .taps_y = taps + dst->width
    };
    plane_start(engine, plane_resize_task, &work);
    return true;
}

/* The elements of unit `unit`: false when there is none. */
static bool plane_unit(const struct tensor *tensor, int unit, size_t *ret_from, size_t *ret_count)
{
    size_t total = tensor_bytes(tensor) / tensor_type_bytes(tensor->type);
    size_t from = (size_t)unit * PLANE_ADD_FLOATS;
    if (from >= total)
        return false;
    *ret_from = from;
    *ret_count = total - from < PLANE_ADD_FLOATS ? total - from : PLANE_ADD_FLOATS;
    return true;
}

static void plane_add_task(void *context, int thread)
{
    struct plane_work *work = context;
    enum tensor_type type = work->dst.type;
    size_t from, count;
    (void)thread;
    while (plane_unit(&work->dst, parallel_next(&work->next), &from, &count)) {
        size_t vectors = count / work->kernels->width * work->kernels->width;
        size_t at = from * tensor_type_bytes(type);
        work->kernels->add(type, (char *)work->a.data + at, (char *)work->b.data + at,
                           (char *)work->dst.data + at, vectors);
        /* Only plain tensors, which are f32 here, have a rest. */
        for (size_t i = from + vectors; i < from + count; i++)
            ((float *)work->dst.data)[i] = ((float *)work->a.data)[i] + ((float *)work->b.data)[i];
    }
}

bool plane_add(struct engine *engine, const struct tensor *a, const struct tensor *b,
               const struct tensor *dst, struct err *err)
{
    bool fits = tensor_same_shape(a, dst) && tensor_same_shape(b, dst) &&
                plane_same_layout(a, dst) && plane_same_layout(b, dst) &&
                (dst->type == TENSOR_F32 || dst->block == engine_block(engine));
    if (!plane_fits(fits, "add", a, dst, err))
        return false;
    struct plane_work work = { .a = *a, .b = *b, .dst = *dst };
    plane_start(engine, plane_add_task, &work);
    return true;
}

static void plane_sigmoid_task(void *context, int thread)
{
    struct plane_work *work = context;
    size_t from, count;
    (void)thread;
    while (plane_unit(&work->dst, parallel_next(&work->next), &from, &count)) {
        const float *src = (const float *)work->a.data + from;
        float *dst = (float *)work->dst.data + from;
        for (size_t i = 0; i < count; i++)
            dst[i] = 1.0f / (1.0f + expf(-src[i]));
    }
}

bool plane_sigmoid(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err)
{
    bool fits = tensor_same_shape(src, dst) && plane_same_layout(src, dst) && src->block == 1 &&
                src->type == TENSOR_F32;
    if (!plane_fits(fits, "apply sigmoid from", src, dst, err))
        return false;
    struct plane_work work = { .a = *src, .dst = *dst };
    plane_start(engine, plane_sigmoid_task, &work);
    return true;
}

static float plane_get(const struct tensor *tensor, size_t index)
{
    if (tensor->type == TENSOR_F32)
        return ((const float *)tensor->data)[index];
    uint32_t bits = (uint32_t)((const uint16_t *)tensor->data)[index] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void plane_set(const struct tensor *tensor, size_t index, float value)
{
    if (tensor->type == TENSOR_F32) {
        ((float *)tensor->data)[index] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == value) /* round to nearest even; a NaN would overflow into an infinity */
        bits += 0x7fff + ((bits >> 16) & 1);
    ((uint16_t *)tensor->data)[index] = (uint16_t)(bits >> 16);
}

/* One unit: one row of one channel block of dst. */
static void plane_convert_task(void *context, int thread)
{
    struct plane_work *work = context;
    const struct tensor *src = &work->a, *dst = &work->dst;
    int rows = dst->height, units = rows * tensor_blocks(dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;) {
        int block = unit / rows, y = unit % rows;
        size_t to = (size_t)unit * dst->width * dst->block;
        for (int lane = 0; lane < dst->block; lane++) {
            int channel = block * dst->block + lane, from_block = channel / src->block;
            size_t from = ((size_t)from_block * src->height + y) * src->width * src->block +
                          channel % src->block;
            for (int x = 0; x < dst->width; x++) {
                float value = 0;
                if (channel < src->channels)
                    value = plane_get(src, from + (size_t)x * src->block);
                plane_set(dst, to + (size_t)x * dst->block + lane, value);
            }
        }
    }
}

bool plane_convert(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                   struct err *err)
{
    if (!plane_fits(tensor_same_shape(src, dst), "convert", src, dst, err))
        return false;
    struct plane_work work = { .a = *src, .dst = *dst };
    plane_start(engine, plane_convert_task, &work);
    return true;
}
