#include "engine/plane_private.h"

#define PLANE_BLOCK_MAX 16     /* the widest vector */
#define PLANE_MEAN_PIXELS 256u /* per partial sum in f32 */

/* One operator running: its tensors and the next row to do. */
struct plane_work {
    const struct kernels *kernels;
    struct tensor a, dst;
    atomic_int next;
};

bool plane_fits(bool fits, const char *what, const struct tensor *src, const struct tensor *dst,
                struct err *err)
{
    return fits ||
           err_set(err, ERR_INVALID, "cannot %s %dx%dx%d into %dx%dx%d", what, src->channels,
                   src->height, src->width, dst->channels, dst->height, dst->width);
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

static void plane_average_task(void *context, int thread)
{
    struct plane_work *work = context;
    int rows = work->dst.height, units = rows * tensor_blocks(&work->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        work->kernels->pool_average_row(&work->a, &work->dst, unit / rows, unit % rows);
}

bool plane_pool_average(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                        struct err *err)
{
    bool fits = dst->channels == src->channels && dst->height == src->height - 1 &&
                dst->width == src->width - 1 && plane_blocked(engine, src) &&
                plane_same_layout(src, dst);
    if (!plane_fits(fits, "pool", src, dst, err))
        return false;
    struct plane_work work = { .a = *src, .dst = *dst };
    plane_start(engine, plane_average_task, &work);
    return true;
}

/* One unit: one channel block. Rows are summed in f32, the sums of rows in f64. */
static void plane_mean_task(void *context, int thread)
{
    struct plane_work *work = context;
    const struct tensor *src = &work->a, *dst = &work->dst;
    size_t pixels = (size_t)src->height * (size_t)src->width, width = (size_t)src->block;
    (void)thread;
    for (int block; (block = parallel_next(&work->next)) < tensor_blocks(src);) {
        double sums[PLANE_BLOCK_MAX] = { 0 };
        float lanes[PLANE_BLOCK_MAX];
        for (size_t from = 0; from < pixels; from += PLANE_MEAN_PIXELS) {
            size_t count = pixels - from < PLANE_MEAN_PIXELS ? pixels - from : PLANE_MEAN_PIXELS;
            const char *at = plane_at(src, block, 0, 0) + from * plane_pixel_bytes(src);
            work->kernels->sum_pixels(src->type, at, count, lanes);
            for (size_t i = 0; i < width; i++)
                sums[i] += (double)lanes[i];
        }
        for (size_t i = 0; i < width; i++)
            plane_set(dst, (size_t)block * width + i, (float)(sums[i] / (double)pixels));
    }
}

bool plane_mean(struct engine *engine, const struct tensor *src, const struct tensor *dst,
                struct err *err)
{
    bool fits = dst->channels == src->channels && dst->height == 1 && dst->width == 1 &&
                plane_blocked(engine, src) && plane_same_layout(src, dst);
    if (!plane_fits(fits, "take the mean of", src, dst, err))
        return false;
    struct plane_work work = { .a = *src, .dst = *dst };
    plane_start(engine, plane_mean_task, &work);
    return true;
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
