#include "nn/rrdb.h"

#include "base/err.h"
#include "engine/plane.h"
#include "nn/bind.h"
#include "nn/checkpoint.h"
#include "nn/keys.h"
#include "nn/rrdb_private.h"
#include "weights/weights.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RRDB_SLOPE 0.2f  /* of the leaky ReLUs */
#define RRDB_SCALE 0.2f  /* of what a block adds */
#define RRDB_STRIP_MIN 8 /* rows of a strip: fewer would be mostly halo */
#define RRDB_NAME_BYTES 128
#define RRDB_CHANNELS_MAX 1024

static const char *const rrdb_tail_names[RRDB_TAIL] = { "conv_body", "conv_up1", "conv_up2",
                                                        "conv_hr", "conv_last" };

/* ---- Names and shapes ---------------------------------------------------------------------- */

/* Pixels a side that become channels before the first layer. */
static int rrdb_fold(const struct rrdb_shape *shape)
{
    return 4 / shape->factor;
}

static int rrdb_in_channels(const struct rrdb_shape *shape)
{
    return 3 * rrdb_fold(shape) * rrdb_fold(shape);
}

static int rrdb_dense_in(const struct rrdb_shape *shape, int conv)
{
    return shape->features + conv * shape->growth;
}

static int rrdb_dense_out(const struct rrdb_shape *shape, int conv)
{
    return conv + 1 < RRDB_CONVS ? shape->growth : shape->features;
}

void rrdb_keys(const struct rrdb_shape *shape, struct keys *keys)
{
    char name[RRDB_NAME_BYTES];
    keys_add_conv(keys, "conv_first", shape->features, rrdb_in_channels(shape), 3, true);
    for (int block = 0; block < shape->depth; block++)
        for (int dense = 0; dense < RRDB_DENSE; dense++)
            for (int conv = 0; conv < RRDB_CONVS; conv++) {
                snprintf(name, sizeof name, "body.%d.rdb%d.conv%d", block, dense + 1, conv + 1);
                keys_add_conv(keys, name, rrdb_dense_out(shape, conv), rrdb_dense_in(shape, conv),
                              3, true);
            }
    for (int layer = 0; layer < RRDB_TAIL; layer++)
        keys_add_conv(keys, rrdb_tail_names[layer], layer == RRDB_LAST ? 3 : shape->features,
                      shape->features, 3, true);
}

/* ncnn keeps the order of layers but not their names. Its RRDBNets are plain convolutions, each
 * with a bias: 6 and 15 a block. */
static int rrdb_ncnn_depth(const struct weights *weights)
{
    size_t count = weights_count(weights), per_block = 2 * RRDB_DENSE * RRDB_CONVS;
    size_t others = 2 * (RRDB_TAIL + 1);
    if (weights_format(weights) != WEIGHTS_NCNN || count <= others ||
        (count - others) % per_block != 0 || (count - others) / per_block > RRDB_DEPTH_MAX)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (weights_at(weights, i)->rank != (i % 2 == 0 ? 4 : 1))
            return 0;
    return (int)((count - others) / per_block);
}

bool rrdb_is(const struct weights *weights)
{
    const struct weight *first = weights_find(weights, "model.0.weight");
    return rrdb_ncnn_depth(weights) > 0 || weights_find(weights, "conv_first.weight") ||
           (first && first->rank == 4);
}

static bool rrdb_rename_ncnn(struct weights *weights, struct err *err)
{
    const struct rrdb_shape shape = {
        .features = 16, .growth = 16, .depth = rrdb_ncnn_depth(weights), .factor = 4
    };
    struct keys *keys = keys_new("RRDBNet"); /* for its order; the sizes do not matter */
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of names");
    rrdb_keys(&shape, keys);
    bool ok = keys_ok(keys, err);
    for (size_t i = 0; ok && i < keys_count(keys); i++)
        ok = weights_rename(weights, i, keys_at(keys, i)->name, err);
    keys_free(keys);
    return ok;
}

struct rrdb_naming {
    const char *from, *to; /* beginnings of names */
};

static const struct rrdb_naming rrdb_namings[] = {
    { "model.0.", "conv_first." }, { "model.3.", "conv_up1." },     { "model.6.", "conv_up2." },
    { "model.8.", "conv_hr." },    { "model.10.", "conv_last." },   { "model.1.sub.", "body." },
    { "RRDB_trunk.", "body." },    { "trunk_conv.", "conv_body." }, { "upconv1.", "conv_up1." },
    { "upconv2.", "conv_up2." },   { "HRconv.", "conv_hr." },
};

