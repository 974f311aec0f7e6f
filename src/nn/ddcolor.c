/* The published graph, rearranged where that is exact arithmetic:
 *  - batch norms behind a ReLU are affine maps, and become part of the 1x1 convolutions that
 * follow;
 *  - those of the encoder's features become part of the layer norm before them;
 *  - the embeddings times the refining convolution are a 2 x 256 matrix, and mixing channels
 * commutes with shuffling pixels and blurring: so 256 channels at full size never exist, two do. */
#include "nn/ddcolor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "engine/conv.h"
#include "engine/plane.h"
#include "nn/bind.h"
#include "nn/color_decoder.h"
#include "weights/weights.h"

#define UPS 3 /* stages of the U-net decoder */
#define EMBED_DIM COLOR_DECODER_DIM
#define QUERIES COLOR_DECODER_QUERIES
#define OUTPUTS 2     /* a and b */
#define LAST_FACTOR 4 /* of the last shuffle */
#define LAST_PLACES (LAST_FACTOR * LAST_FACTOR)
#define NORM_EPS 1e-5f
#define REFINE_INPUTS (QUERIES + 3)

const struct convnext_config ddcolor_large = { { 3, 3, 27, 3 }, { 192, 384, 768, 1536 } };
const struct convnext_config ddcolor_tiny = { { 3, 3, 9, 3 }, { 96, 192, 384, 768 } };

static const int up_channels[UPS] = { 512, 512, 256 };
static const float mean[3] = { 0.485f, 0.456f, 0.406f };
static const float deviation[3] = { 0.229f, 0.224f, 0.225f };

struct up {
    struct conv_filter *widen; /* 1x1, to four times the channels, shuffled to twice the size */
    struct conv_filter *merge; /* 3x3 over what came up and the encoder's feature */
};

struct ddcolor {
    struct engine *engine;
    struct convnext_config config;
    struct convnext *encoder;
    struct up ups[UPS];
    struct conv_filter *last[LAST_PLACES]; /* one per place of a shuffled pixel */
    struct color_decoder *colors;
    float *refine; /* [OUTPUTS][REFINE_INPUTS] */
    float *refine_bias;
};

/* ---- Names -------------------------------------------------------------------------------- */

static int up_inputs(const struct convnext_config *config, int up)
{
    return up > 0 ? up_channels[up - 1] : config->dims[CONVNEXT_STAGES - 1];
}

/* Channels of the encoder's feature that joins at `up`. */
static int skip_channels(const struct convnext_config *config, int up)
{
    return config->dims[CONVNEXT_STAGES - 2 - up];
}

/* torch's spectral norm keeps the weight undivided, and two vectors that tell its norm. */
static void keys_add_spectral(struct keys *keys, const char *prefix, int out, int in, int kernel,
                              bool bias)
{
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out, in, kernel, kernel), "%s.weight_orig", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out), "%s.weight_u", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE((int64_t)in * kernel * kernel), "%s.weight_v", prefix);
    if (bias)
        keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out), "%s.bias", prefix);
}

void ddcolor_keys(struct keys *keys, const struct convnext_config *encoder)
{
    char name[KEYS_NAME_BYTES];
    convnext_keys(keys, "encoder.arch", encoder);
    keys_add(keys, KEY_OPTIONAL, KEYS_SHAPE(4, encoder->dims[CONVNEXT_STAGES - 1]),
             "encoder.arch.head_cls.weight");
    keys_add(keys, KEY_OPTIONAL, KEYS_SHAPE(4), "encoder.arch.head_cls.bias");
    for (int up = 0; up < UPS; up++) {
        int out = up_channels[up], skip = skip_channels(encoder, up);
        snprintf(name, sizeof name, "decoder.layers.%d.shuf.conv.0", up);
        keys_add_spectral(keys, name, 4 * out, up_inputs(encoder, up), 1, false);
        snprintf(name, sizeof name, "decoder.layers.%d.shuf.conv.1", up);
        keys_add_batch_norm(keys, name, 4 * out);
        snprintf(name, sizeof name, "decoder.layers.%d.bn", up);
        keys_add_batch_norm(keys, name, skip);
        snprintf(name, sizeof name, "decoder.layers.%d.conv.0", up);
        keys_add_spectral(keys, name, out, out + skip, 3, false);
        snprintf(name, sizeof name, "decoder.layers.%d.conv.2", up);
        keys_add_batch_norm(keys, name, out);
    }
    keys_add_spectral(keys, "decoder.last_shuf.conv.0", EMBED_DIM * LAST_PLACES,
                      up_channels[UPS - 1], 1, true);
    color_decoder_keys(keys, "decoder.color_decoder", up_channels);
    keys_add_spectral(keys, "refine_net.0.0", OUTPUTS, REFINE_INPUTS, 1, true);
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(1, 3, 1, 1), "mean");
    keys_add(keys, KEY_UNUSED, KEYS_SHAPE(1, 3, 1, 1), "std");
}

