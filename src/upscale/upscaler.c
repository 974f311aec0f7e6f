#include "upscale/upscale.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "engine/engine.h"
#include "image/image.h"
#include "nn/checkpoint.h"
#include "nn/rrdb.h"
#include "nn/rrdb_stream.h"
#include "nn/srvgg.h"
#include "upscale/bands.h"
#include "upscale/tiles.h"
#include "weights/weights.h"

/* What docs/upscaling.md has measured: with these borders a tiled result differs from an untiled
 * one by a few hundredths of a level of 255 on the mean. Deeper networks see further. */
#define RRDB_TILE 640
#define RRDB_BORDER 72
#define RRDB_BORDER_SHALLOW 48
#define RRDB_DEPTH_SHALLOW 6
#define SRVGG_TILE 512

/* What a stream of rows may keep: pictures up to about 9,000 pixels wide with the published
 * networks, half as wide with alpha. Wider ones are cut into tiles. */
#define STREAM_BYTES_MAX ((size_t)2 << 30)

/* A band of the network's size is kept below this by lower tiles, where the picture is wide. */
#define BAND_BYTES_MAX ((size_t)256 << 20)

struct upscaler {
    struct engine *engine;
    struct rrdb *rrdb; /* one of the two */
    struct srvgg *srvgg;
    int factor, tile, border;
};

/* ---- The network --------------------------------------------------------------------------- */

static bool upscaler_bind(struct upscaler *upscaler, struct weights *weights, struct err *err)
{
    checkpoint_enter(weights);
    if (rrdb_is(weights)) {
        if (!rrdb_new(upscaler->engine, weights, &upscaler->rrdb, err))
            return false;
        upscaler->factor = rrdb_factor(upscaler->rrdb);
        upscaler->tile = RRDB_TILE;
        bool shallow = rrdb_shape(upscaler->rrdb).depth <= RRDB_DEPTH_SHALLOW;
        upscaler->border = shallow ? RRDB_BORDER_SHALLOW : RRDB_BORDER;
        return true;
    }
    if (srvgg_is(weights)) {
        if (!srvgg_new(upscaler->engine, weights, &upscaler->srvgg, err))
            return false;
        upscaler->factor = srvgg_factor(upscaler->srvgg);
        upscaler->tile = SRVGG_TILE;
        upscaler->border = srvgg_shape(upscaler->srvgg).depth + 2; /* all that a pixel sees */
        return true;
    }
    return err_set(err, ERR_INVALID,
                   "the weights are neither of an RRDBNet nor of an SRVGGNetCompact");
}

bool upscaler_new(struct engine *engine, struct weights *weights, struct upscaler **ret_upscaler,
                  struct err *err)
{
    struct upscaler *upscaler = calloc(1, sizeof *upscaler);
    if (!upscaler)
        return err_set(err, ERR_NO_MEMORY, "no memory for an upscaler");
    upscaler->engine = engine;
    if (!upscaler_bind(upscaler, weights, err)) {
        upscaler_free(upscaler);
        return false;
    }
    *ret_upscaler = upscaler;
    return true;
}

void upscaler_free(struct upscaler *upscaler)
{
    if (!upscaler)
        return;
    rrdb_free(upscaler->rrdb);
    srvgg_free(upscaler->srvgg);
    free(upscaler);
}

int upscaler_factor(const struct upscaler *upscaler)
{
    return upscaler->factor;
}

static bool upscaler_compute(struct upscaler *upscaler, const struct tensor *src,
                             const struct tensor *dst, struct err *err)
{
    return upscaler->rrdb ? rrdb_run(upscaler->rrdb, src, dst, err)
                          : srvgg_run(upscaler->srvgg, src, dst, err);
}

/* ---- Pixels -------------------------------------------------------------------------------- */

/* One run over one picture. */
struct work {
    struct upscaler *upscaler;
    const struct image *source;
    const struct upscale_options *options;
    struct tiles columns, rows;
    struct bands *bands;
    float most; /* 255 or 65535 */
};

struct tile {
    struct tile_span x, y;
};

static float pixel_get(const struct image *image, int x, int y, int channel)
{
    size_t at = ((size_t)y * (size_t)image->width + (size_t)x) * 4 + (size_t)channel;
    return image->bits == 16 ? ((const uint16_t *)image->pixels)[at]
                             : ((const uint8_t *)image->pixels)[at];
}

