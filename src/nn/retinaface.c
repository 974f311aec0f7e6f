/* RetinaFace's network: its keys, its weights, its forward pass. Not here: faces from its output
 * (retinaface_decode.c). */
#include "nn/retinaface.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "engine/conv.h"
#include "engine/plane.h"
#include "nn/bind.h"

#define RETINAFACE_EPS 1e-5f
#define RETINAFACE_STAGES 4
#define RETINAFACE_BLOCKS_MAX 6
#define RETINAFACE_EXPANSION 4 /* of a bottleneck: channels out for each one inside */
#define RETINAFACE_STEM 64     /* channels */
#define RETINAFACE_WIDTH 256   /* channels of the pyramid and all after it */

const float retinaface_means[3] = { 104, 117, 123 };

static const int retinaface_blocks[RETINAFACE_STAGES] = { 3, 4, 6, 3 }; /* ResNet-50 */

/* Three convolutions around the middle one's fewer channels, and what makes their input fit to be
 * added to their output (the first block of a stage has it, the others need nothing). */
struct retinaface_bottleneck {
    struct conv_filter *convs[3];
    struct conv_filter *shortcut;
};

/* Context at three reaches ("SSH"): 3x3, and 5x5 and 7x7 as sequences of 3x3. */
enum { SSH_3, SSH_5_1, SSH_5_2, SSH_7_2, SSH_7_3, SSH_CONVS };

struct retinaface_ssh_conv {
    const char *name;
    int in, out;
};

static const struct retinaface_ssh_conv retinaface_ssh_convs[SSH_CONVS] = {
    [SSH_3] = { "conv3X3", RETINAFACE_WIDTH, RETINAFACE_WIDTH / 2 },
    [SSH_5_1] = { "conv5X5_1", RETINAFACE_WIDTH, RETINAFACE_WIDTH / 4 },
    [SSH_5_2] = { "conv5X5_2", RETINAFACE_WIDTH / 4, RETINAFACE_WIDTH / 4 },
    [SSH_7_2] = { "conv7X7_2", RETINAFACE_WIDTH / 4, RETINAFACE_WIDTH / 4 },
    [SSH_7_3] = { "conv7x7_3", RETINAFACE_WIDTH / 4, RETINAFACE_WIDTH / 4 }, /* sic */
};

enum { HEAD_SCORES, HEAD_BOXES, HEAD_POINTS, HEADS };

static const struct {
    const char *name;
    int channels;
} retinaface_head_kinds[HEADS] = {
    [HEAD_SCORES] = { "ClassHead", 4 },
    [HEAD_BOXES] = { "BboxHead", 8 },
    [HEAD_POINTS] = { "LandmarkHead", 20 },
};

struct retinaface {
    struct engine *engine;
    struct conv_filter *stem;
    struct retinaface_bottleneck stages[RETINAFACE_STAGES][RETINAFACE_BLOCKS_MAX];
    struct conv_filter *lateral[RETINAFACE_LEVELS];
    struct conv_filter *merge[RETINAFACE_LEVELS - 1];
    struct conv_filter *ssh[RETINAFACE_LEVELS][SSH_CONVS];
    struct conv_filter *heads[RETINAFACE_LEVELS][HEADS];
};

/* ---- One walk over all layers, for the key table and for binding --------------------------- */

/* Either adds keys (`keys`) or binds (`net` and `weights`). After a failure nothing more is done.
 */
struct retinaface_walk {
    struct keys *keys;
    struct retinaface *net;
    const struct weights *weights;
    struct err *err;
    bool ok;
};

/* A layer: "conv" without bias and batch norm "norm"; or, norm being NULL, with a bias. */
static void walk_conv(struct retinaface_walk *walk, const char *conv, const char *norm,
                      struct conv_shape shape, struct conv_filter **ret_filter)
{
    if (walk->keys) {
        keys_add_conv(walk->keys, conv, shape.out_channels, shape.in_channels, shape.kernel, !norm);
        if (norm)
            keys_add_batch_norm(walk->keys, norm, shape.out_channels);
    } else if (walk->ok) {
        walk->ok = bind_conv(walk->net->engine, walk->weights, conv, norm, RETINAFACE_EPS, &shape,
                             ret_filter, walk->err);
    }
}

