/* GFPGAN's tensors: their names and shapes, and filling filters from them. gfpgan.c computes. */
#include "nn/gfpgan_private.h"

#include "base/err.h"
#include "nn/bind.h"
#include "nn/keys.h"
#include "weights/weights.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GFPGAN_STYLE_LAYERS 8
#define GFPGAN_NAME_BYTES (2 * KEYS_NAME_BYTES) /* of a name made of another */

const struct gfpgan_config gfpgan_published = { 512, 512, 2, 512 };

/* Measures. */

static int gfpgan_levels(const struct gfpgan_config *config)
{
    int levels = 0;
    while (4 << (levels + 1) <= config->size)
        levels++;
    return levels;
}

/* Channels of the generator at a size; the U-Net has half of them. */
int gfpgan_channels(const struct gfpgan_config *config, int size)
{
    return size <= 32 ? config->width : config->width * config->multiplier * 32 / size;
}

static bool gfpgan_config_check(const struct gfpgan_config *config, struct err *err)
{
    int levels = gfpgan_levels(config);
    bool sane = levels >= 1 && levels <= GFPGAN_LEVELS_MAX && config->size == 4 << levels &&
                config->width >= 32 && config->width <= 4096 && config->multiplier >= 1 &&
                config->multiplier <= 16 && config->style_columns >= 1 &&
                config->style_columns <= 4096;
    for (int size = 4; sane && size <= config->size; size *= 2)
        sane = gfpgan_channels(config, size) % 32 == 0 && gfpgan_channels(config, size) > 0;
    return sane || err_set(err, ERR_INVALID, "no GFPGAN can have these measures");
}

/* Keys. */

static void gfpgan_keys_block(struct keys *keys, const char *prefix, int in, int out)
{
    char name[GFPGAN_NAME_BYTES];
    snprintf(name, sizeof name, "%s.conv1", prefix);
    keys_add_conv(keys, name, in, in, 3, true);
    snprintf(name, sizeof name, "%s.conv2", prefix);
    keys_add_conv(keys, name, out, in, 3, true);
    snprintf(name, sizeof name, "%s.skip", prefix);
    keys_add_conv(keys, name, out, in, 1, false);
}

static void gfpgan_keys_modulated(struct keys *keys, const char *prefix, int in, int out,
                                  int kernel, int style_columns)
{
    char name[GFPGAN_NAME_BYTES];
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1, out, in, kernel, kernel), "%s.modulated_conv.weight",
             prefix);
    snprintf(name, sizeof name, "%s.modulated_conv.modulation", prefix);
    keys_add_linear(keys, name, in, style_columns);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1, out, 1, 1), "%s.bias", prefix);
    if (kernel > 1)
        keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1), "%s.weight", prefix); /* of the noise */
}

static void gfpgan_keys_generator(struct keys *keys, const struct gfpgan_config *config)
{
    int columns = config->style_columns, levels = gfpgan_levels(config);
    char name[KEYS_NAME_BYTES];
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1, config->width, 4, 4),
             "stylegan_decoder.constant_input.weight");
    for (int i = 0; i < GFPGAN_STYLE_LAYERS; i++) { /* linear layers with leaky relus between */
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(columns, columns),
                 "stylegan_decoder.style_mlp.%d.weight", 2 * i + 1);
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(columns), "stylegan_decoder.style_mlp.%d.bias",
                 2 * i + 1);
    }
    gfpgan_keys_modulated(keys, "stylegan_decoder.style_conv1", config->width, config->width, 3,
                          columns);
    gfpgan_keys_modulated(keys, "stylegan_decoder.to_rgb1", config->width, 3, 1, columns);
    for (int i = 0; i < levels; i++) {
        int below = gfpgan_channels(config, 4 << i), out = gfpgan_channels(config, 8 << i);
        snprintf(name, sizeof name, "stylegan_decoder.style_convs.%d", 2 * i);
        gfpgan_keys_modulated(keys, name, below, out, 3, columns);
        snprintf(name, sizeof name, "stylegan_decoder.style_convs.%d", 2 * i + 1);
        gfpgan_keys_modulated(keys, name, out, out, 3, columns);
        snprintf(name, sizeof name, "stylegan_decoder.to_rgbs.%d", i);
        gfpgan_keys_modulated(keys, name, out, 3, 1, columns);
    }
    for (int i = 0; i < 2 * levels + 1; i++) {
        int size = 1 << ((i + 5) / 2);
        keys_add(keys, KEY_OPTIONAL, KEYS_SHAPE(1, 1, size, size),
                 "stylegan_decoder.noises.noise%d", i);
    }
}

