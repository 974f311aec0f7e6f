#include "nn/isnet.h"

#include "base/err.h"
#include "base/str.h"
#include "engine/conv.h"
#include "engine/plane.h"
#include "nn/bind.h"
#include "nn/keys.h"
#include "weights/weights.h"

#include <stdio.h>
#include <stdlib.h>

#define ISNET_BATCH_NORM_EPS 1e-5f
#define ISNET_STAGES 11
#define ISNET_DEPTH_MAX 7
#define ISNET_LAYERS_MAX (2 * ISNET_DEPTH_MAX) /* in, 1 .. L, L-1 d .. 1 d */

/* One residual U-block. RSU-L goes down L - 1 levels and up again; its flat form, RSU-4F, keeps
 * the size and dilates instead. */
struct isnet_stage {
    const char *name;
    int depth; /* L */
    bool flat;
    int in_channels, mid_channels, out_channels;
};

static const struct isnet_stage isnet_stages[ISNET_STAGES] = {
    { "stage1", 7, false, 64, 32, 64 },     { "stage2", 6, false, 64, 32, 128 },
    { "stage3", 5, false, 128, 64, 256 },   { "stage4", 4, false, 256, 128, 512 },
    { "stage5", 4, true, 512, 256, 512 },   { "stage6", 4, true, 512, 256, 512 },
    { "stage5d", 4, true, 1024, 256, 512 }, { "stage4d", 4, false, 1024, 128, 256 },
    { "stage3d", 5, false, 512, 64, 128 },  { "stage2d", 6, false, 256, 32, 64 },
    { "stage1d", 7, false, 128, 16, 64 },
};

#define ISNET_ENCODERS 6 /* stages 1 to 6; the decoders 5d to 1d follow */

/* The layers of one block: rebnconvin, rebnconv1 .. rebnconvL, rebnconv(L-1)d .. rebnconv1d. */
struct isnet_block {
    const struct isnet_stage *stage;
    struct conv_filter *in;
    struct conv_filter *down[ISNET_DEPTH_MAX + 1]; /* 1 .. L */
    struct conv_filter *up[ISNET_DEPTH_MAX + 1];   /* 1 .. L - 1 */
};

struct isnet {
    struct engine *engine;
    struct conv_filter *conv_in;
    struct isnet_block blocks[ISNET_STAGES];
    struct conv_filter *side1;
};

/* Binding weights. The published file has every layer's batch norm and six side outputs; exports
 * for inference have folded the norms and may have dropped all sides but the first. */

#define ISNET_SIDES 6

/* "stage3.rebnconv2d" and the like: a convolution with batch norm. */
static void isnet_layer_keys(struct keys *keys, const char *stage, const char *layer, int in,
                             int out)
{
    static const char *const norms[] = { "weight", "bias", "running_mean", "running_var" };
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.rebnconv%s.conv_s1", stage, layer);
    keys_add_conv(keys, name, out, in, 3, true);
    for (size_t i = 0; i < ARRAY_LEN(norms); i++)
        keys_add(keys, KEY_OPTIONAL, KEYS_SHAPE(out), "%s.rebnconv%s.bn_s1.%s", stage, layer,
                 norms[i]);
    keys_add(keys, KEY_OPTIONAL, 0, NULL, "%s.rebnconv%s.bn_s1.num_batches_tracked", stage, layer);
}

static void isnet_stage_keys(struct keys *keys, const struct isnet_stage *stage)
{
    int mid = stage->mid_channels, out = stage->out_channels;
    char layer[16];
    isnet_layer_keys(keys, stage->name, "in", stage->in_channels, out);
    for (int level = 1; level <= stage->depth; level++) {
        snprintf(layer, sizeof layer, "%d", level);
        isnet_layer_keys(keys, stage->name, layer, level == 1 ? out : mid, mid);
    }
    for (int level = stage->depth - 1; level >= 1; level--) {
        snprintf(layer, sizeof layer, "%dd", level);
        isnet_layer_keys(keys, stage->name, layer, 2 * mid, level == 1 ? out : mid);
    }
}

static struct keys *isnet_keys(void)
{
    static const int side_channels[ISNET_SIDES] = { 64, 64, 128, 256, 512, 512 };
    struct keys *keys = keys_new("IS-Net");
    if (!keys)
        return NULL;
    keys_add_conv(keys, "conv_in", 64, 3, 3, true);
    for (int i = 0; i < ISNET_STAGES; i++)
        isnet_stage_keys(keys, &isnet_stages[i]);
    keys_add_conv(keys, "side1", 1, 64, 3, true);
    for (int i = 2; i <= ISNET_SIDES; i++) {
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(1, side_channels[i - 1], 3, 3), "side%d.weight", i);
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(1), "side%d.bias", i);
    }
    return keys;
}

