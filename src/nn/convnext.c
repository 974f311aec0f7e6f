#include "nn/convnext.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "engine/conv.h"
#include "engine/norm.h"
#include "engine/plane.h"
#include "nn/bind.h"
#include "weights/weights.h"

#define CONVNEXT_EPS 1e-6f
#define CONVNEXT_KERNEL 7 /* of the depthwise convolution */

struct convnext_norm {
    float *scale, *shift;
};

struct convnext_block {
    struct conv_filter *depthwise;
    struct convnext_norm norm;
    struct conv_filter *expand, *reduce; /* gamma is folded into the second */
};

struct convnext_stage {
    struct conv_filter *down; /* the stem for the first */
    struct convnext_norm down_norm, out_norm;
    struct convnext_block *blocks;
};

struct convnext {
    struct engine *engine;
    struct convnext_config config;
    struct convnext_stage stages[CONVNEXT_STAGES];
};

/* ---- Names -------------------------------------------------------------------------------- */

void convnext_keys(struct keys *keys, const char *prefix, const struct convnext_config *config)
{
    char name[KEYS_NAME_BYTES];
    for (int stage = 0; stage < CONVNEXT_STAGES; stage++) {
        int dim = config->dims[stage], before = stage > 0 ? config->dims[stage - 1] : 3;
        snprintf(name, sizeof name, "%s.downsample_layers.%d.%d", prefix, stage, stage > 0);
        keys_add_conv(keys, name, dim, before, stage > 0 ? 2 : 4, true);
        snprintf(name, sizeof name, "%s.downsample_layers.%d.%d", prefix, stage, stage == 0);
        keys_add_norm(keys, name, stage > 0 ? before : dim);
        for (int i = 0; i < config->depths[stage]; i++) {
            snprintf(name, sizeof name, "%s.stages.%d.%d", prefix, stage, i);
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(dim), "%s.gamma", name);
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(dim, 1, CONVNEXT_KERNEL, CONVNEXT_KERNEL),
                     "%s.dwconv.weight", name);
            keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(dim), "%s.dwconv.bias", name);
            snprintf(name, sizeof name, "%s.stages.%d.%d.norm", prefix, stage, i);
            keys_add_norm(keys, name, dim);
            snprintf(name, sizeof name, "%s.stages.%d.%d.pwconv1", prefix, stage, i);
            keys_add_linear(keys, name, 4 * dim, dim);
            snprintf(name, sizeof name, "%s.stages.%d.%d.pwconv2", prefix, stage, i);
            keys_add_linear(keys, name, dim, 4 * dim);
        }
        snprintf(name, sizeof name, "%s.norm%d", prefix, stage);
        keys_add_norm(keys, name, dim);
    }
    int last = config->dims[CONVNEXT_STAGES - 1];
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(last), "%s.norm.weight", prefix);
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(last), "%s.norm.bias", prefix);
}

/* ---- Binding ------------------------------------------------------------------------------ */

static bool convnext_bind_norm(const struct weights *weights, const char *prefix, int channels,
                               struct convnext_norm *ret_norm, struct err *err)
{
    char name[KEYS_NAME_BYTES + 64];
    snprintf(name, sizeof name, "%s.weight", prefix);
    if (!bind_values(weights, name, channels, &ret_norm->scale, err))
        return false;
    snprintf(name, sizeof name, "%s.bias", prefix);
    return bind_values(weights, name, channels, &ret_norm->shift, err);
}

/* x + gamma * (W h + b) is a convolution with a residual once gamma is in W and b. */
static bool convnext_fold_gamma(const struct weights *weights, const char *prefix, int channels,
                                struct conv_filter *filter, struct err *err)
{
    char name[KEYS_NAME_BYTES + 64];
    float *gamma = NULL;
    snprintf(name, sizeof name, "%s.gamma", prefix);
    if (!bind_values(weights, name, channels, &gamma, err))
        return false;
    float *weight = conv_filter_weights(filter), *bias = conv_filter_bias(filter);
    size_t inputs = (size_t)channels * 4;
    for (int out = 0; out < channels; out++) {
        for (size_t in = 0; in < inputs; in++)
            weight[(size_t)out * inputs + in] *= gamma[out];
        bias[out] *= gamma[out];
    }
    free(gamma);
    return true;
}