static void walk_numbered(struct retinaface_walk *walk, const char *prefix, int in, int out,
                          int kernel, struct conv_filter **ret_filter)
{
    char conv[2 * KEYS_NAME_BYTES], norm[2 * KEYS_NAME_BYTES];
    snprintf(conv, sizeof conv, "%s.0", prefix);
    snprintf(norm, sizeof norm, "%s.1", prefix);
    walk_conv(walk, conv, norm,
              (struct conv_shape){ .out_channels = out, .in_channels = in, .kernel = kernel },
              ret_filter);
}

static void walk_body(struct retinaface_walk *walk, struct retinaface *net)
{
    char conv[KEYS_NAME_BYTES], norm[KEYS_NAME_BYTES];
    int in = RETINAFACE_STEM;
    walk_conv(walk, "body.conv1", "body.bn1",
              (struct conv_shape){ .out_channels = in, .in_channels = 3, .kernel = 7 }, &net->stem);
    for (int stage = 0; stage < RETINAFACE_STAGES; stage++) {
        int width = RETINAFACE_STEM << stage, out = width * RETINAFACE_EXPANSION;
        for (int block = 0; block < retinaface_blocks[stage]; block++) {
            struct retinaface_bottleneck *bottleneck = &net->stages[stage][block];
            const struct conv_shape shapes[3] = {
                { .out_channels = width, .in_channels = in, .kernel = 1 },
                { .out_channels = width, .in_channels = width, .kernel = 3 },
                { .out_channels = out, .in_channels = width, .kernel = 1 },
            };
            for (int i = 0; i < 3; i++) {
                snprintf(conv, sizeof conv, "body.layer%d.%d.conv%d", stage + 1, block, i + 1);
                snprintf(norm, sizeof norm, "body.layer%d.%d.bn%d", stage + 1, block, i + 1);
                walk_conv(walk, conv, norm, shapes[i], &bottleneck->convs[i]);
            }
            if (block == 0) {
                snprintf(conv, sizeof conv, "body.layer%d.0.downsample", stage + 1);
                walk_numbered(walk, conv, in, out, 1, &bottleneck->shortcut);
            }
            in = out;
        }
    }
}

static void walk_all(struct retinaface_walk *walk, struct retinaface *net)
{
    char name[KEYS_NAME_BYTES];
    walk_body(walk, net);
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        snprintf(name, sizeof name, "fpn.output%d", level + 1);
        walk_numbered(walk, name, (RETINAFACE_STEM << (level + 1)) * RETINAFACE_EXPANSION,
                      RETINAFACE_WIDTH, 1, &net->lateral[level]);
    }
    for (int level = 0; level < RETINAFACE_LEVELS - 1; level++) {
        snprintf(name, sizeof name, "fpn.merge%d", level + 1);
        walk_numbered(walk, name, RETINAFACE_WIDTH, RETINAFACE_WIDTH, 3, &net->merge[level]);
    }
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        for (int i = 0; i < SSH_CONVS; i++) {
            const struct retinaface_ssh_conv *conv = &retinaface_ssh_convs[i];
            snprintf(name, sizeof name, "ssh%d.%s", level + 1, conv->name);
            walk_numbered(walk, name, conv->in, conv->out, 3, &net->ssh[level][i]);
        }
        for (int i = 0; i < HEADS; i++) {
            snprintf(name, sizeof name, "%s.%d.conv1x1", retinaface_head_kinds[i].name, level);
            walk_conv(walk, name, NULL,
                      (struct conv_shape){ .out_channels = retinaface_head_kinds[i].channels,
                                           .in_channels = RETINAFACE_WIDTH,
                                           .kernel = 1 },
                      &net->heads[level][i]);
        }
    }
}

struct keys *retinaface_keys(void)
{
    struct retinaface places = { 0 }; /* where a walk would put filters */
    struct retinaface_walk walk = { .keys = keys_new("RetinaFace") };
    if (walk.keys)
        walk_all(&walk, &places);
    return walk.keys;
}

