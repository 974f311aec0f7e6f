#include "engine/conv.h"

#include "base/err.h"
#include "engine/conv_onednn.h"
#include "engine/conv_private.h"
#include "engine/memory.h"
#include "engine/parallel.h"
#include "engine/plane.h"

#include <stdlib.h>

#define CONV_CHANNELS_MAX 65536

bool conv_filter_new(struct engine *engine, const struct conv_shape *shape,
                     struct conv_filter **ret_filter, struct err *err)
{
    int out_channels = shape->out_channels, in_channels = shape->in_channels;
    int kernel = shape->kernel, groups = shape->groups ? shape->groups : 1;
    (void)engine;
    if (out_channels < 1 || out_channels > CONV_CHANNELS_MAX || in_channels < 1 ||
        in_channels > CONV_CHANNELS_MAX || kernel < 1 || kernel > CONV_KERNEL_MAX)
        return err_set(err, ERR_INVALID, "no filter can be %d x %d x %d x %d", out_channels,
                       in_channels, kernel, kernel);
    if (groups < 1 || out_channels % groups || in_channels % groups ||
        (groups > 1 && shape->transposed))
        return err_set(err, ERR_INVALID, "no filter of %d to %d channels can have %d groups",
                       in_channels, out_channels, groups);
    struct conv_filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return err_set(err, ERR_NO_MEMORY, "no memory for a filter");
    size_t biases =
        (size_t)(out_channels + CONV_BIAS_PADDING - 1) / CONV_BIAS_PADDING * CONV_BIAS_PADDING;
    filter->out_channels = out_channels;
    filter->in_channels = in_channels;
    filter->kernel = kernel;
    filter->groups = groups;
    filter->transposed = shape->transposed;
    filter->source_bytes =
        (size_t)out_channels * (in_channels / groups) * kernel * kernel * sizeof *filter->source;
    filter->source = memory_new(filter->source_bytes);
    filter->bias = calloc(biases, sizeof *filter->bias);
    if (!filter->source || !filter->bias) {
        conv_filter_free(filter);
        return err_set(err, ERR_NO_MEMORY, "no memory for a filter");
    }
    *ret_filter = filter;
    return true;
}

void conv_filter_free(struct conv_filter *filter)
{
    if (!filter)
        return;
    memory_free(filter->source, filter->source_bytes);
    memory_free(filter->packed, filter->packed_bytes);
    conv_onednn_forget(filter->onednn);
    for (int i = 0; i < filter->parts_count; i++)
        conv_filter_free(filter->parts[i]);
    free(filter->parts);
    free(filter->bias);
    free(filter);
}

float *conv_filter_weights(struct conv_filter *filter)
{
    return filter->source;
}

float *conv_filter_bias(struct conv_filter *filter)
{
    return filter->source ? filter->bias : NULL;
}

void conv_filter_packed(struct conv_filter *filter, enum conv_packing packing)
{
    filter->packing = packing;
    memory_free(filter->source, filter->source_bytes);
    filter->source = NULL;
}

const char *conv_filter_algorithm(const struct conv_filter *filter)
{
    switch (filter->packing) {
    case CONV_UNPACKED:
        return "";
    case CONV_WINOGRAD:
        return "winograd";
    case CONV_DIRECT:
        return "direct";
    case CONV_NARROW:
        return "narrow";
    case CONV_ONEDNN:
        return conv_onednn_name(filter->onednn);
    case CONV_DEPTHWISE:
        return "depthwise";
    case CONV_GROUPED:
    case CONV_TRANSPOSED:
    case CONV_DEFORMABLE:
        return conv_filter_algorithm(filter->parts[0]);
    }
    return "";
}

size_t conv_filter_bytes(const struct conv_filter *filter)
{
    size_t bytes = (filter->source ? filter->source_bytes : 0) + filter->packed_bytes +
                   conv_onednn_bytes(filter->onednn);
    for (int i = 0; i < filter->parts_count; i++)
        bytes += conv_filter_bytes(filter->parts[i]);
    return bytes;
}