/* A number behind `beginning`, at *at, which is moved behind it. */
static bool rrdb_number(const char **at, const char *beginning, int *ret_number)
{
    size_t len = strlen(beginning);
    if (strncmp(*at, beginning, len) != 0)
        return false;
    const char *digit = *at + len;
    int number = 0, digits = 0;
    for (; *digit >= '0' && *digit <= '9' && digits < 4; digit++, digits++)
        number = number * 10 + (*digit - '0');
    *at = digit;
    *ret_number = number;
    return digits > 0;
}

/* Today's name of a tensor. "body.23.weight" was conv_body in 2018, and
 * "body.0.RDB1.conv1.0.weight" is "body.0.rdb1.conv1.weight". */
static void rrdb_name_today(const char *name, char *ret_name)
{
    char old[RRDB_NAME_BYTES];
    int block, dense, conv;
    snprintf(ret_name, RRDB_NAME_BYTES, "%s", name);
    for (size_t i = 0; i < sizeof rrdb_namings / sizeof rrdb_namings[0]; i++) {
        size_t len = strlen(rrdb_namings[i].from);
        if (strncmp(name, rrdb_namings[i].from, len) == 0) {
            snprintf(ret_name, RRDB_NAME_BYTES, "%s%s", rrdb_namings[i].to, name + len);
            break;
        }
    }
    snprintf(old, sizeof old, "%s", ret_name);
    const char *at = old;
    if (!rrdb_number(&at, "body.", &block) || *at != '.')
        return;
    if (!strchr(at + 1, '.')) {
        snprintf(ret_name, RRDB_NAME_BYTES, "conv_body%.100s", at);
    } else if (rrdb_number(&at, ".RDB", &dense) && rrdb_number(&at, ".conv", &conv)) {
        if (strncmp(at, ".0.", 3) == 0)
            at += 2;
        snprintf(ret_name, RRDB_NAME_BYTES, "body.%d.rdb%d.conv%d%.64s", block, dense, conv, at);
    }
}

/* Give every tensor today's name. */
static bool rrdb_rename(struct weights *weights, struct err *err)
{
    char name[RRDB_NAME_BYTES];
    bool ok = true;
    if (weights_format(weights) == WEIGHTS_NCNN) {
        if (!rrdb_ncnn_depth(weights))
            return err_set(err, ERR_INVALID,
                           "an ncnn RRDBNet has 6 convolutions and 15 per block, and nothing else");
        ok = rrdb_rename_ncnn(weights, err);
    } else {
        for (size_t i = 0; ok && i < weights_count(weights); i++) {
            const char *old = weights_at(weights, i)->name;
            rrdb_name_today(old, name);
            if (strcmp(old, name) != 0)
                ok = weights_rename(weights, i, name, err);
        }
    }
    return ok && weights_renamed(weights, err);
}

/* What the tensors say, before keys_check says whether all of them fit. */
static bool rrdb_tell_shape(const struct weights *weights, struct rrdb_shape *ret_shape,
                            struct err *err)
{
    const struct weight *first = weights_find(weights, "conv_first.weight");
    const struct weight *grow = weights_find(weights, "body.0.rdb1.conv1.weight");
    struct rrdb_shape shape = { 0 };
    if (!first || first->rank != 4 || !grow || grow->rank != 4)
        return err_set(
            err, ERR_INVALID, "the weights are of no RRDBNet: '%s' is missing or no convolution",
            first && first->rank == 4 ? "body.0.rdb1.conv1.weight" : "conv_first.weight");
    for (shape.factor = 4; shape.factor > 0; shape.factor /= 2)
        if (first->shape[1] == rrdb_in_channels(&shape))
            break;
    if (shape.factor == 0)
        return err_set(err, ERR_INVALID, "no RRDBNet begins with %lld channels",
                       (long long)first->shape[1]);
    if (first->shape[0] < 16 || first->shape[0] > RRDB_CHANNELS_MAX || first->shape[0] % 16 != 0 ||
        grow->shape[0] < 16 || grow->shape[0] > RRDB_CHANNELS_MAX || grow->shape[0] % 16 != 0)
        return err_set(err, ERR_INVALID,
                       "an RRDBNet of %lld and %lld channels cannot be computed, only of multiples "
                       "of 16 up to %d",
                       (long long)first->shape[0], (long long)grow->shape[0], RRDB_CHANNELS_MAX);
    shape.features = (int)first->shape[0];
    shape.growth = (int)grow->shape[0];
    for (size_t i = 0; i < weights_count(weights); i++) {
        const char *name = weights_at(weights, i)->name;
        int block = 0;
        if (rrdb_number(&name, "body.", &block) && block >= shape.depth)
            shape.depth = block + 1;
    }
    if (shape.depth > RRDB_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "an RRDBNet of %d blocks is deeper than %d", shape.depth,
                       RRDB_DEPTH_MAX);
    *ret_shape = shape;
    return true;
}

