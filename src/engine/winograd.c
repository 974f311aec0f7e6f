/* Winograd F(4x4,3x3) and F(6x6,3x3): a 3x3 convolution as 36 or 64 matrix products, one per point,
 * over 4x4 or 6x6 tiles of the output; a quarter or a fifth of the multiplications of the direct
 * way.
 *
 * A dilation of d makes d x d phases, each a plane of its own of every d-th pixel; tiles are
 * numbered phase by phase. Two ways to divide the work:
 *
 *   blocks  each thread takes some tens of tiles through all three steps; what it makes stays in
 *           its second-level cache. For planes with many tiles.
 *   steps   all threads do one step for all tiles, then the next. For small planes, where the
 *           weights are larger than the plane and should be read once, not once per block.
 *
 * Weights are transformed anew at each use on a plane with many tiles: that costs next to nothing
 * there, and a filter needs an eighth of the memory. For small planes it is done once.
 *
 * The kernels are in kernels_winograd_*body.h, the layouts in winograd_points.h. */
#include "engine/conv_private.h"

#include "base/err.h"
#include "engine/memory.h"
#include "engine/parallel.h"
#include "engine/winograd_points.h"

#define WINOGRAD_STEPS_TILES_MAX 128 /* at most so many tiles: work in steps */
#define WINOGRAD_KEEP_TILES_MAX 320  /* at most so many: keep transformed weights */
#define WINOGRAD_FIXED_TILES 32      /* reading and transforming weights costs as much */
#define WINOGRAD_BLOCK_TILES_MAX 72
#define WINOGRAD_BLOCK_TILES_MIN 12
#define WINOGRAD_BLOCK_BYTES                                                                       \
    (1u << 18) /* wanted scratch of a block: weights pass through the second-level cache, too */

struct winograd_work {
    struct engine *engine;
    const float *taps; /* what winograd_weights_task transforms */
    float *weights;
    struct kernels_conv conv;
    struct kernels_tiles tiles; /* of the steps; in blocks: count per block */
    int tile_count, in_blocks, out_blocks;
    size_t thread_floats; /* scratch per thread, in blocks */
    float *scratch;
    atomic_int next;
};

static int winograd_tile_count(const struct kernels_conv *conv, int tile)
{
    int reach = tile * conv->dilation;
    int tiles_y = (conv->dst.height + reach - 1) / reach;
    int tiles_x = (conv->dst.width + reach - 1) / reach;
    return tiles_y * tiles_x * conv->dilation * conv->dilation;
}

/* The edge of tiles that makes the least work of a plane: large ones multiply less, but reach
 * further beyond its border. */
static int winograd_tile(const struct kernels_conv *conv)
{
    long small = (long)(winograd_tile_count(conv, 4) + WINOGRAD_FIXED_TILES) * winograd_points(4);
    long large = (long)(winograd_tile_count(conv, 6) + WINOGRAD_FIXED_TILES) * winograd_points(6);
    return large < small ? 6 : 4;
}

/* Floats of all transformed weights. */
static size_t winograd_weights_floats(const struct winograd_work *work, int tile)
{
    int width = work->engine->kernels->width, groups = (work->out_blocks + 1) / 2;
    return (size_t)groups * winograd_points(tile) *
           winograd_weights_step(work->in_blocks * width, 2, width);
}

/* One unit: one block of source channels for one group of outputs. */
static void winograd_weights_task(void *context, int thread)
{
    struct winograd_work *work = context;
    int width = work->engine->kernels->width, groups = (work->out_blocks + 1) / 2;
    int channels = work->in_blocks * width;
    size_t points = (size_t)winograd_points(work->conv.tile);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < groups * work->in_blocks;) {
        int group = unit / work->in_blocks, channel = unit % work->in_blocks * width;
        int columns = group * 2 + 1 < work->out_blocks ? 2 : 1;
        size_t floats = (size_t)columns * width;
        const float *taps =
            work->taps + (size_t)group * channels * 9 * 2 * width + (size_t)channel * 9 * floats;
        float *weights = work->weights +
                         (size_t)group * points * winograd_weights_step(channels, 2, width) +
                         (size_t)channel * floats;
        work->engine->kernels->winograd_weights(taps, width, weights, channels, columns,
                                                work->conv.tile);
    }
}

