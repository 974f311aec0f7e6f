/* RestoreFormer's tensors: their names and shapes, and filling filters from them. restoreformer.c
 * computes. Encoder and decoder are walked by one function, which either lists the keys or binds
 * them: the table and the binding cannot differ. */
#include "nn/restoreformer_private.h"

#include "base/err.h"
#include "nn/bind.h"
#include "nn/keys.h"
#include "weights/weights.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define RESTOREFORMER_GROUPS 32
#define RESTOREFORMER_NAME_BYTES (2 * KEYS_NAME_BYTES) /* of a name made of another */

const struct restoreformer_config restoreformer_published = { 512, 64,   6,   { 1, 2, 2, 4, 4, 8 },
                                                              2,   1024, 256, 8 };

int restoreformer_channels(const struct restoreformer_config *config, int level)
{
    return config->channels * config->multipliers[level];
}

static bool restoreformer_config_check(const struct restoreformer_config *config, struct err *err)
{
    bool sane = config->levels >= 1 && config->levels <= RESTOREFORMER_LEVELS_MAX &&
                config->channels >= RESTOREFORMER_GROUPS && config->channels <= 1024 &&
                config->channels % RESTOREFORMER_GROUPS == 0 && config->blocks >= 1 &&
                config->blocks < RESTOREFORMER_BLOCKS_MAX && config->codes >= 1 &&
                config->codes <= 65536 && config->code_columns >= 16 &&
                config->code_columns <= 4096 && config->code_columns % 16 == 0 &&
                config->heads >= 1 && config->size >= 1 && config->size <= 4096 &&
                config->size % (1 << (config->levels - 1)) == 0;
    for (int i = 0; sane && i < config->levels; i++)
        sane = config->multipliers[i] >= 1 && config->multipliers[i] <= 64;
    sane = sane && restoreformer_channels(config, config->levels - 1) % config->heads == 0;
    return sane || err_set(err, ERR_INVALID, "no RestoreFormer can have these measures");
}

/* What is done at each layer: list its keys (`keys` set) or bind it. */
struct restoreformer_walk {
    struct keys *keys;
    struct engine *engine;
    const struct weights *weights;
    struct err *err;
};

static bool restoreformer_conv(const struct restoreformer_walk *walk, const char *prefix,
                               const char *name, int out, int in, int kernel,
                               struct conv_filter **ret_filter)
{
    const struct conv_shape shape = { .out_channels = out, .in_channels = in, .kernel = kernel };
    char full[RESTOREFORMER_NAME_BYTES];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (walk->keys) {
        keys_add_conv(walk->keys, full, out, in, kernel, true);
        return true;
    }
    return bind_conv(walk->engine, walk->weights, full, NULL, 0, &shape, ret_filter, walk->err);
}

static bool restoreformer_norm(const struct restoreformer_walk *walk, const char *prefix,
                               const char *name, int channels, struct restoreformer_norm *norm)
{
    char scale[RESTOREFORMER_NAME_BYTES], shift[RESTOREFORMER_NAME_BYTES],
        full[RESTOREFORMER_NAME_BYTES];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (walk->keys) {
        keys_add_norm(walk->keys, full, channels);
        return true;
    }
    snprintf(scale, sizeof scale, "%s%s.weight", prefix, name);
    snprintf(shift, sizeof shift, "%s%s.bias", prefix, name);
    return bind_values(walk->weights, scale, channels, &norm->scale, walk->err) &&
           bind_values(walk->weights, shift, channels, &norm->shift, walk->err);
}

static bool restoreformer_block(const struct restoreformer_walk *walk, const char *prefix, int in,
                                int out, struct restoreformer_block *block)
{
    block->in_channels = in;
    block->out_channels = out;
    return restoreformer_norm(walk, prefix, ".norm1", in, &block->norm1) &&
           restoreformer_conv(walk, prefix, ".conv1", out, in, 3, &block->conv1) &&
           restoreformer_norm(walk, prefix, ".norm2", out, &block->norm2) &&
           restoreformer_conv(walk, prefix, ".conv2", out, out, 3, &block->conv2) &&
           (in == out ||
            restoreformer_conv(walk, prefix, ".nin_shortcut", out, in, 1, &block->shortcut));
}

