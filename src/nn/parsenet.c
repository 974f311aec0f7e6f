/* ParseNet: down four times, ten residual blocks, up four times.
 *
 * Every convolution of it wants its input's border reflected. Planes are therefore kept with a
 * frame of one pixel, and a convolution runs over plane and frame alike with zeros around, which
 * every fast algorithm can do: what it leaves in the frame is nonsense, and frame_reflect puts the
 * right numbers there. That costs a hundredth more arithmetic and saves a copy of each plane. */
#include "nn/parsenet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "engine/conv.h"
#include "engine/plane.h"
#include "nn/bind.h"

#define PARSENET_EPS 1e-5f
#define PARSENET_SLOPE 0.2f
#define PARSENET_STEPS 4 /* down and up */
#define PARSENET_DEPTH 10
#define PARSENET_BASE 64
#define PARSENET_CHANNELS_MAX 256
#define PARSENET_BLOCKS (2 * PARSENET_STEPS + PARSENET_DEPTH)

enum parsenet_way { PARSENET_DOWN, PARSENET_LEVEL, PARSENET_UP };

struct parsenet_block {
    enum parsenet_way way;
    int in, out;
    struct conv_filter *convs[2];
    struct conv_filter *shortcut; /* NULL: the input itself */
};

struct parsenet {
    struct engine *engine;
    struct conv_filter *first, *last;
    struct parsenet_block blocks[PARSENET_BLOCKS];
};

/* ---- Layers, for the key table and for binding ---------------------------------------------- */

static int channels_at(int step)
{
    int channels = PARSENET_BASE << step;
    return channels < PARSENET_CHANNELS_MAX ? channels : PARSENET_CHANNELS_MAX;
}

/* What block `index` is, and the prefix of its names. */
static struct parsenet_block block_plan(int index, char *ret_prefix)
{
    struct parsenet_block block = { .way = PARSENET_LEVEL };
    int step = index;
    if (index < PARSENET_STEPS) {
        block.way = PARSENET_DOWN;
        block.in = channels_at(step);
        block.out = channels_at(step + 1);
        snprintf(ret_prefix, KEYS_NAME_BYTES, "encoder.%d", step + 1);
    } else if (index < PARSENET_STEPS + PARSENET_DEPTH) {
        step = index - PARSENET_STEPS;
        block.in = block.out = channels_at(PARSENET_STEPS);
        snprintf(ret_prefix, KEYS_NAME_BYTES, "body.%d", step);
    } else {
        step = index - PARSENET_STEPS - PARSENET_DEPTH;
        block.way = PARSENET_UP;
        block.in = channels_at(PARSENET_STEPS - step);
        block.out = channels_at(PARSENET_STEPS - step - 1);
        snprintf(ret_prefix, KEYS_NAME_BYTES, "decoder.%d", step);
    }
    return block;
}

struct keys *parsenet_keys(void)
{
    struct keys *keys = keys_new("ParseNet");
    char prefix[KEYS_NAME_BYTES], name[2 * KEYS_NAME_BYTES];
    if (!keys)
        return NULL;
    keys_add_conv(keys, "encoder.0.conv2d", PARSENET_BASE, 3, 3, true);
    for (int i = 0; i < PARSENET_BLOCKS; i++) {
        struct parsenet_block block = block_plan(i, prefix);
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "%s.conv%d.conv2d", prefix, k + 1);
            keys_add_conv(keys, name, block.out, k ? block.out : block.in, 3, false);
            snprintf(name, sizeof name, "%s.conv%d.norm.norm", prefix, k + 1);
            keys_add_batch_norm(keys, name, block.out);
        }
        snprintf(name, sizeof name, "%s.shortcut_func.conv2d", prefix);
        if (block.way != PARSENET_LEVEL)
            keys_add_conv(keys, name, block.out, block.in, 3, true);
    }
    keys_add_conv(keys, "out_mask_conv.conv2d", PARSENET_CLASSES, PARSENET_BASE, 3, true);
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(3, PARSENET_BASE, 3, 3), "out_img_conv.conv2d.weight");
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(3), "out_img_conv.conv2d.bias");
    return keys;
}

static bool bind_layer(struct parsenet *net, const struct weights *weights, const char *prefix,
                       const char *layer, bool norm, int in, int out,
                       struct conv_filter **ret_filter, struct err *err)
{
    char conv[2 * KEYS_NAME_BYTES], norm_name[2 * KEYS_NAME_BYTES];
    snprintf(conv, sizeof conv, "%s%s.conv2d", prefix, layer);
    snprintf(norm_name, sizeof norm_name, "%s%s.norm.norm", prefix, layer);
    return bind_conv(net->engine, weights, conv, norm ? norm_name : NULL, PARSENET_EPS,
                     &(struct conv_shape){ .out_channels = out, .in_channels = in, .kernel = 3 },
                     ret_filter, err);
}

