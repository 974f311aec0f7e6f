#include "nn/srvgg.h"

#include "base/err.h"
#include "engine/conv.h"
#include "engine/parallel.h"
#include "engine/plane.h"
#include "nn/bind.h"
#include "nn/checkpoint.h"
#include "nn/keys.h"
#include "weights/weights.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SRVGG_NAME_BYTES 64
#define SRVGG_CHANNELS_MAX 1024
#define SRVGG_FACTOR_MAX 4

struct srvgg_layer {
    struct conv_filter *conv;
    float *slopes; /* of the PReLU behind it; the last layer has none */
};

struct srvgg {
    struct engine *engine;
    struct srvgg_shape shape;
    struct srvgg_layer *layers; /* [depth + 2] */
};

/* ---- Names and shapes ---------------------------------------------------------------------- */

static int srvgg_layers(const struct srvgg_shape *shape)
{
    return shape->depth + 2;
}

static int srvgg_in(const struct srvgg_shape *shape, int layer)
{
    return layer == 0 ? 3 : shape->features;
}

static int srvgg_out(const struct srvgg_shape *shape, int layer)
{
    return layer + 1 < srvgg_layers(shape) ? shape->features : 3 * shape->factor * shape->factor;
}

void srvgg_keys(const struct srvgg_shape *shape, struct keys *keys)
{
    char name[SRVGG_NAME_BYTES];
    for (int layer = 0; layer < srvgg_layers(shape); layer++) {
        snprintf(name, sizeof name, "body.%d", 2 * layer);
        keys_add_conv(keys, name, srvgg_out(shape, layer), srvgg_in(shape, layer), 3, true);
        if (layer + 1 < srvgg_layers(shape))
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(shape->features), "body.%d.weight",
                     2 * layer + 1);
    }
}

/* In ncnn's order: weight, bias and slopes of each layer, but for the last one's. */
static bool srvgg_is_ncnn(const struct weights *weights)
{
    size_t count = weights_count(weights);
    if (weights_format(weights) != WEIGHTS_NCNN || count % 3 != 2 || count < 8)
        return false;
    for (size_t i = 0; i < count; i++)
        if (weights_at(weights, i)->rank != (i % 3 == 0 ? 4 : 1))
            return false;
    return true;
}

bool srvgg_is(const struct weights *weights)
{
    const struct weight *first = weights_find(weights, "body.0.weight");
    return srvgg_is_ncnn(weights) || (first && first->rank == 4);
}

static bool srvgg_rename(struct weights *weights, struct err *err)
{
    char name[SRVGG_NAME_BYTES];
    if (weights_format(weights) != WEIGHTS_NCNN)
        return true;
    if (!srvgg_is_ncnn(weights))
        return err_set(err, ERR_INVALID,
                       "an ncnn SRVGGNetCompact has convolutions with PReLUs between them, and "
                       "nothing else");
    for (size_t i = 0; i < weights_count(weights); i++) {
        snprintf(name, sizeof name, "body.%zu.%s", i / 3 * 2 + (i % 3 == 2),
                 i % 3 == 1 ? "bias" : "weight");
        if (!weights_rename(weights, i, name, err))
            return false;
    }
    return weights_renamed(weights, err);
}

/* What the tensors say, before keys_check says whether all of them fit. */
static bool srvgg_tell_shape(const struct weights *weights, struct srvgg_shape *ret_shape,
                             struct err *err)
{
    const struct weight *first = weights_find(weights, "body.0.weight"), *last = NULL;
    struct srvgg_shape shape = { 0 };
    char name[SRVGG_NAME_BYTES];
    int layers = 1;
    for (;; layers++) {
        snprintf(name, sizeof name, "body.%d.weight", 2 * layers);
        const struct weight *next = weights_find(weights, name);
        if (!next || next->rank != 4 || layers > SRVGG_DEPTH_MAX + 2)
            break;
        last = next;
    }
    if (!first || first->rank != 4 || layers < 3 || layers > SRVGG_DEPTH_MAX + 2)
        return err_set(err, ERR_INVALID,
                       "the weights are of no SRVGGNetCompact: it has 'body.0.weight' and so on, 3 "
                       "to %d convolutions",
                       SRVGG_DEPTH_MAX + 2);
    if (first->shape[0] < 16 || first->shape[0] > SRVGG_CHANNELS_MAX || first->shape[0] % 16 != 0)
        return err_set(err, ERR_INVALID,
                       "an SRVGGNetCompact of %lld channels cannot be computed, only of a multiple "
                       "of 16 up to %d",
                       (long long)first->shape[0], SRVGG_CHANNELS_MAX);
    shape.features = (int)first->shape[0];
    shape.depth = layers - 2;
    for (shape.factor = 1; shape.factor <= SRVGG_FACTOR_MAX; shape.factor++)
        if (last->shape[0] == srvgg_out(&shape, layers - 1))
            break;
    if (shape.factor > SRVGG_FACTOR_MAX)
        return err_set(err, ERR_INVALID, "no SRVGGNetCompact ends with %lld channels",
                       (long long)last->shape[0]);
    *ret_shape = shape;
    return true;
}

