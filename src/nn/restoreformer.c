/* RestoreFormer's forward pass. restoreformer_bind.c makes the network. */
#include "nn/restoreformer_private.h"

#include "base/err.h"
#include "engine/attention.h"
#include "engine/norm.h"
#include "engine/plane.h"

#include <stdint.h>
#include <string.h>

#define RESTOREFORMER_GROUPS 32
#define RESTOREFORMER_NORM_EPS 1e-6f

void restoreformer_watch(struct restoreformer *network, const struct stage_watch *watch)
{
    network->watch = *watch;
}

static bool restoreformer_norm(struct restoreformer *network, const struct tensor *src,
                               const struct restoreformer_norm *norm, bool swish,
                               const struct tensor *dst, struct err *err)
{
    const struct norm_group options = { .groups = RESTOREFORMER_GROUPS,
                                        .scale = norm->scale,
                                        .shift = norm->shift,
                                        .eps = RESTOREFORMER_NORM_EPS,
                                        .silu = swish };
    return norm_group(network->engine, src, &options, dst, err);
}

/* A residual block. dst is x itself when the numbers of channels are the same. Else x is
 * overwritten: its part of the sum is in dst by then, and at the largest size a copy would be the
 * largest tensor of all. */
static bool restoreformer_block(struct restoreformer *network,
                                const struct restoreformer_block *block, const struct tensor *x,
                                const struct tensor *dst, struct err *err)
{
    struct engine *engine = network->engine;
    const struct conv_options plain = { .padding = 1 };
    const struct conv_options add = { .padding = 1, .residual = dst };
    struct tensor first = *x, second;
    size_t mark = engine_mark(engine);
    bool ok = block->shortcut
                  ? conv_run(engine, block->shortcut, x, &(struct conv_options){ 0 }, dst, err)
                  : engine_tensor(engine, x->channels, x->height, x->width, &first, err);
    ok = ok && engine_tensor(engine, dst->channels, dst->height, dst->width, &second, err) &&
         restoreformer_norm(network, x, &block->norm1, true, &first, err) &&
         conv_run(engine, block->conv1, &first, &plain, &second, err) &&
         restoreformer_norm(network, &second, &block->norm2, true, &second, err) &&
         conv_run(engine, block->conv2, &second, &add, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* A 1x1 convolution whose result is tokens. */
static bool restoreformer_tokens(struct restoreformer *network, struct conv_filter *filter,
                                 const struct tensor *src, struct matrix *ret_tokens,
                                 struct err *err)
{
    struct engine *engine = network->engine;
    struct tensor result;
    if (!engine_matrix(engine, src->height * src->width, src->channels, ret_tokens, err))
        return false;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, src->channels, src->height, src->width, &result, err) &&
              conv_run(engine, filter, src, &(struct conv_options){ 0 }, &result, err) &&
              matrix_from_tensor(engine, &result, ret_tokens, err);
    engine_release(engine, mark);
    return ok;
}

/* dst = x + attention. `asking`: what the queries are made of; NULL: x. dst may be x. */
static bool restoreformer_attend(struct restoreformer *network,
                                 const struct restoreformer_attention *attention,
                                 const struct tensor *asking, const struct tensor *x,
                                 const struct tensor *dst, struct err *err)
{
    struct engine *engine = network->engine;
    const struct attention heads = { .heads = network->config.heads };
    const struct conv_options add = { .residual = x };
    struct tensor normed, asked;
    struct matrix query, key, value;
    size_t mark = engine_mark(engine);
    bool ok =
        engine_tensor(engine, x->channels, x->height, x->width, &normed, err) &&
        engine_tensor(engine, x->channels, x->height, x->width, &asked, err) &&
        restoreformer_norm(network, x, &attention->norm1, false, &normed, err) &&
        (!asking || restoreformer_norm(network, asking, &attention->norm2, false, &asked, err)) &&
        restoreformer_tokens(network, attention->query, asking ? &asked : &normed, &query, err) &&
        restoreformer_tokens(network, attention->key, &normed, &key, err) &&
        restoreformer_tokens(network, attention->value, &normed, &value, err) &&
        attention_run(engine, &query, &key, &value, &heads, &query, err) &&
        matrix_to_tensor(engine, &query, &normed, err) &&
        conv_run(engine, attention->out, &normed, &add, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The blocks of a level and, in the last level, their attentions. x: what comes in, overwritten
 * when it is not dst. */
static bool restoreformer_level(struct restoreformer *network, bool decoder, int index,
                                const struct tensor *asking, const struct tensor *x,
                                const struct tensor *dst, struct err *err)
{
    const struct restoreformer_half *half = decoder ? &network->decoder : &network->encoder;
    const struct restoreformer_level *level = &half->levels[index];
    for (int i = 0; i < network->config.blocks + decoder; i++) {
        if (!restoreformer_block(network, &level->blocks[i], i == 0 ? x : dst, dst, err))
            return false;
        if (level->attentions[i].out &&
            !restoreformer_attend(network, &level->attentions[i], asking, dst, dst, err))
            return false;
    }
    return stage_tell(&network->watch, decoder ? "up" : "down", index, dst, err);
}

/* conv_in: 3 channels, plain, to many. */
static bool restoreformer_enter(struct restoreformer *network, const float *face,
                                const struct tensor *dst, struct err *err)
{
    struct engine *engine = network->engine;
    const struct conv_options options = { .padding = 1 };
    int size = network->config.size;
    /* The engine only reads it; a tensor has no const. */
    struct tensor pixels = tensor_plain(3, size, size, (float *)(uintptr_t)face), half;
    if (engine_type(engine) == TENSOR_F32)
        return conv_run(engine, network->encoder.in, &pixels, &options, dst, err);
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor_plain(engine, 3, size, size, &half, err);
    half.type = TENSOR_BF16;
    ok = ok && plane_convert(engine, &pixels, &half, err) &&
         conv_run(engine, network->encoder.in, &half, &options, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* Levels 0 .. last; `deepest` is the last one's result. Each level's tensor stands in the arena
 * until the next one has been made of it. */
static bool restoreformer_down(struct restoreformer *network, const float *face,
                               const struct tensor *deepest, struct err *err)
{
    struct engine *engine = network->engine;
    const struct restoreformer_config *config = &network->config;
    const struct conv_options halve = { .stride = 2, .padding_end = 1 };
    struct tensor x, dst;
    int last = config->levels - 1;
    if (!engine_tensor(engine, config->channels, config->size, config->size, &x, err) ||
        !restoreformer_enter(network, face, &x, err))
        return false;
    for (int i = 0; i <= last; i++) {
        int channels = restoreformer_channels(config, i);
        dst = x;
        if (i == last)
            dst = *deepest;
        else if (channels != x.channels &&
                 !engine_tensor(engine, channels, x.height, x.width, &dst, err))
            return false;
        if (i == last && channels == x.channels && !plane_convert(engine, &x, &dst, err))
            return false;
        if (!restoreformer_level(network, false, i, NULL, channels == x.channels ? &dst : &x, &dst,
                                 err))
            return false;
        if (i == last)
            break;
        if (!engine_tensor(engine, channels, dst.height / 2, dst.width / 2, &x, err) ||
            !conv_run(engine, network->encoder.levels[i].resample, &dst, &halve, &x, err))
            return false;
    }
    return true;
}

/* The nearest code of each token: the first of the smallest |z|^2 + |e|^2 - 2 z e, in f32 and in
 * this order, because a tie is then a tie where the reference has one. latent and dst:
 * [code_columns][h][w]. */
static bool restoreformer_choose(struct restoreformer *network, const struct tensor *latent,
                                 const struct tensor *dst, struct err *err)
{
    struct engine *engine = network->engine;
    int codes = network->config.codes, columns = network->config.code_columns;
    const struct matrix book = { codes, columns, columns, network->codes };
    struct matrix tokens, products;
    size_t mark = engine_mark(engine);
    bool ok = engine_matrix(engine, latent->height * latent->width, columns, &tokens, err) &&
              engine_matrix(engine, tokens.rows, codes, &products, err) &&
              matrix_from_tensor(engine, latent, &tokens, err) &&
              matrix_multiply_transposed(engine, &tokens, &book, &products, err);
    for (int row = 0; ok && row < tokens.rows; row++) {
        const float *product = products.data + (size_t)row * products.stride;
        float *token = tokens.data + (size_t)row * tokens.stride, square = 0, least = 0;
        int nearest = 0;
        for (int i = 0; i < columns; i++)
            square += token[i] * token[i];
        for (int i = 0; i < codes; i++) {
            float distance = square + network->squares[i] - 2 * product[i];
            if (i == 0 || distance < least) {
                least = distance;
                nearest = i;
            }
        }
        memcpy(token, network->codes + (size_t)nearest * columns, sizeof *token * columns);
    }
    ok = ok && matrix_to_tensor(engine, &tokens, dst, err);
    engine_release(engine, mark);
    return ok;
}

/* The encoder. first and second, [deepest][h][w], are the features that the decoder asks with;
 * chosen, [code_columns][h][w], the codes. */
static bool restoreformer_encode(struct restoreformer *network, const float *face,
                                 const struct tensor *first, const struct tensor *second,
                                 const struct tensor *chosen, struct err *err)
{
    struct engine *engine = network->engine;
    const struct restoreformer_half *encoder = &network->encoder;
    const struct conv_options plain = { .padding = 1 }, none = { 0 };
    struct tensor normed, out, latent;
    size_t mark = engine_mark(engine);
    bool ok = restoreformer_down(network, face, first, err);
    engine_release(engine, mark);
    ok = ok && restoreformer_block(network, &encoder->block1, first, first, err) &&
         restoreformer_attend(network, &encoder->attention, NULL, first, second, err) &&
         restoreformer_block(network, &encoder->block2, second, second, err) &&
         stage_tell(&network->watch, "middle", -1, second, err) &&
         engine_tensor(engine, second->channels, second->height, second->width, &normed, err) &&
         engine_tensor(engine, chosen->channels, chosen->height, chosen->width, &out, err) &&
         engine_tensor(engine, chosen->channels, chosen->height, chosen->width, &latent, err) &&
         restoreformer_norm(network, second, &encoder->norm, true, &normed, err) &&
         conv_run(engine, encoder->out, &normed, &plain, &out, err) &&
         conv_run(engine, network->before, &out, &none, &latent, err) &&
         stage_tell(&network->watch, "latent", -1, &latent, err) &&
         restoreformer_choose(network, &latent, chosen, err) &&
         stage_tell(&network->watch, "code", -1, chosen, err);
    engine_release(engine, mark);
    return ok;
}

/* One level of the decoder. dst: [channels of this level]; x: [channels of the level before] at
 * this level's size or, with `resample` (the level before has it), at half of it. */
static bool restoreformer_up(struct restoreformer *network, int index, struct conv_filter *resample,
                             const struct tensor *asking, const struct tensor *x,
                             const struct tensor *dst, struct err *err)
{
    struct engine *engine = network->engine;
    const struct conv_options plain = { .padding = 1 };
    struct tensor wide = *x, larger;
    size_t mark = engine_mark(engine);
    bool ok = true;
    if (resample) {
        wide = *dst;
        ok = x->channels == dst->channels ||
             engine_tensor(engine, x->channels, dst->height, dst->width, &wide, err);
        size_t inner = engine_mark(engine);
        ok = ok && engine_tensor(engine, x->channels, dst->height, dst->width, &larger, err) &&
             plane_resize(engine, x, PLANE_NEAREST, &larger, err) &&
             conv_run(engine, resample, &larger, &plain, &wide, err);
        engine_release(engine, inner);
    }
    ok = ok && restoreformer_level(network, true, index, asking, &wide, dst, err);
    engine_release(engine, mark);
    return ok;
}

static bool restoreformer_decode(struct restoreformer *network, const struct tensor *first,
                                 const struct tensor *second, const struct tensor *chosen,
                                 float *ret_face, struct err *err)
{
    struct engine *engine = network->engine;
    const struct restoreformer_config *config = &network->config;
    const struct restoreformer_half *decoder = &network->decoder;
    const struct conv_options plain = { .padding = 1 }, none = { 0 };
    struct tensor image = tensor_plain(3, config->size, config->size, ret_face), code, x, dst;
    if (!engine_tensor(engine, first->channels, first->height, first->width, &x, err) ||
        !engine_tensor(engine, chosen->channels, chosen->height, chosen->width, &code, err) ||
        !conv_run(engine, network->after, chosen, &none, &code, err) ||
        !conv_run(engine, decoder->in, &code, &plain, &x, err) ||
        !restoreformer_block(network, &decoder->block1, &x, &x, err) ||
        !restoreformer_attend(network, &decoder->attention, second, &x, &x, err) ||
        !restoreformer_block(network, &decoder->block2, &x, &x, err))
        return false;
    for (int i = config->levels - 1; i >= 0; i--) {
        bool last = i == config->levels - 1;
        int size = config->size >> i;
        dst = x;
        if (!last &&
            !engine_tensor(engine, restoreformer_channels(config, i), size, size, &dst, err))
            return false;
        if (!restoreformer_up(network, i, last ? NULL : decoder->levels[i + 1].resample, first, &x,
                              &dst, err))
            return false;
        x = dst;
    }
    return restoreformer_norm(network, &x, &decoder->norm, true, &x, err) &&
           conv_run(engine, decoder->out, &x, &plain, &image, err) &&
           stage_tell(&network->watch, "image", -1, &image, err);
}

static bool restoreformer_forward(struct restoreformer *network, const float *face, float *ret_face,
                                  struct err *err)
{
    struct engine *engine = network->engine;
    const struct restoreformer_config *config = &network->config;
    int last = config->levels - 1, size = config->size >> last;
    int deepest = restoreformer_channels(config, last);
    struct tensor first, second, chosen;
    return engine_tensor(engine, deepest, size, size, &first, err) &&
           engine_tensor(engine, deepest, size, size, &second, err) &&
           engine_tensor(engine, config->code_columns, size, size, &chosen, err) &&
           restoreformer_encode(network, face, &first, &second, &chosen, err) &&
           restoreformer_decode(network, &first, &second, &chosen, ret_face, err);
}

bool restoreformer_run(struct restoreformer *network, const float *face, float *ret_face,
                       struct err *err)
{
    size_t mark = engine_mark(network->engine);
    bool ok = restoreformer_forward(network, face, ret_face, err);
    engine_release(network->engine, mark);
    return ok || err_while(err, "computing RestoreFormer");
}
