/* The interpolation points of Winograd F(4x4,3x3) and F(6x6,3x3), and what follows from them.
 * Private to engine/.
 *
 * F(4): 0, +-5/8, +-3/2, infinity. F(6): 0, +-1/2, +-1, +-2, infinity. All are short binary
 * fractions, so the constants of the transforms are exact. docs/engine.md has the errors. */
#ifndef MIMEO_ENGINE_WINOGRAD_POINTS_H
#define MIMEO_ENGINE_WINOGRAD_POINTS_H

#include <stddef.h>

#define WINOGRAD_A 0.625f
#define WINOGRAD_B 1.5f

/* A tile of 4x4 (6x6) outputs is made of 6x6 (8x8) inputs, and has a point for each. */
#define WINOGRAD_EDGE_MAX 8

static inline int winograd_edge(int tile)
{
    return tile + 2;
}

static inline int winograd_points(int tile)
{
    return winograd_edge(tile) * winograd_edge(tile);
}

/* Scratch of a block of tiles: [groups of `rows` tiles][points][channel blocks][rows][width].
 * Between points there is an odd number of vectors: a tile is written at all points at once, and
 * with a round step all of them would fall into few sets of the first-level cache. */
static inline size_t winograd_step(int blocks, int rows, int width)
{
    return ((size_t)blocks * rows | 1) * width;
}

/* The same for transformed weights: [groups of two output blocks][points][source channel][one or
 * two x width]. `channels` is padded to whole blocks. */
static inline size_t winograd_weights_step(int channels, int columns, int width)
{
    return ((size_t)channels * columns + 1) * width;
}

#endif