/* `crossing`: the query comes from elsewhere. Else norm2 is in the file but unused. */
static bool restoreformer_attention(const struct restoreformer_walk *walk, const char *prefix,
                                    int channels, bool crossing,
                                    struct restoreformer_attention *attention)
{
    if (walk->keys && !crossing) {
        keys_add(walk->keys, KEY_UNUSED, KEYS_SHAPE(channels), "%s.norm2.weight", prefix);
        keys_add(walk->keys, KEY_UNUSED, KEYS_SHAPE(channels), "%s.norm2.bias", prefix);
    }
    return restoreformer_norm(walk, prefix, ".norm1", channels, &attention->norm1) &&
           (!crossing || restoreformer_norm(walk, prefix, ".norm2", channels, &attention->norm2)) &&
           restoreformer_conv(walk, prefix, ".q", channels, channels, 1, &attention->query) &&
           restoreformer_conv(walk, prefix, ".k", channels, channels, 1, &attention->key) &&
           restoreformer_conv(walk, prefix, ".v", channels, channels, 1, &attention->value) &&
           restoreformer_conv(walk, prefix, ".proj_out", channels, channels, 1, &attention->out);
}

/* One level. `in`: channels of what its first block gets. */
static bool restoreformer_level(const struct restoreformer_walk *walk,
                                const struct restoreformer_config *config, bool decoder, int index,
                                int in, struct restoreformer_level *level)
{
    int channels = restoreformer_channels(config, index);
    bool last = index == config->levels - 1;
    char prefix[KEYS_NAME_BYTES / 2], name[KEYS_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "%s.%d", decoder ? "decoder.up" : "encoder.down", index);
    for (int i = 0; i < config->blocks + decoder; i++) {
        snprintf(name, sizeof name, "%s.block.%d", prefix, i);
        if (!restoreformer_block(walk, name, i == 0 ? in : channels, channels, &level->blocks[i]))
            return false;
        snprintf(name, sizeof name, "%s.attn.%d", prefix, i);
        if (last && !restoreformer_attention(walk, name, channels, decoder, &level->attentions[i]))
            return false;
    }
    if (decoder ? index == 0 : last)
        return true;
    return restoreformer_conv(walk, prefix, decoder ? ".upsample.conv" : ".downsample.conv",
                              channels, channels, 3, &level->resample);
}

static bool restoreformer_half(const struct restoreformer_walk *walk,
                               const struct restoreformer_config *config, bool decoder,
                               struct restoreformer_half *half)
{
    const char *prefix = decoder ? "decoder" : "encoder";
    int deepest = restoreformer_channels(config, config->levels - 1), in = config->channels;
    int largest = restoreformer_channels(config, 0), columns = config->code_columns;
    char name[KEYS_NAME_BYTES];
    if (!(decoder ? restoreformer_conv(walk, prefix, ".conv_in", deepest, columns, 3, &half->in)
                  : restoreformer_conv(walk, prefix, ".conv_in", in, 3, 3, &half->in)))
        return false;
    snprintf(name, sizeof name, "%s.mid.block_1", prefix);
    if (!restoreformer_block(walk, name, deepest, deepest, &half->block1))
        return false;
    snprintf(name, sizeof name, "%s.mid.attn_1", prefix);
    if (!restoreformer_attention(walk, name, deepest, decoder, &half->attention))
        return false;
    snprintf(name, sizeof name, "%s.mid.block_2", prefix);
    if (!restoreformer_block(walk, name, deepest, deepest, &half->block2))
        return false;
    for (int i = 0; i < config->levels; i++) {
        int before = decoder ? (i + 1 < config->levels ? i + 1 : i) : i - 1;
        int channels = before < 0 ? in : restoreformer_channels(config, before);
        if (!restoreformer_level(walk, config, decoder, i, channels, &half->levels[i]))
            return false;
    }
    return restoreformer_norm(walk, prefix, ".norm_out", decoder ? largest : deepest,
                              &half->norm) &&
           (decoder
                ? restoreformer_conv(walk, prefix, ".conv_out", 3, largest, 3, &half->out)
                : restoreformer_conv(walk, prefix, ".conv_out", columns, deepest, 3, &half->out));
}