/* ---- Binding ------------------------------------------------------------------------------ */

static bool values_of(const struct weights *weights, const char *prefix, const char *what,
                      int64_t count, float **ret_values, struct err *err)
{
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s", prefix, what);
    return bind_values(weights, name, count, ret_values, err);
}

/* weight_orig divided by its largest singular value, u' W v. [out][in]; free with free. */
static bool spectral_weight(const struct weights *weights, const char *prefix, int out, int in,
                            float **ret_weight, struct err *err)
{
    float *weight = NULL, *u = NULL, *v = NULL;
    bool ok = values_of(weights, prefix, "weight_orig", (int64_t)out * in, &weight, err) &&
              values_of(weights, prefix, "weight_u", out, &u, err) &&
              values_of(weights, prefix, "weight_v", in, &v, err);
    double norm = 0;
    for (int o = 0; ok && o < out; o++) {
        double sum = 0;
        for (int i = 0; i < in; i++)
            sum += (double)weight[(size_t)o * in + i] * v[i];
        norm += sum * u[o];
    }
    if (ok && !(fabs(norm) > 1e-12 && isfinite(norm)))
        ok = err_set(err, ERR_INVALID, "The tensor \"%s.weight_orig\" has no usable norm.", prefix);
    for (size_t i = 0; ok && i < (size_t)out * in; i++)
        weight[i] = (float)(weight[i] / norm);
    free(u);
    free(v);
    if (ok)
        *ret_weight = weight;
    else
        free(weight);
    return ok;
}

/* An inference-time batch norm: x * scale + shift. */
struct affine {
    float *scale, *shift;
};

static void affine_free(struct affine *affine)
{
    free(affine->scale);
    free(affine->shift);
}

static bool affine_of(const struct weights *weights, const char *prefix, int channels,
                      struct affine *ret_affine, struct err *err)
{
    struct affine affine = { 0 };
    float *average = NULL, *variance = NULL;
    bool ok = values_of(weights, prefix, "weight", channels, &affine.scale, err) &&
              values_of(weights, prefix, "bias", channels, &affine.shift, err) &&
              values_of(weights, prefix, "running_mean", channels, &average, err) &&
              values_of(weights, prefix, "running_var", channels, &variance, err);
    for (int i = 0; ok && i < channels; i++) {
        affine.scale[i] /= sqrtf(variance[i] + NORM_EPS);
        affine.shift[i] -= average[i] * affine.scale[i];
    }
    free(average);
    free(variance);
    if (ok)
        *ret_affine = affine;
    else
        affine_free(&affine);
    return ok;
}

/* A convolution under spectral norm, without bias. */
static bool bind_spectral(struct ddcolor *ddcolor, const struct weights *weights,
                          const char *prefix, int out, int in, int kernel,
                          struct conv_filter **ret_filter, struct err *err)
{
    struct conv_shape shape = { .out_channels = out, .in_channels = in, .kernel = kernel };
    float *weight = NULL;
    int columns = in * kernel * kernel;
    if (!spectral_weight(weights, prefix, out, columns, &weight, err))
        return false;
    bool ok = conv_filter_new(ddcolor->engine, &shape, ret_filter, err);
    if (ok)
        memcpy(conv_filter_weights(*ret_filter), weight,
               (size_t)out * (size_t)columns * sizeof *weight);
    free(weight);
    return ok;
}

