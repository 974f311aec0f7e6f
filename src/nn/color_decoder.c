#include "nn/color_decoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "engine/attention.h"
#include "engine/conv.h"
#include "engine/norm.h"
#include "nn/bind.h"
#include "weights/weights.h"

#define DIM COLOR_DECODER_DIM
#define QUERIES COLOR_DECODER_QUERIES
#define LEVELS COLOR_DECODER_LEVELS
#define LAYERS 9 /* each looks at one level, in turn */
#define HEADS 8
#define FEEDFORWARD 2048
#define EMBED_LAYERS 3
#define EPS 1e-5f
#define TEMPERATURE 10000.0 /* of the position's wavelengths */

struct norm {
    float *scale, *shift;
};

struct attention_layer {
    struct linear *query, *key, *value, *out;
    struct norm norm;
};

struct layer {
    struct attention_layer cross, self;
    struct linear *widen, *narrow;
    struct norm norm;
};

struct color_decoder {
    struct engine *engine;
    struct conv_filter *project[LEVELS]; /* the level's embedding is in the bias */
    int channels[LEVELS];
    struct layer layers[LAYERS];
    struct norm norm;
    struct linear *embed[EMBED_LAYERS];
    float *features, *places; /* of the queries, [QUERIES][DIM] each */
};

/* ---- Names -------------------------------------------------------------------------------- */

static void attention_keys(struct keys *keys, const char *prefix, const char *kind,
                           const char *attention, int layer)
{
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.transformer_%s_attention_layers.%d.%s", prefix, kind, layer,
             attention);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3 * DIM, DIM), "%s.in_proj_weight", name);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3 * DIM), "%s.in_proj_bias", name);
    snprintf(name, sizeof name, "%s.transformer_%s_attention_layers.%d.%s.out_proj", prefix, kind,
             layer, attention);
    keys_add_linear(keys, name, DIM, DIM);
    snprintf(name, sizeof name, "%s.transformer_%s_attention_layers.%d.norm", prefix, kind, layer);
    keys_add_norm(keys, name, DIM);
}

void color_decoder_keys(struct keys *keys, const char *prefix, const int channels[LEVELS])
{
    char name[KEYS_NAME_BYTES];
    for (int layer = 0; layer < LAYERS; layer++) {
        attention_keys(keys, prefix, "cross", "multihead_attn", layer);
        attention_keys(keys, prefix, "self", "self_attn", layer);
        snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.linear1", prefix, layer);
        keys_add_linear(keys, name, FEEDFORWARD, DIM);
        snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.linear2", prefix, layer);
        keys_add_linear(keys, name, DIM, FEEDFORWARD);
        snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.norm", prefix, layer);
        keys_add_norm(keys, name, DIM);
    }
    snprintf(name, sizeof name, "%s.decoder_norm", prefix);
    keys_add_norm(keys, name, DIM);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(QUERIES, DIM), "%s.query_feat.weight", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(QUERIES, DIM), "%s.query_embed.weight", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(LEVELS, DIM), "%s.level_embed.weight", prefix);
    for (int level = 0; level < LEVELS; level++) {
        snprintf(name, sizeof name, "%s.input_proj.%d", prefix, level);
        keys_add_conv(keys, name, DIM, channels[level], 1, true);
    }
    for (int i = 0; i < EMBED_LAYERS; i++) {
        snprintf(name, sizeof name, "%s.color_embed.layers.%d", prefix, i);
        keys_add_linear(keys, name, DIM, DIM);
    }
}

/* ---- Binding ------------------------------------------------------------------------------ */

static bool bind_norm(const struct weights *weights, const char *prefix, struct norm *ret_norm,
                      struct err *err)
{
    char name[KEYS_NAME_BYTES + 64];
    snprintf(name, sizeof name, "%s.weight", prefix);
    if (!bind_values(weights, name, DIM, &ret_norm->scale, err))
        return false;
    snprintf(name, sizeof name, "%s.bias", prefix);
    return bind_values(weights, name, DIM, &ret_norm->shift, err);
}

/* One of the three projections that torch keeps stacked in one tensor. */
static bool bind_stacked(struct engine *engine, const float *weight, const float *bias, int which,
                         struct linear **ret_linear, struct err *err)
{
    if (!linear_new(engine, DIM, DIM, ret_linear, err))
        return false;
    memcpy(linear_weights(*ret_linear), weight + (size_t)which * DIM * DIM,
           (size_t)DIM * DIM * sizeof *weight);
    memcpy(linear_bias(*ret_linear), bias + (size_t)which * DIM, DIM * sizeof *bias);
    return true;
}