static bool isnet_check(const struct weights *weights, struct err *err)
{
    struct keys *keys = isnet_keys();
    bool ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    return ok;
}

static bool isnet_bind(struct isnet *isnet, const struct weights *weights, const char *layer,
                       const char *norm, int in_channels, int out_channels,
                       struct conv_filter **ret_filter, struct err *err)
{
    const struct conv_shape shape = { .out_channels = out_channels,
                                      .in_channels = in_channels,
                                      .kernel = 3 };
    return bind_conv(isnet->engine, weights, layer, norm, ISNET_BATCH_NORM_EPS, &shape, ret_filter,
                     err);
}

static bool isnet_bind_layer(struct isnet *isnet, const struct weights *weights,
                             const struct isnet_stage *stage, const char *layer, int in_channels,
                             int out_channels, struct conv_filter **ret_filter, struct err *err)
{
    char conv[KEYS_NAME_BYTES], norm[KEYS_NAME_BYTES];
    snprintf(conv, sizeof conv, "%s.rebnconv%s.conv_s1", stage->name, layer);
    snprintf(norm, sizeof norm, "%s.rebnconv%s.bn_s1", stage->name, layer);
    return isnet_bind(isnet, weights, conv, norm, in_channels, out_channels, ret_filter, err);
}

static bool isnet_bind_block(struct isnet *isnet, const struct weights *weights,
                             const struct isnet_stage *stage, struct isnet_block *block,
                             struct err *err)
{
    int mid = stage->mid_channels, out = stage->out_channels;
    char layer[16];
    block->stage = stage;
    if (!isnet_bind_layer(isnet, weights, stage, "in", stage->in_channels, out, &block->in, err))
        return false;
    for (int level = 1; level <= stage->depth; level++) {
        snprintf(layer, sizeof layer, "%d", level);
        if (!isnet_bind_layer(isnet, weights, stage, layer, level == 1 ? out : mid, mid,
                              &block->down[level], err))
            return false;
    }
    for (int level = stage->depth - 1; level >= 1; level--) {
        snprintf(layer, sizeof layer, "%dd", level);
        if (!isnet_bind_layer(isnet, weights, stage, layer, 2 * mid, level == 1 ? out : mid,
                              &block->up[level], err))
            return false;
    }
    return true;
}

static bool isnet_bind_all(struct isnet *isnet, const struct weights *weights, struct err *err)
{
    if (!isnet_bind(isnet, weights, "conv_in", NULL, 3, 64, &isnet->conv_in, err))
        return false;
    for (int i = 0; i < ISNET_STAGES; i++)
        if (!isnet_bind_block(isnet, weights, &isnet_stages[i], &isnet->blocks[i], err))
            return false;
    return isnet_bind(isnet, weights, "side1", NULL, 64, 1, &isnet->side1, err);
}

bool isnet_new(struct engine *engine, const struct weights *weights, struct isnet **ret_isnet,
               struct err *err)
{
    struct isnet *isnet = calloc(1, sizeof *isnet);
    if (!isnet)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    isnet->engine = engine;
    if (!isnet_check(weights, err) || !isnet_bind_all(isnet, weights, err)) {
        isnet_free(isnet);
        return err_while(err, "binding IS-Net");
    }
    *ret_isnet = isnet;
    return true;
}

void isnet_free(struct isnet *isnet)
{
    if (!isnet)
        return;
    conv_filter_free(isnet->conv_in);
    conv_filter_free(isnet->side1);
    for (int i = 0; i < ISNET_STAGES; i++) {
        conv_filter_free(isnet->blocks[i].in);
        for (int level = 1; level <= ISNET_DEPTH_MAX; level++) {
            conv_filter_free(isnet->blocks[i].down[level]);
            conv_filter_free(isnet->blocks[i].up[level]);
        }
    }
    free(isnet);
}

/* The forward pass. A concatenation [deeper | same level] is one tensor. Its left half is free
 * until the way up, and holds the input of its level on the way down. */

struct isnet_pair {
    struct tensor both, deeper, same;
};

static bool isnet_pair(struct isnet *isnet, int channels, int size, struct isnet_pair *ret_pair,
                       struct err *err)
{
    struct isnet_pair pair;
    if (!engine_tensor(isnet->engine, 2 * channels, size, size, &pair.both, err))
        return false;
    pair.deeper = tensor_slice(&pair.both, 0, channels);
    pair.same = tensor_slice(&pair.both, channels, channels);
    *ret_pair = pair;
    return true;
}

