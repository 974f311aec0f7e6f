/* The filter of a deformable convolution. Sampling is in sample.c. */
#include "base/err.h"
#include "engine/conv_private.h"

#include <stdlib.h>
#include <string.h>

static void conv_deformable_fill(const struct conv_filter *filter, struct conv_filter *part,
                                 int padded)
{
    int taps = filter->kernel * filter->kernel;
    const float *from = filter->source;
    for (int out = 0; out < filter->out_channels; out++)
        for (int in = 0; in < filter->in_channels; in++)
            for (int tap = 0; tap < taps; tap++)
                part->source[(size_t)out * part->in_channels + tap * padded + in] = *from++;
    memcpy(part->bias, filter->bias, (size_t)filter->out_channels * sizeof *part->bias);
}

struct conv_filter *conv_deformable_part(struct engine *engine, struct conv_filter *filter,
                                         struct err *err)
{
    if (filter->packing == CONV_DEFORMABLE)
        return filter->parts[0];
    if (filter->packing != CONV_UNPACKED || filter->groups > 1 || filter->transposed) {
        err_set(err, ERR_INVALID, "the filter is not one for sample_deformable");
        return NULL;
    }
    int block = engine_block(engine);
    int padded = (filter->in_channels + block - 1) / block * block;
    struct conv_shape shape = { .out_channels = filter->out_channels,
                                .in_channels = filter->kernel * filter->kernel * padded,
                                .kernel = 1 };
    struct conv_filter *part = NULL, **parts = calloc(1, sizeof *parts);
    if (!parts) {
        err_set(err, ERR_NO_MEMORY, "no memory for a filter");
        return NULL;
    }
    if (!conv_filter_new(engine, &shape, &part, err)) {
        free(parts);
        return NULL;
    }
    conv_deformable_fill(filter, part, padded);
    parts[0] = part;
    filter->parts = parts;
    filter->parts_count = 1;
    conv_filter_packed(filter, CONV_DEFORMABLE);
    return part;
}