/* The tile's colours, or its alpha as a gray picture, in 0..1. */
static void tile_read(const struct work *work, const struct tile *tile, bool alpha,
                      const struct tensor *src)
{
    float *to = src->data;
    for (int c = 0; c < 3; c++)
        for (int y = tile->y.begin; y < tile->y.end; y++)
            for (int x = tile->x.begin; x < tile->x.end; x++)
                *to++ = pixel_get(work->source, x, y, alpha ? 3 : c) / work->most;
}

/* Clamped and, half to even, rounded. What is not a number becomes 0. */
static uint16_t level(float value, float most)
{
    return (uint16_t)rintf(fminf(fmaxf(value, 0), 1) * most);
}

static float clamped(float value)
{
    return fminf(fmaxf(value, 0), 1);
}

/* Write a row of results, `count` pixels, to RGBA pixels. Gray and alpha are weighted means of what
 * the network made of three equal channels. */
static void row_write(const struct work *work, const float *const *rgb, int count, bool alpha,
                      void *row)
{
    bool wide = work->source->bits == 16, gray = alpha || work->source->is_gray;
    uint8_t *bytes = row;
    uint16_t *words = row;
    for (int x = 0; x < count; x++) {
        float mean = 0;
        if (gray)
            mean = clamped(rgb[0][x]) * 0.299f + clamped(rgb[1][x]) * 0.587f +
                   clamped(rgb[2][x]) * 0.114f;
        for (int c = alpha ? 3 : 0; c < (alpha ? 4 : 3); c++) {
            uint16_t value = level(gray ? mean : rgb[c][x], work->most);
            if (wide)
                words[4 * x + c] = value;
            else
                bytes[4 * x + c] = (uint8_t)value;
        }
        if (!work->source->has_alpha && wide)
            words[4 * x + 3] = UINT16_MAX;
        else if (!work->source->has_alpha)
            bytes[4 * x + 3] = UINT8_MAX;
    }
}

/* Write the tile's core into the band. */
static void tile_write(const struct work *work, const struct tile *tile, bool alpha,
                       const struct tensor *dst)
{
    int factor = work->upscaler->factor, left = (tile->x.core_begin - tile->x.begin) * factor;
    int count = (tile->x.core_end - tile->x.core_begin) * factor;
    size_t pixel = (size_t)work->source->bits / 8 * 4;
    size_t plane = (size_t)dst->height * (size_t)dst->width;
    for (int y = tile->y.core_begin * factor; y < tile->y.core_end * factor; y++) {
        const float *from = (const float *)dst->data +
                            (size_t)(y - tile->y.begin * factor) * (size_t)dst->width + left;
        const float *rgb[3] = { from, from + plane, from + 2 * plane };
        char *row = bands_row(work->bands, y);
        row_write(work, rgb, count, alpha,
                  row + (size_t)tile->x.core_begin * (size_t)factor * pixel);
    }
}

/* ---- Tiles --------------------------------------------------------------------------------- */

static bool is_canceled(const struct work *work, struct err *err)
{
    const struct upscale_options *options = work->options;
    if (!options->canceled || !options->canceled(options->context))
        return false;
    err_set(err, ERR_CANCELED, "canceled");
    return true;
}

static bool tile_run(const struct work *work, const struct tile *tile, bool alpha, struct err *err)
{
    struct engine *engine = work->upscaler->engine;
    int height = tile->y.end - tile->y.begin, width = tile->x.end - tile->x.begin;
    int factor = work->upscaler->factor;
    struct tensor src, dst;
    if (is_canceled(work, err))
        return false;
    size_t mark = engine_mark(engine);
    bool ok = engine_tensor_plain(engine, 3, height, width, &src, err) &&
              engine_tensor_plain(engine, 3, height * factor, width * factor, &dst, err);
    if (ok)
        tile_read(work, tile, alpha, &src);
    ok = ok && upscaler_compute(work->upscaler, &src, &dst, err);
    if (ok)
        tile_write(work, tile, alpha, &dst);
    engine_release(engine, mark);
    return ok;
}