static bool rrdb_check(const struct rrdb_shape *shape, const struct weights *weights,
                       struct err *err)
{
    struct keys *keys = keys_new("RRDBNet");
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "no memory for a list of names");
    rrdb_keys(shape, keys);
    bool ok = keys_check(keys, weights, NULL, err);
    keys_free(keys);
    return ok;
}

/* ---- Binding ------------------------------------------------------------------------------- */

/* Fold the scales into the last convolution of a dense block. What a block computes is
 *     y = scale * conv5(...) + x            (x is added by the convolution)
 * and an RRDB is x + scale * y3, y3 being the third block's y:
 *     x + scale * (scale * conv5(...) + y2)
 * whose inner sum cannot be added by the same convolution as x. But y2 is the first of the
 * channels that conv5 reads: a weight of `scale` from each of them to its own output, on the centre
 * tap, adds it. */
static void rrdb_fold_scale(const struct rrdb_shape *shape, struct conv_filter *filter, bool third)
{
    float *weights = conv_filter_weights(filter), *bias = conv_filter_bias(filter);
    float scale = third ? RRDB_SCALE * RRDB_SCALE : RRDB_SCALE;
    size_t inputs = (size_t)rrdb_dense_in(shape, RRDB_CONVS - 1);
    size_t outputs = (size_t)shape->features;
    for (size_t i = 0; i < outputs * inputs * 9; i++)
        weights[i] *= scale;
    for (size_t i = 0; i < outputs; i++) {
        bias[i] *= scale;
        if (third)
            weights[(i * inputs + i) * 9 + 4] += RRDB_SCALE;
    }
}

static bool rrdb_bind_conv(struct rrdb *rrdb, const struct weights *weights, const char *name,
                           int out, int in, struct conv_filter **ret_filter, struct err *err)
{
    const struct conv_shape shape = { .out_channels = out, .in_channels = in, .kernel = 3 };
    return bind_conv(rrdb->engine, weights, name, NULL, 0, &shape, ret_filter, err);
}

static bool rrdb_bind(struct rrdb *rrdb, const struct weights *weights, struct err *err)
{
    const struct rrdb_shape *shape = &rrdb->shape;
    char name[RRDB_NAME_BYTES];
    if (!rrdb_bind_conv(rrdb, weights, "conv_first", shape->features, rrdb_in_channels(shape),
                        &rrdb->first, err))
        return false;
    for (int block = 0; block < shape->depth; block++)
        for (int dense = 0; dense < RRDB_DENSE; dense++) {
            struct conv_filter **convs = rrdb->blocks[block].dense[dense].convs;
            for (int conv = 0; conv < RRDB_CONVS; conv++) {
                snprintf(name, sizeof name, "body.%d.rdb%d.conv%d", block, dense + 1, conv + 1);
                if (!rrdb_bind_conv(rrdb, weights, name, rrdb_dense_out(shape, conv),
                                    rrdb_dense_in(shape, conv), &convs[conv], err))
                    return false;
            }
            rrdb_fold_scale(shape, convs[RRDB_CONVS - 1], dense == RRDB_DENSE - 1);
        }
    for (int layer = 0; layer < RRDB_TAIL; layer++)
        if (!rrdb_bind_conv(rrdb, weights, rrdb_tail_names[layer],
                            layer == RRDB_LAST ? 3 : shape->features, shape->features,
                            &rrdb->tail[layer], err))
            return false;
    return true;
}