static bool bind_all(struct parsenet *net, const struct weights *weights, struct err *err)
{
    bool ok = bind_layer(net, weights, "encoder.0", "", false, 3, PARSENET_BASE, &net->first, err);
    for (int i = 0; ok && i < PARSENET_BLOCKS; i++) {
        char prefix[KEYS_NAME_BYTES];
        struct parsenet_block *block = &net->blocks[i];
        *block = block_plan(i, prefix);
        ok = bind_layer(net, weights, prefix, ".conv1", true, block->in, block->out,
                        &block->convs[0], err) &&
             bind_layer(net, weights, prefix, ".conv2", true, block->out, block->out,
                        &block->convs[1], err) &&
             (block->way == PARSENET_LEVEL ||
              bind_layer(net, weights, prefix, ".shortcut_func", false, block->in, block->out,
                         &block->shortcut, err));
    }
    return ok && bind_layer(net, weights, "out_mask_conv", "", false, PARSENET_BASE,
                            PARSENET_CLASSES, &net->last, err);
}

bool parsenet_new(struct engine *engine, const struct weights *weights,
                  struct parsenet **ret_parsenet, struct err *err)
{
    struct parsenet *net = calloc(1, sizeof *net);
    struct keys *keys = parsenet_keys();
    bool ok = net && keys;
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "There is no memory for a network.");
    else
        net->engine = engine;
    ok = ok && keys_check(keys, weights, NULL, err) && bind_all(net, weights, err);
    keys_free(keys);
    if (!ok) {
        parsenet_free(net);
        return err_while(err, "binding ParseNet");
    }
    *ret_parsenet = net;
    return true;
}