/* The published weights as [groups of two output blocks][source channel][9][one or two x width]. */
static void winograd_arrange(const struct winograd_work *work, const struct conv_filter *filter,
                             float *taps)
{
    int width = work->engine->kernels->width;
    size_t channels = (size_t)work->in_blocks * width;
    for (int out = 0; out < filter->out_channels; out++) {
        int group = out / (2 * width);
        size_t floats = (size_t)(group * 2 + 1 < work->out_blocks ? 2 : 1) * width;
        float *to = taps + (size_t)group * channels * 9 * 2 * width + out % (2 * width);
        const float *from = filter->source + (size_t)out * filter->in_channels * 9;
        for (size_t i = 0; i < (size_t)filter->in_channels * 9; i++)
            to[i * floats] = from[i];
    }
}

bool winograd_pack(struct engine *engine, struct conv_filter *filter,
                   const struct kernels_conv *conv, struct err *err)
{
    int width = engine->kernels->width;
    struct winograd_work work = { .engine = engine,
                                  .conv = *conv,
                                  .in_blocks = tensor_blocks(&conv->src),
                                  .out_blocks = tensor_blocks(&conv->dst) };
    size_t taps_bytes =
        (size_t)work.in_blocks * work.out_blocks * width * width * 9 * sizeof(float);
    float *taps = memory_new(taps_bytes);
    if (!taps)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights", taps_bytes);
    winograd_arrange(&work, filter, taps);
    work.conv.tile = winograd_tile(conv);
    if (winograd_tile_count(conv, work.conv.tile) > WINOGRAD_KEEP_TILES_MAX) {
        filter->packed = taps;
        filter->packed_bytes = taps_bytes;
        return true;
    }
    size_t bytes = winograd_weights_floats(&work, work.conv.tile) * sizeof(float);
    filter->packed = work.weights = memory_new(bytes);
    if (!filter->packed) {
        memory_free(taps, taps_bytes);
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights", bytes);
    }
    filter->packed_bytes = bytes;
    filter->packed_tile = work.conv.tile;
    work.taps = taps;
    parallel_run(engine->threads, winograd_weights_task, &work);
    memory_free(taps, taps_bytes);
    return true;
}

/* Where the products of `count` tiles begin, in the scratch behind the transformed source: both in
 * whole groups of tiles. */
static size_t winograd_scratch_floats(const struct winograd_work *work, int count, int blocks)
{
    int rows = work->engine->kernels->winograd_rows, groups = (count + rows - 1) / rows;
    return (size_t)groups * winograd_points(work->conv.tile) *
           winograd_step(blocks, rows, work->engine->kernels->width);
}

static void winograd_block_task(void *context, int thread)
{
    struct winograd_work *work = context;
    const struct kernels *kernels = work->engine->kernels;
    struct kernels_tiles tiles = { .input = work->scratch + (size_t)thread * work->thread_floats };
    tiles.output = tiles.input + winograd_scratch_floats(work, work->tiles.count, work->in_blocks);
    int groups = (work->out_blocks + 1) / 2, points = winograd_points(work->conv.tile);
    int first = parallel_next(&work->next) * work->tiles.count;
    while (first < work->tile_count) {
        int next = parallel_next(&work->next) * work->tiles.count, left = work->tile_count - first;
        tiles.first = first;
        tiles.next = next < work->tile_count ? next : -1;
        tiles.count = left < work->tiles.count ? left : work->tiles.count;
        for (int block = 0; block < work->in_blocks; block++)
            kernels->winograd_input(&work->conv, &tiles, block);
        for (int group = 0; group < groups; group++)
            for (int point = 0; point < points; point++)
                kernels->winograd_multiply(&work->conv, &tiles, point, group);
        for (int block = 0; block < work->out_blocks; block++)
            kernels->winograd_output(&work->conv, &tiles, block);
        first = next;
    }
}

