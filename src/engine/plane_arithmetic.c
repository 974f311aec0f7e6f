/* Element-wise operators: sums, products, activations, affine maps. */
#include "engine/plane_private.h"

#define PLANE_RUN_ELEMENTS 16384u /* per unit of work */

struct plane_sum {
    const struct kernels *kernels;
    struct tensor a, b, c, dst;
    struct plane_affine affine;
    struct kernels_activate activate;
    atomic_int next;
};

static void plane_sum_start(struct engine *engine, parallel_task *task, struct plane_sum *work)
{
    engine_enter(engine);
    work->kernels = engine->kernels;
    atomic_store(&work->next, 0);
    parallel_run(engine->threads, task, work);
}

/* The elements of unit `unit`, and where they begin in bytes: false when there is none. */
static bool plane_run(const struct tensor *tensor, int unit, size_t *ret_at, size_t *ret_count)
{
    size_t element = tensor_type_bytes(tensor->type), total = tensor_bytes(tensor) / element;
    size_t from = (size_t)unit * PLANE_RUN_ELEMENTS;
    if (from >= total)
        return false;
    *ret_at = from * element;
    *ret_count = total - from < PLANE_RUN_ELEMENTS ? total - from : PLANE_RUN_ELEMENTS;
    return true;
}

static void plane_add_task(void *context, int thread)
{
    struct plane_sum *work = context;
    enum tensor_type type = work->dst.type;
    size_t at, count;
    (void)thread;
    while (plane_run(&work->dst, parallel_next(&work->next), &at, &count))
        work->kernels->add(type, (char *)work->a.data + at, (char *)work->b.data + at,
                           (char *)work->dst.data + at, count);
}

static bool plane_alike(const struct engine *engine, const struct tensor *a, const struct tensor *b)
{
    return tensor_same_shape(a, b) && plane_same_layout(a, b) && plane_blocked_or_plain(engine, b);
}

bool plane_add(struct engine *engine, const struct tensor *a, const struct tensor *b,
               const struct tensor *dst, struct err *err)
{
    bool fits = plane_alike(engine, a, dst) && plane_alike(engine, b, dst);
    if (!plane_fits(fits, "add", a, dst, err))
        return false;
    struct plane_sum work = { .a = *a, .b = *b, .dst = *dst };
    plane_sum_start(engine, plane_add_task, &work);
    return true;
}

static void plane_multiply_task(void *context, int thread)
{
    struct plane_sum *work = context;
    enum tensor_type type = work->dst.type;
    size_t at, count;
    (void)thread;
    while (plane_run(&work->dst, parallel_next(&work->next), &at, &count))
        work->kernels->multiply(type, (char *)work->a.data + at, (char *)work->b.data + at,
                                (char *)work->dst.data + at, count);
}

static void plane_transform_task(void *context, int thread)
{
    struct plane_sum *work = context;
    enum tensor_type type = work->dst.type;
    size_t at, count;
    (void)thread;
    while (plane_run(&work->dst, parallel_next(&work->next), &at, &count))
        work->kernels->transform(type, (char *)work->a.data + at, (char *)work->b.data + at,
                                 (char *)work->c.data + at, (char *)work->dst.data + at, count);
}

bool plane_transform(struct engine *engine, const struct tensor *src, const struct tensor *scale,
                     const struct tensor *shift, const struct tensor *dst, struct err *err)
{
    bool fits = plane_alike(engine, src, dst) && plane_alike(engine, scale, dst) &&
                plane_alike(engine, shift, dst);
    if (!plane_fits(fits, "transform", src, dst, err))
        return false;
    struct plane_sum work = { .a = *src, .b = *scale, .c = *shift, .dst = *dst };
    plane_sum_start(engine, plane_transform_task, &work);
    return true;
}

/* One unit: one row of one channel block, or of one channel of a plain tensor. */
static void plane_map_row(const struct plane_sum *work, int block, int y)
{
    const struct tensor *src = &work->a, *dst = &work->dst;
    const float *map = (const float *)work->b.data + (size_t)y * (size_t)dst->width;
    const char *from = plane_at(src, block, y, 0);
    char *to = plane_at(dst, block, y, 0);
    if (dst->block == 1)
        work->kernels->multiply(TENSOR_F32, from, map, to, (size_t)dst->width);
    else
        work->kernels->multiply_map(dst->type, from, map, to, dst->width);
}