bool rrdb_new(struct engine *engine, struct weights *weights, struct rrdb **ret_rrdb,
              struct err *err)
{
    struct rrdb_shape shape;
    checkpoint_enter(weights);
    if (!rrdb_rename(weights, err) || !rrdb_tell_shape(weights, &shape, err) ||
        !rrdb_check(&shape, weights, err))
        return err_while(err, "recognising an RRDBNet");
    struct rrdb *rrdb = calloc(1, sizeof *rrdb);
    if (rrdb)
        rrdb->blocks = calloc((size_t)shape.depth, sizeof *rrdb->blocks);
    if (!rrdb || !rrdb->blocks) {
        free(rrdb);
        return err_set(err, ERR_NO_MEMORY, "no memory for a network");
    }
    rrdb->engine = engine;
    rrdb->shape = shape;
    if (!rrdb_bind(rrdb, weights, err)) {
        rrdb_free(rrdb);
        return err_while(err, "binding an RRDBNet");
    }
    *ret_rrdb = rrdb;
    return true;
}

void rrdb_free(struct rrdb *rrdb)
{
    if (!rrdb)
        return;
    conv_filter_free(rrdb->first);
    for (int layer = 0; layer < RRDB_TAIL; layer++)
        conv_filter_free(rrdb->tail[layer]);
    for (int block = 0; block < rrdb->shape.depth; block++)
        for (int dense = 0; dense < RRDB_DENSE; dense++)
            for (int conv = 0; conv < RRDB_CONVS; conv++)
                conv_filter_free(rrdb->blocks[block].dense[dense].convs[conv]);
    free(rrdb->blocks);
    free(rrdb);
}

void rrdb_watch(struct rrdb *rrdb, bool (*canceled)(void *context), void *context)
{
    rrdb->canceled = canceled;
    rrdb->context = context;
}

int rrdb_factor(const struct rrdb *rrdb)
{
    return rrdb->shape.factor;
}

struct rrdb_shape rrdb_shape(const struct rrdb *rrdb)
{
    return rrdb->shape;
}

/* ---- The body ------------------------------------------------------------------------------ */

bool rrdb_conv(struct rrdb *rrdb, struct conv_filter *filter, const struct tensor *src, bool leaky,
               const struct tensor *residual, const struct tensor *dst, struct err *err)
{
    const struct conv_options options = { .padding = 1,
                                          .activation = leaky ? CONV_LEAKY_RELU : CONV_NONE,
                                          .slope = RRDB_SLOPE,
                                          .residual = residual };
    return conv_run(rrdb->engine, filter, src, &options, dst, err);
}

/* One dense block. `wide` has all the channels of the concatenation, and its first ones are the
 * block's input already; the others are written one convolution at a time. dst may be `residual`.
 */
static bool rrdb_run_dense(struct rrdb *rrdb, const struct rrdb_dense *dense,
                           const struct tensor *wide, const struct tensor *residual,
                           const struct tensor *dst, struct err *err)
{
    const struct rrdb_shape *shape = &rrdb->shape;
    for (int conv = 0; conv + 1 < RRDB_CONVS; conv++) {
        struct tensor src = tensor_slice(wide, 0, rrdb_dense_in(shape, conv));
        struct tensor grown = tensor_slice(wide, src.channels, shape->growth);
        if (!rrdb_conv(rrdb, dense->convs[conv], &src, true, NULL, &grown, err))
            return false;
    }
    return rrdb_conv(rrdb, dense->convs[RRDB_CONVS - 1], wide, false, residual, dst, err);
}

/* From `pixels` to `features`, what the tail begins with. Three wide tensors take turns: an RRDB's
 * input must stay until its third block is done, which then writes over it. */