static void gfpgan_keys_u_net(struct keys *keys, const struct gfpgan_config *config)
{
    int levels = gfpgan_levels(config), smallest = gfpgan_channels(config, 4) / 2;
    char name[KEYS_NAME_BYTES];
    keys_add_conv(keys, "conv_body_first", gfpgan_channels(config, config->size) / 2, 3, 1, true);
    keys_add_conv(keys, "final_conv", smallest, smallest, 3, true);
    keys_add_linear(keys, "final_linear", (2 * levels + 2) * config->style_columns, smallest * 16);
    for (int i = 0; i < levels; i++) {
        int size = config->size >> i;
        snprintf(name, sizeof name, "conv_body_down.%d", i);
        gfpgan_keys_block(keys, name, gfpgan_channels(config, size) / 2,
                          gfpgan_channels(config, size / 2) / 2);
        size = 8 << i;
        int in = gfpgan_channels(config, size / 2) / 2, out = gfpgan_channels(config, size) / 2;
        snprintf(name, sizeof name, "conv_body_up.%d", i);
        gfpgan_keys_block(keys, name, in, out);
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(3, out, 1, 1), "toRGB.%d.weight", i);
        keys_add(keys, KEY_UNUSED, KEYS_SHAPE(3), "toRGB.%d.bias", i);
        for (int layer = 0; layer <= 2; layer += 2) {
            snprintf(name, sizeof name, "condition_scale.%d.%d", i, layer);
            keys_add_conv(keys, name, out, out, 3, true);
            snprintf(name, sizeof name, "condition_shift.%d.%d", i, layer);
            keys_add_conv(keys, name, out, out, 3, true);
        }
    }
}

struct keys *gfpgan_keys(const struct gfpgan_config *config)
{
    struct keys *keys = keys_new("GFPGAN");
    if (keys) {
        gfpgan_keys_u_net(keys, config);
        gfpgan_keys_generator(keys, config);
    }
    return keys;
}

bool gfpgan_is(const struct weights *weights)
{
    return weights_find(weights, "stylegan_decoder.constant_input.weight") &&
           weights_find(weights, "condition_scale.0.0.weight");
}

/* Binding weights. */

static bool gfpgan_bind_conv(struct gfpgan *gfpgan, const struct weights *weights, int out, int in,
                             int kernel, const char *prefix, struct conv_filter **ret_filter,
                             struct err *err)
{
    const struct conv_shape shape = { .out_channels = out, .in_channels = in, .kernel = kernel };
    return bind_conv(gfpgan->engine, weights, prefix, NULL, 0, &shape, ret_filter, err);
}

static bool gfpgan_bind_block(struct gfpgan *gfpgan, const struct weights *weights,
                              const char *prefix, int in, int out, struct gfpgan_block *block,
                              struct err *err)
{
    char conv1[GFPGAN_NAME_BYTES], conv2[GFPGAN_NAME_BYTES], skip[GFPGAN_NAME_BYTES];
    snprintf(conv1, sizeof conv1, "%s.conv1", prefix);
    snprintf(conv2, sizeof conv2, "%s.conv2", prefix);
    snprintf(skip, sizeof skip, "%s.skip", prefix);
    return gfpgan_bind_conv(gfpgan, weights, in, in, 3, conv1, &block->conv1, err) &&
           gfpgan_bind_conv(gfpgan, weights, out, in, 3, conv2, &block->conv2, err) &&
           gfpgan_bind_conv(gfpgan, weights, out, in, 1, skip, &block->skip, err);
}

/* A tensor's numbers, into memory that is there. */
static bool gfpgan_read(const struct weights *weights, const char *name, size_t count,
                        float *ret_values, struct err *err)
{
    const struct weight *weight = weights_find(weights, name);
    if (!weight || weight->count != (int64_t)count)
        return err_set(err, ERR_INVALID, "tensor '%s' is not of %zu numbers", name, count);
    return weight_to_f32(weight, ret_values, err);
}

/* Two layers that read the same: one filter, the scale's outputs first. */
static bool gfpgan_bind_condition(struct gfpgan *gfpgan, const struct weights *weights, int index,
                                  int channels, struct conv_filter **ret_filter, struct err *err)
{
    static const char *const kinds[] = { "scale", "shift" };
    const struct conv_shape shape = { .out_channels = 2 * channels,
                                      .in_channels = channels,
                                      .kernel = 3 };
    size_t half = (size_t)channels * channels * 9;
    if (!conv_filter_new(gfpgan->engine, &shape, ret_filter, err))
        return false;
    for (int i = 0; i < 2; i++) {
        char name[KEYS_NAME_BYTES];
        snprintf(name, sizeof name, "condition_%s.%d.0.weight", kinds[i], index);
        if (!gfpgan_read(weights, name, half, conv_filter_weights(*ret_filter) + half * i, err))
            return false;
        snprintf(name, sizeof name, "condition_%s.%d.0.bias", kinds[i], index);
        if (!gfpgan_read(weights, name, (size_t)channels,
                         conv_filter_bias(*ret_filter) + (size_t)channels * i, err))
            return false;
    }
    return true;
}

