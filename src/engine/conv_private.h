/* What the files of convolution share: the filter, and the algorithms behind conv_run.
 * Private to engine/conv*.c and engine/winograd.c. */
#ifndef MIMEO_ENGINE_CONV_PRIVATE_H
#define MIMEO_ENGINE_CONV_PRIVATE_H

#include "engine/conv.h"
#include "engine/engine_private.h"

struct conv_onednn_cached;

enum conv_packing {
    CONV_UNPACKED,
    CONV_WINOGRAD,
    CONV_DIRECT,
    CONV_NARROW,
    CONV_ONEDNN,
    CONV_DEPTHWISE,
    CONV_GROUPED,
    CONV_TRANSPOSED,
    CONV_DEFORMABLE,
};

struct conv_filter {
    int out_channels, in_channels, kernel, groups;
    bool transposed;
    float *source; /* [out][in / groups][kernel][kernel]; NULL once packed */
    size_t source_bytes;
    float *bias; /* padded with zeros to CONV_BIAS_PADDING */
    enum conv_packing packing;
    float *packed; /* not for CONV_ONEDNN */
    size_t packed_bytes;
    int packed_block;                  /* of src, for CONV_DIRECT */
    int packed_tile;                   /* CONV_WINOGRAD: transformed for 4 or 6; 0: not yet */
    struct conv_onednn_cached *onednn; /* packed weights and the last primitive */
    struct conv_filter **parts;        /* ordinary filters that make up this one */
    int parts_count;
    int packed_stride; /* for CONV_TRANSPOSED */
};

#define CONV_BIAS_PADDING 16 /* channels: the widest block */
#define CONV_KERNEL_MAX 31   /* per side; keeps products of sizes in range */

/* Note how the filter is packed, and free the published numbers. */
void conv_filter_packed(struct conv_filter *filter, enum conv_packing packing);

/* Pack for Winograd, and run. The shape must be 3x3, stride 1, f32, all blocked. What is packed for
 * one plane works for every other, if not as fast. */
bool winograd_pack(struct engine *engine, struct conv_filter *filter,
                   const struct kernels_conv *conv, struct err *err);
bool winograd_run(struct engine *engine, const struct conv_filter *filter,
                  struct kernels_conv *conv, struct err *err);

/* Each channel with a filter of its own. `conv` has been checked. */
bool conv_depthwise_pack(struct engine *engine, struct conv_filter *filter, struct err *err);
bool conv_depthwise_run(struct engine *engine, const struct kernels_conv *conv, struct err *err);

/* Groups of channels: ordinary filters on slices. The shapes have been checked. */
bool conv_grouped_pack(struct engine *engine, struct conv_filter *filter, struct err *err);
bool conv_grouped_run(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
                      const struct conv_options *options, const struct tensor *dst,
                      struct err *err);

/* Transposed: checks, packs at the first use, and runs. */
bool conv_transposed_run(struct engine *engine, struct conv_filter *filter,
                         const struct tensor *src, const struct conv_options *options,
                         const struct tensor *dst, struct err *err);

/* The 1x1 filter over samples of all taps that a deformable convolution comes down to, made at the
 * first use: channel (tap, in), in padded to whole blocks. NULL: err says why. */
struct conv_filter *conv_deformable_part(struct engine *engine, struct conv_filter *filter,
                                         struct err *err);

#endif
