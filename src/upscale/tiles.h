/* Where a picture is cut: pure arithmetic along one axis at a time.
 *
 *     |<------ first tile ------>|
 *     |<---- core ---->|<-border>|
 *            |<-border>|<---- core ---->|<-border>|
 *            |<----------- second tile ---------->|
 *
 * Tiles have the same length as far as whole pixels allow, so that none is mostly border; cores
 * follow each other without gaps; at the picture's edges there is no border.
 * Not here: what is done with a tile (upscaler.c). */
#ifndef MIMEO_UPSCALE_TILES_H
#define MIMEO_UPSCALE_TILES_H

/* Tiles begin at multiples of it: networks that fold up to 4 pixels into channels see the same
 * groups of pixels as in the whole picture. */
#define TILES_STEP 4

struct tiles {
    int length, border, count;
    double core; /* of a tile with two borders */
};

struct tile_span {
    int begin, end;           /* what the network is given */
    int core_begin, core_end; /* what is kept of it */
};

/* Cut `length` pixels into tiles of at most about `tile` pixels (TILES_STEP more), borders
 * included. A tile that would be less than twice its borders gets longer. All >= 0, tile >= 1. */
struct tiles tiles_cut(int length, int tile, int border);

struct tile_span tiles_at(const struct tiles *tiles, int index);

#endif