/* noise: the number of its noise map, which is optional. */
static bool gfpgan_bind_style(struct gfpgan *gfpgan, const struct weights *weights,
                              const char *prefix, int in, int out, int noise,
                              struct gfpgan_style *style, struct err *err)
{
    const struct conv_shape shape = { .out_channels = out, .in_channels = in, .kernel = 3 };
    size_t pairs = (size_t)in * out;
    int64_t size = 1 << ((noise + 5) / 2);
    char name[GFPGAN_NAME_BYTES];
    style->in_channels = in;
    style->out_channels = out;
    style->squares = malloc(pairs * sizeof *style->squares);
    if (!style->squares)
        return err_set(err, ERR_NO_MEMORY, "no memory for a modulated convolution");
    snprintf(name, sizeof name, "%s.modulated_conv.weight", prefix);
    if (!conv_filter_new(gfpgan->engine, &shape, &style->filter, err) ||
        !gfpgan_read(weights, name, pairs * 9, conv_filter_weights(style->filter), err))
        return false;
    const float *taps = conv_filter_weights(style->filter);
    for (size_t i = 0; i < pairs; i++) {
        double sum = 0;
        for (int tap = 0; tap < 9; tap++, taps++)
            sum += (double)*taps * *taps;
        style->squares[i] = (float)sum;
    }
    snprintf(name, sizeof name, "%s.weight", prefix);
    if (!gfpgan_read(weights, name, 1, &style->noise_weight, err))
        return false;
    snprintf(name, sizeof name, "stylegan_decoder.noises.noise%d", noise);
    if (weights_find(weights, name) && !bind_values(weights, name, size * size, &style->noise, err))
        return false;
    snprintf(name, sizeof name, "%s.bias", prefix);
    if (!bind_values(weights, name, out, &style->bias, err))
        return false;
    snprintf(name, sizeof name, "%s.modulated_conv.modulation", prefix);
    return bind_linear(gfpgan->engine, weights, name, in, gfpgan->config.style_columns,
                       &style->modulation, err);
}

static bool gfpgan_bind_rgb(struct gfpgan *gfpgan, const struct weights *weights,
                            const char *prefix, int in, struct gfpgan_rgb *rgb, struct err *err)
{
    char name[GFPGAN_NAME_BYTES];
    rgb->in_channels = in;
    snprintf(name, sizeof name, "%s.modulated_conv.weight", prefix);
    if (!bind_values(weights, name, 3 * (int64_t)in, &rgb->weights, err))
        return false;
    snprintf(name, sizeof name, "%s.bias", prefix);
    if (!bind_values(weights, name, 3, &rgb->bias, err))
        return false;
    snprintf(name, sizeof name, "%s.modulated_conv.modulation", prefix);
    return bind_linear(gfpgan->engine, weights, name, in, gfpgan->config.style_columns,
                       &rgb->modulation, err);
}

static bool gfpgan_bind_level(struct gfpgan *gfpgan, const struct weights *weights, int index,
                              struct err *err)
{
    struct gfpgan_level *level = &gfpgan->level[index];
    int below = gfpgan_channels(&gfpgan->config, 4 << index);
    int out = gfpgan_channels(&gfpgan->config, 8 << index), half = out / 2;
    char up[KEYS_NAME_BYTES], scale[KEYS_NAME_BYTES], shift[KEYS_NAME_BYTES];
    char wide[KEYS_NAME_BYTES], same[KEYS_NAME_BYTES], rgb[KEYS_NAME_BYTES];
    snprintf(up, sizeof up, "conv_body_up.%d", index);
    snprintf(scale, sizeof scale, "condition_scale.%d.2", index);
    snprintf(shift, sizeof shift, "condition_shift.%d.2", index);
    snprintf(wide, sizeof wide, "stylegan_decoder.style_convs.%d", 2 * index);
    snprintf(same, sizeof same, "stylegan_decoder.style_convs.%d", 2 * index + 1);
    snprintf(rgb, sizeof rgb, "stylegan_decoder.to_rgbs.%d", index);
    return gfpgan_bind_block(gfpgan, weights, up, below / 2, half, &level->up, err) &&
           gfpgan_bind_condition(gfpgan, weights, index, half, &level->condition, err) &&
           gfpgan_bind_conv(gfpgan, weights, half, half, 3, scale, &level->scale, err) &&
           gfpgan_bind_conv(gfpgan, weights, half, half, 3, shift, &level->shift, err) &&
           gfpgan_bind_style(gfpgan, weights, wide, below, out, 2 * index + 1, &level->wide, err) &&
           gfpgan_bind_style(gfpgan, weights, same, out, out, 2 * index + 2, &level->same, err) &&
           gfpgan_bind_rgb(gfpgan, weights, rgb, out, &level->rgb, err);
}