/* The shuffling convolution: `before` belongs to its inputs (NULL: nothing does), its batch norm
 * to its outputs. */
static bool bind_widen(struct ddcolor *ddcolor, const struct weights *weights, int up,
                       const struct affine *before, struct err *err)
{
    char name[KEYS_NAME_BYTES];
    int out = 4 * up_channels[up], in = up_inputs(&ddcolor->config, up);
    struct affine after = { 0 };
    snprintf(name, sizeof name, "decoder.layers.%d.shuf.conv.0", up);
    if (!bind_spectral(ddcolor, weights, name, out, in, 1, &ddcolor->ups[up].widen, err))
        return false;
    if (before)
        bind_fold_input(ddcolor->ups[up].widen, out, in, before->scale, before->shift);
    snprintf(name, sizeof name, "decoder.layers.%d.shuf.conv.1", up);
    if (!affine_of(weights, name, out, &after, err))
        return false;
    float *weight = conv_filter_weights(ddcolor->ups[up].widen);
    float *bias = conv_filter_bias(ddcolor->ups[up].widen);
    for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++)
            weight[(size_t)o * in + i] *= after.scale[o];
        bias[o] = bias[o] * after.scale[o] + after.shift[o];
    }
    affine_free(&after);
    return true;
}

/* The last shuffle's convolution: output c * 16 + s is channel c of place s. */
static bool bind_last(struct ddcolor *ddcolor, const struct weights *weights,
                      const struct affine *before, struct err *err)
{
    static const char prefix[] = "decoder.last_shuf.conv.0";
    struct conv_shape shape = { .out_channels = EMBED_DIM,
                                .in_channels = up_channels[UPS - 1],
                                .kernel = 1 };
    size_t in = (size_t)shape.in_channels;
    float *weight = NULL, *bias = NULL;
    bool ok = spectral_weight(weights, prefix, EMBED_DIM * LAST_PLACES, shape.in_channels, &weight,
                              err) &&
              values_of(weights, prefix, "bias", EMBED_DIM * LAST_PLACES, &bias, err);
    for (size_t place = 0; ok && place < LAST_PLACES; place++) {
        struct conv_filter **filter = &ddcolor->last[place];
        ok = conv_filter_new(ddcolor->engine, &shape, filter, err);
        for (size_t c = 0; ok && c < EMBED_DIM; c++) {
            memcpy(conv_filter_weights(*filter) + c * in, weight + (c * LAST_PLACES + place) * in,
                   in * sizeof *weight);
            conv_filter_bias(*filter)[c] = bias[c * LAST_PLACES + place];
        }
        if (ok)
            bind_fold_input(*filter, EMBED_DIM, shape.in_channels, before->scale, before->shift);
    }
    free(weight);
    free(bias);
    return ok;
}

/* One stage; *before is the batch norm that the stage before left to its readers, and becomes the
 * one that this stage leaves. */
static bool bind_up(struct ddcolor *ddcolor, const struct weights *weights, int up,
                    struct affine *before, struct err *err)
{
    char name[KEYS_NAME_BYTES];
    int out = up_channels[up], skip = skip_channels(&ddcolor->config, up);
    struct affine joining = { 0 }, leaving = { 0 };
    if (!bind_widen(ddcolor, weights, up, up > 0 ? before : NULL, err))
        return false;
    snprintf(name, sizeof name, "decoder.layers.%d.bn", up);
    if (!affine_of(weights, name, skip, &joining, err))
        return false;
    convnext_fold(ddcolor->encoder, CONVNEXT_STAGES - 2 - up, joining.scale, joining.shift);
    affine_free(&joining);
    snprintf(name, sizeof name, "decoder.layers.%d.conv.0", up);
    if (!bind_spectral(ddcolor, weights, name, out, out + skip, 3, &ddcolor->ups[up].merge, err))
        return false;
    snprintf(name, sizeof name, "decoder.layers.%d.conv.2", up);
    if (!affine_of(weights, name, out, &leaving, err))
        return false;
    color_decoder_fold(ddcolor->colors, up, leaving.scale, leaving.shift);
    affine_free(before);
    *before = leaving;
    return true;
}