static bool srvgg_check(const struct srvgg_shape *shape, const struct weights *weights,
                        struct err *err)
{
    struct keys *keys = keys_new("SRVGGNetCompact");
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of names");
    srvgg_keys(shape, keys);
    bool ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    return ok;
}

/* ---- Binding ------------------------------------------------------------------------------- */

static bool srvgg_bind(struct srvgg *srvgg, const struct weights *weights, struct err *err)
{
    char name[SRVGG_NAME_BYTES];
    int layers = srvgg_layers(&srvgg->shape);
    for (int layer = 0; layer < layers; layer++) {
        const struct conv_shape shape = { .out_channels = srvgg_out(&srvgg->shape, layer),
                                          .in_channels = srvgg_in(&srvgg->shape, layer),
                                          .kernel = 3 };
        snprintf(name, sizeof name, "body.%d", 2 * layer);
        if (!bind_conv(srvgg->engine, weights, name, NULL, 0, &shape, &srvgg->layers[layer].conv,
                       err))
            return false;
        snprintf(name, sizeof name, "body.%d.weight", 2 * layer + 1);
        if (layer + 1 < layers &&
            !bind_values(weights, name, srvgg->shape.features, &srvgg->layers[layer].slopes, err))
            return false;
    }
    return true;
}

bool srvgg_new(struct engine *engine, struct weights *weights, struct srvgg **ret_srvgg,
               struct err *err)
{
    struct srvgg_shape shape;
    checkpoint_enter(weights);
    if (!srvgg_rename(weights, err) || !srvgg_tell_shape(weights, &shape, err) ||
        !srvgg_check(&shape, weights, err))
        return err_while(err, "recognising an SRVGGNetCompact");
    struct srvgg *srvgg = calloc(1, sizeof *srvgg);
    if (srvgg)
        srvgg->layers = calloc((size_t)srvgg_layers(&shape), sizeof *srvgg->layers);
    if (!srvgg || !srvgg->layers) {
        free(srvgg);
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    }
    srvgg->engine = engine;
    srvgg->shape = shape;
    if (!srvgg_bind(srvgg, weights, err)) {
        srvgg_free(srvgg);
        return err_while(err, "binding an SRVGGNetCompact");
    }
    *ret_srvgg = srvgg;
    return true;
}

void srvgg_free(struct srvgg *srvgg)
{
    if (!srvgg)
        return;
    for (int layer = 0; layer < srvgg_layers(&srvgg->shape); layer++) {
        conv_filter_free(srvgg->layers[layer].conv);
        free(srvgg->layers[layer].slopes);
    }
    free(srvgg->layers);
    free(srvgg);
}

int srvgg_factor(const struct srvgg *srvgg)
{
    return srvgg->shape.factor;
}

struct srvgg_shape srvgg_shape(const struct srvgg *srvgg)
{
    return srvgg->shape;
}

/* ---- The forward pass ---------------------------------------------------------------------- */

/* The source in the engine's type. */
static bool srvgg_enter(struct srvgg *srvgg, const struct tensor *src, struct tensor *ret_pixels,
                        struct err *err)
{
    if (engine_type(srvgg->engine) == TENSOR_F32) {
        *ret_pixels = *src;
        return true;
    }
    if (!engine_tensor_plain(srvgg->engine, 3, src->height, src->width, ret_pixels, err))
        return false;
    ret_pixels->type = engine_type(srvgg->engine);
    return plane_convert(srvgg->engine, src, ret_pixels, err);
}

