/* What the files of convolution share: the filter, and the algorithms behind conv_run.
 * Private to engine/conv*.c and engine/winograd.c. */
#ifndef MIMEO_ENGINE_CONV_PRIVATE_H
#define MIMEO_ENGINE_CONV_PRIVATE_H

#include "engine/conv.h"
#include "engine/engine_private.h"

struct conv_onednn_cached;

enum conv_packing { CONV_UNPACKED, CONV_WINOGRAD, CONV_DIRECT, CONV_NARROW, CONV_ONEDNN };

struct conv_filter {
    int out_channels, in_channels, kernel;
    float *source; /* [out][in][kernel][kernel]; NULL once packed */
    size_t source_bytes;
    float *bias; /* padded with zeros to CONV_BIAS_PADDING */
    enum conv_packing packing;
    float *packed; /* not for CONV_ONEDNN */
    size_t packed_bytes;
    int packed_block;                  /* of src, for CONV_DIRECT */
    struct conv_onednn_cached *onednn; /* packed weights and the last primitive */
};

#define CONV_BIAS_PADDING 16 /* channels: the widest block */

/* Pack for Winograd, and run. The shape must be 3x3, stride 1, padding = dilation, f32. */
bool winograd_pack(struct engine *engine, struct conv_filter *filter, struct err *err);
bool winograd_run(struct engine *engine, const struct conv_filter *filter,
                  struct kernels_conv *conv, struct err *err);

#endif