static bool bind_all(struct ddcolor *ddcolor, const struct weights *weights, struct err *err)
{
    struct affine before = { 0 };
    bool ok = convnext_new(ddcolor->engine, weights, "encoder.arch", &ddcolor->config,
                           &ddcolor->encoder, err) &&
              color_decoder_new(ddcolor->engine, weights, "decoder.color_decoder", up_channels,
                                &ddcolor->colors, err);
    for (int up = 0; ok && up < UPS; up++)
        ok = bind_up(ddcolor, weights, up, &before, err);
    ok = ok && bind_last(ddcolor, weights, &before, err);
    affine_free(&before);
    return ok &&
           spectral_weight(weights, "refine_net.0.0", OUTPUTS, REFINE_INPUTS, &ddcolor->refine,
                           err) &&
           values_of(weights, "refine_net.0.0", "bias", OUTPUTS, &ddcolor->refine_bias, err);
}

/* Large or tiny: told by the encoder's first layer. */
static bool check(const struct weights *weights, struct convnext_config *ret_config,
                  struct err *err)
{
    const struct weight *stem = weights_find(weights, "encoder.arch.downsample_layers.0.0.weight");
    bool tiny = stem && stem->rank > 0 && stem->shape[0] == ddcolor_tiny.dims[0];
    struct keys *keys = keys_new("DDColor");
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    *ret_config = tiny ? ddcolor_tiny : ddcolor_large;
    ddcolor_keys(keys, ret_config);
    bool ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    return ok;
}

bool ddcolor_new(struct engine *engine, struct weights *weights, struct ddcolor **ret_ddcolor,
                 struct err *err)
{
    struct ddcolor *ddcolor = calloc(1, sizeof *ddcolor);
    if (!ddcolor)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    ddcolor->engine = engine;
    (void)weights_enter(weights, "params");
    if (!check(weights, &ddcolor->config, err) || !bind_all(ddcolor, weights, err)) {
        ddcolor_free(ddcolor);
        return err_while(err, "binding DDColor");
    }
    *ret_ddcolor = ddcolor;
    return true;
}

void ddcolor_free(struct ddcolor *ddcolor)
{
    if (!ddcolor)
        return;
    convnext_free(ddcolor->encoder);
    color_decoder_free(ddcolor->colors);
    for (int up = 0; up < UPS; up++) {
        conv_filter_free(ddcolor->ups[up].widen);
        conv_filter_free(ddcolor->ups[up].merge);
    }
    for (int place = 0; place < LAST_PLACES; place++)
        conv_filter_free(ddcolor->last[place]);
    free(ddcolor->refine);
    free(ddcolor->refine_bias);
    free(ddcolor);
}

/* ---- The forward pass --------------------------------------------------------------------- */

static void observe(const struct ddcolor_watch *watch, const char *name, int index,
                    const struct tensor *tensor)
{
    char full[32];
    if (!watch || !watch->observe)
        return;
    snprintf(full, sizeof full, "%s%d", name, index);
    watch->observe(watch->context, full, tensor);
}

/* What the U-net's stages join: [what came up | the encoder's feature]. */
struct joint {
    struct tensor both, up, skip;
};

static bool joints_make(struct ddcolor *ddcolor, int height, int width, struct joint *ret_joints,
                        struct err *err)
{
    for (int up = 0; up < UPS; up++) {
        int out = up_channels[up], skip = skip_channels(&ddcolor->config, up);
        struct joint *joint = &ret_joints[up];
        if (!engine_tensor(ddcolor->engine, out + skip, height / (16 >> up), width / (16 >> up),
                           &joint->both, err))
            return false;
        joint->up = tensor_slice(&joint->both, 0, out);
        joint->skip = tensor_slice(&joint->both, out, skip);
    }
    return true;
}

/* Normalise as the encoder was trained; the refining convolution sees the same. */
static bool input_make(struct ddcolor *ddcolor, const float *rgb, int height, int width,
                       struct tensor *ret_input, struct err *err)
{
    size_t pixels = (size_t)height * (size_t)width;
    if (!engine_tensor_plain(ddcolor->engine, 3, height, width, ret_input, err))
        return false;
    float *to = ret_input->data;
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < pixels; i++)
            *to++ = (*rgb++ - mean[c]) / deviation[c];
    return true;
}