static bool convnext_bind_block(struct convnext *convnext, const struct weights *weights,
                                const char *prefix, int dim, struct convnext_block *block,
                                struct err *err)
{
    struct engine *engine = convnext->engine;
    char name[KEYS_NAME_BYTES + 32];
    snprintf(name, sizeof name, "%s.dwconv", prefix);
    if (!bind_conv(
            engine, weights, name, NULL, 0,
            &(struct conv_shape){
                .out_channels = dim, .in_channels = dim, .kernel = CONVNEXT_KERNEL, .groups = dim },
            &block->depthwise, err))
        return false;
    snprintf(name, sizeof name, "%s.norm", prefix);
    if (!convnext_bind_norm(weights, name, dim, &block->norm, err))
        return false;
    snprintf(name, sizeof name, "%s.pwconv1", prefix);
    if (!bind_conv(engine, weights, name, NULL, 0,
                   &(struct conv_shape){ .out_channels = 4 * dim, .in_channels = dim, .kernel = 1 },
                   &block->expand, err))
        return false;
    snprintf(name, sizeof name, "%s.pwconv2", prefix);
    return bind_conv(
               engine, weights, name, NULL, 0,
               &(struct conv_shape){ .out_channels = dim, .in_channels = 4 * dim, .kernel = 1 },
               &block->reduce, err) &&
           convnext_fold_gamma(weights, prefix, dim, block->reduce, err);
}

static bool convnext_bind_stage(struct convnext *convnext, const struct weights *weights,
                                const char *prefix, int stage, struct err *err)
{
    struct convnext_stage *to = &convnext->stages[stage];
    int dim = convnext->config.dims[stage], depth = convnext->config.depths[stage];
    int before = stage > 0 ? convnext->config.dims[stage - 1] : 3;
    struct conv_shape shape = { .out_channels = dim,
                                .in_channels = before,
                                .kernel = stage > 0 ? 2 : 4 };
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.downsample_layers.%d.%d", prefix, stage, stage > 0);
    if (!bind_conv(convnext->engine, weights, name, NULL, 0, &shape, &to->down, err))
        return false;
    snprintf(name, sizeof name, "%s.downsample_layers.%d.%d", prefix, stage, stage == 0);
    if (!convnext_bind_norm(weights, name, stage > 0 ? before : dim, &to->down_norm, err))
        return false;
    snprintf(name, sizeof name, "%s.norm%d", prefix, stage);
    if (!convnext_bind_norm(weights, name, dim, &to->out_norm, err))
        return false;
    to->blocks = calloc((size_t)depth, sizeof *to->blocks);
    if (!to->blocks)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof name, "%s.stages.%d.%d", prefix, stage, i);
        if (!convnext_bind_block(convnext, weights, name, dim, &to->blocks[i], err))
            return false;
    }
    return true;
}

bool convnext_new(struct engine *engine, const struct weights *weights, const char *prefix,
                  const struct convnext_config *config, struct convnext **ret_convnext,
                  struct err *err)
{
    struct convnext *convnext = calloc(1, sizeof *convnext);
    if (!convnext)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    convnext->engine = engine;
    convnext->config = *config;
    for (int stage = 0; stage < CONVNEXT_STAGES; stage++)
        if (!convnext_bind_stage(convnext, weights, prefix, stage, err)) {
            convnext_free(convnext);
            return err_while(err, "binding ConvNeXt");
        }
    *ret_convnext = convnext;
    return true;
}

static void convnext_norm_free(struct convnext_norm *norm)
{
    free(norm->scale);
    free(norm->shift);
}

void convnext_free(struct convnext *convnext)
{
    if (!convnext)
        return;
    for (int stage = 0; stage < CONVNEXT_STAGES; stage++) {
        struct convnext_stage *of = &convnext->stages[stage];
        conv_filter_free(of->down);
        convnext_norm_free(&of->down_norm);
        convnext_norm_free(&of->out_norm);
        for (int i = 0; of->blocks && i < convnext->config.depths[stage]; i++) {
            conv_filter_free(of->blocks[i].depthwise);
            convnext_norm_free(&of->blocks[i].norm);
            conv_filter_free(of->blocks[i].expand);
            conv_filter_free(of->blocks[i].reduce);
        }
        free(of->blocks);
    }
    free(convnext);
}

void convnext_fold(struct convnext *convnext, int stage, const float *scale, const float *shift)
{
    struct convnext_norm *norm = &convnext->stages[stage].out_norm;
    for (int i = 0; i < convnext->config.dims[stage]; i++) {
        norm->scale[i] *= scale[i];
        norm->shift[i] = norm->shift[i] * scale[i] + shift[i];
    }
}

