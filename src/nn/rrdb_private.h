/* What the files of RRDBNet share: its filters, and the steps that whole pictures (rrdb.c) and
 * streams of rows (rrdb_stream.c) are made of. Private to nn/rrdb*.c. */
#ifndef MIMEO_NN_RRDB_PRIVATE_H
#define MIMEO_NN_RRDB_PRIVATE_H

#include "engine/conv.h"
#include "nn/rrdb.h"

#define RRDB_DENSE 3 /* dense blocks in an RRDB */
#define RRDB_CONVS 5 /* convolutions in a dense block */
#define RRDB_HALO 2  /* rows at the network's size that a strip needs beyond its own */

struct rrdb_dense {
    struct conv_filter *convs[RRDB_CONVS];
};

struct rrdb_block {
    struct rrdb_dense dense[RRDB_DENSE];
};

/* The layers behind the body, in the order of files. */
enum rrdb_tail { RRDB_BODY, RRDB_UP1, RRDB_UP2, RRDB_HR, RRDB_LAST, RRDB_TAIL };

struct rrdb {
    struct engine *engine;
    struct rrdb_shape shape;
    struct conv_filter *first, *tail[RRDB_TAIL];
    struct rrdb_block *blocks;       /* [depth] */
    bool (*canceled)(void *context); /* NULL: never */
    void *context;
};

/* 3x3, zeros around; `leaky`: leaky ReLU; residual as conv_options has it. */
bool rrdb_conv(struct rrdb *rrdb, struct conv_filter *filter, const struct tensor *src, bool leaky,
               const struct tensor *residual, const struct tensor *dst, struct err *err);

/* The source as the first layer wants it: folded, and of the engine's type. */
bool rrdb_enter(struct rrdb *rrdb, const struct tensor *src, struct tensor *ret_pixels,
                struct err *err);

/* Rows low .. high of the features to four times as many rows of pixels, plain, new in the arena.
 * The rows next to a cut are wrong, as the convolutions lack theirs; the caller leaves them out. */
bool rrdb_run_strip(struct rrdb *rrdb, const struct tensor *features, int low, int high,
                    struct tensor *ret_pixels, struct err *err);

#endif