void parsenet_free(struct parsenet *parsenet)
{
    if (!parsenet)
        return;
    conv_filter_free(parsenet->first);
    conv_filter_free(parsenet->last);
    for (int i = 0; i < PARSENET_BLOCKS; i++) {
        conv_filter_free(parsenet->blocks[i].convs[0]);
        conv_filter_free(parsenet->blocks[i].convs[1]);
        conv_filter_free(parsenet->blocks[i].shortcut);
    }
    free(parsenet);
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* Fill the frame of one pixel with the plane's reflection: row 0 with row 2, and so on. */
static void frame_reflect(const struct tensor *tensor)
{
    size_t pixel = (size_t)tensor->block * tensor_type_bytes(tensor->type);
    size_t width = (size_t)tensor->width, row = width * pixel, height = (size_t)tensor->height;
    for (int block = 0; block < tensor_blocks(tensor); block++) {
        char *plane = (char *)tensor->data + (size_t)block * height * row;
        for (size_t y = 1; y + 1 < height; y++) {
            char *line = plane + y * row;
            memcpy(line, line + 2 * pixel, pixel);
            memcpy(line + (width - 1) * pixel, line + (width - 3) * pixel, pixel);
        }
        memcpy(plane, plane + 2 * row, row);
        memcpy(plane + (height - 1) * row, plane + (height - 3) * row, row);
    }
}

static bool framed_tensor(struct engine *engine, int channels, int height, int width,
                          struct tensor *ret_tensor, struct err *err)
{
    return engine_tensor(engine, channels, height + 2, width + 2, ret_tensor, err);
}

/* ---- The forward pass ----------------------------------------------------------------------- */

/* A convolution of a framed plane to one of the same size; `residual` may be dst. */
static bool framed_conv(struct parsenet *net, struct conv_filter *filter, const struct tensor *src,
                        enum conv_activation activation, const struct tensor *residual,
                        const struct tensor *dst, struct err *err)
{
    const struct conv_options options = {
        .padding = 1, .activation = activation, .slope = PARSENET_SLOPE, .residual = residual
    };
    if (!conv_run(net->engine, filter, src, &options, dst, err))
        return false;
    frame_reflect(dst);
    return true;
}

/* x = x + block(x). */
static bool run_level(struct parsenet *net, const struct parsenet_block *block,
                      const struct tensor *x, struct err *err)
{
    size_t mark = engine_mark(net->engine);
    struct tensor hidden;
    bool ok = engine_tensor(net->engine, x->channels, x->height, x->width, &hidden, err) &&
              framed_conv(net, block->convs[0], x, CONV_LEAKY_RELU, NULL, &hidden, err) &&
              framed_conv(net, block->convs[1], &hidden, CONV_NONE, x, x, err);
    engine_release(net->engine, mark);
    return ok;
}

/* To half the size: the frame is the convolution's padding, and the result gets one of its own. */
static bool run_down(struct parsenet *net, const struct parsenet_block *block,
                     const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine);
    struct tensor hidden, small;
    struct conv_options options = { .stride = 2 };
    bool ok = engine_tensor(engine, block->out, src->height, src->width, &hidden, err) &&
              engine_tensor(engine, block->out, dst->height - 2, dst->width - 2, &small, err) &&
              framed_conv(net, block->convs[0], src, CONV_LEAKY_RELU, NULL, &hidden, err) &&
              conv_run(engine, block->shortcut, src, &options, &small, err);
    options.residual = &small;
    ok = ok && conv_run(engine, block->convs[1], &hidden, &options, &small, err) &&
         plane_pad(engine, &small, &(struct plane_margins){ 1, 1, 1, 1 }, PLANE_REFLECT, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* To twice the size. Plane and frame are doubled, and half of the doubled frame is cut off. */
static bool run_up(struct parsenet *net, const struct parsenet_block *block,
                   const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine);
    struct tensor large, hidden;
    bool ok = engine_tensor(engine, block->in, dst->height, dst->width, &large, err);
    size_t inner = engine_mark(engine);
    struct tensor doubled;
    ok = ok && engine_tensor(engine, block->in, 2 * src->height, 2 * src->width, &doubled, err) &&
         plane_resize(engine, src, PLANE_NEAREST, &doubled, err) &&
         plane_crop(engine, &doubled, 1, 1, &large, err);
    engine_release(engine, inner);
    if (ok)
        frame_reflect(&large);
    ok = ok && engine_tensor(engine, block->out, dst->height, dst->width, &hidden, err) &&
         framed_conv(net, block->convs[0], &large, CONV_LEAKY_RELU, NULL, &hidden, err) &&
         framed_conv(net, block->shortcut, &large, CONV_NONE, NULL, dst, err) &&
         framed_conv(net, block->convs[1], &hidden, CONV_NONE, dst, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The picture, framed, into 64 channels. */
static bool run_first(struct parsenet *net, const struct tensor *src, const struct tensor *dst,
                      struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine), width = (size_t)src->width;
    struct tensor framed, pixels;
    bool ok = engine_tensor_plain(engine, 3, dst->height, dst->width, &framed, err);
    for (int y = 0; ok && y < 3 * src->height; y++) {
        int plane = y / src->height, row = plane * dst->height + y % src->height + 1;
        memcpy((float *)framed.data + (size_t)row * (width + 2) + 1,
               (const float *)src->data + (size_t)y * width, width * sizeof(float));
    }
    if (ok)
        frame_reflect(&framed);
    pixels = framed;
    if (ok && engine_type(engine) == TENSOR_BF16) {
        ok = engine_tensor_plain(engine, 3, dst->height, dst->width, &pixels, err);
        pixels.type = TENSOR_BF16;
        ok = ok && plane_convert(engine, &framed, &pixels, err);
    }
    ok = ok && framed_conv(net, net->first, &pixels, CONV_NONE, NULL, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* What the classes are told from, without its frame. */
static bool run_last(struct parsenet *net, const struct tensor *src, const struct tensor *dst,
                     struct err *err)
{
    return conv_run(net->engine, net->last, src, &(struct conv_options){ 0 }, dst, err);
}

static bool run_all(struct parsenet *net, const struct tensor *src, const struct tensor *dst,
                    struct err *err)
{
    struct engine *engine = net->engine;
    int height = src->height, width = src->width, first_level = PARSENET_STEPS;
    struct tensor x, features;
    if (!framed_tensor(engine, PARSENET_BASE, height, width, &x, err) ||
        !run_first(net, src, &x, err))
        return false;
    for (int i = 0; i < PARSENET_BLOCKS; i++) {
        const struct parsenet_block *block = &net->blocks[i];
        struct tensor next = x;
        if (block->way == PARSENET_DOWN) {
            height /= 2;
            width /= 2;
        } else if (block->way == PARSENET_UP) {
            height *= 2;
            width *= 2;
        }
        if (i == first_level) { /* the way around all ten blocks */
            if (!framed_tensor(engine, block->in, height, width, &features, err) ||
                !plane_convert(engine, &x, &features, err))
                return false;
        }
        bool ok = true;
        if (block->way == PARSENET_LEVEL)
            ok = run_level(net, block, &x, err);
        else
            ok = framed_tensor(engine, block->out, height, width, &next, err) &&
                 (block->way == PARSENET_DOWN ? run_down : run_up)(net, block, &x, &next, err);
        if (ok && i == first_level + PARSENET_DEPTH - 1)
            ok = plane_add(engine, &x, &features, &x, err);
        if (!ok)
            return false;
        x = next;
    }
    return run_last(net, &x, dst, err);
}

bool parsenet_run(struct parsenet *parsenet, const struct tensor *src, const struct tensor *dst,
                  struct err *err)
{
    bool fits = src->channels == 3 && dst->channels == PARSENET_CLASSES &&
                src->height == dst->height && src->width == dst->width &&
                src->height % PARSENET_UNIT == 0 && src->width % PARSENET_UNIT == 0 &&
                src->height >= 2 * PARSENET_UNIT && src->width >= 2 * PARSENET_UNIT;
    if (!fits)
        return err_set(err, ERR_INVALID, "ParseNet takes no picture of %d x %d.", src->width,
                       src->height);
    size_t mark = engine_mark(parsenet->engine);
    bool ok = run_all(parsenet, src, dst, err);
    engine_release(parsenet->engine, mark);
    return ok || err_while(err, "parsing a face");
}