static bool rrdb_run_body(struct rrdb *rrdb, const struct tensor *pixels,
                          const struct tensor *features, struct err *err)
{
    struct tensor wide[RRDB_DENSE], narrow[RRDB_DENSE];
    int channels = rrdb->shape.features + (RRDB_CONVS - 1) * rrdb->shape.growth;
    for (int i = 0; i < RRDB_DENSE; i++) {
        if (!engine_tensor(rrdb->engine, channels, pixels->height, pixels->width, &wide[i], err))
            return false;
        narrow[i] = tensor_slice(&wide[i], 0, rrdb->shape.features);
    }
    if (!rrdb_conv(rrdb, rrdb->first, pixels, false, NULL, &narrow[0], err))
        return false;
    for (int block = 0; block < rrdb->shape.depth; block++) {
        if (rrdb->canceled && rrdb->canceled(rrdb->context))
            return err_set(err, ERR_CANCELED, "canceled");
        for (int i = 0; i < RRDB_DENSE; i++) {
            int next = (i + 1) % RRDB_DENSE; /* of the third: the RRDB's input, its residual too */
            if (!rrdb_run_dense(rrdb, &rrdb->blocks[block].dense[i], &wide[i],
                                next ? &narrow[i] : &narrow[0], &narrow[next], err))
                return err_while(err, "computing block %d", block);
        }
    }
    /* conv_first once more costs next to nothing; keeping what it made would cost its memory. */
    return rrdb_conv(rrdb, rrdb->first, pixels, false, NULL, &narrow[1], err) &&
           rrdb_conv(rrdb, rrdb->tail[RRDB_BODY], &narrow[0], false, &narrow[1], features, err);
}

/* ---- The tail ------------------------------------------------------------------------------ */

/* Twice the size, then a convolution. */
static bool rrdb_up(struct rrdb *rrdb, struct conv_filter *filter, const struct tensor *src,
                    const struct tensor *large, const struct tensor *dst, struct err *err)
{
    return plane_resize(rrdb->engine, src, PLANE_NEAREST, large, err) &&
           rrdb_conv(rrdb, filter, large, true, NULL, dst, err);
}

bool rrdb_run_strip(struct rrdb *rrdb, const struct tensor *features, int low, int high,
                    struct tensor *ret_pixels, struct err *err)
{
    struct engine *engine = rrdb->engine;
    int channels = features->channels, rows = high - low, width = features->width;
    struct tensor strip = *features, twice, four, hidden;
    if (!engine_tensor_plain(engine, 3, 4 * rows, 4 * width, ret_pixels, err) ||
        !engine_tensor(engine, channels, 2 * rows, 2 * width, &twice, err) ||
        !engine_tensor(engine, channels, 4 * rows, 4 * width, &hidden, err))
        return false;
    size_t mark = engine_mark(engine);
    if (rows < features->height && (!engine_tensor(engine, channels, rows, width, &strip, err) ||
                                    !plane_crop(engine, features, low, 0, &strip, err)))
        return false;
    struct tensor large = twice; /* for a moment, where `hidden` will be */
    large.data = hidden.data;
    if (!rrdb_up(rrdb, rrdb->tail[RRDB_UP1], &strip, &large, &twice, err))
        return false;
    engine_release(engine, mark); /* `strip` is spent */
    return engine_tensor(engine, channels, 4 * rows, 4 * width, &four, err) &&
           rrdb_up(rrdb, rrdb->tail[RRDB_UP2], &twice, &four, &hidden, err) &&
           rrdb_conv(rrdb, rrdb->tail[RRDB_HR], &hidden, true, NULL, &four, err) &&
           rrdb_conv(rrdb, rrdb->tail[RRDB_LAST], &four, false, NULL, ret_pixels, err);
}

/* How many rows of features a strip may have if its planes shall not need more memory than the
 * body's tensors did. */
static int rrdb_strip_rows(const struct rrdb *rrdb, int height)
{
    const struct rrdb_shape *shape = &rrdb->shape;
    int body = RRDB_DENSE * (shape->features + (RRDB_CONVS - 1) * shape->growth);
    int tail = shape->features * (2 * 16 + 4 + 1) + 3 * 16;
    int rows = (int)((int64_t)height * body / tail) - 2 * RRDB_HALO;
    rows = rows > RRDB_STRIP_MIN ? rows : RRDB_STRIP_MIN;
    int strips = (height + rows - 1) / rows;
    return (height + strips - 1) / strips;
}

