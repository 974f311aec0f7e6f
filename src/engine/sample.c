#include "engine/sample.h"

#include "engine/conv_private.h"
#include "engine/plane_private.h"

#include <math.h>

struct sample_work {
    const struct kernels *kernels;
    struct tensor src, dst, grid, offset, mask;
    struct sample_grid options;
    int kernel, padding;
    struct kernels_place *places; /* [threads][dst.width] */
    atomic_int next;
};

/* The four pixels around (y, x) and their shares. What is outside counts as zero: its weight is
 * then zero and its place any pixel. NaN and places far away are outside. */
static struct kernels_place sample_place(const struct tensor *src, float y, float x)
{
    struct kernels_place place = { .weight = { 0 } };
    if (!(y > -1 && y < (float)src->height && x > -1 && x < (float)src->width))
        return place;
    float low_y = floorf(y), low_x = floorf(x);
    for (int i = 0; i < 4; i++) {
        int at_y = (int)low_y + i / 2, at_x = (int)low_x + i % 2;
        float share_y = i / 2 ? y - low_y : 1 - (y - low_y);
        float share_x = i % 2 ? x - low_x : 1 - (x - low_x);
        if (at_y < 0 || at_y >= src->height || at_x < 0 || at_x >= src->width)
            continue;
        place.at[i] = at_y * src->width + at_x;
        place.weight[i] = share_y * share_x;
    }
    return place;
}

static float sample_clamp(float value, float most)
{
    value = value > 0 ? value : 0;
    return value < most ? value : most;
}

/* One row of all channel blocks of dst, beginning with block `first`. */
static void sample_row(const struct sample_work *work, const struct kernels_place *places, int y,
                       int first)
{
    const struct tensor *src = &work->src, *dst = &work->dst;
    for (int block = 0; block < tensor_blocks(src); block++) {
        const char *plane = plane_at(src, block, 0, 0);
        char *to = plane_at(dst, first + block, y, 0);
        if (dst->block != 1) {
            work->kernels->sample_pixels(dst->type, plane, places, dst->width, to);
            continue;
        }
        for (int x = 0; x < dst->width; x++) {
            float sum = 0;
            for (int i = 0; i < 4; i++)
                sum += ((const float *)plane)[places[x].at[i]] * places[x].weight[i];
            ((float *)to)[x] = sum;
        }
    }
}

static float sample_unnormalize(float at, int size, bool corners)
{
    if (corners)
        return (at + 1) / 2 * (float)(size - 1);
    return ((at + 1) * (float)size - 1) / 2;
}

static void sample_grid_task(void *context, int thread)
{
    struct sample_work *work = context;
    const struct tensor *src = &work->src, *dst = &work->dst;
    struct kernels_place *places = work->places + (size_t)thread * (size_t)dst->width;
    bool replicate = work->options.border == PLANE_REPLICATE;
    for (int row; (row = parallel_next(&work->next)) < dst->height;) {
        const float *at_x = (const float *)plane_at(&work->grid, 0, row, 0);
        const float *at_y = (const float *)plane_at(&work->grid, 1, row, 0);
        for (int i = 0; i < dst->width; i++) {
            float x = sample_unnormalize(at_x[i], src->width, work->options.corners);
            float y = sample_unnormalize(at_y[i], src->height, work->options.corners);
            if (replicate) {
                x = sample_clamp(x, (float)(src->width - 1));
                y = sample_clamp(y, (float)(src->height - 1));
            }
            places[i] = sample_place(src, y, x);
        }
        sample_row(work, places, row, 0);
    }
}

static bool sample_start(struct engine *engine, parallel_task *task, struct sample_work *work,
                         struct err *err)
{
    size_t count = (size_t)engine->threads * (size_t)work->dst.width;
    void *places = NULL;
    if (!engine_scratch(engine, count * sizeof *work->places, &places, err))
        return false;
    engine_enter(engine);
    work->kernels = engine->kernels;
    work->places = places;
    atomic_store(&work->next, 0);
    parallel_run(engine->threads, task, work);
    return true;
}

/* Is it plain f32 of these sizes? */
static bool sample_is_plain(const struct tensor *tensor, int channels, const struct tensor *like)
{
    return tensor->block == 1 && tensor->type == TENSOR_F32 && tensor->channels == channels &&
           tensor->height == like->height && tensor->width == like->width;
}

/* Places are counted in int. */
static bool sample_countable(const struct tensor *tensor)
{
    return (long long)tensor->height * tensor->width <= 1 << 30;
}

bool sample_grid(struct engine *engine, const struct tensor *src, const struct tensor *grid,
                 const struct sample_grid *options, const struct tensor *dst, struct err *err)
{
    bool fits = dst->channels == src->channels && plane_same_layout(src, dst) &&
                plane_blocked_or_plain(engine, src) && sample_is_plain(grid, 2, dst) &&
                options->border != PLANE_REFLECT && sample_countable(src);
    if (!plane_fits(fits, "sample", src, dst, err))
        return false;
    struct sample_work work = { .src = *src, .dst = *dst, .grid = *grid, .options = *options };
    return sample_start(engine, sample_grid_task, &work, err);
}

/* One unit: one row of the samples of one tap. The mask is a factor of the shares. */
static void sample_deformable_task(void *context, int thread)
{
    struct sample_work *work = context;
    const struct tensor *dst = &work->dst;
    struct kernels_place *places = work->places + (size_t)thread * (size_t)dst->width;
    int rows = dst->height, kernel = work->kernel;
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < rows * kernel * kernel;) {
        int tap = unit / rows, y = unit % rows;
        const float *offset_y = (const float *)plane_at(&work->offset, 2 * tap, y, 0);
        const float *offset_x = (const float *)plane_at(&work->offset, 2 * tap + 1, y, 0);
        const float *mask = (const float *)plane_at(&work->mask, tap, y, 0);
        for (int x = 0; x < dst->width; x++) {
            float at_y = (float)(y - work->padding + tap / kernel) + offset_y[x];
            float at_x = (float)(x - work->padding + tap % kernel) + offset_x[x];
            places[x] = sample_place(&work->src, at_y, at_x);
            for (int i = 0; i < 4; i++)
                places[x].weight[i] *= mask[x];
        }
        sample_row(work, places, y, tap * tensor_blocks(&work->src));
    }
}

bool sample_deformable(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
                       const struct tensor *offset, const struct tensor *mask, int padding,
                       const struct tensor *dst, struct err *err)
{
    struct conv_filter *part = conv_deformable_part(engine, filter, err);
    if (!part)
        return false;
    int kernel = filter->kernel, less = kernel - 1;
    bool fits = src->channels == filter->in_channels && dst->channels == filter->out_channels &&
                padding >= 0 && padding < CONV_KERNEL_MAX &&
                dst->height == src->height + 2 * padding - less &&
                dst->width == src->width + 2 * padding - less && plane_same_layout(src, dst) &&
                plane_blocked(engine, src) && src->type == engine_type(engine) &&
                sample_is_plain(offset, 2 * kernel * kernel, dst) &&
                sample_is_plain(mask, kernel * kernel, dst) && sample_countable(src);
    if (!plane_fits(fits, "convolve", src, dst, err))
        return false;
    struct sample_work work = {
        .src = *src, .offset = *offset, .mask = *mask, .kernel = kernel, .padding = padding
    };
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, part->in_channels, dst->height, dst->width, &work.dst, err) &&
              sample_start(engine, sample_deformable_task, &work, err) &&
              conv_run(engine, part, &work.dst, &(struct conv_options){ 0 }, dst, err);
    engine_release(engine, mark);
    return ok;
}