static void plane_map_task(void *context, int thread)
{
    struct plane_sum *work = context;
    int rows = work->dst.height, units = rows * tensor_blocks(&work->dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        plane_map_row(work, unit / rows, unit % rows);
}

static void plane_affine_task(void *context, int thread)
{
    struct plane_sum *work = context;
    const struct plane_affine *affine = &work->affine;
    const struct tensor *src = &work->a, *dst = &work->dst;
    int rows = dst->height, units = rows * tensor_blocks(dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;) {
        int block = unit / rows, y = unit % rows;
        size_t first = (size_t)block * (size_t)dst->block;
        struct kernels_affine row = {
            .scale = affine->scale ? affine->scale + first : NULL,
            .bias = affine->bias ? affine->bias + first : NULL,
            .map = affine->map ? affine->map + (size_t)y * (size_t)dst->width : NULL,
            .map_weight = affine->map_weight,
            .slope = affine->slope,
            .lanes = plane_lanes(dst, block),
        };
        work->kernels->affine_row(dst->type, &row, plane_at(src, block, y, 0),
                                  plane_at(dst, block, y, 0), dst->width);
    }
}

bool plane_affine(struct engine *engine, const struct tensor *src,
                  const struct plane_affine *affine, const struct tensor *dst, struct err *err)
{
    bool fits = plane_alike(engine, src, dst) && plane_blocked(engine, dst);
    if (!plane_fits(fits, "map", src, dst, err))
        return false;
    struct plane_sum work = { .a = *src, .affine = *affine, .dst = *dst };
    plane_sum_start(engine, plane_affine_task, &work);
    return true;
}

/* A plain a times one number per channel. */
static void plane_scale_task(void *context, int thread)
{
    struct plane_sum *work = context;
    const struct tensor *src = &work->a, *dst = &work->dst;
    size_t count = (size_t)dst->height * (size_t)dst->width;
    (void)thread;
    for (int channel; (channel = parallel_next(&work->next)) < dst->channels;) {
        const float *from = (const float *)src->data + (size_t)channel * count;
        float *to = (float *)dst->data + (size_t)channel * count;
        float factor = plane_get(&work->b, (size_t)channel);
        for (size_t i = 0; i < count; i++)
            to[i] = from[i] * factor;
    }
}

/* a times the numbers of b, one per channel. One pixel of channels is the same array in every
 * layout. */
static bool plane_multiply_channels(struct engine *engine, const struct tensor *a,
                                    const struct tensor *b, const struct tensor *dst,
                                    struct err *err)
{
    struct plane_sum work = { .a = *a, .b = *b, .dst = *dst };
    size_t count = (size_t)tensor_blocks(dst) * (size_t)dst->block;
    void *scale = NULL;
    if (dst->block == 1) {
        plane_sum_start(engine, plane_scale_task, &work);
        return true;
    }
    if (!engine_scratch(engine, count * sizeof(float), &scale, err))
        return false;
    for (size_t i = 0; i < count; i++)
        ((float *)scale)[i] = i < (size_t)b->channels ? plane_get(b, i) : 0;
    work.affine = (struct plane_affine){ .scale = scale, .slope = 1 };
    plane_sum_start(engine, plane_affine_task, &work);
    return true;
}

bool plane_multiply(struct engine *engine, const struct tensor *a, const struct tensor *b,
                    const struct tensor *dst, struct err *err)
{
    bool same = tensor_same_shape(a, b) && plane_same_layout(a, b);
    bool channels = b->channels == a->channels && b->height == 1 && b->width == 1 &&
                    plane_blocked_or_plain(engine, b);
    bool map = b->channels == 1 && b->height == a->height && b->width == a->width &&
               b->block == 1 && b->type == TENSOR_F32;
    bool fits = plane_alike(engine, a, dst) && (same || channels || map);
    if (!plane_fits(fits, "multiply", a, dst, err))
        return false;
    if (channels && !same)
        return plane_multiply_channels(engine, a, b, dst, err);
    struct plane_sum work = { .a = *a, .b = *b, .dst = *dst };
    plane_sum_start(engine, same ? plane_multiply_task : plane_map_task, &work);
    return true;
}

/* One unit: a run of pixels of one channel block; the blocks differ in their padding. */
static void plane_activate_task(void *context, int thread)
{
    struct plane_sum *work = context;
    const struct tensor *src = &work->a, *dst = &work->dst;
    size_t pixels = (size_t)dst->height * (size_t)dst->width, block = (size_t)dst->block;
    size_t run = PLANE_RUN_ELEMENTS / block, bytes = plane_pixel_bytes(dst);
    size_t runs = (pixels + run - 1) / run, units = runs * (size_t)tensor_blocks(dst);
    (void)thread;
    for (size_t unit; (unit = (size_t)parallel_next(&work->next)) < units;) {
        struct kernels_activate part = work->activate;
        size_t from = unit % runs * run, count = pixels - from < run ? pixels - from : run;
        size_t at = (unit / runs * pixels + from) * bytes;
        part.lanes = dst->block == 1 ? work->kernels->width : plane_lanes(dst, (int)(unit / runs));
        work->kernels->activate(dst->type, &part, (const char *)src->data + at,
                                (char *)dst->data + at, count * block);
    }
}

bool plane_activate(struct engine *engine, const struct tensor *src, enum plane_activation kind,
                    float slope, const struct tensor *dst, struct err *err)
{
    static const enum kernels_function functions[] = {
        [PLANE_RELU] = KERNELS_LEAKY_RELU,     [PLANE_LEAKY_RELU] = KERNELS_LEAKY_RELU,
        [PLANE_SILU] = KERNELS_SILU,           [PLANE_GELU] = KERNELS_GELU,
        [PLANE_GELU_TANH] = KERNELS_GELU_TANH, [PLANE_SIGMOID] = KERNELS_SIGMOID,
        [PLANE_TANH] = KERNELS_TANH,
    };
    if (!plane_fits(plane_alike(engine, src, dst), "activate", src, dst, err))
        return false;
    struct plane_sum work = {
        .a = *src,
        .dst = *dst,
        .activate = { .function = functions[kind], .slope = kind == PLANE_RELU ? 0 : slope },
    };
    plane_sum_start(engine, plane_activate_task, &work);
    return true;
}
