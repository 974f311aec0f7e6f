#include "nn/rrdb_stream.h"

#include "base/err.h"
#include "engine/memory.h"
#include "engine/parallel.h"
#include "engine/plane.h"
#include "nn/rrdb_private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a window. A dense block makes WINDOW - LAG new rows of it, one lag later than its input:
 * its five convolutions each lose a row below, and the last one's first row is not to be had. */
#define WINDOW 96 /* many tiles of Winograd high, of 4 and of 6 rows: no tile is cut */
#define LAG (RRDB_CONVS + 1)
#define ROWS (WINDOW - LAG)             /* new rows a step */
#define SHIFT (RRDB_CONVS * RRDB_DENSE) /* rows that an RRDB's output is behind its input */
#define SKIP (SHIFT + 1)                /* rows of its input that an RRDB keeps for its residual */
#define TAIL_HISTORY (2 * RRDB_HALO)
#define BODY_HISTORY 2
#define STRIP_BYTES_MAX ((size_t)512 << 20) /* of the planes at four times the size */

struct history {
    struct tensor input; /* [features][LAG][width]: the rows that the next window begins with */
    struct tensor
        grown; /* [4 growth][1][width]: of what the convolutions made, only the first row */
};

struct rrdb_stream {
    struct rrdb *rrdb;
    struct rrdb_stream_options options;
    char *memory;
    size_t bytes;
    struct history *histories; /* [depth][RRDB_DENSE] */
    struct tensor *skips;      /* [depth]: [features][SKIP][width] */
    struct tensor body, tail;  /* [features][BODY_HISTORY, TAIL_HISTORY][width] */
    int entered;               /* rows before it have gone in; grows beyond the picture's end */
    int left;                  /* rows before it have come out */
};

/* What one step works in. New rows stand in `input`, the first channels of `wide`, from row LAG on;
 * row 0 is the picture's row `begin`. */
struct window {
    struct tensor wide, input, result, residual;
    int begin;
};

/* ---- Rows ---------------------------------------------------------------------------------- */

struct copy {
    const struct tensor *src, *dst;
    int src_row, dst_row, count;
    atomic_int next;
};

static void copy_task(void *context, int thread)
{
    struct copy *copy = context;
    const struct tensor *src = copy->src, *dst = copy->dst;
    size_t row = (size_t)src->width * (size_t)src->block * tensor_type_bytes(src->type);
    (void)thread;
    for (int block; (block = parallel_next(&copy->next)) < tensor_blocks(src);) {
        size_t from = (size_t)block * (size_t)src->height + (size_t)copy->src_row;
        size_t to = (size_t)block * (size_t)dst->height + (size_t)copy->dst_row;
        memcpy((char *)dst->data + to * row, (const char *)src->data + from * row,
               (size_t)copy->count * row);
    }
}

/* Copy rows between tensors of the same channels and width. */
static void rows_copy(const struct rrdb_stream *stream, const struct tensor *src, int src_row,
                      const struct tensor *dst, int dst_row, int count)
{
    struct copy copy = { src, dst, src_row, dst_row, count, 0 };
    parallel_run(engine_threads(stream->rrdb->engine), copy_task, &copy);
}

/* Make those rows zeros that are none of the picture's; row 0 is its row `begin`. */
static void rows_blank(const struct rrdb_stream *stream, const struct tensor *tensor, int begin)
{
    size_t row = (size_t)tensor->width * (size_t)tensor->block * tensor_type_bytes(tensor->type);
    for (int y = 0; y < tensor->height; y++) {
        if (begin + y >= 0 && begin + y < stream->options.height)
            continue;
        for (int block = 0; block < tensor_blocks(tensor); block++)
            memset((char *)tensor->data +
                       ((size_t)block * (size_t)tensor->height + (size_t)y) * row,
                   0, row);
    }
}

/* ---- Memory -------------------------------------------------------------------------------- */

static size_t row_bytes(const struct rrdb *rrdb, int channels, int width)
{
    return (size_t)channels * (size_t)width * tensor_type_bytes(engine_type(rrdb->engine));
}

static int wide_channels(const struct rrdb *rrdb)
{
    return rrdb->shape.features + (RRDB_CONVS - 1) * rrdb->shape.growth;
}

size_t rrdb_stream_bytes(const struct rrdb *rrdb, int width)
{
    const struct rrdb_shape *shape = &rrdb->shape;
    int dense = LAG * shape->features + (RRDB_CONVS - 1) * shape->growth;
    int block = RRDB_DENSE * dense + SKIP * shape->features;
    return row_bytes(rrdb, shape->depth * block + (BODY_HISTORY + TAIL_HISTORY) * shape->features,
                     width);
}

