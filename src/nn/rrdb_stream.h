/* RRDBNet over pictures whose planes do not fit into memory: rows of pixels go in from top to
 * bottom, rows of the result come out some hundred rows later, and they are what rrdb_run makes of
 * the whole picture. Nothing is computed twice but a few rows in a hundred, and there is no cut to
 * be seen.
 *
 * How: a convolution's rows need its input's rows up to one below. So each layer runs one row
 * behind the one before it, in windows of `rows` new rows, and keeps of its input the few rows that
 * its next window begins with. The layers' rows above and below the picture are zeros, as their
 * padding is. Not here: the picture (upscale/), networks that fold pixels (factors 2 and 1; rrdb.c
 * has them). */
#ifndef MIMEO_NN_RRDB_STREAM_H
#define MIMEO_NN_RRDB_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct rrdb;
struct rrdb_stream;
struct tensor;

struct rrdb_stream_options {
    int width, height; /* of the picture */
    /* Write row y of it, 0 <= y < height, red, green and blue in 0..1, `width` numbers each. A row
     * is asked for more than once. */
    void (*read)(void *context, int y, float *const ret_rgb[3]);
    void *context;
};

/* ERR_INVALID for a network of another factor than 4, ERR_NO_MEMORY. Free before the network. */
bool rrdb_stream_new(struct rrdb *rrdb, const struct rrdb_stream_options *options,
                     struct rrdb_stream **ret_stream, struct err *err);
void rrdb_stream_free(struct rrdb_stream *stream);

/* Rows of the picture that one step makes at most. */
#define RRDB_STREAM_ROWS_MAX 92

/* How many steps there are in all. */
int rrdb_stream_steps(const struct rrdb_stream *stream);

/* Go on by one window. dst: plain f32 [3][4 * RRDB_STREAM_ROWS_MAX][4 * width]; its first 4 * count
 * rows become those of the picture's rows first .. first + count - 1, not clamped. The first steps
 * make none (count 0); the last one makes first + count == height, after which there must be no
 * more. */
bool rrdb_stream_next(struct rrdb_stream *stream, const struct tensor *dst, int *ret_first,
                      int *ret_count, struct err *err);

/* Bytes kept between steps, and (beyond them, in the engine's arena) bytes while one runs, for a
 * picture of that width. */
size_t rrdb_stream_bytes(const struct rrdb *rrdb, int width);
size_t rrdb_stream_arena_bytes(const struct rrdb *rrdb, int width);

#endif