bool retinaface_new(struct engine *engine, const struct weights *weights,
                    struct retinaface **ret_retinaface, struct err *err)
{
    struct retinaface *net = calloc(1, sizeof *net);
    struct keys *keys = retinaface_keys();
    struct retinaface_walk walk = { .net = net, .weights = weights, .err = err };
    if (!net || !keys)
        err_set(err, ERR_NO_MEMORY, "There is no memory for a network.");
    else
        walk.ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    if (walk.ok) {
        net->engine = engine;
        walk_all(&walk, net);
    }
    if (!walk.ok) {
        retinaface_free(net);
        return err_while(err, "binding RetinaFace");
    }
    *ret_retinaface = net;
    return true;
}

void retinaface_free(struct retinaface *retinaface)
{
    if (!retinaface)
        return;
    conv_filter_free(retinaface->stem);
    for (int stage = 0; stage < RETINAFACE_STAGES; stage++)
        for (int block = 0; block < RETINAFACE_BLOCKS_MAX; block++) {
            for (int i = 0; i < 3; i++)
                conv_filter_free(retinaface->stages[stage][block].convs[i]);
            conv_filter_free(retinaface->stages[stage][block].shortcut);
        }
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        conv_filter_free(retinaface->lateral[level]);
        if (level < RETINAFACE_LEVELS - 1)
            conv_filter_free(retinaface->merge[level]);
        for (int i = 0; i < SSH_CONVS; i++)
            conv_filter_free(retinaface->ssh[level][i]);
        for (int i = 0; i < HEADS; i++)
            conv_filter_free(retinaface->heads[level][i]);
    }
    free(retinaface);
}

/* ---- The forward pass ---------------------------------------------------------------------- */

static int half(int size)
{
    return (size + 1) / 2;
}

/* Largest of 3x3, stride 2, the edge padded with less than anything. The numbers come from a ReLU:
 * as they are not negative their bits have their order, and what is not a number stays the
 * largest. One thread: a tenth of a percent of the network. */
#define RETINAFACE_POOL(name, word)                                                                \
    static void name(const struct tensor *src, const struct tensor *dst)                           \
    {                                                                                              \
        size_t block = (size_t)src->block;                                                         \
        for (int b = 0; b < tensor_blocks(src); b++)                                               \
            for (int y = 0; y < dst->height; y++)                                                  \
                for (int x = 0; x < dst->width; x++) {                                             \
                    word *to = (word *)dst->data +                                                 \
                               (((size_t)b * dst->height + y) * dst->width + x) * block;           \
                    int y0 = y > 0 ? 2 * y - 1 : 0, x0 = x > 0 ? 2 * x - 1 : 0;                    \
                    int y1 = 2 * y + 1 < src->height ? 2 * y + 1 : src->height - 1;                \
                    int x1 = 2 * x + 1 < src->width ? 2 * x + 1 : src->width - 1;                  \
                    for (size_t c = 0; c < block; c++)                                             \
                        to[c] = 0;                                                                 \
                    for (int v = y0; v <= y1; v++)                                                 \
                        for (int u = x0; u <= x1; u++) {                                           \
                            const word *from =                                                     \
                                (const word *)src->data +                                          \
                                (((size_t)b * src->height + v) * src->width + u) * block;          \
                            for (size_t c = 0; c < block; c++)                                     \
                                to[c] = from[c] > to[c] ? from[c] : to[c];                         \
                        }                                                                          \
                }                                                                                  \
    }

RETINAFACE_POOL(pool_f32, int32_t)
RETINAFACE_POOL(pool_bf16, int16_t)

static bool conv(struct retinaface *net, struct conv_filter *filter, const struct tensor *src,
                 struct conv_options options, const struct tensor *dst, struct err *err)
{
    return conv_run(net->engine, filter, src, &options, dst, err);
}

/* 3 channels to 64 at a quarter of the size. */
static bool run_stem(struct retinaface *net, const struct tensor *src, const struct tensor *dst,
                     struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine);
    struct tensor pixels = *src, large;
    bool ok =
        engine_tensor(engine, RETINAFACE_STEM, half(src->height), half(src->width), &large, err);
    if (ok && engine_type(engine) == TENSOR_BF16) {
        ok = engine_tensor_plain(engine, 3, src->height, src->width, &pixels, err);
        pixels.type = TENSOR_BF16;
        ok = ok && plane_convert(engine, src, &pixels, err);
    }
    ok = ok && conv(net, net->stem, &pixels,
                    (struct conv_options){ .stride = 2, .padding = 3, .activation = CONV_RELU },
                    &large, err);
    if (ok)
        (large.type == TENSOR_F32 ? pool_f32 : pool_bf16)(&large, dst);
    engine_release(engine, mark);
    return ok;
}