/* REBNCONV: convolution, (folded) batch norm, ReLU. */
static bool isnet_rebnconv(struct isnet *isnet, struct conv_filter *filter,
                           const struct tensor *src, int dilation, const struct tensor *dst,
                           struct err *err)
{
    return conv_run(isnet->engine, filter, src,
                    &(struct conv_options){
                        .padding = dilation, .dilation = dilation, .activation = CONV_RELU },
                    dst, err);
}

/* The last layer of a block: dst = ReLU(...) + dst, which holds hxin. */
static bool isnet_rebnconv_add(struct isnet *isnet, struct conv_filter *filter,
                               const struct tensor *src, const struct tensor *dst, struct err *err)
{
    return conv_run(
        isnet->engine, filter, src,
        &(struct conv_options){ .padding = 1, .activation = CONV_RELU, .residual = dst }, dst, err);
}

/* RSU-L: down by pooling, one dilated layer at the bottom, up by bilinear resizing. */
static bool isnet_rsu(struct isnet *isnet, const struct isnet_block *block,
                      const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct engine *engine = isnet->engine;
    int depth = block->stage->depth, mid = block->stage->mid_channels;
    struct isnet_pair pairs[ISNET_DEPTH_MAX]; /* of level 1 .. depth - 1 */
    size_t mark = engine_mark(engine);
    int size = src->height;
    bool ok = isnet_rebnconv(isnet, block->in, src, 1, dst, err);
    for (int level = 1; ok && level < depth; level++) {
        struct isnet_pair *pair = &pairs[level];
        ok = isnet_pair(isnet, mid, size, pair, err);
        if (ok && level > 1)
            ok = plane_pool_max(engine, &pairs[level - 1].same, &pair->deeper, err);
        ok = ok && isnet_rebnconv(isnet, block->down[level], level > 1 ? &pair->deeper : dst, 1,
                                  &pair->same, err);
        if (level < depth - 1)
            size = (size + 1) / 2;
    }
    ok = ok && isnet_rebnconv(isnet, block->down[depth], &pairs[depth - 1].same, 2,
                              &pairs[depth - 1].deeper, err);
    for (int level = depth - 1; ok && level > 1; level--) {
        struct tensor up;
        size_t inner = engine_mark(engine);
        const struct tensor *both = &pairs[level].both;
        ok = engine_tensor(engine, mid, both->height, both->width, &up, err) &&
             isnet_rebnconv(isnet, block->up[level], both, 1, &up, err) &&
             plane_resize(engine, &up, PLANE_BILINEAR, &pairs[level - 1].deeper, err);
        engine_release(engine, inner);
    }
    ok = ok && isnet_rebnconv_add(isnet, block->up[1], &pairs[1].both, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* RSU-4F: the same shape of network without pooling; dilations 1, 2, 4, 8 and back. */
static bool isnet_rsu_flat(struct isnet *isnet, const struct isnet_block *block,
                           const struct tensor *src, const struct tensor *dst, struct err *err)
{
    int depth = block->stage->depth, mid = block->stage->mid_channels;
    struct isnet_pair pairs[ISNET_DEPTH_MAX];
    size_t mark = engine_mark(isnet->engine);
    bool ok = isnet_rebnconv(isnet, block->in, src, 1, dst, err);
    for (int level = 1; ok && level < depth; level++)
        ok = isnet_pair(isnet, mid, src->height, &pairs[level], err) &&
             isnet_rebnconv(isnet, block->down[level], level > 1 ? &pairs[level - 1].same : dst,
                            1 << (level - 1), &pairs[level].same, err);
    ok = ok && isnet_rebnconv(isnet, block->down[depth], &pairs[depth - 1].same, 1 << (depth - 1),
                              &pairs[depth - 1].deeper, err);
    for (int level = depth - 1; ok && level > 1; level--)
        ok = isnet_rebnconv(isnet, block->up[level], &pairs[level].both, 1 << (level - 1),
                            &pairs[level - 1].deeper, err);
    ok = ok && isnet_rebnconv_add(isnet, block->up[1], &pairs[1].both, dst, err);
    engine_release(isnet->engine, mark);
    return ok;
}

struct isnet_watch {
    bool (*canceled)(void *context);
    void *context;
};

static bool isnet_stage(struct isnet *isnet, const struct isnet_watch *watch, int index,
                        const struct tensor *src, const struct tensor *dst, struct err *err)
{
    const struct isnet_block *block = &isnet->blocks[index];
    if (watch->canceled && watch->canceled(watch->context))
        return err_set(err, ERR_CANCELED, "canceled");
    bool ok = block->stage->flat ? isnet_rsu_flat(isnet, block, src, dst, err)
                                 : isnet_rsu(isnet, block, src, dst, err);
    return ok || err_while(err, "computing %s", block->stage->name);
}

/* conv_in: 3 x 1024 x 1024 to 64 x 512 x 512. */
static bool isnet_enter(struct isnet *isnet, const float *input, const struct tensor *dst,
                        struct err *err)
{
    struct engine *engine = isnet->engine;
    const struct conv_options options = { .stride = 2, .padding = 1 };
    /* The engine only reads it; a tensor has no const. */
    struct tensor pixels = tensor_plain(3, ISNET_SIZE, ISNET_SIZE, (float *)(uintptr_t)input);
    if (engine_type(engine) == TENSOR_F32)
        return conv_run(engine, isnet->conv_in, &pixels, &options, dst, err);
    size_t mark = engine_mark(engine);
    struct tensor half;
    bool ok = engine_tensor_plain(engine, 3, ISNET_SIZE, ISNET_SIZE, &half, err);
    if (ok) {
        half.type = TENSOR_BF16;
        ok = plane_convert(engine, &pixels, &half, err) &&
             conv_run(engine, isnet->conv_in, &half, &options, dst, err);
    }
    engine_release(engine, mark);
    return ok;
}

/* The matte: side1 (64 channels to 1), up to full size, logistic. */
static bool isnet_leave(struct isnet *isnet, const struct tensor *src, float *ret_matte,
                        struct err *err)
{
    struct engine *engine = isnet->engine;
    size_t mark = engine_mark(engine);
    struct tensor side, matte = tensor_plain(1, ISNET_SIZE, ISNET_SIZE, ret_matte);
    bool ok =
        engine_tensor_plain(engine, 1, src->height, src->width, &side, err) &&
        conv_run(engine, isnet->side1, src, &(struct conv_options){ .padding = 1 }, &side, err) &&
        plane_resize(engine, &side, PLANE_BILINEAR, &matte, err) &&
        plane_activate(engine, &matte, PLANE_SIGMOID, 0, &matte, err);
    engine_release(engine, mark);
    return ok;
}

/* Encoder stage n reads the left half of pair n (the pooled output of the stage before it) and
 * writes the right half; stage 6 stands alone. Each decoder's output is resized into the left half
 * of the next pair up, and then everything made after that pair is dead. */
static bool isnet_forward(struct isnet *isnet, const float *input, float *ret_matte,
                          const struct isnet_watch *watch, struct err *err)
{
    struct engine *engine = isnet->engine;
    struct isnet_pair pairs[ISNET_ENCODERS]; /* of stage 1 .. 5, as 0 .. 4 */
    size_t marks[ISNET_ENCODERS];            /* after each pair */
    struct tensor src, deepest, out;
    int last = ISNET_ENCODERS - 1, size = ISNET_SIZE / 2;
    for (int i = 0; i < last; i++, size /= 2) {
        const struct isnet_stage *stage = &isnet_stages[i];
        if (!isnet_pair(isnet, stage->out_channels, size, &pairs[i], err))
            return false;
        marks[i] = engine_mark(engine);
        src = tensor_slice(&pairs[i].both, 0, stage->in_channels);
        bool ok = i == 0 ? isnet_enter(isnet, input, &src, err)
                         : plane_pool_max(engine, &pairs[i - 1].same, &src, err);
        if (!ok || !isnet_stage(isnet, watch, i, &src, &pairs[i].same, err))
            return false;
    }
    if (!engine_tensor(engine, isnet_stages[last].in_channels, size, size, &src, err) ||
        !engine_tensor(engine, isnet_stages[last].out_channels, size, size, &deepest, err) ||
        !plane_pool_max(engine, &pairs[last - 1].same, &src, err) ||
        !isnet_stage(isnet, watch, last, &src, &deepest, err) ||
        !plane_resize(engine, &deepest, PLANE_BILINEAR, &pairs[last - 1].deeper, err))
        return false;
    for (int i = last - 1; i >= 0; i--) {
        const struct isnet_stage *stage = &isnet_stages[ISNET_STAGES - 1 - i];
        engine_release(engine, marks[i]);
        bool ok = engine_tensor(engine, stage->out_channels, pairs[i].both.height,
                                pairs[i].both.width, &out, err) &&
                  isnet_stage(isnet, watch, ISNET_STAGES - 1 - i, &pairs[i].both, &out, err) &&
                  (i > 0 ? plane_resize(engine, &out, PLANE_BILINEAR, &pairs[i - 1].deeper, err)
                         : isnet_leave(isnet, &out, ret_matte, err));
        if (!ok)
            return false;
    }
    return true;
}

bool isnet_matte(struct isnet *isnet, const float *input, float *ret_matte,
                 bool (*canceled)(void *context), void *context, struct err *err)
{
    const struct isnet_watch watch = { canceled, context };
    size_t mark = engine_mark(isnet->engine);
    bool ok = isnet_forward(isnet, input, ret_matte, &watch, err);
    engine_release(isnet->engine, mark);
    return ok;
}