static bool tiles_run(const struct work *work, struct err *err)
{
    const struct upscale_options *options = work->options;
    int done = 0, total = work->columns.count * work->rows.count;
    for (int row = 0; row < work->rows.count; row++) {
        struct tile tile = { .y = tiles_at(&work->rows, row) };
        for (int column = 0; column < work->columns.count; column++) {
            tile.x = tiles_at(&work->columns, column);
            if (!tile_run(work, &tile, false, err) ||
                (work->source->has_alpha && !tile_run(work, &tile, true, err)))
                return false;
            if (options->progress)
                options->progress(options->context, ++done, total);
        }
        bands_finish(work->bands, tile.y.core_end * work->upscaler->factor);
    }
    return true;
}

/* ---- Streams ------------------------------------------------------------------------------- */

/* Where an RRDBNet's rows come from: the picture's colours, or its alpha as a gray picture. */
struct rows_source {
    const struct work *work;
    bool alpha;
};

static void rows_read(void *context, int y, float *const ret_rgb[3])
{
    const struct rows_source *source = context;
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < source->work->source->width; x++)
            ret_rgb[c][x] =
                pixel_get(source->work->source, x, y, source->alpha ? 3 : c) / source->work->most;
}

/* Write the rows that a stream has made, from the network's row `first` on, into the band. */
static void rows_write(const struct work *work, bool alpha, const struct tensor *dst, int first,
                       int count)
{
    size_t plane = (size_t)dst->height * (size_t)dst->width;
    for (int y = 0; y < count; y++) {
        const float *from = (const float *)dst->data + (size_t)y * (size_t)dst->width;
        const float *rgb[3] = { from, from + plane, from + 2 * plane };
        row_write(work, rgb, dst->width, alpha, bands_row(work->bands, first + y));
    }
}

static bool streams_step(const struct work *work, struct rrdb_stream *streams[2], int *ret_end,
                         struct err *err)
{
    struct engine *engine = work->upscaler->engine;
    int factor = work->upscaler->factor, rows = RRDB_STREAM_ROWS_MAX;
    struct tensor dst;
    size_t mark = engine_mark(engine);
    bool ok =
        engine_tensor_plain(engine, 3, rows * factor, work->source->width * factor, &dst, err);
    for (int alpha = 0; ok && alpha < 2 && streams[alpha]; alpha++) {
        int first = 0, count = 0;
        ok = rrdb_stream_next(streams[alpha], &dst, &first, &count, err);
        if (ok)
            rows_write(work, alpha, &dst, first * factor, count * factor);
        *ret_end = first + count;
    }
    engine_release(engine, mark);
    return ok;
}

/* The whole picture as one, in streams of rows: nothing is computed twice, and there are no cuts.
 */
