/* Grouped convolution, but for depthwise: several ordinary filters, each on its slice of channels.
 *
 * A slice must be whole blocks. Where a group is not, as many groups as make whole blocks become
 * one filter whose weights between different groups are zeros; at worst that is all of them. */
#include "base/err.h"
#include "engine/conv_private.h"

#include <stdlib.h>
#include <string.h>

/* How many groups make up one part. */
static int conv_grouped_merge(const struct conv_filter *filter, int block)
{
    int in = filter->in_channels / filter->groups, out = filter->out_channels / filter->groups;
    for (int merged = 1; merged < filter->groups; merged++)
        if (filter->groups % merged == 0 && in * merged % block == 0 && out * merged % block == 0)
            return merged;
    return filter->groups;
}

/* The numbers of part `index`. */
static void conv_grouped_fill(const struct conv_filter *filter, struct conv_filter *part, int index)
{
    int in = filter->in_channels / filter->groups, out = filter->out_channels / filter->groups;
    size_t taps = (size_t)filter->kernel * (size_t)filter->kernel;
    size_t run = (size_t)in * taps, first = (size_t)index * (size_t)part->out_channels;
    const float *from = filter->source + first * run;
    for (int i = 0; i < part->out_channels; i++, from += run) {
        size_t at = (size_t)i * (size_t)part->in_channels * taps + (size_t)(i / out) * run;
        memcpy(part->source + at, from, run * sizeof *from);
    }
    memcpy(part->bias, filter->bias + first, (size_t)part->out_channels * sizeof *part->bias);
}

/* Forget the parts made so far. False, for the caller to return. */
static bool conv_grouped_drop(struct conv_filter *filter)
{
    while (filter->parts_count > 0)
        conv_filter_free(filter->parts[--filter->parts_count]);
    free(filter->parts);
    filter->parts = NULL;
    return false;
}

bool conv_grouped_pack(struct engine *engine, struct conv_filter *filter, struct err *err)
{
    int merged = conv_grouped_merge(filter, engine_block(engine));
    int count = filter->groups / merged;
    struct conv_shape shape = { .out_channels = filter->out_channels / count,
                                .in_channels = filter->in_channels / count,
                                .kernel = filter->kernel };
    filter->parts = calloc((size_t)count, sizeof *filter->parts);
    if (!filter->parts)
        return err_set(err, ERR_NO_MEMORY, "no memory for a filter");
    for (int i = 0; i < count; i++) {
        if (!conv_filter_new(engine, &shape, &filter->parts[i], err))
            return conv_grouped_drop(filter);
        filter->parts_count++;
        conv_grouped_fill(filter, filter->parts[i], i);
    }
    return true;
}

bool conv_grouped_run(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
                      const struct conv_options *options, const struct tensor *dst, struct err *err)
{
    for (int i = 0; i < filter->parts_count; i++) {
        struct conv_filter *part = filter->parts[i];
        int first = i * part->out_channels;
        struct tensor from = tensor_slice(src, i * part->in_channels, part->in_channels);
        struct tensor to = tensor_slice(dst, first, part->out_channels), residual;
        struct conv_options own = *options;
        if (options->residual) {
            residual = tensor_slice(options->residual, first, part->out_channels);
            own.residual = &residual;
        }
        if (options->slopes)
            own.slopes = options->slopes + first;
        if (!conv_run(engine, part, &from, &own, &to, err))
            return false;
    }
    return true;
}