/* dst = ReLU(convolutions of src + src made to fit). src is dst but in a stage's first block. */
static bool run_bottleneck(struct retinaface *net, const struct retinaface_bottleneck *block,
                           int stride, const struct tensor *src, const struct tensor *dst,
                           struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine);
    struct tensor before, after;
    int width = dst->channels / RETINAFACE_EXPANSION;
    bool ok =
        engine_tensor(engine, width, src->height, src->width, &before, err) &&
        engine_tensor(engine, width, dst->height, dst->width, &after, err) &&
        conv(net, block->convs[0], src, (struct conv_options){ .activation = CONV_RELU }, &before,
             err) &&
        conv(net, block->convs[1], &before,
             (struct conv_options){ .stride = stride, .padding = 1, .activation = CONV_RELU },
             &after, err) &&
        (!block->shortcut ||
         conv(net, block->shortcut, src, (struct conv_options){ .stride = stride }, dst, err)) &&
        conv(net, block->convs[2], &after, (struct conv_options){ .residual = dst }, dst, err) &&
        plane_activate(engine, dst, PLANE_RELU, 0, dst, err);
    engine_release(engine, mark);
    return ok;
}

static bool run_stage(struct retinaface *net, const struct retinaface_watch *watch, int stage,
                      const struct tensor *src, const struct tensor *dst, struct err *err)
{
    for (int block = 0; block < retinaface_blocks[stage]; block++) {
        if (watch && watch->canceled && watch->canceled(watch->context))
            return err_set(err, ERR_CANCELED, "The prediction was canceled.");
        int stride = block == 0 && stage > 0 ? 2 : 1;
        if (!run_bottleneck(net, &net->stages[stage][block], stride, block == 0 ? src : dst, dst,
                            err))
            return err_while(err, "computing layer%d.%d", stage + 1, block);
    }
    return true;
}

/* The features of the last three stages, which are there already, from the picture. */
static bool run_body(struct retinaface *net, const struct tensor *src,
                     const struct retinaface_watch *watch, const struct tensor *taps,
                     struct err *err)
{
    struct engine *engine = net->engine;
    size_t mark = engine_mark(engine);
    int height = half(half(src->height)), width = half(half(src->width));
    struct tensor first, small;
    bool ok =
        engine_tensor(engine, RETINAFACE_STEM * RETINAFACE_EXPANSION, height, width, &first, err) &&
        engine_tensor(engine, RETINAFACE_STEM, height, width, &small, err) &&
        run_stem(net, src, &small, err) && run_stage(net, watch, 0, &small, &first, err);
    for (int level = 0; ok && level < RETINAFACE_LEVELS; level++)
        ok = run_stage(net, watch, level + 1, level ? &taps[level - 1] : &first, &taps[level], err);
    engine_release(engine, mark);
    return ok;
}

/* The pyramid: each level gets the one below it, enlarged, added. */
static bool run_pyramid(struct retinaface *net, const struct tensor *taps,
                        const struct tensor *levels, struct err *err)
{
    struct engine *engine = net->engine;
    bool ok = true;
    for (int level = RETINAFACE_LEVELS - 1; ok && level >= 0; level--) {
        const struct tensor *dst = &levels[level];
        size_t mark = engine_mark(engine);
        struct conv_options options = { .activation = CONV_RELU };
        struct tensor sum;
        if (level == RETINAFACE_LEVELS - 1) {
            ok = conv(net, net->lateral[level], &taps[level], options, dst, err);
            continue;
        }
        options.residual = &sum;
        ok = engine_tensor(engine, dst->channels, dst->height, dst->width, &sum, err) &&
             plane_resize(engine, &levels[level + 1], PLANE_NEAREST, &sum, err) &&
             conv(net, net->lateral[level], &taps[level], options, &sum, err) &&
             conv(net, net->merge[level], &sum,
                  (struct conv_options){ .padding = 1, .activation = CONV_RELU }, dst, err);
        engine_release(engine, mark);
    }
    return ok;
}

