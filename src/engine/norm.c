#include "engine/norm.h"

#include "base/err.h"
#include "engine/parallel.h"
#include "engine/product.h"

#include <math.h>

#define NORM_ROWS 32     /* per unit of work */
#define NORM_PIXELS 4096 /* of one channel block, per unit of work: 256 KB */

struct norm_work {
    const struct kernels *kernels;
    struct kernels_view src, dst;
    const float *scale, *shift;
    float eps;
    int channels;
    atomic_int next;
};

static void norm_rows_task(void *context, int thread)
{
    struct norm_work *work = context;
    (void)thread;
    for (int row; (row = parallel_next(&work->next) * NORM_ROWS) < work->dst.rows;) {
        struct kernels_view src = work->src, dst = work->dst;
        int rows = dst.rows - row < NORM_ROWS ? dst.rows - row : NORM_ROWS;
        size_t bytes = tensor_type_bytes(src.type);
        src.data = (char *)src.data + (size_t)row * src.row_step * bytes;
        dst.data = (char *)dst.data + (size_t)row * dst.row_step * bytes;
        src.rows = dst.rows = rows;
        work->kernels->norm_rows(&src, &dst, work->scale, work->shift, work->eps, work->channels);
    }
}

static bool norm_tensors_fit(const struct engine *engine, const struct tensor *src,
                             const struct tensor *dst, struct err *err)
{
    bool fits = tensor_same_shape(src, dst) && src->type == dst->type &&
                src->block == engine_block(engine) && dst->block == src->block;
    return fits ||
           err_set(err, ERR_INVALID, "cannot normalise %dx%dx%d into %dx%dx%d", src->channels,
                   src->height, src->width, dst->channels, dst->height, dst->width);
}

bool norm_layer(struct engine *engine, const struct tensor *src, const float *scale,
                const float *shift, float eps, const struct tensor *dst, struct err *err)
{
    engine_enter(engine);
    if (!norm_tensors_fit(engine, src, dst, err))
        return false;
    struct norm_work work = { .kernels = engine->kernels,
                              .src = product_view_tensor(src),
                              .dst = product_view_tensor(dst),
                              .scale = scale,
                              .shift = shift,
                              .eps = eps,
                              .channels = src->channels };
    parallel_run(engine->threads, norm_rows_task, &work);
    return true;
}

bool norm_rows(struct engine *engine, const struct matrix *src, const float *scale,
               const float *shift, float eps, const struct matrix *dst, struct err *err)
{
    engine_enter(engine);
    if (!matrix_check(src, "norm", err) || !matrix_check(dst, "norm", err))
        return false;
    if (src->rows != dst->rows || src->columns != dst->columns)
        return err_set(err, ERR_INVALID, "cannot normalise %d x %d into %d x %d", src->rows,
                       src->columns, dst->rows, dst->columns);
    struct norm_work work = { .kernels = engine->kernels,
                              .src = product_view_matrix(engine, src),
                              .dst = product_view_matrix(engine, dst),
                              .scale = scale,
                              .shift = shift,
                              .eps = eps,
                              .channels = src->columns };
    parallel_run(engine->threads, norm_rows_task, &work);
    return true;
}

/* ---- Groups -------------------------------------------------------------------------------------
 */

struct norm_group_work {
    const struct kernels *kernels;
    const struct tensor *src, *dst;
    const struct norm_group *norm;
    size_t pixels;
    int chunks;            /* of a block's pixels */
    double *sums;          /* [blocks][chunks][2][width] */
    float *mean, *factors; /* one per channel, padded: x to (x - mean) * factor + shift */
    atomic_int next;
};

/* Take the next run of pixels of a block: where it begins in the tensor, and how long it is. */
static bool norm_group_next(struct norm_group_work *work, int *ret_unit, size_t *ret_at,
                            size_t *ret_count)
{
    int unit = parallel_next(&work->next);
    if (unit >= tensor_blocks(work->src) * work->chunks)
        return false;
    size_t first = (size_t)(unit % work->chunks) * NORM_PIXELS, left = work->pixels - first;
    *ret_unit = unit;
    *ret_at = (size_t)(unit / work->chunks) * work->pixels + first;
    *ret_count = left < NORM_PIXELS ? left : NORM_PIXELS;
    return true;
}