static bool streams_run(const struct work *work, struct err *err)
{
    const struct upscale_options *options = work->options;
    struct rows_source sources[2] = { { work, false }, { work, true } };
    struct rrdb_stream *streams[2] = { NULL, NULL };
    int end = 0, done = 0, total = 0;
    bool ok = true;
    for (int i = 0; ok && i < 1 + work->source->has_alpha; i++) {
        const struct rrdb_stream_options rows = { .width = work->source->width,
                                                  .height = work->source->height,
                                                  .read = rows_read,
                                                  .context = &sources[i] };
        ok = rrdb_stream_new(work->upscaler->rrdb, &rows, &streams[i], err);
    }
    if (ok)
        total = rrdb_stream_steps(streams[0]);
    while (ok && end < work->source->height) {
        ok = !is_canceled(work, err) && streams_step(work, streams, &end, err);
        if (!ok)
            break;
        bands_finish(work->bands, end * work->upscaler->factor);
        if (options->progress)
            options->progress(options->context, ++done, total);
    }
    for (int i = 0; i < 2; i++)
        rrdb_stream_free(streams[i]);
    return ok;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Tiles of tile x tile pixels; where the picture is narrower than that they are the longer, and
 * where a band of such tiles would be too large the lower. */
static void work_cut(struct work *work)
{
    const struct upscaler *upscaler = work->upscaler;
    int tile = work->options->tile > 0 ? work->options->tile : upscaler->tile;
    int border = work->options->border > 0 ? work->options->border : upscaler->border;
    int pixels = least(tile, 4096) * least(tile, 4096);
    size_t row = (size_t)work->source->width * (size_t)work->source->bits / 2 *
                 (size_t)(upscaler->factor * upscaler->factor); /* in the band, per source row */
    int rows_max = (int)(BAND_BYTES_MAX / row) + 2 * border;
    int width = least(work->source->width, tile);
    int height = least(least(work->source->height, pixels / width), rows_max);
    width = least(work->source->width, pixels / height);
    work->columns = tiles_cut(work->source->width, width, border);
    work->rows = tiles_cut(work->source->height, height, border);
}

/* A picture that is more than one tile streams through an RRDBNet, unless the caller wants tiles.
 */
static bool work_streams(const struct work *work)
{
    const struct upscaler *upscaler = work->upscaler;
    size_t streams = work->source->has_alpha ? 2 : 1;
    return upscaler->rrdb && upscaler->factor == 4 && work->options->tile == 0 &&
           work->columns.count * work->rows.count > 1 &&
           streams * rrdb_stream_bytes(upscaler->rrdb, work->source->width) <= STREAM_BYTES_MAX;
}

static bool work_run(struct work *work, struct image *result, struct err *err)
{
    int factor = work->upscaler->factor, rows = 0;
    work_cut(work);
    bool streams = work_streams(work);
    if (streams)
        rows = RRDB_STREAM_ROWS_MAX;
    for (int row = 0; !streams && row < work->rows.count; row++) {
        struct tile_span span = tiles_at(&work->rows, row);
        if (span.core_end - span.core_begin > rows)
            rows = span.core_end - span.core_begin;
    }
    const struct bands_options options = { .width = work->source->width * factor,
                                           .height = work->source->height * factor,
                                           .rows_max = rows * factor,
                                           .threads = engine_threads(work->upscaler->engine) };
    if (!bands_new(&options, result, &work->bands, err))
        return false;
    if (work->upscaler->rrdb)
        rrdb_watch(work->upscaler->rrdb, work->options->canceled, work->options->context);
    bool ok = streams ? streams_run(work, err) : tiles_run(work, err);
    if (work->upscaler->rrdb)
        rrdb_watch(work->upscaler->rrdb, NULL, NULL);
    bands_free(work->bands);
    return ok;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* The result's size, or why there is none. */
static bool result_size(const struct image *source, double scale, int *ret_width, int *ret_height,
                        struct err *err)
{
    double width = floor(source->width * scale), height = floor(source->height * scale);
    double most = UPSCALE_PIXELS_MAX / (source->bits / 8);
    if (source->width > UPSCALE_SIDE_MAX || source->height > UPSCALE_SIDE_MAX)
        return err_set(err, ERR_TOO_LARGE,
                       "The image is too long: %d x %d pixels, where at most %d a side can be "
                       "enlarged.",
                       source->width, source->height, UPSCALE_SIDE_MAX);
    if (!(width >= 1 && height >= 1)) /* also what is not a number */
        return err_set(err, ERR_INVALID,
                       "At scale %g nothing is left of an image of %d x %d pixels: each side must "
                       "have at least 1 pixel.",
                       scale, source->width, source->height);
    if (width * height > most)
        return err_set(err, ERR_TOO_LARGE,
                       "The result would be too large: %.0f x %.0f pixels, where at most %.0f "
                       "megapixels can be made; choose a smaller scale.",
                       width, height, most / 1e6);
    *ret_width = (int)width;
    *ret_height = (int)height;
    return true;
}

bool upscaler_run(struct upscaler *upscaler, const struct image *source,
                  const struct upscale_options *options, struct image *ret_result, struct err *err)
{
    struct work work = { .upscaler = upscaler,
                         .source = source,
                         .options = options,
                         .most = source->bits == 16 ? 65535 : 255 };
    struct image result = { 0 };
    int width = 0, height = 0;
    if (!result_size(source, options->scale, &width, &height, err) ||
        !image_new(width, height, source->bits, &result, err))
        return false;
    bool ok = image_copy_kind(source, &result, err) && work_run(&work, &result, err);
    if (ok)
        *ret_result = result;
    else
        image_done(&result);
    return ok;
}