/* Pack for direct_row, whose source has blocks of `in_block`; see kernels_direct_body.h. */
static bool conv_pack_direct(struct engine *engine, struct conv_filter *filter, int in_block,
                             struct err *err)
{
    int width = engine_block(engine), taps = filter->kernel * filter->kernel;
    int in_blocks = (filter->in_channels + in_block - 1) / in_block;
    int out_blocks = (filter->out_channels + width - 1) / width;
    size_t group = (size_t)in_blocks * in_block * taps * width; /* floats per output block */
    filter->packed_bytes = group * out_blocks * sizeof(float);
    filter->packed = memory_new(filter->packed_bytes);
    if (!filter->packed)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights",
                       filter->packed_bytes);
    const float *from = filter->source;
    for (int out = 0; out < filter->out_channels; out++) {
        int first = out / (2 * width) * 2; /* block of its group */
        int columns = first + 1 < out_blocks ? 2 : 1;
        for (int in = 0; in < filter->in_channels; in++)
            for (int tap = 0; tap < taps; tap++) {
                size_t at = ((size_t)(in / in_block) * taps + tap) * in_block + in % in_block;
                at = at * columns * width + group * first + out % (2 * width);
                filter->packed[at] = *from++;
            }
    }
    filter->packed_block = in_block;
    return true;
}

static bool conv_pack_narrow(struct engine *engine, struct conv_filter *filter, struct err *err)
{
    int width = engine_block(engine), taps = filter->kernel * filter->kernel;
    int in_blocks = (filter->in_channels + width - 1) / width;
    size_t per_output = (size_t)in_blocks * taps * width;
    filter->packed_bytes = per_output * filter->out_channels * sizeof(float);
    filter->packed = memory_new(filter->packed_bytes);
    if (!filter->packed)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights",
                       filter->packed_bytes);
    const float *from = filter->source;
    for (int out = 0; out < filter->out_channels; out++)
        for (int in = 0; in < filter->in_channels; in++)
            for (int tap = 0; tap < taps; tap++)
                filter->packed[per_output * out + ((size_t)(in / width) * taps + tap) * width +
                               in % width] = *from++;
    return true;
}

static bool conv_suits_winograd(const struct engine *engine, const struct kernels_conv *conv)
{
    return conv->kernel == 3 && conv->stride == 1 && conv->src.type == TENSOR_F32 &&
           conv->src.block == engine_block(engine) && conv->dst.block == engine_block(engine);
}

/* Is Winograd worth it? Not where most of a tile lies beyond the plane: with a plane of 16 and a
 * dilation of 8 a phase has 2x2 pixels, and its 4x4 tile costs as much as the direct way. */
static bool conv_wants_winograd(const struct engine *engine, const struct kernels_conv *conv)
{
    if (engine->algorithm != ENGINE_CONV_FASTEST)
        return engine->algorithm == ENGINE_CONV_WINOGRAD;
    return conv->src.height >= 3 * conv->dilation && conv->src.width >= 3 * conv->dilation;
}