static const void *norm_group_from(const struct tensor *tensor, size_t pixel)
{
    return (const char *)tensor->data + pixel * tensor->block * tensor_type_bytes(tensor->type);
}

static void norm_group_sums_task(void *context, int thread)
{
    struct norm_group_work *work = context;
    size_t at, count;
    (void)thread;
    for (int unit; norm_group_next(work, &unit, &at, &count);)
        work->kernels->norm_sums(work->src->type, norm_group_from(work->src, at), count,
                                 work->sums + (size_t)unit * 2 * work->src->block);
}

static void norm_group_apply_task(void *context, int thread)
{
    struct norm_group_work *work = context;
    size_t at, count;
    (void)thread;
    for (int unit; norm_group_next(work, &unit, &at, &count);) {
        size_t channel = (size_t)(unit / work->chunks) * work->src->block;
        char *to =
            (char *)work->dst->data + at * work->dst->block * tensor_type_bytes(work->dst->type);
        work->kernels->norm_apply(work->src->type, norm_group_from(work->src, at), to, count,
                                  work->mean + channel, work->factors + channel,
                                  work->norm->shift + channel, work->norm->silu);
    }
}

/* From sums per channel to mean and factor per channel. The order of summation is fixed: the result
 * does not depend on the number of threads. */
static void norm_group_statistics(struct norm_group_work *work)
{
    int block = work->src->block, channels = work->src->channels;
    int size = channels / work->norm->groups;
    for (int channel = channels; channel < tensor_blocks(work->src) * block; channel++)
        work->mean[channel] = work->factors[channel] = 0;
    for (int first = 0; first < channels; first += size) {
        double sum = 0, squares = 0, count = (double)work->pixels * size;
        for (int channel = first; channel < first + size; channel++)
            for (int chunk = 0; chunk < work->chunks; chunk++) {
                size_t unit = (size_t)(channel / block) * work->chunks + chunk;
                const double *sums = work->sums + unit * 2 * block + channel % block;
                sum += sums[0];
                squares += sums[block];
            }
        double mean = sum / count, variance = squares / count - mean * mean;
        double factor = 1 / sqrt((variance > 0 ? variance : 0) + (double)work->norm->eps);
        for (int channel = first; channel < first + size; channel++) {
            work->mean[channel] = (float)mean;
            work->factors[channel] = (float)(factor * (double)work->norm->scale[channel]);
        }
    }
}

bool norm_group(struct engine *engine, const struct tensor *src, const struct norm_group *norm,
                const struct tensor *dst, struct err *err)
{
    engine_enter(engine);
    if (!norm_tensors_fit(engine, src, dst, err))
        return false;
    if (norm->groups < 1 || src->channels % norm->groups != 0)
        return err_set(err, ERR_INVALID, "%d groups do not divide %d channels", norm->groups,
                       src->channels);
    struct norm_group_work work = { .kernels = engine->kernels,
                                    .src = src,
                                    .dst = dst,
                                    .norm = norm,
                                    .pixels = (size_t)src->height * src->width };
    size_t blocks = (size_t)tensor_blocks(src), lanes = blocks * src->block;
    work.chunks = (int)((work.pixels + NORM_PIXELS - 1) / NORM_PIXELS);
    size_t sums_bytes = lanes * (size_t)work.chunks * 2 * sizeof(double);
    void *scratch;
    if (!engine_scratch(engine, sums_bytes + lanes * 2 * sizeof(float), &scratch, err))
        return false;
    work.sums = scratch;
    work.mean = (float *)((char *)scratch + sums_bytes);
    work.factors = work.mean + lanes;
    parallel_run(engine->threads, norm_group_sums_task, &work);
    norm_group_statistics(&work);
    atomic_store(&work.next, 0);
    parallel_run(engine->threads, norm_group_apply_task, &work);
    return true;
}