/* ---- The forward pass --------------------------------------------------------------------- */

static bool convnext_norm(struct convnext *convnext, const struct tensor *src,
                          const struct convnext_norm *norm, const struct tensor *dst,
                          struct err *err)
{
    return norm_layer(convnext->engine, src, norm->scale, norm->shift, CONVNEXT_EPS, dst, err);
}

/* x += reduce(gelu(expand(norm(depthwise(x))))) */
static bool convnext_block(struct convnext *convnext, const struct convnext_block *block,
                           const struct tensor *x, struct err *err)
{
    struct engine *engine = convnext->engine;
    struct tensor narrow, wide;
    size_t mark = engine_mark(engine);
    bool ok =
        engine_tensor(engine, x->channels, x->height, x->width, &narrow, err) &&
        engine_tensor(engine, 4 * x->channels, x->height, x->width, &wide, err) &&
        conv_run(engine, block->depthwise, x,
                 &(struct conv_options){ .padding = CONVNEXT_KERNEL / 2 }, &narrow, err) &&
        convnext_norm(convnext, &narrow, &block->norm, &narrow, err) &&
        conv_run(engine, block->expand, &narrow, &(struct conv_options){ 0 }, &wide, err) &&
        plane_activate(engine, &wide, PLANE_GELU, 0, &wide, err) &&
        conv_run(engine, block->reduce, &wide, &(struct conv_options){ .residual = x }, x, err);
    engine_release(engine, mark);
    return ok;
}

/* The stem in f32, whatever the engine's type: three channels are no burden, and oneDNN has no
 * kernel for them in bf16. */
static bool convnext_stem(struct convnext *convnext, const struct tensor *src,
                          const struct tensor *dst, struct err *err)
{
    struct engine *engine = convnext->engine;
    struct conv_options options = { .stride = 4 };
    struct conv_filter *stem = convnext->stages[0].down;
    struct tensor exact;
    if (dst->type == TENSOR_F32)
        return conv_run(engine, stem, src, &options, dst, err);
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor_plain(engine, dst->channels, dst->height, dst->width, &exact, err);
    exact.block = dst->block; /* channels are a multiple of it, so the memory suffices */
    ok = ok && conv_run(engine, stem, src, &options, &exact, err) &&
         plane_convert(engine, &exact, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The stem normalises what it has made, the others what they get. */
static bool convnext_down(struct convnext *convnext, int stage, const struct tensor *src,
                          const struct tensor *dst, struct err *err)
{
    const struct convnext_stage *of = &convnext->stages[stage];
    struct engine *engine = convnext->engine;
    if (stage == 0)
        return convnext_stem(convnext, src, dst, err) &&
               convnext_norm(convnext, dst, &of->down_norm, dst, err);
    struct tensor even;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, src->channels, src->height, src->width, &even, err) &&
              convnext_norm(convnext, src, &of->down_norm, &even, err) &&
              conv_run(engine, of->down, &even, &(struct conv_options){ .stride = 2 }, dst, err);
    engine_release(engine, mark);
    return ok;
}

bool convnext_run(struct convnext *convnext, const struct tensor *input,
                  const struct tensor features[CONVNEXT_STAGES], bool (*canceled)(void *context),
                  void *context, struct err *err)
{
    struct engine *engine = convnext->engine;
    if (input->height % 32 || input->width % 32)
        return err_set(err, ERR_INVALID, "ConvNeXt takes sides that are multiples of 32");
    struct tensor x[CONVNEXT_STAGES];
    size_t mark = engine_mark(engine);
    bool ok = true;
    for (int stage = 0; ok && stage < CONVNEXT_STAGES; stage++) {
        int shrink = 4 << stage;
        const struct tensor *from = stage > 0 ? &x[stage - 1] : input;
        ok = engine_tensor(engine, convnext->config.dims[stage], input->height / shrink,
                           input->width / shrink, &x[stage], err) &&
             convnext_down(convnext, stage, from, &x[stage], err);
        for (int i = 0; ok && i < convnext->config.depths[stage]; i++) {
            if (canceled && canceled(context))
                ok = err_set(err, ERR_CANCELED, "The prediction was canceled.");
            ok = ok && convnext_block(convnext, &convnext->stages[stage].blocks[i], &x[stage], err);
        }
        ok = ok && convnext_norm(convnext, &x[stage], &convnext->stages[stage].out_norm,
                                 &features[stage], err);
    }
    engine_release(engine, mark);
    return ok;
}
