/* Transposed convolution as an ordinary one.
 *
 * With stride s, result pixel y (counted before the padding is taken off) is made by the taps k
 * with k = y mod s (mod s), and of source pixels y / s, y / s - 1, ...: for each of the s x s
 * phases an ordinary convolution with every s-th tap, flipped. All phases see the same window, so
 * one filter with s x s times the channels makes them all, and its result is laid out in turns.
 * This is as fast as the ordinary convolution is, and multiplies no zeros but those that fill the
 * kernel up to a multiple of s. Groups and dilations are refused. */
#include "base/err.h"
#include "engine/conv_private.h"
#include "engine/plane_private.h"

#include <stdlib.h>

#define CONV_TRANSPOSED_STRIDE_MAX 4 /* the inner filter has its square times the channels */

/* Taps per phase and axis. */
static int conv_transposed_taps(int kernel, int stride)
{
    return (kernel + stride - 1) / stride;
}

/* Channels of a phase: whole blocks, so that each phase is a slice. */
static int conv_transposed_channels(const struct engine *engine, const struct conv_filter *filter)
{
    int block = engine_block(engine);
    return (filter->out_channels + block - 1) / block * block;
}

static void conv_transposed_fill(const struct conv_filter *filter, struct conv_filter *part,
                                 int stride, int phase, int channels)
{
    int kernel = filter->kernel, taps = part->kernel, area = taps * taps;
    for (int out = 0; out < filter->out_channels; out++) {
        size_t row = (size_t)phase * channels + out;
        part->bias[row] = filter->bias[out];
        for (int in = 0; in < filter->in_channels; in++) {
            const float *from = filter->source + ((size_t)in * filter->out_channels + out) *
                                                     (size_t)(kernel * kernel);
            float *to = part->source + (row * filter->in_channels + in) * (size_t)area;
            for (int tap = 0; tap < area; tap++) {
                int ky = phase / stride + stride * (taps - 1 - tap / taps);
                int kx = phase % stride + stride * (taps - 1 - tap % taps);
                if (ky < kernel && kx < kernel)
                    to[tap] = from[ky * kernel + kx];
            }
        }
    }
}

static bool conv_transposed_pack(struct engine *engine, struct conv_filter *filter, int stride,
                                 struct err *err)
{
    int channels = conv_transposed_channels(engine, filter), phases = stride * stride;
    struct conv_shape shape = { .out_channels = phases * channels,
                                .in_channels = filter->in_channels,
                                .kernel = conv_transposed_taps(filter->kernel, stride) };
    filter->parts = calloc(1, sizeof *filter->parts);
    if (!filter->parts)
        return err_set(err, ERR_NO_MEMORY, "no memory for a filter");
    if (!conv_filter_new(engine, &shape, &filter->parts[0], err)) {
        free(filter->parts);
        filter->parts = NULL;
        return false;
    }
    filter->parts_count = 1;
    for (int phase = 0; phase < phases; phase++)
        conv_transposed_fill(filter, filter->parts[0], stride, phase, channels);
    filter->packed_stride = stride;
    conv_filter_packed(filter, CONV_TRANSPOSED);
    return true;
}

struct conv_transposed_work {
    struct tensor phases, dst;
    int stride, padding;
    atomic_int next;
};

/* One unit: one row of one channel block of dst. */
static void conv_transposed_task(void *context, int thread)
{
    struct conv_transposed_work *work = context;
    const struct tensor *dst = &work->dst;
    int rows = dst->height, blocks = tensor_blocks(dst), stride = work->stride;
    size_t bytes = plane_pixel_bytes(dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < rows * blocks;) {
        int block = unit / rows, y = unit % rows + work->padding;
        char *to = plane_at(dst, block, unit % rows, 0);
        for (int x = work->padding; x < work->padding + dst->width; x++, to += bytes) {
            int phase = y % stride * stride + x % stride;
            plane_copy_pixel(
                to, plane_at(&work->phases, phase * blocks + block, y / stride, x / stride), bytes);
        }
    }
}

