/* Tensors: a view of numbers that someone else owns (an arena, a caller).
 *
 * One image at a time (batch 1), so a tensor is [channels][height][width]. Channels are stored in
 * blocks: element (c, y, x) stands at
 *
 *     ((c / block * height + y) * width + x) * block + c % block
 *
 * Block 1 is the plain layout. Otherwise the block is the vector width of the kernels (8 or 16; ask
 * engine_block) and the channels above the last one, up to a full block, are zero: every operator
 * may rely on that and must keep it so. A run of whole blocks is contiguous, hence a channel slice
 * is a plain view and concatenation means writing into slices of one tensor.
 * Not here: where memory comes from (engine.h), arithmetic (conv.h, plane.h). */
#ifndef MIMEO_ENGINE_TENSOR_H
#define MIMEO_ENGINE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

enum tensor_type { TENSOR_F32, TENSOR_BF16 };

struct tensor {
    enum tensor_type type;
    int block; /* channels per block; 1 is the plain layout */
    int channels, height, width;
    void *data; /* borrowed; blocked tensors are 64-byte aligned */
};

/* A plain f32 tensor over the caller's memory. */
struct tensor tensor_plain(int channels, int height, int width, float *data);

/* The view of `count` channels from `first` on. Both must be multiples of the block, but that a
 * slice may end where the tensor ends. */
struct tensor tensor_slice(const struct tensor *tensor, int first, int count);

size_t tensor_type_bytes(enum tensor_type type);
size_t tensor_bytes(const struct tensor *tensor); /* with the padding of the last block */
int tensor_blocks(const struct tensor *tensor);   /* number of channel blocks */
bool tensor_same_shape(const struct tensor *a, const struct tensor *b); /* not type, not block */

#endif
