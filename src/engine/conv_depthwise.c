/* Depthwise convolution: packing and sharing out. The arithmetic is in kernels_depthwise_body.h. */
#include "base/err.h"
#include "engine/conv_private.h"
#include "engine/memory.h"
#include "engine/parallel.h"
#include "engine/plane.h"

bool conv_depthwise_pack(struct engine *engine, struct conv_filter *filter, struct err *err)
{
    int width = engine_block(engine), taps = filter->kernel * filter->kernel;
    int blocks = (filter->out_channels + width - 1) / width;
    filter->packed_bytes = (size_t)blocks * taps * width * sizeof(float);
    filter->packed = memory_new(filter->packed_bytes);
    if (!filter->packed)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights",
                       filter->packed_bytes);
    const float *from = filter->source;
    for (int channel = 0; channel < filter->out_channels; channel++)
        for (int tap = 0; tap < taps; tap++) {
            size_t at = ((size_t)(channel / width) * taps + tap) * width + channel % width;
            filter->packed[at] = *from++;
        }
    return true;
}

struct conv_depthwise_work {
    const struct kernels *kernels;
    struct kernels_conv conv;
    atomic_int next;
};

/* Rows of a block follow each other: its planes are read once. */
static void conv_depthwise_task(void *context, int thread)
{
    struct conv_depthwise_work *work = context;
    int rows = work->conv.dst.height, units = rows * tensor_blocks(&work->conv.dst);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        work->kernels->depthwise_row(&work->conv, unit / rows, unit % rows);
}

bool conv_depthwise_run(struct engine *engine, const struct kernels_conv *conv, struct err *err)
{
    struct conv_depthwise_work work = { .kernels = engine->kernels, .conv = *conv };
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    size_t mark = engine_mark(engine);
    bool ok = true;
    if (src->block == 1)
        ok = engine_tensor(engine, src->channels, src->height, src->width, &work.conv.src, err) &&
             plane_convert(engine, src, &work.conv.src, err);
    if (ok && dst->block == 1)
        ok = engine_tensor(engine, dst->channels, dst->height, dst->width, &work.conv.dst, err);
    if (ok) {
        parallel_run(engine->threads, conv_depthwise_task, &work);
        ok = dst->block != 1 || plane_convert(engine, &work.conv.dst, dst, err);
    }
    engine_release(engine, mark);
    return ok;
}