/* Rows of features that a strip of the tail may have, without its halos. */
static int strip_rows(const struct rrdb *rrdb, int width)
{
    size_t row = row_bytes(rrdb, rrdb->shape.features * (2 * 16 + 4 + 1), width);
    int rows = (int)(STRIP_BYTES_MAX / row) - 2 * RRDB_HALO;
    return rows < RRDB_HALO ? RRDB_HALO : rows > ROWS ? ROWS : rows;
}

size_t rrdb_stream_arena_bytes(const struct rrdb *rrdb, int width)
{
    int features = rrdb->shape.features;
    size_t strip = row_bytes(rrdb, features * (2 * 16 + 4 + 1), width);
    size_t windows = row_bytes(rrdb, (wide_channels(rrdb) + 3 * features) * WINDOW, width);
    return windows + strip * (size_t)(strip_rows(rrdb, width) + 2 * RRDB_HALO);
}

/* Take `rows` rows of `channels` channels from the stream's memory, at *at. */
static struct tensor history_take(struct rrdb_stream *stream, int channels, int rows, size_t *at)
{
    struct engine *engine = stream->rrdb->engine;
    struct tensor tensor = { .type = engine_type(engine),
                             .block = engine_block(engine),
                             .channels = channels,
                             .height = rows,
                             .width = stream->options.width,
                             .data = stream->memory + *at };
    *at += tensor_bytes(&tensor);
    return tensor;
}

static void histories_lay_out(struct rrdb_stream *stream)
{
    const struct rrdb_shape *shape = &stream->rrdb->shape;
    size_t at = 0;
    for (int block = 0; block < shape->depth; block++) {
        for (int i = 0; i < RRDB_DENSE; i++) {
            struct history *history = &stream->histories[block * RRDB_DENSE + i];
            history->input = history_take(stream, shape->features, LAG, &at);
            history->grown = history_take(stream, (RRDB_CONVS - 1) * shape->growth, 1, &at);
        }
        stream->skips[block] = history_take(stream, shape->features, SKIP, &at);
    }
    stream->body = history_take(stream, shape->features, BODY_HISTORY, &at);
    stream->tail = history_take(stream, shape->features, TAIL_HISTORY, &at);
}

bool rrdb_stream_new(struct rrdb *rrdb, const struct rrdb_stream_options *options,
                     struct rrdb_stream **ret_stream, struct err *err)
{
    size_t depth = (size_t)rrdb->shape.depth;
    if (rrdb->shape.factor != 4 || options->width < 1 || options->height < 1)
        return err_set(err, ERR_INVALID, "an RRDBNet for factor %d cannot take %d x %d in rows",
                       rrdb->shape.factor, options->width, options->height);
    struct rrdb_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return err_set(err, ERR_NO_MEMORY, "no memory for a stream of rows");
    stream->rrdb = rrdb;
    stream->options = *options;
    stream->bytes = rrdb_stream_bytes(rrdb, options->width);
    stream->memory = memory_new(stream->bytes); /* zeros: what is above the picture */
    stream->histories = calloc(depth * RRDB_DENSE, sizeof *stream->histories);
    stream->skips = calloc(depth, sizeof *stream->skips);
    if (!stream->memory || !stream->histories || !stream->skips) {
        rrdb_stream_free(stream);
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of rows",
                       rrdb_stream_bytes(rrdb, options->width));
    }
    histories_lay_out(stream);
    *ret_stream = stream;
    return true;
}

void rrdb_stream_free(struct rrdb_stream *stream)
{
    if (!stream)
        return;
    memory_free(stream->memory, stream->bytes);
    free(stream->histories);
    free(stream->skips);
    free(stream);
}

/* The last step has no halo to wait for. */
_Static_assert(ROWS + RRDB_HALO == RRDB_STREAM_ROWS_MAX, "what a step may make");

int rrdb_stream_steps(const struct rrdb_stream *stream)
{
    int behind = SHIFT * stream->rrdb->shape.depth + 1; /* rows, of the features */
    return (stream->options.height + behind + ROWS - 1) / ROWS;
}

/* ---- The body ------------------------------------------------------------------------------ */

/* What the first layer makes of the picture's rows begin .. begin + count - 1, into rows `row` on.
 */