static void winograd_input_task(void *context, int thread)
{
    struct winograd_work *work = context;
    (void)thread;
    for (int block; (block = parallel_next(&work->next)) < work->in_blocks;)
        work->engine->kernels->winograd_input(&work->conv, &work->tiles, block);
}

static void winograd_multiply_task(void *context, int thread)
{
    struct winograd_work *work = context;
    int groups = (work->out_blocks + 1) / 2, points = winograd_points(work->conv.tile);
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < points * groups;)
        work->engine->kernels->winograd_multiply(&work->conv, &work->tiles, unit / groups,
                                                 unit % groups);
}

static void winograd_output_task(void *context, int thread)
{
    struct winograd_work *work = context;
    (void)thread;
    for (int block; (block = parallel_next(&work->next)) < work->out_blocks;)
        work->engine->kernels->winograd_output(&work->conv, &work->tiles, block);
}

/* Tiles per block: as many as the cache holds, in equal blocks of full register tiles. */
static int winograd_block_tiles(const struct winograd_work *work)
{
    const struct kernels *kernels = work->engine->kernels;
    size_t tile_bytes = (size_t)winograd_points(work->conv.tile) *
                        (work->in_blocks + work->out_blocks) * kernels->width * sizeof(float);
    int count = (int)(WINOGRAD_BLOCK_BYTES / tile_bytes);
    if (count > WINOGRAD_BLOCK_TILES_MAX)
        count = WINOGRAD_BLOCK_TILES_MAX;
    if (count < WINOGRAD_BLOCK_TILES_MIN)
        count = WINOGRAD_BLOCK_TILES_MIN;
    return count / kernels->winograd_rows * kernels->winograd_rows;
}

static void winograd_run_steps(struct winograd_work *work)
{
    int threads = work->engine->threads;
    work->tiles.next = -1;
    work->tiles.input = work->scratch;
    work->tiles.output =
        work->scratch + winograd_scratch_floats(work, work->tiles.count, work->in_blocks);
    parallel_run(threads, winograd_input_task, work);
    atomic_store(&work->next, 0);
    parallel_run(threads, winograd_multiply_task, work);
    atomic_store(&work->next, 0);
    parallel_run(threads, winograd_output_task, work);
}

bool winograd_run(struct engine *engine, const struct conv_filter *filter,
                  struct kernels_conv *conv, struct err *err)
{
    int threads = engine->threads;
    conv->tile = filter->packed_tile ? filter->packed_tile : winograd_tile(conv);
    int reach = conv->tile * conv->dilation;
    conv->tiles_y = (conv->dst.height + reach - 1) / reach;
    conv->tiles_x = (conv->dst.width + reach - 1) / reach;
    struct winograd_work work = { .engine = engine,
                                  .taps = filter->packed,
                                  .conv = *conv,
                                  .tile_count = winograd_tile_count(conv, conv->tile),
                                  .in_blocks = tensor_blocks(&conv->src),
                                  .out_blocks = tensor_blocks(&conv->dst) };
    bool steps = work.tile_count <= WINOGRAD_STEPS_TILES_MAX;
    work.tiles.count = steps ? work.tile_count : winograd_block_tiles(&work);
    work.thread_floats = winograd_scratch_floats(&work, work.tiles.count, work.in_blocks) +
                         winograd_scratch_floats(&work, work.tiles.count, work.out_blocks);
    size_t weights_floats = filter->packed_tile ? 0 : winograd_weights_floats(&work, conv->tile);
    size_t floats = weights_floats + work.thread_floats * (steps ? 1 : (size_t)threads);
    if (!engine_scratch(engine, floats * sizeof(float), (void **)&work.scratch, err))
        return false;
    if (!filter->packed_tile) {
        work.conv.weights = work.weights = work.scratch;
        work.scratch += weights_floats;
        parallel_run(threads, winograd_weights_task, &work);
        atomic_store(&work.next, 0);
    }
    if (steps)
        winograd_run_steps(&work);
    else
        parallel_run(threads, winograd_block_task, &work);
    return true;
}