/* The whole network; `network` is only measured when keys are listed. */
static bool restoreformer_walk(const struct restoreformer_walk *walk,
                               const struct restoreformer_config *config,
                               struct restoreformer *network)
{
    int columns = config->code_columns;
    if (walk->keys)
        keys_add(walk->keys, KEY_REQUIRED, KEYS_SHAPE(config->codes, columns),
                 "quantize.embedding.weight");
    else if (!bind_values(walk->weights, "quantize.embedding.weight",
                          (int64_t)config->codes * columns, &network->codes, walk->err))
        return false;
    return restoreformer_half(walk, config, false, &network->encoder) &&
           restoreformer_half(walk, config, true, &network->decoder) &&
           restoreformer_conv(walk, "", "quant_conv", columns, columns, 1, &network->before) &&
           restoreformer_conv(walk, "", "post_quant_conv", columns, columns, 1, &network->after);
}

struct keys *restoreformer_keys(const struct restoreformer_config *config)
{
    struct restoreformer *unused = calloc(1, sizeof *unused);
    struct keys *keys = unused ? keys_new("RestoreFormer") : NULL;
    if (keys)
        restoreformer_walk(&(struct restoreformer_walk){ .keys = keys }, config, unused);
    free(unused);
    return keys;
}

bool restoreformer_is(const struct weights *weights)
{
    return weights_find(weights, "quantize.embedding.weight") &&
           weights_find(weights, "encoder.mid.attn_1.q.weight");
}

static bool restoreformer_bind(struct restoreformer *network, const struct weights *weights,
                               struct err *err)
{
    const struct restoreformer_config *config = &network->config;
    const struct restoreformer_walk walk = { .engine = network->engine,
                                             .weights = weights,
                                             .err = err };
    network->squares = malloc((size_t)config->codes * sizeof *network->squares);
    if (!network->squares)
        return err_set(err, ERR_NO_MEMORY, "no memory for a codebook");
    if (!restoreformer_walk(&walk, config, network))
        return false;
    for (int i = 0; i < config->codes; i++) {
        const float *code = network->codes + (size_t)i * config->code_columns;
        double sum = 0;
        for (int k = 0; k < config->code_columns; k++)
            sum += (double)code[k] * code[k];
        network->squares[i] = (float)sum;
    }
    return true;
}

bool restoreformer_new(struct engine *engine, const struct weights *weights,
                       const struct restoreformer_config *config,
                       struct restoreformer **ret_restoreformer, struct err *err)
{
    if (!config)
        config = &restoreformer_published;
    if (!restoreformer_config_check(config, err))
        return false;
    struct keys *keys = restoreformer_keys(config);
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of tensors");
    bool fits = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    if (!fits)
        return false;
    struct restoreformer *network = calloc(1, sizeof *network);
    if (!network)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    network->engine = engine;
    network->config = *config;
    if (!restoreformer_bind(network, weights, err)) {
        restoreformer_free(network);
        return err_while(err, "binding RestoreFormer");
    }
    *ret_restoreformer = network;
    return true;
}

static void restoreformer_free_norm(struct restoreformer_norm *norm)
{
    free(norm->scale);
    free(norm->shift);
}

static void restoreformer_free_block(struct restoreformer_block *block)
{
    restoreformer_free_norm(&block->norm1);
    restoreformer_free_norm(&block->norm2);
    conv_filter_free(block->conv1);
    conv_filter_free(block->conv2);
    conv_filter_free(block->shortcut);
}

static void restoreformer_free_attention(struct restoreformer_attention *attention)
{
    restoreformer_free_norm(&attention->norm1);
    restoreformer_free_norm(&attention->norm2);
    conv_filter_free(attention->query);
    conv_filter_free(attention->key);
    conv_filter_free(attention->value);
    conv_filter_free(attention->out);
}

static void restoreformer_free_half(struct restoreformer_half *half)
{
    conv_filter_free(half->in);
    conv_filter_free(half->out);
    restoreformer_free_norm(&half->norm);
    restoreformer_free_block(&half->block1);
    restoreformer_free_block(&half->block2);
    restoreformer_free_attention(&half->attention);
    for (int i = 0; i < RESTOREFORMER_LEVELS_MAX; i++) {
        conv_filter_free(half->levels[i].resample);
        for (int k = 0; k < RESTOREFORMER_BLOCKS_MAX; k++) {
            restoreformer_free_block(&half->levels[i].blocks[k]);
            restoreformer_free_attention(&half->levels[i].attentions[k]);
        }
    }
}

void restoreformer_free(struct restoreformer *network)
{
    if (!network)
        return;
    restoreformer_free_half(&network->encoder);
    restoreformer_free_half(&network->decoder);
    conv_filter_free(network->before);
    conv_filter_free(network->after);
    free(network->codes);
    free(network->squares);
    free(network);
}
