/* GFPGAN's forward pass. gfpgan_bind.c makes the network. */
#include "nn/gfpgan_private.h"

#include "base/err.h"
#include "engine/plane.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GFPGAN_SLOPE 0.2f
#define GFPGAN_DEMODULATION_EPS 1e-8f

void gfpgan_watch(struct gfpgan *gfpgan, const struct stage_watch *watch)
{
    gfpgan->watch = *watch;
}

static const struct conv_options gfpgan_plain = { .padding = 1 };
static const struct conv_options gfpgan_leaky = { .padding = 1,
                                                  .activation = CONV_LEAKY_RELU,
                                                  .slope = GFPGAN_SLOPE };

/* dst = leaky(conv2(resize(leaky(conv1(src))))) + skip(resize(src)). The skip is 1x1 without bias,
 * so it commutes with the resizing and is done at the smaller size. */
static bool gfpgan_block(struct gfpgan *gfpgan, const struct gfpgan_block *block,
                         const struct tensor *src, const struct tensor *dst, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct conv_options none = { 0 };
    struct conv_options add = gfpgan_leaky;
    struct tensor hidden, resized, skip;
    bool down = dst->height < src->height;
    size_t mark = engine_mark(engine);
    add.residual = dst;
    bool ok = engine_tensor(engine, src->channels, dst->height, dst->width, &resized, err);
    size_t inner = engine_mark(engine);
    if (ok && down)
        ok = engine_tensor(engine, src->channels, dst->height, dst->width, &skip, err) &&
             plane_resize(engine, src, PLANE_BILINEAR, &skip, err) &&
             conv_run(engine, block->skip, &skip, &none, dst, err);
    else if (ok)
        ok = engine_tensor(engine, dst->channels, src->height, src->width, &skip, err) &&
             conv_run(engine, block->skip, src, &none, &skip, err) &&
             plane_resize(engine, &skip, PLANE_BILINEAR, dst, err);
    engine_release(engine, inner);
    ok = ok && engine_tensor(engine, src->channels, src->height, src->width, &hidden, err) &&
         conv_run(engine, block->conv1, src, &gfpgan_leaky, &hidden, err) &&
         plane_resize(engine, &hidden, PLANE_BILINEAR, &resized, err) &&
         conv_run(engine, block->conv2, &resized, &add, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The factors of a modulated convolution for one style code: s for its inputs and, for its outputs,
 * sqrt(2) / sqrt(sum over the inputs of s^2 * squares + eps). */
static bool gfpgan_modulate(struct gfpgan *gfpgan, const struct gfpgan_style *style,
                            const struct matrix *code, struct matrix *ret_in,
                            struct matrix *ret_out, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    int in = style->in_channels, out = style->out_channels;
    const struct matrix squares = { out, in, in, style->squares };
    struct matrix squared;
    if (!engine_matrix(engine, 1, in, ret_in, err) ||
        !engine_matrix(engine, 1, out, ret_out, err) ||
        !engine_matrix(engine, 1, in, &squared, err) ||
        !linear_run(engine, style->modulation, code, LINEAR_NONE, NULL, ret_in, err))
        return false;
    for (int i = 0; i < in; i++)
        squared.data[i] = ret_in->data[i] * ret_in->data[i];
    if (!matrix_multiply_transposed(engine, &squared, &squares, ret_out, err))
        return false;
    for (int i = 0; i < out; i++)
        ret_out->data[i] = sqrtf(2 / (ret_out->data[i] + GFPGAN_DEMODULATION_EPS));
    return true;
}

/* src has the size of dst or half of it, and is overwritten. */
static bool gfpgan_style(struct gfpgan *gfpgan, const struct gfpgan_style *style,
                         const struct matrix *code, const struct tensor *src,
                         const struct tensor *dst, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    struct matrix in, out;
    struct tensor resized = *src;
    size_t mark = engine_mark(engine);
    bool ok =
        gfpgan_modulate(gfpgan, style, code, &in, &out, err) &&
        plane_affine(engine, src, &(struct plane_affine){ .scale = in.data, .slope = 1 }, src, err);
    if (ok && dst->height > src->height)
        ok = engine_tensor(engine, src->channels, dst->height, dst->width, &resized, err) &&
             plane_resize(engine, src, PLANE_BILINEAR, &resized, err);
    ok = ok && conv_run(engine, style->filter, &resized, &gfpgan_plain, dst, err) &&
         plane_affine(engine, dst,
                      &(struct plane_affine){ .scale = out.data,
                                              .bias = style->bias,
                                              .map = style->noise,
                                              .map_weight = style->noise_weight,
                                              .slope = GFPGAN_SLOPE },
                      dst, err);
    engine_release(engine, mark);
    return ok;
}

/* dst = the colours of src, added to those of the size below, doubled (NULL: none). */
static bool gfpgan_rgb(struct gfpgan *gfpgan, const struct gfpgan_rgb *rgb,
                       const struct matrix *code, const struct tensor *src,
                       const struct tensor *below, const struct tensor *dst, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct conv_shape shape = { .out_channels = 3,
                                      .in_channels = rgb->in_channels,
                                      .kernel = 1 };
    struct conv_filter *filter = NULL;
    struct matrix scale;
    struct tensor colours;
    size_t mark = engine_mark(engine);
    bool ok = conv_filter_new(engine, &shape, &filter, err) &&
              engine_matrix(engine, 1, rgb->in_channels, &scale, err) &&
              linear_run(engine, rgb->modulation, code, LINEAR_NONE, NULL, &scale, err);
    for (int i = 0; ok && i < 3 * rgb->in_channels; i++)
        conv_filter_weights(filter)[i] = rgb->weights[i] * scale.data[i % rgb->in_channels];
    for (int i = 0; ok && i < 3; i++)
        conv_filter_bias(filter)[i] = rgb->bias[i];
    ok = ok && conv_run(engine, filter, src, &(struct conv_options){ 0 }, dst, err);
    if (ok && below)
        ok = engine_tensor_plain(engine, 3, dst->height, dst->width, &colours, err) &&
             plane_resize(engine, below, PLANE_BILINEAR, &colours, err) &&
             plane_add(engine, dst, &colours, dst, err);
    conv_filter_free(filter);
    engine_release(engine, mark);
    return ok;
}

/* x = x * scale + shift for the second half of the channels, both made of the U-Net's features. */
static bool gfpgan_condition(struct gfpgan *gfpgan, const struct gfpgan_level *level,
                             const struct tensor *features, const struct tensor *x, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    int half = features->channels, height = x->height, width = x->width;
    struct tensor second = tensor_slice(x, half, half), hidden, scale;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, 2 * half, height, width, &hidden, err) &&
              engine_tensor(engine, half, height, width, &scale, err) &&
              conv_run(engine, level->condition, features, &gfpgan_leaky, &hidden, err);
    if (ok) {
        struct tensor of_scale = tensor_slice(&hidden, 0, half);
        struct tensor of_shift = tensor_slice(&hidden, half, half);
        struct conv_options add = gfpgan_plain;
        add.residual = &second;
        ok = conv_run(engine, level->scale, &of_scale, &gfpgan_plain, &scale, err) &&
             plane_multiply(engine, &second, &scale, &second, err) &&
             conv_run(engine, level->shift, &of_shift, &add, &second, err);
    }
    engine_release(engine, mark);
    return ok;
}

static struct matrix gfpgan_code(const struct gfpgan *gfpgan, const struct matrix *codes, int index)
{
    int columns = gfpgan->config.style_columns;
    return (struct matrix){ 1, columns, columns, codes->data + (size_t)index * columns };
}

/* What goes from one size to the next. The generator's features go to and fro between two pieces of
 * memory that hold the largest of them. */
struct gfpgan_state {
    struct tensor features; /* of the U-Net on its way up */
    struct tensor x, spare; /* of the generator */
    struct tensor colours;  /* plain */
};

/* Another shape, not larger, in the same memory. */
static struct tensor gfpgan_shape(const struct tensor *memory, int channels, int size)
{
    struct tensor shaped = *memory;
    shaped.channels = channels;
    shaped.height = shaped.width = size;
    return shaped;
}

/* Up one size. `skip` is the U-Net's result on the way down at the smaller size. */
static bool gfpgan_up(struct gfpgan *gfpgan, int index, const struct tensor *skip,
                      const struct matrix *codes, struct gfpgan_state *state, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct gfpgan_level *level = &gfpgan->level[index];
    int size = 8 << index, channels = level->wide.out_channels;
    struct matrix wide = gfpgan_code(gfpgan, codes, 2 * index + 1);
    struct matrix same = gfpgan_code(gfpgan, codes, 2 * index + 2);
    struct matrix rgb = gfpgan_code(gfpgan, codes, 2 * index + 3);
    struct gfpgan_state next = { .x = gfpgan_shape(&state->x, channels, size),
                                 .spare = gfpgan_shape(&state->spare, channels, size) };
    if (!engine_tensor_plain(engine, 3, size, size, &next.colours, err) ||
        !engine_tensor(engine, channels / 2, size, size, &next.features, err))
        return false;
    bool ok = plane_add(engine, &state->features, skip, &state->features, err) &&
              gfpgan_block(gfpgan, &level->up, &state->features, &next.features, err) &&
              stage_tell(&gfpgan->watch, "up", index, &next.features, err) &&
              gfpgan_style(gfpgan, &level->wide, &wide, &state->x, &next.spare, err) &&
              gfpgan_condition(gfpgan, level, &next.features, &next.spare, err) &&
              gfpgan_style(gfpgan, &level->same, &same, &next.spare, &next.x, err) &&
              stage_tell(&gfpgan->watch, "style", index + 1, &next.x, err) &&
              gfpgan_rgb(gfpgan, &level->rgb, &rgb, &next.x, &state->colours, &next.colours, err);
    *state = next;
    return ok;
}

/* conv_body_first: 3 channels, plain, to many. */
static bool gfpgan_enter(struct gfpgan *gfpgan, const float *face, const struct tensor *dst,
                         struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct conv_options options = { .activation = CONV_LEAKY_RELU, .slope = GFPGAN_SLOPE };
    int size = gfpgan->config.size;
    /* The engine only reads it; a tensor has no const. */
    struct tensor pixels = tensor_plain(3, size, size, (float *)(uintptr_t)face), half;
    if (engine_type(engine) == TENSOR_F32)
        return conv_run(engine, gfpgan->first, &pixels, &options, dst, err);
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor_plain(engine, 3, size, size, &half, err);
    half.type = TENSOR_BF16;
    ok = ok && plane_convert(engine, &pixels, &half, err) &&
         conv_run(engine, gfpgan->first, &half, &options, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The way down: skips[i] is the result at size / 2^(i+1); then the style codes, and the features
 * from which the way up begins. */
static bool gfpgan_down(struct gfpgan *gfpgan, const float *face, const struct tensor *skips,
                        const struct tensor *features, const struct matrix *codes, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct tensor *smallest = &skips[gfpgan->levels - 1];
    int size = gfpgan->config.size;
    struct matrix flat = { 1, smallest->channels * 16, smallest->channels * 16, NULL };
    struct matrix code = { 1, codes->columns * codes->rows, codes->columns * codes->rows,
                           codes->data };
    struct tensor largest, plain;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, gfpgan_channels(&gfpgan->config, size) / 2, size, size,
                            &largest, err) &&
              gfpgan_enter(gfpgan, face, &largest, err);
    for (int i = 0; ok && i < gfpgan->levels; i++)
        ok = gfpgan_block(gfpgan, &gfpgan->down[i], i == 0 ? &largest : &skips[i - 1], &skips[i],
                          err) &&
             stage_tell(&gfpgan->watch, "down", i, &skips[i], err);
    ok = ok && conv_run(engine, gfpgan->last, smallest, &gfpgan_leaky, features, err) &&
         engine_tensor_plain(engine, smallest->channels, 4, 4, &plain, err) &&
         plane_convert(engine, features, &plain, err);
    if (ok) {
        flat.data = plain.data;
        plain = tensor_plain(codes->rows, 1, codes->columns, codes->data);
        ok = linear_run(engine, gfpgan->code, &flat, LINEAR_NONE, NULL, &code, err) &&
             stage_tell(&gfpgan->watch, "code", -1, &plain, err);
    }
    engine_release(engine, mark);
    return ok;
}

/* The generator's first size. */
static bool gfpgan_start(struct gfpgan *gfpgan, const struct matrix *codes,
                         struct gfpgan_state *state, struct err *err)
{
    struct engine *engine = gfpgan->engine;
    struct matrix first = gfpgan_code(gfpgan, codes, 0), second = gfpgan_code(gfpgan, codes, 1);
    struct tensor plain = tensor_plain(gfpgan->config.width, 4, 4, gfpgan->constant), constant;
    size_t mark = engine_mark(engine);
    bool ok =
        engine_tensor(engine, plain.channels, 4, 4, &constant, err) &&
        plane_convert(engine, &plain, &constant, err) &&
        gfpgan_style(gfpgan, &gfpgan->start, &first, &constant, &state->x, err) &&
        stage_tell(&gfpgan->watch, "style", 0, &state->x, err) &&
        gfpgan_rgb(gfpgan, &gfpgan->start_rgb, &second, &state->x, NULL, &state->colours, err);
    engine_release(engine, mark);
    return ok;
}

static bool gfpgan_forward(struct gfpgan *gfpgan, const float *face, float *ret_face,
                           struct err *err)
{
    struct engine *engine = gfpgan->engine;
    const struct gfpgan_config *config = &gfpgan->config;
    struct tensor skips[GFPGAN_LEVELS_MAX];
    struct gfpgan_state state;
    struct matrix codes;
    int largest = gfpgan_channels(config, config->size);
    for (int i = 0; i < gfpgan->levels; i++) {
        int size = config->size >> (i + 1);
        if (!engine_tensor(engine, gfpgan_channels(config, size) / 2, size, size, &skips[i], err))
            return false;
    }
    /* The rows of codes are contiguous: final_linear writes all of them at once. */
    struct tensor memory;
    if (!engine_tensor_plain(engine, 1, gfpgan->codes, config->style_columns, &memory, err) ||
        !engine_tensor(engine, config->width / 2, 4, 4, &state.features, err) ||
        !engine_tensor(engine, largest, config->size, config->size, &state.x, err) ||
        !engine_tensor(engine, largest, config->size, config->size, &state.spare, err) ||
        !engine_tensor_plain(engine, 3, 4, 4, &state.colours, err))
        return false;
    codes =
        (struct matrix){ gfpgan->codes, config->style_columns, config->style_columns, memory.data };
    state.x = gfpgan_shape(&state.x, config->width, 4);
    if (!gfpgan_down(gfpgan, face, skips, &state.features, &codes, err) ||
        !gfpgan_start(gfpgan, &codes, &state, err))
        return false;
    for (int i = 0; i < gfpgan->levels; i++)
        if (!gfpgan_up(gfpgan, i, &skips[gfpgan->levels - 1 - i], &codes, &state, err))
            return false;
    memcpy(ret_face, state.colours.data,
           3 * sizeof *ret_face * (size_t)config->size * config->size);
    return stage_tell(&gfpgan->watch, "image", -1, &state.colours, err);
}

bool gfpgan_run(struct gfpgan *gfpgan, const float *face, float *ret_face, struct err *err)
{
    size_t mark = engine_mark(gfpgan->engine);
    bool ok = gfpgan_forward(gfpgan, face, ret_face, err);
    engine_release(gfpgan->engine, mark);
    return ok || err_while(err, "computing GFPGAN");
}