/* All layers but the last, in two tensors that take turns. */
static bool srvgg_run_body(struct srvgg *srvgg, const struct tensor *src,
                           struct tensor *ret_features, struct err *err)
{
    struct tensor pixels, turns[2];
    for (int i = 0; i < 2; i++)
        if (!engine_tensor(srvgg->engine, srvgg->shape.features, src->height, src->width, &turns[i],
                           err))
            return false;
    if (!srvgg_enter(srvgg, src, &pixels, err))
        return false;
    const struct tensor *from = &pixels;
    for (int layer = 0; layer + 1 < srvgg_layers(&srvgg->shape); layer++) {
        const struct conv_options options = { .padding = 1,
                                              .activation = CONV_PRELU,
                                              .slopes = srvgg->layers[layer].slopes };
        const struct tensor *to = &turns[layer % 2];
        if (!conv_run(srvgg->engine, srvgg->layers[layer].conv, from, &options, to, err))
            return err_while(err, "computing layer %d", layer);
        from = to;
    }
    *ret_features = *from;
    return true;
}

struct srvgg_end {
    struct tensor src, folded, dst;
    int factor;
    atomic_int next;
};

/* Rows of the result: pixels out of channels, and the nearest pixel of the source. */
static void srvgg_end_task(void *context, int thread)
{
    struct srvgg_end *end = context;
    int factor = end->factor, block = end->folded.block;
    int rows = 3 * end->dst.height;
    size_t plane = (size_t)end->src.height * (size_t)end->src.width;
    (void)thread;
    for (int row; (row = parallel_next(&end->next)) < rows;) {
        int c = row / end->dst.height, y = row % end->dst.height;
        const float *near = (const float *)end->src.data + (size_t)c * plane +
                            (size_t)(y / factor) * end->src.width;
        float *to = (float *)end->dst.data + (size_t)row * end->dst.width;
        for (int dx = 0; dx < factor; dx++) {
            int channel = (c * factor + y % factor) * factor + dx;
            const float *from =
                (const float *)end->folded.data +
                ((size_t)(channel / block) * plane + (size_t)(y / factor) * end->src.width) *
                    block +
                channel % block;
            for (int x = 0; x < end->src.width; x++)
                to[x * factor + dx] = from[(size_t)x * block] + near[x];
        }
    }
}

static bool srvgg_forward(struct srvgg *srvgg, const struct tensor *src, const struct tensor *dst,
                          struct err *err)
{
    const struct srvgg_shape *shape = &srvgg->shape;
    int last = srvgg_layers(shape) - 1;
    struct srvgg_end end = { .src = *src, .dst = *dst, .factor = shape->factor };
    struct tensor features, folded;
    if (!srvgg_run_body(srvgg, src, &features, err) ||
        !engine_tensor(srvgg->engine, srvgg_out(shape, last), src->height, src->width, &folded,
                       err) ||
        !conv_run(srvgg->engine, srvgg->layers[last].conv, &features,
                  &(struct conv_options){ .padding = 1 }, &folded, err))
        return false;
    end.folded = folded;
    if (folded.type != TENSOR_F32) {
        if (!engine_tensor_plain(srvgg->engine, folded.channels, folded.height, folded.width,
                                 &end.folded, err) ||
            !plane_convert(srvgg->engine, &folded, &end.folded, err))
            return false;
    }
    parallel_run(engine_threads(srvgg->engine), srvgg_end_task, &end);
    return true;
}

bool srvgg_run(struct srvgg *srvgg, const struct tensor *src, const struct tensor *dst,
               struct err *err)
{
    int factor = srvgg->shape.factor;
    if (src->block != 1 || src->type != TENSOR_F32 || src->channels != 3 || dst->block != 1 ||
        dst->type != TENSOR_F32 || dst->channels != 3 || dst->height != src->height * factor ||
        dst->width != src->width * factor)
        return err_set(err, ERR_INVALID, "an SRVGGNetCompact cannot make %dx%dx%d of %dx%dx%d",
                       dst->channels, dst->height, dst->width, src->channels, src->height,
                       src->width);
    size_t mark = engine_mark(srvgg->engine);
    bool ok = srvgg_forward(srvgg, src, dst, err);
    engine_release(srvgg->engine, mark);
    return ok;
}