/* Widen, shuffle to twice the size, blur over 2x2 with the first row and column repeated. */
static bool up_run(struct ddcolor *ddcolor, int up, const struct tensor *src,
                   const struct tensor *dst, struct err *err)
{
    struct engine *engine = ddcolor->engine;
    int channels = dst->channels, height = dst->height, width = dst->width;
    struct plane_margins margins = { .top = 1, .left = 1 };
    struct tensor wide, shuffled, padded;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, channels, height + 1, width + 1, &padded, err) &&
              engine_tensor(engine, channels, height, width, &shuffled, err) &&
              engine_tensor(engine, 4 * channels, src->height, src->width, &wide, err) &&
              conv_run(engine, ddcolor->ups[up].widen, src,
                       &(struct conv_options){ .activation = CONV_RELU }, &wide, err) &&
              plane_shuffle(engine, &wide, &shuffled, err) &&
              plane_pad(engine, &shuffled, &margins, PLANE_REPLICATE, &padded, err) &&
              plane_pool_average(engine, &padded, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* mixing[o] = sum over the queries of refine[o][q] * embeddings[q], as a filter. */
static bool mixing_make(struct ddcolor *ddcolor, const struct matrix *embeddings,
                        struct conv_filter **ret_filter, struct err *err)
{
    struct conv_shape shape = { .out_channels = OUTPUTS, .in_channels = EMBED_DIM, .kernel = 1 };
    if (!conv_filter_new(ddcolor->engine, &shape, ret_filter, err))
        return false;
    float *weight = conv_filter_weights(*ret_filter);
    for (int o = 0; o < OUTPUTS; o++)
        for (int c = 0; c < EMBED_DIM; c++) {
            double sum = 0;
            for (int q = 0; q < QUERIES; q++)
                sum += (double)ddcolor->refine[o * REFINE_INPUTS + q] *
                       embeddings->data[(size_t)q * embeddings->stride + c];
            weight[o * EMBED_DIM + c] = (float)sum;
        }
    return true;
}

/* Put the mixed plane of one place into the pixels it belongs to. */
static void place_scatter(const struct tensor *mixed, int place, const struct tensor *shuffled)
{
    int width = mixed->width, dy = place / LAST_FACTOR, dx = place % LAST_FACTOR;
    const float *from = mixed->data;
    for (int o = 0; o < OUTPUTS; o++)
        for (int y = 0; y < mixed->height; y++, from += width) {
            size_t row = (size_t)o * shuffled->height + (size_t)y * LAST_FACTOR + dy;
            float *to = (float *)shuffled->data + row * shuffled->width + dx;
            for (int x = 0; x < width; x++)
                to[(size_t)x * LAST_FACTOR] = from[x];
        }
}

/* The last blur, what the refining convolution adds of the input, and its bias. */
static void refine(const struct ddcolor *ddcolor, const struct tensor *shuffled,
                   const struct tensor *input, float *ret_ab)
{
    int height = shuffled->height, width = shuffled->width;
    size_t plane = (size_t)height * (size_t)width;
    for (int o = 0; o < OUTPUTS; o++) {
        const float *mixed = (const float *)shuffled->data + (size_t)o * plane;
        const float *weight = ddcolor->refine + (size_t)o * REFINE_INPUTS + QUERIES;
        for (int y = 0; y < height; y++) {
            const float *row = mixed + (size_t)y * width, *above = y > 0 ? row - width : row;
            const float *color = (const float *)input->data + (size_t)y * width;
            for (int x = 0; x < width; x++) {
                int left = x > 0 ? x - 1 : 0;
                *ret_ab++ = (above[left] + above[x] + row[left] + row[x]) * 0.25f +
                            weight[0] * color[x] + weight[1] * color[plane + x] +
                            weight[2] * color[2 * plane + x] + ddcolor->refine_bias[o];
            }
        }
    }
}

static bool ab_make(struct ddcolor *ddcolor, const struct tensor *level, const struct tensor *input,
                    struct conv_filter *mixing, float *ret_ab, struct err *err)
{
    struct engine *engine = ddcolor->engine;
    struct tensor features, mixed, shuffled;
    if (!engine_tensor_plain(engine, OUTPUTS, input->height, input->width, &shuffled, err) ||
        !engine_tensor_plain(engine, OUTPUTS, level->height, level->width, &mixed, err) ||
        !engine_tensor(engine, EMBED_DIM, level->height, level->width, &features, err))
        return false;
    for (int place = 0; place < LAST_PLACES; place++) {
        if (!conv_run(engine, ddcolor->last[place], level,
                      &(struct conv_options){ .activation = CONV_RELU }, &features, err) ||
            !conv_run(engine, mixing, &features, &(struct conv_options){ 0 }, &mixed, err))
            return false;
        place_scatter(&mixed, place, &shuffled);
    }
    refine(ddcolor, &shuffled, input, ret_ab);
    return true;
}

/* The U-net's way up: levels[i] is stage i's result, without its batch norm. */
static bool levels_make(struct ddcolor *ddcolor, const struct tensor *deepest,
                        const struct joint joints[UPS], const struct ddcolor_watch *watch,
                        struct tensor ret_levels[UPS], struct err *err)
{
    struct engine *engine = ddcolor->engine;
    for (int up = 0; up < UPS; up++) {
        const struct joint *joint = &joints[up];
        if (!engine_tensor(engine, up_channels[up], joint->both.height, joint->both.width,
                           &ret_levels[up], err) ||
            !plane_activate(engine, &joint->skip, PLANE_RELU, 0, &joint->skip, err))
            return false;
        observe(watch, "feature", CONVNEXT_STAGES - 2 - up, &joint->skip);
        if (!up_run(ddcolor, up, up > 0 ? &ret_levels[up - 1] : deepest, &joint->up, err) ||
            !conv_run(engine, ddcolor->ups[up].merge, &joint->both,
                      &(struct conv_options){ .padding = 1, .activation = CONV_RELU },
                      &ret_levels[up], err))
            return false;
        observe(watch, "level", up, &ret_levels[up]);
    }
    return true;
}

static bool forward(struct ddcolor *ddcolor, const struct tensor *input, float *ret_ab,
                    const struct ddcolor_watch *watch, struct err *err)
{
    struct engine *engine = ddcolor->engine;
    struct joint joints[UPS];
    struct tensor deepest, levels[UPS];
    struct matrix embeddings;
    if (!joints_make(ddcolor, input->height, input->width, joints, err) ||
        !engine_tensor(engine, ddcolor->config.dims[CONVNEXT_STAGES - 1], input->height / 32,
                       input->width / 32, &deepest, err) ||
        !engine_matrix(engine, QUERIES, EMBED_DIM, &embeddings, err))
        return false;
    const struct tensor features[CONVNEXT_STAGES] = { joints[2].skip, joints[1].skip,
                                                      joints[0].skip, deepest };
    if (!convnext_run(ddcolor->encoder, input, features, watch ? watch->canceled : NULL,
                      watch ? watch->context : NULL, err))
        return false;
    observe(watch, "feature", CONVNEXT_STAGES - 1, &deepest);
    if (!levels_make(ddcolor, &deepest, joints, watch, levels, err) ||
        !color_decoder_run(ddcolor->colors, levels, &embeddings, err))
        return false;
    if (watch && watch->observe) {
        struct tensor plain = tensor_plain(1, QUERIES, embeddings.stride, embeddings.data);
        watch->observe(watch->context, "embeddings", &plain);
    }
    struct conv_filter *mixing = NULL;
    bool ok = mixing_make(ddcolor, &embeddings, &mixing, err) &&
              ab_make(ddcolor, &levels[UPS - 1], input, mixing, ret_ab, err);
    conv_filter_free(mixing);
    return ok;
}

bool ddcolor_run(struct ddcolor *ddcolor, const float *rgb, int height, int width, float *ret_ab,
                 const struct ddcolor_watch *watch, struct err *err)
{
    struct tensor input;
    size_t mark = engine_mark(ddcolor->engine);
    bool ok = input_make(ddcolor, rgb, height, width, &input, err) &&
              forward(ddcolor, &input, ret_ab, watch, err);
    engine_release(ddcolor->engine, mark);
    return ok;
}
