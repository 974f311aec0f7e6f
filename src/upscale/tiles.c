#include "upscale/tiles.h"

struct tiles tiles_cut(int length, int tile, int border)
{
    struct tiles tiles = { .length = length, .border = border, .count = 1, .core = length };
    int least = 4 * border + 2 * TILES_STEP; /* so that every core has TILES_STEP pixels */
    tile = tile > least ? tile : least;
    if (length <= tile)
        return tiles;
    int stride = tile - 2 * border; /* what a tile adds */
    tiles.count = (length - 2 * border + stride - 1) / stride;
    tiles.core = (double)(length - 2 * border) / tiles.count;
    return tiles;
}

/* The end of core `index`, which is where the next begins. */
static int tiles_boundary(const struct tiles *tiles, int index)
{
    if (index < 0)
        return 0;
    if (index + 1 >= tiles->count)
        return tiles->length;
    int at = (int)((index + 1) * tiles->core) + tiles->border;
    return at - at % TILES_STEP;
}

struct tile_span tiles_at(const struct tiles *tiles, int index)
{
    struct tile_span span = { .core_begin = tiles_boundary(tiles, index - 1),
                              .core_end = tiles_boundary(tiles, index) };
    span.begin = span.core_begin - tiles->border;
    span.end = span.core_end + tiles->border;
    span.begin = index == 0 ? 0 : span.begin - (span.begin % TILES_STEP);
    span.end = span.end < tiles->length ? span.end : tiles->length;
    return span;
}