static bool bind_attention(struct color_decoder *decoder, const struct weights *weights,
                           const char *prefix, const char *attention, struct attention_layer *to,
                           struct err *err)
{
    struct engine *engine = decoder->engine;
    char name[KEYS_NAME_BYTES + 32];
    float *weight = NULL, *bias = NULL;
    snprintf(name, sizeof name, "%s.%s.in_proj_weight", prefix, attention);
    bool ok = bind_values(weights, name, (int64_t)3 * DIM * DIM, &weight, err);
    snprintf(name, sizeof name, "%s.%s.in_proj_bias", prefix, attention);
    ok = ok && bind_values(weights, name, (int64_t)3 * DIM, &bias, err) &&
         bind_stacked(engine, weight, bias, 0, &to->query, err) &&
         bind_stacked(engine, weight, bias, 1, &to->key, err) &&
         bind_stacked(engine, weight, bias, 2, &to->value, err);
    free(weight);
    free(bias);
    snprintf(name, sizeof name, "%s.%s.out_proj", prefix, attention);
    ok = ok && bind_linear(engine, weights, name, DIM, DIM, &to->out, err);
    snprintf(name, sizeof name, "%s.norm", prefix);
    return ok && bind_norm(weights, name, &to->norm, err);
}

static bool bind_layer(struct color_decoder *decoder, const struct weights *weights,
                       const char *prefix, int index, struct err *err)
{
    struct layer *layer = &decoder->layers[index];
    struct engine *engine = decoder->engine;
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.transformer_cross_attention_layers.%d", prefix, index);
    if (!bind_attention(decoder, weights, name, "multihead_attn", &layer->cross, err))
        return false;
    snprintf(name, sizeof name, "%s.transformer_self_attention_layers.%d", prefix, index);
    if (!bind_attention(decoder, weights, name, "self_attn", &layer->self, err))
        return false;
    snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.linear1", prefix, index);
    if (!bind_linear(engine, weights, name, FEEDFORWARD, DIM, &layer->widen, err))
        return false;
    snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.linear2", prefix, index);
    if (!bind_linear(engine, weights, name, DIM, FEEDFORWARD, &layer->narrow, err))
        return false;
    snprintf(name, sizeof name, "%s.transformer_ffn_layers.%d.norm", prefix, index);
    return bind_norm(weights, name, &layer->norm, err);
}

/* A level's projection, with the level's embedding added to what it makes. */
static bool bind_projection(struct color_decoder *decoder, const struct weights *weights,
                            const char *prefix, int level, const float *embedding, struct err *err)
{
    struct conv_shape shape = { .out_channels = DIM,
                                .in_channels = decoder->channels[level],
                                .kernel = 1 };
    char name[KEYS_NAME_BYTES];
    snprintf(name, sizeof name, "%s.input_proj.%d", prefix, level);
    if (!bind_conv(decoder->engine, weights, name, NULL, 0, &shape, &decoder->project[level], err))
        return false;
    float *bias = conv_filter_bias(decoder->project[level]);
    for (int i = 0; i < DIM; i++)
        bias[i] += embedding[(size_t)level * DIM + i];
    return true;
}

static bool bind_all(struct color_decoder *decoder, const struct weights *weights,
                     const char *prefix, struct err *err)
{
    char name[KEYS_NAME_BYTES];
    float *embedding = NULL;
    snprintf(name, sizeof name, "%s.level_embed.weight", prefix);
    bool ok = bind_values(weights, name, (int64_t)LEVELS * DIM, &embedding, err);
    for (int level = 0; ok && level < LEVELS; level++)
        ok = bind_projection(decoder, weights, prefix, level, embedding, err);
    free(embedding);
    for (int layer = 0; ok && layer < LAYERS; layer++)
        ok = bind_layer(decoder, weights, prefix, layer, err);
    for (int i = 0; ok && i < EMBED_LAYERS; i++) {
        snprintf(name, sizeof name, "%s.color_embed.layers.%d", prefix, i);
        ok = bind_linear(decoder->engine, weights, name, DIM, DIM, &decoder->embed[i], err);
    }
    snprintf(name, sizeof name, "%s.decoder_norm", prefix);
    ok = ok && bind_norm(weights, name, &decoder->norm, err);
    snprintf(name, sizeof name, "%s.query_feat.weight", prefix);
    ok = ok && bind_values(weights, name, (int64_t)QUERIES * DIM, &decoder->features, err);
    snprintf(name, sizeof name, "%s.query_embed.weight", prefix);
    return ok && bind_values(weights, name, (int64_t)QUERIES * DIM, &decoder->places, err);
}