static bool rrdb_run_tail(struct rrdb *rrdb, const struct tensor *features,
                          const struct tensor *dst, struct err *err)
{
    struct engine *engine = rrdb->engine;
    int rows = rrdb_strip_rows(rrdb, features->height);
    bool ok = true;
    for (int first = 0; ok && first < features->height; first += rows) {
        int end = first + rows < features->height ? first + rows : features->height;
        int low = first > RRDB_HALO ? first - RRDB_HALO : 0;
        int high = end + RRDB_HALO < features->height ? end + RRDB_HALO : features->height;
        size_t mark = engine_mark(engine);
        struct tensor pixels;
        ok = rrdb_run_strip(rrdb, features, low, high, &pixels, err);
        for (int c = 0; ok && c < 3; c++)
            for (int y = 4 * first; y < 4 * end && y < dst->height; y++)
                memcpy((float *)dst->data + ((size_t)c * dst->height + y) * dst->width,
                       (float *)pixels.data +
                           ((size_t)c * pixels.height + (y - 4 * low)) * pixels.width,
                       (size_t)dst->width * sizeof(float));
        engine_release(engine, mark);
    }
    return ok;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* fold x fold pixels of the source to channels, in torch's order; beyond the edge its mirror image.
 */
static void rrdb_fold_pixels(const struct tensor *src, int fold, const struct tensor *folded)
{
    const float *from = src->data;
    float *to = folded->data;
    for (int c = 0; c < folded->channels; c++)
        for (int y = 0; y < folded->height; y++)
            for (int x = 0; x < folded->width; x++) {
                int at_y = y * fold + c / fold % fold, at_x = x * fold + c % fold;
                if (at_y >= src->height)
                    at_y = 2 * (src->height - 1) - at_y;
                if (at_x >= src->width)
                    at_x = 2 * (src->width - 1) - at_x;
                at_y = at_y > 0 ? at_y : 0;
                at_x = at_x > 0 ? at_x : 0;
                *to++ =
                    from[((size_t)(c / (fold * fold)) * src->height + at_y) * src->width + at_x];
            }
}

/* The source as the first layer wants it: folded, and of the engine's type. Many channels are
 * blocked; of 3 and 12, which fill no block, oneDNN's bf16 takes only plain ones. */
bool rrdb_enter(struct rrdb *rrdb, const struct tensor *src, struct tensor *ret_pixels,
                struct err *err)
{
    struct engine *engine = rrdb->engine;
    struct tensor plain = *src;
    int fold = rrdb_fold(&rrdb->shape), channels = rrdb_in_channels(&rrdb->shape);
    int height = (src->height + fold - 1) / fold, width = (src->width + fold - 1) / fold;
    if (fold > 1) {
        if (!engine_tensor_plain(engine, channels, height, width, &plain, err))
            return false;
        rrdb_fold_pixels(src, fold, &plain);
    }
    *ret_pixels = plain;
    if (channels % 16 == 0)
        return engine_tensor(engine, channels, height, width, ret_pixels, err) &&
               plane_convert(engine, &plain, ret_pixels, err);
    if (engine_type(engine) == TENSOR_F32)
        return true;
    if (!engine_tensor_plain(engine, channels, height, width, ret_pixels, err))
        return false;
    ret_pixels->type = engine_type(engine);
    return plane_convert(engine, &plain, ret_pixels, err);
}

static bool rrdb_forward(struct rrdb *rrdb, const struct tensor *src, const struct tensor *dst,
                         struct err *err)
{
    struct tensor pixels, features;
    if (!rrdb_enter(rrdb, src, &pixels, err) ||
        !engine_tensor(rrdb->engine, rrdb->shape.features, pixels.height, pixels.width, &features,
                       err))
        return false;
    size_t mark = engine_mark(rrdb->engine);
    bool ok = rrdb_run_body(rrdb, &pixels, &features, err);
    engine_release(rrdb->engine, mark);
    return ok && rrdb_run_tail(rrdb, &features, dst, err);
}

bool rrdb_run(struct rrdb *rrdb, const struct tensor *src, const struct tensor *dst,
              struct err *err)
{
    int factor = rrdb->shape.factor;
    if (src->block != 1 || src->type != TENSOR_F32 || src->channels != 3 || dst->block != 1 ||
        dst->type != TENSOR_F32 || dst->channels != 3 || dst->height != src->height * factor ||
        dst->width != src->width * factor)
        return err_set(err, ERR_INVALID, "an RRDBNet cannot make %dx%dx%d of %dx%dx%d",
                       dst->channels, dst->height, dst->width, src->channels, src->height,
                       src->width);
    size_t mark = engine_mark(rrdb->engine);
    bool ok = rrdb_forward(rrdb, src, dst, err);
    engine_release(rrdb->engine, mark);
    return ok;
}
