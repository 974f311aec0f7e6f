/* SRVGGNetCompact: the small network of Real-ESRGAN (realesr-general-x4v3, realesr-animevideov3).
 * Source: Wang et al., "Real-ESRGAN", 2021, and the release notes of its version 0.3.
 *
 *   picture --> convolution, PReLU --> depth x (convolution, PReLU) --> convolution --> pixels out
 *           of channels, + the picture's nearest pixel
 *
 * Everything happens at the picture's own size. Not here: tiles and pictures (upscale/). */
#ifndef MIMEO_NN_SRVGG_H
#define MIMEO_NN_SRVGG_H

#include <stdbool.h>

struct engine;
struct err;
struct keys;
struct srvgg;
struct tensor;
struct weights;

struct srvgg_shape {
    int features; /* channels: 64 in the published ones; a multiple of 16 */
    int depth;    /* layers between the first and the last: 32, or 16; 1..SRVGG_DEPTH_MAX */
    int factor;   /* 1..4 */
};

#define SRVGG_DEPTH_MAX 128

/* Append every tensor of such a network: "body.0.weight", "body.0.bias", "body.1.weight", ... */
void srvgg_keys(const struct srvgg_shape *shape, struct keys *keys);

/* Do these weights look like an SRVGGNetCompact, named or by ncnn's order? They have been entered
 * (checkpoint.h). It says nothing about their being complete. */
bool srvgg_is(const struct weights *weights);

/* Bind; the shape is told by the tensors. `weights` are entered and, from ncnn, renamed; they may
 * be closed afterwards; `engine` must outlive the network. ERR_INVALID names what is missing,
 * unexpected or misshapen; ERR_NO_MEMORY. */
bool srvgg_new(struct engine *engine, struct weights *weights, struct srvgg **ret_srvgg,
               struct err *err);
void srvgg_free(struct srvgg *srvgg);

int srvgg_factor(const struct srvgg *srvgg);
struct srvgg_shape srvgg_shape(const struct srvgg *srvgg);

/* src: plain f32 [3][h][w], RGB in 0..1. dst: plain f32 [3][h * factor][w * factor], not clamped.
 * One call at a time per engine. Memory: 2 * features numbers a pixel in the engine's arena, half a
 * kilobyte for the published ones in f32. ERR_INVALID, ERR_NO_MEMORY. */
bool srvgg_run(struct srvgg *srvgg, const struct tensor *src, const struct tensor *dst,
               struct err *err);

#endif