/* Context: the three reaches side by side. The ReLU behind the concatenation is taken before it. */
static bool run_ssh(struct retinaface *net, struct conv_filter *const *filters,
                    const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct engine *engine = net->engine;
    const struct conv_options options = { .padding = 1, .activation = CONV_RELU };
    int half_width = RETINAFACE_WIDTH / 2, quarter = RETINAFACE_WIDTH / 4;
    struct tensor near = tensor_slice(dst, 0, half_width);
    struct tensor middle = tensor_slice(dst, half_width, quarter);
    struct tensor far = tensor_slice(dst, half_width + quarter, quarter);
    struct tensor five, seven;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, quarter, src->height, src->width, &five, err) &&
              engine_tensor(engine, quarter, src->height, src->width, &seven, err) &&
              conv(net, filters[SSH_3], src, options, &near, err) &&
              conv(net, filters[SSH_5_1], src, options, &five, err) &&
              conv(net, filters[SSH_5_2], &five, options, &middle, err) &&
              conv(net, filters[SSH_7_2], &five, options, &seven, err) &&
              conv(net, filters[SSH_7_3], &seven, options, &far, err);
    engine_release(engine, mark);
    return ok;
}

static bool run_all(struct retinaface *net, const struct tensor *src,
                    const struct retinaface_watch *watch, const struct retinaface_heads *heads,
                    struct err *err)
{
    struct engine *engine = net->engine;
    struct tensor taps[RETINAFACE_LEVELS], levels[RETINAFACE_LEVELS];
    bool ok = true;
    for (int level = 0; ok && level < RETINAFACE_LEVELS; level++) {
        int height = heads->features[level].height, width = heads->features[level].width;
        int channels = (RETINAFACE_STEM << (level + 1)) * RETINAFACE_EXPANSION;
        ok = engine_tensor(engine, channels, height, width, &taps[level], err);
    }
    ok = ok && run_body(net, src, watch, taps, err);
    for (int level = 0; ok && level < RETINAFACE_LEVELS; level++)
        ok = engine_tensor(engine, RETINAFACE_WIDTH, taps[level].height, taps[level].width,
                           &levels[level], err);
    ok = ok && run_pyramid(net, taps, levels, err);
    for (int level = 0; ok && level < RETINAFACE_LEVELS; level++) {
        const struct conv_options plain = { 0 };
        const struct tensor *features = &heads->features[level];
        ok = run_ssh(net, net->ssh[level], &levels[level], features, err) &&
             conv(net, net->heads[level][HEAD_SCORES], features, plain, &heads->scores[level],
                  err) &&
             conv(net, net->heads[level][HEAD_BOXES], features, plain, &heads->boxes[level], err) &&
             conv(net, net->heads[level][HEAD_POINTS], features, plain, &heads->points[level], err);
    }
    return ok;
}

bool retinaface_run(struct retinaface *retinaface, const struct tensor *src,
                    const struct retinaface_watch *watch, struct retinaface_heads *ret_heads,
                    struct err *err)
{
    struct engine *engine = retinaface->engine;
    struct retinaface_heads heads;
    int height = half(half(src->height)), width = half(half(src->width));
    for (int level = 0; level < RETINAFACE_LEVELS; level++) {
        height = half(height);
        width = half(width);
        if (!engine_tensor(engine, RETINAFACE_WIDTH, height, width, &heads.features[level], err) ||
            !engine_tensor_plain(engine, 4, height, width, &heads.scores[level], err) ||
            !engine_tensor_plain(engine, 8, height, width, &heads.boxes[level], err) ||
            !engine_tensor_plain(engine, 20, height, width, &heads.points[level], err))
            return false;
    }
    size_t mark = engine_mark(engine);
    bool ok = run_all(retinaface, src, watch, &heads, err);
    engine_release(engine, mark);
    if (ok)
        *ret_heads = heads;
    return ok || err_while(err, "finding faces");
}