/* Decide how the filter is computed from now on, and pack it. */
static bool conv_pack(struct engine *engine, struct conv_filter *filter,
                      const struct kernels_conv *conv, struct err *err)
{
    enum engine_algorithm algorithm = engine->algorithm;
    bool f32 = conv->src.type == TENSOR_F32;
    enum conv_packing packing;
    if (filter->groups > 1) {
        bool depthwise =
            filter->groups == filter->in_channels && filter->groups == filter->out_channels;
        packing = depthwise ? CONV_DEPTHWISE : CONV_GROUPED;
        if (depthwise ? !conv_depthwise_pack(engine, filter, err)
                      : !conv_grouped_pack(engine, filter, err))
            return false;
    } else if (conv->dst.block == 1 && conv->src.block != 1) {
        packing = CONV_NARROW;
        if (!conv_pack_narrow(engine, filter, err))
            return false;
    } else if (conv_suits_winograd(engine, conv) && conv_wants_winograd(engine, conv)) {
        packing = CONV_WINOGRAD;
        if (!winograd_pack(engine, filter, conv, err))
            return false;
    } else if ((algorithm != ENGINE_CONV_DIRECT || !f32) &&
               conv_onednn_prepare(engine, filter, conv, err)) {
        packing = CONV_ONEDNN;
    } else {
        /* oneDNN refused (err says why) or was not asked. */
        packing = CONV_DIRECT;
        if (algorithm == ENGINE_CONV_ONEDNN || !f32 || conv->dst.block == 1 ||
            !conv_pack_direct(engine, filter, conv->src.block, err))
            return false;
    }
    conv_filter_packed(filter, packing);
    return true;
}

struct conv_work {
    const struct kernels *kernels;
    struct kernels_conv conv;
    atomic_int next;
};

static void conv_direct_task(void *context, int thread)
{
    struct conv_work *work = context;
    int groups = (tensor_blocks(&work->conv.dst) + 1) / 2;
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < work->conv.dst.height * groups;)
        work->kernels->direct_row(&work->conv, unit / groups, unit % groups);
}

static void conv_narrow_task(void *context, int thread)
{
    struct conv_work *work = context;
    (void)thread;
    for (int y; (y = parallel_next(&work->next)) < work->conv.dst.height;)
        work->kernels->narrow_row(&work->conv, y);
}

/* One unit: the activation of one channel block. */
static void conv_prelu_task(void *context, int thread)
{
    struct conv_work *work = context;
    const struct tensor *dst = &work->conv.dst;
    size_t pixels = (size_t)dst->height * dst->width;
    size_t bytes = pixels * (size_t)dst->block * tensor_type_bytes(dst->type);
    (void)thread;
    for (int block; (block = parallel_next(&work->next)) < tensor_blocks(dst);)
        work->kernels->prelu(dst->type, work->conv.slopes + (size_t)block * dst->block,
                             (char *)dst->data + (size_t)block * bytes, pixels);
}

/* oneDNN, then slopes per channel and the residual: its fused forms are `ref` in some combinations,
 * and its partial sums go through dst, which the residual may be. */
static bool conv_run_onednn(struct engine *engine, struct conv_filter *filter,
                            const struct kernels_conv *conv, struct err *err)
{
    struct kernels_conv alone = *conv;
    size_t mark = engine_mark(engine);
    bool aside = conv->residual && conv->residual->data == conv->dst.data;
    if (aside && !engine_tensor(engine, conv->dst.channels, conv->dst.height, conv->dst.width,
                                &alone.dst, err))
        return false;
    bool ok = conv_onednn_prepare(engine, filter, &alone, err) &&
              conv_onednn_run(engine, filter, &alone, err);
    if (ok && conv->slopes) {
        struct conv_work work = { .kernels = engine->kernels, .conv = alone };
        parallel_run(engine->threads, conv_prelu_task, &work);
    }
    if (ok && conv->residual)
        ok = plane_add(engine, &alone.dst, conv->residual, &conv->dst, err);
    engine_release(engine, mark);
    return ok;
}