static bool gfpgan_bind_all(struct gfpgan *gfpgan, const struct weights *weights, struct err *err)
{
    const struct gfpgan_config *config = &gfpgan->config;
    int width = config->width, smallest = width / 2;
    int largest = gfpgan_channels(config, config->size) / 2;
    if (!gfpgan_bind_conv(gfpgan, weights, largest, 3, 1, "conv_body_first", &gfpgan->first, err) ||
        !gfpgan_bind_conv(gfpgan, weights, smallest, smallest, 3, "final_conv", &gfpgan->last,
                          err) ||
        !bind_linear(gfpgan->engine, weights, "final_linear", gfpgan->codes * config->style_columns,
                     smallest * 16, &gfpgan->code, err) ||
        !bind_values(weights, "stylegan_decoder.constant_input.weight", (int64_t)width * 16,
                     &gfpgan->constant, err) ||
        !gfpgan_bind_style(gfpgan, weights, "stylegan_decoder.style_conv1", width, width, 0,
                           &gfpgan->start, err) ||
        !gfpgan_bind_rgb(gfpgan, weights, "stylegan_decoder.to_rgb1", width, &gfpgan->start_rgb,
                         err))
        return false;
    for (int i = 0; i < gfpgan->levels; i++) {
        char down[KEYS_NAME_BYTES];
        int size = config->size >> i;
        snprintf(down, sizeof down, "conv_body_down.%d", i);
        if (!gfpgan_bind_block(gfpgan, weights, down, gfpgan_channels(config, size) / 2,
                               gfpgan_channels(config, size / 2) / 2, &gfpgan->down[i], err) ||
            !gfpgan_bind_level(gfpgan, weights, i, err))
            return false;
    }
    return true;
}

static bool gfpgan_check(const struct gfpgan_config *config, const struct weights *weights,
                         struct err *err)
{
    struct keys *keys = gfpgan_keys(config);
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of tensors");
    bool ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    return ok;
}

bool gfpgan_new(struct engine *engine, const struct weights *weights,
                const struct gfpgan_config *config, struct gfpgan **ret_gfpgan, struct err *err)
{
    if (!config)
        config = &gfpgan_published;
    if (!gfpgan_config_check(config, err) || !gfpgan_check(config, weights, err))
        return false;
    struct gfpgan *gfpgan = calloc(1, sizeof *gfpgan);
    if (!gfpgan)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    gfpgan->engine = engine;
    gfpgan->config = *config;
    gfpgan->levels = gfpgan_levels(config);
    gfpgan->codes = 2 * gfpgan->levels + 2;
    if (!gfpgan_bind_all(gfpgan, weights, err)) {
        gfpgan_free(gfpgan);
        return err_while(err, "binding GFPGAN");
    }
    *ret_gfpgan = gfpgan;
    return true;
}

static void gfpgan_free_block(struct gfpgan_block *block)
{
    conv_filter_free(block->conv1);
    conv_filter_free(block->conv2);
    conv_filter_free(block->skip);
}

static void gfpgan_free_style(struct gfpgan_style *style)
{
    conv_filter_free(style->filter);
    linear_free(style->modulation);
    free(style->squares);
    free(style->bias);
    free(style->noise);
}

static void gfpgan_free_rgb(struct gfpgan_rgb *rgb)
{
    linear_free(rgb->modulation);
    free(rgb->weights);
    free(rgb->bias);
}

void gfpgan_free(struct gfpgan *gfpgan)
{
    if (!gfpgan)
        return;
    conv_filter_free(gfpgan->first);
    conv_filter_free(gfpgan->last);
    linear_free(gfpgan->code);
    free(gfpgan->constant);
    gfpgan_free_style(&gfpgan->start);
    gfpgan_free_rgb(&gfpgan->start_rgb);
    for (int i = 0; i < gfpgan->levels; i++) {
        struct gfpgan_level *level = &gfpgan->level[i];
        gfpgan_free_block(&gfpgan->down[i]);
        gfpgan_free_block(&level->up);
        conv_filter_free(level->condition);
        conv_filter_free(level->scale);
        conv_filter_free(level->shift);
        gfpgan_free_style(&level->wide);
        gfpgan_free_style(&level->same);
        gfpgan_free_rgb(&level->rgb);
    }
    free(gfpgan);
}
