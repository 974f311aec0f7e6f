/* RRDBNet: the network of ESRGAN and Real-ESRGAN. Source: Wang et al., "ESRGAN: Enhanced
 * Super-Resolution Generative Adversarial Networks", 2018, and "Real-ESRGAN", 2021.
 *
 *   picture --> conv_first --> body: depth x RRDB --> conv_body, + conv_first
 *           --> twice as large, conv_up1 --> twice as large, conv_up2 --> conv_hr --> conv_last
 *
 * An RRDB is three dense blocks of five convolutions. The networks for factors 2 and 1 fold 2 x 2
 * or 4 x 4 pixels into channels first, and are the same from there on.
 * Not here: tiles and pictures (upscale/). */
#ifndef MIMEO_NN_RRDB_H
#define MIMEO_NN_RRDB_H

#include <stdbool.h>

struct engine;
struct err;
struct keys;
struct rrdb;
struct tensor;
struct weights;

struct rrdb_shape {
    int features, growth; /* channels: 64 and 32 in the published ones; multiples of 16 */
    int depth;            /* RRDBs: 23, anime 6; 1..RRDB_DEPTH_MAX */
    int factor;           /* 4, 2 or 1 */
};

#define RRDB_DEPTH_MAX 64

/* Append every tensor of such a network, by the names of today. */
void rrdb_keys(const struct rrdb_shape *shape, struct keys *keys);

/* Do these weights look like an RRDBNet, by any of its namings? They have been entered
 * (checkpoint.h). It says nothing about their being complete. */
bool rrdb_is(const struct weights *weights);

/* Bind. The shape is told by the tensors; they are named as today ("body.0.rdb1.conv1"), as in 2020
 * ("RRDB_trunk.0.RDB1.conv1"), as in 2018 ("model.1.sub.0.RDB1.conv1.0"), or by ncnn, where order
 * tells. `weights` are entered and renamed, and may be closed afterwards; `engine` must outlive the
 * network. ERR_INVALID names what is missing, unexpected or misshapen; ERR_NO_MEMORY. */
bool rrdb_new(struct engine *engine, struct weights *weights, struct rrdb **ret_rrdb,
              struct err *err);
void rrdb_free(struct rrdb *rrdb);

/* Ask before each block, from now on; true ends the run with ERR_CANCELED. NULL: do not ask. */
void rrdb_watch(struct rrdb *rrdb, bool (*canceled)(void *context), void *context);

int rrdb_factor(const struct rrdb *rrdb);
struct rrdb_shape rrdb_shape(const struct rrdb *rrdb);

/* src: plain f32 [3][h][w], RGB in 0..1; h and w may be any (where the factor wants even ones, the
 * picture is continued by its mirror image and the result cut). dst: plain f32
 * [3][h * factor][w * factor], not clamped. One call at a time per engine.
 *
 * Memory: about 3 * (features + 4 * growth) numbers a pixel in the engine's arena, 2.3 kB for the
 * published networks in f32. The planes at 4 times the size exist only as strips of rows, which
 * need no more than that. ERR_INVALID, ERR_NO_MEMORY. */
bool rrdb_run(struct rrdb *rrdb, const struct tensor *src, const struct tensor *dst,
              struct err *err);

#endif