static bool conv_transposed_check(const struct engine *engine, const struct conv_filter *filter,
                                  const struct tensor *src, const struct conv_options *options,
                                  const struct tensor *dst, struct err *err)
{
    int stride = options->stride ? options->stride : 1;
    int less = 2 * options->padding - options->padding_end, block = engine_block(engine);
    const struct tensor *residual = options->residual;
    if (stride < 1 || stride > CONV_TRANSPOSED_STRIDE_MAX || options->dilation > 1 ||
        options->padding < 0 || options->padding >= filter->kernel || options->padding_end < 0 ||
        options->padding_end >= stride ||
        dst->height != (src->height - 1) * stride + filter->kernel - less ||
        dst->width != (src->width - 1) * stride + filter->kernel - less)
        return err_set(err, ERR_INVALID,
                       "a transposed %dx%d convolution cannot make %dx%d of %dx%d", filter->kernel,
                       filter->kernel, dst->height, dst->width, src->height, src->width);
    if (src->channels != filter->in_channels || dst->channels != filter->out_channels)
        return err_set(err, ERR_INVALID, "a filter of %d to %d channels got tensors of %d and %d",
                       filter->in_channels, filter->out_channels, src->channels, dst->channels);
    bool plain = dst->block == 1 && dst->type == TENSOR_F32 && src->block == block && !residual;
    bool blocked = dst->block == block && dst->type == src->type;
    if ((!plain && !blocked) || src->type != engine_type(engine))
        return err_set(err, ERR_INVALID, "tensors of these layouts and types cannot be convolved");
    if (residual && (!tensor_same_shape(residual, dst) || !plane_same_layout(residual, dst)))
        return err_set(err, ERR_INVALID, "the residual is not like the destination");
    if (filter->packing == CONV_TRANSPOSED && filter->packed_stride != stride)
        return err_set(err, ERR_INVALID, "the filter is packed for stride %d",
                       filter->packed_stride);
    return true;
}

/* The slopes of one channel after another, once for each phase. */
static bool conv_transposed_slopes(struct engine *engine, const float *slopes, int channels,
                                   int phases, const float **ret_slopes, struct err *err)
{
    struct tensor copies;
    int padded =
        (phases * channels + CONV_BIAS_PADDING - 1) / CONV_BIAS_PADDING * CONV_BIAS_PADDING;
    if (!engine_tensor_plain(engine, padded, 1, 1, &copies, err))
        return false;
    float *to = copies.data;
    for (int i = 0; i < padded; i++)
        to[i] = i < phases * channels ? slopes[i % channels] : 0;
    *ret_slopes = to;
    return true;
}

/* All phases, side by side as channels. */
static bool conv_transposed_phases(struct engine *engine, struct conv_filter *filter,
                                   const struct tensor *src, const struct conv_options *options,
                                   const struct tensor *dst, struct tensor *ret_phases,
                                   struct err *err)
{
    struct conv_filter *part = filter->parts[0];
    int stride = filter->packed_stride, taps = part->kernel;
    int channels = part->out_channels / (stride * stride);
    /* What output padding asks for may be beyond what any tap reaches. */
    int end_y = (dst->height - 1 + options->padding) / stride + 1 - (src->height + taps - 1);
    int end_x = (dst->width - 1 + options->padding) / stride + 1 - (src->width + taps - 1);
    int end = end_y > end_x ? end_y : end_x;
    struct conv_options inner = *options;
    inner.stride = 1;
    inner.residual = NULL;
    inner.padding = taps - 1;
    inner.padding_end = end > 0 ? end : 0;
    if (options->activation == CONV_PRELU &&
        !conv_transposed_slopes(engine, options->slopes, channels, stride * stride, &inner.slopes,
                                err))
        return false;
    return engine_tensor(engine, part->out_channels, src->height + taps - 1 + inner.padding_end,
                         src->width + taps - 1 + inner.padding_end, ret_phases, err) &&
           conv_run(engine, part, src, &inner, ret_phases, err);
}

bool conv_transposed_run(struct engine *engine, struct conv_filter *filter,
                         const struct tensor *src, const struct conv_options *options,
                         const struct tensor *dst, struct err *err)
{
    if (!conv_transposed_check(engine, filter, src, options, dst, err))
        return false;
    int stride = options->stride ? options->stride : 1;
    if (filter->packing == CONV_UNPACKED && !conv_transposed_pack(engine, filter, stride, err))
        return false;
    struct conv_transposed_work work = { .dst = *dst,
                                         .stride = stride,
                                         .padding = options->padding };
    size_t mark = engine_mark(engine);
    bool aside = options->residual || dst->block == 1;
    bool ok = conv_transposed_phases(engine, filter, src, options, dst, &work.phases, err);
    if (ok && aside)
        ok = engine_tensor(engine, dst->channels, dst->height, dst->width, &work.dst, err);
    if (ok)
        parallel_run(engine->threads, conv_transposed_task, &work);
    if (ok && options->residual)
        ok = plane_add(engine, &work.dst, options->residual, dst, err);
    else if (ok && aside)
        ok = plane_convert(engine, &work.dst, dst, err);
    engine_release(engine, mark);
    return ok;
}
