/* Two-dimensional convolution: y = activation(W x + b) (+ residual).
 *
 * A filter holds the weights of one layer. It is made with room for the published numbers, filled
 * by the caller, and packed at its first use for the algorithm that suits that use; the published
 * numbers are freed then. The first packing decides: a filter first used on a large plane and then
 * on a small one keeps its algorithm (every algorithm works on every plane).
 *
 * Algorithms: own Winograd for 3x3 filters with stride 1 in f32, dilated ones too; own kernels for
 * depthwise and transposed ones; oneDNN for the rest; own direct kernels where oneDNN has only a
 * `ref` implementation, and for few output channels. See docs/engine.md. Not here: int8. */
#ifndef MIMEO_ENGINE_CONV_H
#define MIMEO_ENGINE_CONV_H

#include "engine/engine.h"

struct conv_filter;

struct conv_shape {
    int out_channels, in_channels, kernel;
    int groups;      /* 0 means 1; divides both channels. in_channels is depthwise */
    bool transposed; /* as torch's ConvTranspose2d; groups 1, stride 1 .. 4, dilation 1 */
};

/* A filter of [out_channels][in_channels / groups][kernel][kernel] weights (transposed:
 * [in_channels][out_channels / groups][kernel][kernel]), all zero, and as many biases as outputs.
 * Free with conv_filter_free before its engine. ERR_INVALID, ERR_NO_MEMORY. */
bool conv_filter_new(struct engine *engine, const struct conv_shape *shape,
                     struct conv_filter **ret_filter, struct err *err);
void conv_filter_free(struct conv_filter *filter);

/* Where the caller writes the numbers before the first use. NULL after it. */
float *conv_filter_weights(struct conv_filter *filter);
float *conv_filter_bias(struct conv_filter *filter);

/* What the filter was packed for: "winograd", "direct", "narrow", "depthwise", oneDNN's name;
 * "" before. Groups and transposed: what the filters were packed for that make it up. */
const char *conv_filter_algorithm(const struct conv_filter *filter);
size_t conv_filter_bytes(const struct conv_filter *filter); /* published or packed numbers */

enum conv_activation { CONV_NONE, CONV_RELU, CONV_LEAKY_RELU, CONV_PRELU };

struct conv_options {
    int stride;      /* 0 means 1 */
    int dilation;    /* 0 means 1 */
    int padding;     /* zeros on each side; transposed: taken off each side of the result */
    int padding_end; /* more zeros at the bottom and the right; transposed: more rows and columns
                      * of the result there ("output_padding") */
    enum conv_activation activation;
    float slope;         /* of CONV_LEAKY_RELU; 0..1 */
    const float *slopes; /* of CONV_PRELU, one per output channel; any values; padded with zeros to
                          * a multiple of 16 */
    const struct tensor *residual; /* added after the activation; may be dst; NULL: none */
};

/* Convolve src into dst, whose shape must be what the options make of src.
 * src: blocked, or plain with any channels. dst: blocked, or plain f32 (meant for few channels; no
 * residual then). Both of the engine's type but for the plain dst. src and dst must not overlap.
 * ERR_INVALID for shapes that do not fit, ERR_UNAVAILABLE when nothing but a reference
 * implementation could do it, ERR_NO_MEMORY. */
bool conv_run(struct engine *engine, struct conv_filter *filter, const struct tensor *src,
              const struct conv_options *options, const struct tensor *dst, struct err *err);

#endif