bool color_decoder_new(struct engine *engine, const struct weights *weights, const char *prefix,
                       const int channels[LEVELS], struct color_decoder **ret_decoder,
                       struct err *err)
{
    struct color_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    decoder->engine = engine;
    memcpy(decoder->channels, channels, sizeof decoder->channels);
    if (!bind_all(decoder, weights, prefix, err)) {
        color_decoder_free(decoder);
        return err_while(err, "binding the color decoder");
    }
    *ret_decoder = decoder;
    return true;
}

static void norm_free(struct norm *norm)
{
    free(norm->scale);
    free(norm->shift);
}

static void attention_free(struct attention_layer *layer)
{
    linear_free(layer->query);
    linear_free(layer->key);
    linear_free(layer->value);
    linear_free(layer->out);
    norm_free(&layer->norm);
}

void color_decoder_free(struct color_decoder *decoder)
{
    if (!decoder)
        return;
    for (int level = 0; level < LEVELS; level++)
        conv_filter_free(decoder->project[level]);
    for (int i = 0; i < LAYERS; i++) {
        attention_free(&decoder->layers[i].cross);
        attention_free(&decoder->layers[i].self);
        linear_free(decoder->layers[i].widen);
        linear_free(decoder->layers[i].narrow);
        norm_free(&decoder->layers[i].norm);
    }
    for (int i = 0; i < EMBED_LAYERS; i++)
        linear_free(decoder->embed[i]);
    norm_free(&decoder->norm);
    free(decoder->features);
    free(decoder->places);
    free(decoder);
}

void color_decoder_fold(struct color_decoder *decoder, int level, const float *scale,
                        const float *shift)
{
    bind_fold_input(decoder->project[level], DIM, decoder->channels[level], scale, shift);
}

/* ---- The forward pass --------------------------------------------------------------------- */

/* The first half of a position's numbers tells its row, the second its column. */
static void place_values(int index, int count, float ret_values[DIM / 2])
{
    float at = (float)(index + 1) / ((float)count + 1e-6f) * (float)(2 * M_PI);
    for (int i = 0; i < DIM / 2; i++) {
        float wave = (float)pow(TEMPERATURE, (double)(2 * (i / 2)) / (DIM / 2));
        ret_values[i] = i % 2 ? cosf(at / wave) : sinf(at / wave);
    }
}

/* dst = memory + the position of each of the height x width tokens. */
static bool places_add(struct color_decoder *decoder, const struct matrix *memory, int height,
                       int width, const struct matrix *dst, struct err *err)
{
    struct matrix columns;
    size_t mark = engine_mark(decoder->engine);
    if (!engine_matrix(decoder->engine, width, DIM / 2, &columns, err))
        return false;
    for (int x = 0; x < width; x++)
        place_values(x, width, columns.data + (size_t)x * columns.stride);
    for (int y = 0; y < height; y++) {
        float row[DIM / 2];
        place_values(y, height, row);
        for (int x = 0; x < width; x++) {
            size_t token = (size_t)y * width + x;
            const float *from = memory->data + token * memory->stride;
            const float *column = columns.data + (size_t)x * columns.stride;
            float *to = dst->data + token * dst->stride;
            for (int i = 0; i < DIM / 2; i++) {
                to[i] = from[i] + row[i];
                to[DIM / 2 + i] = from[DIM / 2 + i] + column[i];
            }
        }
    }
    engine_release(decoder->engine, mark);
    return true;
}

/* What the queries look at, of one level: values, and values with positions. */
struct memory {
    struct matrix plain, placed;
};

static bool memory_make(struct color_decoder *decoder, int level, const struct tensor *features,
                        struct memory *ret_memory, struct err *err)
{
    struct engine *engine = decoder->engine;
    int height = features->height, width = features->width;
    if (!engine_matrix(engine, height * width, DIM, &ret_memory->plain, err) ||
        !engine_matrix(engine, height * width, DIM, &ret_memory->placed, err))
        return false;
    struct tensor projected;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor(engine, DIM, height, width, &projected, err) &&
              conv_run(engine, decoder->project[level], features, &(struct conv_options){ 0 },
                       &projected, err) &&
              matrix_from_tensor(engine, &projected, &ret_memory->plain, err) &&
              places_add(decoder, &ret_memory->plain, height, width, &ret_memory->placed, err);
    engine_release(engine, mark);
    return ok;
}