static bool first_run(struct rrdb_stream *stream, int begin, int count, const struct tensor *dst,
                      int row, struct err *err)
{
    struct rrdb *rrdb = stream->rrdb;
    struct tensor plain, pixels, made;
    int width = stream->options.width;
    size_t mark = engine_mark(rrdb->engine);
    bool ok = engine_tensor_plain(rrdb->engine, 3, count + 2, width, &plain, err);
    for (int y = 0; ok && y < count + 2; y++) {
        float *rgb[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = (float *)plain.data + ((size_t)c * (size_t)(count + 2) + (size_t)y) * width;
        if (begin - 1 + y >= 0 && begin - 1 + y < stream->options.height)
            stream->options.read(stream->options.context, begin - 1 + y, rgb);
        else
            for (int c = 0; c < 3; c++)
                memset(rgb[c], 0, (size_t)width * sizeof(float));
    }
    ok = ok && rrdb_enter(rrdb, &plain, &pixels, err) &&
         engine_tensor(rrdb->engine, rrdb->shape.features, count + 2, width, &made, err) &&
         rrdb_conv(rrdb, rrdb->first, &pixels, false, NULL, &made, err);
    if (ok)
        rows_copy(stream, &made, 1, dst, row, count);
    engine_release(rrdb->engine, mark);
    return ok;
}

/* One dense block over the window, which then holds its new rows where its input's were. */
static bool dense_run(struct rrdb_stream *stream, const struct rrdb_dense *dense,
                      struct history *history, const struct tensor *residual, struct window *window,
                      struct err *err)
{
    struct rrdb *rrdb = stream->rrdb;
    int features = rrdb->shape.features, growth = rrdb->shape.growth;
    rows_copy(stream, &history->input, 0, &window->input, 0, LAG);
    rows_copy(stream, &window->input, ROWS, &history->input, 0, LAG);
    for (int conv = 0; conv + 1 < RRDB_CONVS; conv++) {
        struct tensor src = tensor_slice(&window->wide, 0, features + conv * growth);
        struct tensor grown = tensor_slice(&window->wide, src.channels, growth);
        struct tensor kept = tensor_slice(&history->grown, conv * growth, growth);
        if (!rrdb_conv(rrdb, dense->convs[conv], &src, true, NULL, &grown, err))
            return false;
        rows_copy(stream, &kept, 0, &grown, 0, 1); /* a row that the window is too short for */
        rows_blank(stream, &grown, window->begin);
        rows_copy(stream, &grown, ROWS, &kept, 0, 1);
    }
    if (!rrdb_conv(rrdb, dense->convs[RRDB_CONVS - 1], &window->wide, false, residual,
                   &window->result, err))
        return false;
    rows_copy(stream, &window->result, 1, &window->input, LAG, ROWS);
    window->begin -= RRDB_CONVS;
    rows_blank(stream, &window->input, window->begin);
    return true;
}

/* One RRDB. Where neither the window nor what is kept has a row of the picture all is zeros, and
 * stays so. */
static bool block_run(struct rrdb_stream *stream, int index, struct window *window, struct err *err)
{
    const struct rrdb_block *block = &stream->rrdb->blocks[index];
    struct history *histories = &stream->histories[index * RRDB_DENSE];
    struct tensor *skip = &stream->skips[index];
    int input_begin = window->begin + LAG; /* of the new rows */
    if (input_begin + ROWS <= 0 || input_begin - SKIP >= stream->options.height) {
        window->begin -= SHIFT;
        return true;
    }
    /* The input again, as the third dense block needs it: SHIFT - RRDB_CONVS rows further up. */
    rows_copy(stream, skip, 0, &window->residual, 0, SKIP);
    rows_copy(stream, &window->input, LAG, &window->residual, SKIP, WINDOW - SKIP);
    rows_copy(stream, &window->input, WINDOW - SKIP, skip, 0, SKIP);
    for (int i = 0; i < RRDB_DENSE; i++)
        if (!dense_run(stream, &block->dense[i], &histories[i],
                       i + 1 < RRDB_DENSE ? &window->input : &window->residual, window, err))
            return err_while(err, "computing block %d", index);
    return true;
}

/* The convolution behind the blocks, plus what the first layer made of the same rows. The result's
 * rows LAG - 1 .. WINDOW - 2 are right. */
static bool body_end(struct rrdb_stream *stream, struct window *window, struct err *err)
{
    struct rrdb *rrdb = stream->rrdb;
    rows_copy(stream, &stream->body, 0, &window->input, LAG - BODY_HISTORY, BODY_HISTORY);
    rows_copy(stream, &window->input, WINDOW - BODY_HISTORY, &stream->body, 0, BODY_HISTORY);
    return first_run(stream, window->begin, WINDOW, &window->residual, 0, err) &&
           rrdb_conv(rrdb, rrdb->tail[RRDB_BODY], &window->input, false, &window->residual,
                     &window->result, err);
}

/* ---- The tail ------------------------------------------------------------------------------ */

/* Rows first .. end - 1 of the picture to dst, from features whose row 0 is its row `begin`. */
static bool strips_run(struct rrdb_stream *stream, const struct tensor *features, int begin,
                       int first, int end, const struct tensor *dst, struct err *err)
{
    struct rrdb *rrdb = stream->rrdb;
    int height = stream->options.height, rows = strip_rows(rrdb, stream->options.width);
    size_t row = (size_t)dst->width * sizeof(float);
    bool ok = true;
    for (int from = first; ok && from < end; from += rows) {
        int to = from + rows < end ? from + rows : end;
        int low = from > RRDB_HALO ? from - RRDB_HALO : 0;
        int high = to + RRDB_HALO < height ? to + RRDB_HALO : height;
        size_t mark = engine_mark(rrdb->engine);
        struct tensor pixels;
        ok = rrdb_run_strip(rrdb, features, low - begin, high - begin, &pixels, err);
        for (int c = 0; ok && c < 3; c++) {
            const float *at = (const float *)pixels.data +
                              ((size_t)c * pixels.height + 4 * (size_t)(from - low)) * dst->width;
            memcpy((float *)dst->data +
                       ((size_t)c * dst->height + 4 * (size_t)(from - first)) * dst->width,
                   at, 4 * (size_t)(to - from) * row);
        }
        engine_release(rrdb->engine, mark);
    }
    return ok;
}

/* Put the new features behind those kept, and make of them what can be made. */
static bool tail_run(struct rrdb_stream *stream, const struct window *window,
                     const struct tensor *dst, int *ret_count, struct err *err)
{
    struct engine *engine = stream->rrdb->engine;
    int height = stream->options.height, width = stream->options.width;
    int begin = window->begin + LAG - 1 - TAIL_HISTORY; /* of the features */
    int have = begin + TAIL_HISTORY + ROWS;
    int end = have >= height ? height : have - RRDB_HALO;
    struct tensor features;
    if (!engine_tensor(engine, stream->rrdb->shape.features, TAIL_HISTORY + ROWS, width, &features,
                       err))
        return false;
    rows_copy(stream, &stream->tail, 0, &features, 0, TAIL_HISTORY);
    rows_copy(stream, &window->result, LAG - 1, &features, TAIL_HISTORY, ROWS);
    rows_copy(stream, &features, ROWS, &stream->tail, 0, TAIL_HISTORY);
    *ret_count = end > stream->left ? end - stream->left : 0;
    return strips_run(stream, &features, begin, stream->left, stream->left + *ret_count, dst, err);
}

/* ---- A step -------------------------------------------------------------------------------- */

static bool step(struct rrdb_stream *stream, const struct tensor *dst, int *ret_count,
                 struct err *err)
{
    struct rrdb *rrdb = stream->rrdb;
    struct engine *engine = rrdb->engine;
    int features = rrdb->shape.features, width = stream->options.width;
    struct window window = { .begin = stream->entered - LAG };
    if (!engine_tensor(engine, features, WINDOW, width, &window.result, err))
        return false;
    size_t mark = engine_mark(engine);
    if (!engine_tensor(engine, wide_channels(rrdb), WINDOW, width, &window.wide, err) ||
        !engine_tensor(engine, features, WINDOW, width, &window.residual, err))
        return false;
    window.input = tensor_slice(&window.wide, 0, features);
    /* Rows that no layer has written are multiplied with others by Winograd: they must be numbers.
     */
    memset(window.input.data, 0, tensor_bytes(&window.input));
    memset(window.residual.data, 0, tensor_bytes(&window.residual));
    bool ok = first_run(stream, stream->entered, ROWS, &window.input, LAG, err);
    if (ok)
        rows_blank(stream, &window.input, window.begin);
    for (int block = 0; ok && block < rrdb->shape.depth; block++) {
        if (rrdb->canceled && rrdb->canceled(rrdb->context))
            ok = err_set(err, ERR_CANCELED, "canceled");
        ok = ok && block_run(stream, block, &window, err);
    }
    ok = ok && body_end(stream, &window, err);
    engine_release(engine, mark); /* all but the result */
    return ok && tail_run(stream, &window, dst, ret_count, err);
}

bool rrdb_stream_next(struct rrdb_stream *stream, const struct tensor *dst, int *ret_first,
                      int *ret_count, struct err *err)
{
    struct engine *engine = stream->rrdb->engine;
    if (stream->left >= stream->options.height || dst->block != 1 || dst->channels != 3 ||
        dst->type != TENSOR_F32 || dst->width != 4 * stream->options.width ||
        dst->height < 4 * RRDB_STREAM_ROWS_MAX)
        return err_set(err, ERR_INVALID, "a stream of rows cannot write to %dx%dx%d", dst->channels,
                       dst->height, dst->width);
    size_t mark = engine_mark(engine);
    int count = 0;
    bool ok = step(stream, dst, &count, err);
    engine_release(engine, mark);
    if (!ok)
        return false;
    *ret_first = stream->left;
    *ret_count = count;
    stream->left += count;
    stream->entered += ROWS;
    return true;
}