static bool conv_check(const struct engine *engine, const struct conv_filter *filter,
                       const struct kernels_conv *conv, int padding_end, struct err *err)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst, *residual = conv->residual;
    int reach = (conv->kernel - 1) * conv->dilation + 1;
    bool sane = conv->stride > 0 && conv->dilation > 0 && conv->padding >= 0 &&
                conv->stride <= 64 && conv->dilation <= 256 && conv->padding <= 4096 &&
                padding_end >= 0 && padding_end <= 4096;
    int room_y = src->height + 2 * conv->padding + padding_end - reach;
    int room_x = src->width + 2 * conv->padding + padding_end - reach;
    if (!sane || room_y < 0 || room_x < 0 || dst->height != room_y / conv->stride + 1 ||
        dst->width != room_x / conv->stride + 1)
        return err_set(err, ERR_INVALID, "a %dx%d convolution cannot make %dx%d of %dx%d",
                       conv->kernel, conv->kernel, dst->height, dst->width, src->height,
                       src->width);
    if (src->channels != filter->in_channels || dst->channels != filter->out_channels)
        return err_set(err, ERR_INVALID, "a filter of %d to %d channels got tensors of %d and %d",
                       filter->in_channels, filter->out_channels, src->channels, dst->channels);
    int block = engine_block(engine);
    bool narrow = dst->block == 1 && dst->type == TENSOR_F32 && src->block == block && !residual;
    bool wide =
        dst->block == block && dst->type == src->type && (src->block == 1 || src->block == block);
    if (!narrow && !wide)
        return err_set(err, ERR_INVALID, "tensors of these layouts and types cannot be convolved");
    if (residual && (!tensor_same_shape(residual, dst) || residual->type != dst->type ||
                     residual->block != dst->block))
        return err_set(err, ERR_INVALID, "the residual is not like the destination");
    return true;
}

bool conv_run(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
              const struct conv_options *options, const struct tensor *dst, struct err *err)
{
    static const float slopes[] = { [CONV_NONE] = 1, [CONV_RELU] = 0, [CONV_PRELU] = 1 };
    bool leaky = options->activation == CONV_LEAKY_RELU;
    struct conv_work work = {
        .kernels = engine->kernels,
        .conv = { .src = *src,
                  .dst = *dst,
                  .residual = options->residual,
                  .bias = filter->bias,
                  .slope = leaky ? options->slope : slopes[options->activation],
                  .slopes = options->activation == CONV_PRELU ? options->slopes : NULL,
                  .kernel = filter->kernel,
                  .stride = options->stride ? options->stride : 1,
                  .dilation = options->dilation ? options->dilation : 1,
                  .padding = options->padding },
    };
    engine_enter(engine);
    if (filter->transposed)
        return conv_transposed_run(engine, filter, src, options, dst, err);
    if (!conv_check(engine, filter, &work.conv, options->padding_end, err))
        return false;
    if (filter->packing == CONV_UNPACKED && !conv_pack(engine, filter, &work.conv, err))
        return false;
    work.conv.weights = filter->packed;
    switch (filter->packing) {
    case CONV_UNPACKED:
        break;
    case CONV_WINOGRAD:
        if (!conv_suits_winograd(engine, &work.conv))
            return err_set(err, ERR_INVALID, "the filter is packed for 3x3, stride 1");
        return winograd_run(engine, filter, &work.conv, err);
    case CONV_DIRECT:
        if (src->block != filter->packed_block || src->type != TENSOR_F32 || dst->block == 1)
            return err_set(err, ERR_INVALID, "the filter is packed for another layout");
        parallel_run(engine->threads, conv_direct_task, &work);
        return true;
    case CONV_NARROW:
        if (dst->block != 1)
            return err_set(err, ERR_INVALID, "the filter is packed for another layout");
        parallel_run(engine->threads, conv_narrow_task, &work);
        return true;
    case CONV_ONEDNN:
        if (dst->block == 1)
            return err_set(err, ERR_INVALID, "the filter is packed for another layout");
        return conv_run_onednn(engine, filter, &work.conv, err);
    case CONV_DEPTHWISE:
        return conv_depthwise_run(engine, &work.conv, err);
    case CONV_GROUPED:
        return conv_grouped_run(engine, filter, src, options, dst, err);
    case CONV_DEFORMABLE:
        return err_set(err, ERR_INVALID, "the filter is packed for sample_deformable");
    case CONV_TRANSPOSED: /* above */
        break;
    }
    return err_set(err, ERR_INTERNAL, "a filter of no known packing");
}