/* queries = norm(queries + out(attention(queries + places, keys, values))) */
static bool attend(struct color_decoder *decoder, const struct attention_layer *layer,
                   const struct matrix *queries, const struct matrix *keys,
                   const struct matrix *values, struct err *err)
{
    struct engine *engine = decoder->engine;
    struct matrix places = { QUERIES, DIM, DIM, decoder->places };
    struct matrix placed, query, key, value;
    struct attention attention = { .heads = HEADS };
    size_t mark = engine_mark(engine);
    bool ok = engine_matrix(engine, QUERIES, DIM, &placed, err) &&
              engine_matrix(engine, QUERIES, DIM, &query, err) &&
              engine_matrix(engine, values->rows, DIM, &key, err) &&
              engine_matrix(engine, values->rows, DIM, &value, err) &&
              matrix_add(engine, queries, &places, &placed, err) &&
              linear_run(engine, layer->query, &placed, LINEAR_NONE, NULL, &query, err) &&
              linear_run(engine, layer->key, keys ? keys : &placed, LINEAR_NONE, NULL, &key, err) &&
              linear_run(engine, layer->value, values, LINEAR_NONE, NULL, &value, err) &&
              attention_run(engine, &query, &key, &value, &attention, &placed, err) &&
              linear_run(engine, layer->out, &placed, LINEAR_NONE, queries, queries, err) &&
              norm_rows(engine, queries, layer->norm.scale, layer->norm.shift, EPS, queries, err);
    engine_release(engine, mark);
    return ok;
}

static bool feed_forward(struct color_decoder *decoder, const struct layer *layer,
                         const struct matrix *queries, struct err *err)
{
    struct engine *engine = decoder->engine;
    struct matrix wide;
    size_t mark = engine_mark(engine);
    bool ok = engine_matrix(engine, QUERIES, FEEDFORWARD, &wide, err) &&
              linear_run(engine, layer->widen, queries, LINEAR_RELU, NULL, &wide, err) &&
              linear_run(engine, layer->narrow, &wide, LINEAR_NONE, queries, queries, err) &&
              norm_rows(engine, queries, layer->norm.scale, layer->norm.shift, EPS, queries, err);
    engine_release(engine, mark);
    return ok;
}

static bool color_decoder_forward(struct color_decoder *decoder, const struct tensor *levels,
                                  const struct matrix *embeddings, struct err *err)
{
    struct engine *engine = decoder->engine;
    struct memory memories[LEVELS];
    struct matrix queries, hidden;
    for (int level = 0; level < LEVELS; level++)
        if (!memory_make(decoder, level, &levels[level], &memories[level], err))
            return false;
    if (!engine_matrix(engine, QUERIES, DIM, &queries, err) ||
        !engine_matrix(engine, QUERIES, DIM, &hidden, err))
        return false;
    for (int i = 0; i < QUERIES; i++)
        memcpy(queries.data + (size_t)i * queries.stride, decoder->features + (size_t)i * DIM,
               DIM * sizeof *queries.data);
    for (int i = 0; i < LAYERS; i++) {
        const struct layer *layer = &decoder->layers[i];
        const struct memory *memory = &memories[i % LEVELS];
        if (!attend(decoder, &layer->cross, &queries, &memory->placed, &memory->plain, err) ||
            !attend(decoder, &layer->self, &queries, NULL, &queries, err) ||
            !feed_forward(decoder, layer, &queries, err))
            return false;
    }
    return norm_rows(engine, &queries, decoder->norm.scale, decoder->norm.shift, EPS, &queries,
                     err) &&
           linear_run(engine, decoder->embed[0], &queries, LINEAR_RELU, NULL, &hidden, err) &&
           linear_run(engine, decoder->embed[1], &hidden, LINEAR_RELU, NULL, &queries, err) &&
           linear_run(engine, decoder->embed[2], &queries, LINEAR_NONE, NULL, embeddings, err);
}

bool color_decoder_run(struct color_decoder *decoder, const struct tensor levels[LEVELS],
                       const struct matrix *embeddings, struct err *err)
{
    size_t mark = engine_mark(decoder->engine);
    bool ok = color_decoder_forward(decoder, levels, embeddings, err);
    engine_release(decoder->engine, mark);
    return ok;
}
