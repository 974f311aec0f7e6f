/* Winograd F(4x4,3x3): a 3x3 convolution as 36 matrix products, one per point, over 4x4 tiles of
 * the output; a quarter of the multiplications of the direct way.
 *
 * Packed weights: [36 points][groups of two output blocks][source channel][one or two x width].
 * A dilation of d makes d x d phases, each a plane of its own of every d-th pixel; tiles are
 * numbered phase by phase. Two ways to divide the work:
 *
 *   blocks  each thread takes some tens of tiles through all three steps; what it makes stays in
 *           its second-level cache. For planes with many tiles.
 *   steps   all threads do one step for all tiles, then the next. For small planes, where the
 *           weights are larger than the plane and should be read once, not once per block.
 *
 * The kernels are in kernels_winograd_body.h. */
#include "engine/conv_private.h"

#include "base/err.h"
#include "engine/memory.h"
#include "engine/parallel.h"
#include "engine/winograd_points.h"

#define WINOGRAD_POINTS 36
#define WINOGRAD_STEPS_TILES_MAX 128 /* at most so many tiles: work in steps */
#define WINOGRAD_BLOCK_TILES_MAX 72
#define WINOGRAD_BLOCK_TILES_MIN 24
#define WINOGRAD_BLOCK_BYTES                                                                       \
    (1u << 20) /* wanted scratch of a block: most of a second-level cache */

struct winograd_work {
    struct engine *engine;
    const struct conv_filter *filter;
    struct kernels_conv conv;
    struct kernels_tiles tiles; /* of the steps; in blocks: count per block */
    int tile_count, in_blocks, out_blocks;
    size_t thread_floats; /* scratch per thread, in blocks */
    float *scratch;
    atomic_int next;
};

/* G: three filter taps to six points, in double because it is done once. */
static void winograd_filter_1d(const double g[3], double u[6])
{
    const double a = WINOGRAD_A, b = WINOGRAD_B;
    const double scale_0 = 1 / (a * a * b * b);
    const double scale_a = 1 / (2 * a * a * (a * a - b * b));
    const double scale_b = 1 / (2 * b * b * (b * b - a * a));
    u[0] = g[0] * scale_0;
    u[1] = (g[0] + a * g[1] + a * a * g[2]) * scale_a;
    u[2] = (g[0] - a * g[1] + a * a * g[2]) * scale_a;
    u[3] = (g[0] + b * g[1] + b * b * g[2]) * scale_b;
    u[4] = (g[0] - b * g[1] + b * b * g[2]) * scale_b;
    u[5] = g[2];
}

/* One 3x3 filter to its 36 numbers, `step` floats apart. */
static void winograd_filter_2d(const float *g, float *to, size_t step)
{
    double half[3][6];
    for (int row = 0; row < 3; row++)
        winograd_filter_1d((double[3]){ g[row * 3], g[row * 3 + 1], g[row * 3 + 2] }, half[row]);
    for (int column = 0; column < 6; column++) {
        double out[6];
        winograd_filter_1d((double[3]){ half[0][column], half[1][column], half[2][column] }, out);
        for (int row = 0; row < 6; row++)
            to[(size_t)(row * 6 + column) * step] = (float)out[row];
    }
}

/* One unit: all output channels of one source channel. */
static void winograd_pack_task(void *context, int thread)
{
    struct winograd_work *work = context;
    const struct conv_filter *filter = work->filter;
    int width = engine_block(work->engine);
    size_t in_channels = (size_t)work->in_blocks * width;
    size_t step = in_channels * work->out_blocks * width;
    (void)thread;
    for (int in; (in = parallel_next(&work->next)) < filter->in_channels;) {
        for (int out = 0; out < filter->out_channels; out++) {
            int group = out / (2 * width);
            int columns = group * 2 + 1 < work->out_blocks ? 2 : 1;
            size_t at = (size_t)group * 2 * width * in_channels + (size_t)in * columns * width +
                        out % (2 * width);
            size_t from = ((size_t)out * filter->in_channels + in) * 9;
            winograd_filter_2d(filter->source + from, filter->packed + at, step);
        }
    }
}

bool winograd_pack(struct engine *engine, struct conv_filter *filter, struct err *err)
{
    int width = engine_block(engine);
    struct winograd_work work = { .engine = engine,
                                  .filter = filter,
                                  .in_blocks = (filter->in_channels + width - 1) / width,
                                  .out_blocks = (filter->out_channels + width - 1) / width };
    size_t bytes =
        (size_t)WINOGRAD_POINTS * work.in_blocks * work.out_blocks * width * width * sizeof(float);
    filter->packed = memory_new(bytes);
    if (!filter->packed)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights", bytes);
    filter->packed_bytes = bytes;
    parallel_run(engine->threads, winograd_pack_task, &work);
    return true;
}

static void winograd_block_task(void *context, int thread)
{
    struct winograd_work *work = context;
    const struct kernels *kernels = work->engine->kernels;
    struct kernels_tiles tiles = { .input = work->scratch + (size_t)thread * work->thread_floats };
    tiles.output = tiles.input +
                   (size_t)WINOGRAD_POINTS * work->in_blocks * work->tiles.count * kernels->width;
    int groups = (work->out_blocks + 1) / 2;
    for (;;) {
        tiles.first = parallel_next(&work->next) * work->tiles.count;
        if (tiles.first >= work->tile_count)
            return;
        int left = work->tile_count - tiles.first;
        tiles.count = left < work->tiles.count ? left : work->tiles.count;
        for (int block = 0; block < work->in_blocks; block++)
            kernels->winograd_input(&work->conv, &tiles, block);
        for (int point = 0; point < WINOGRAD_POINTS; point++)
            for (int group = 0; group < groups; group++)
                kernels->winograd_multiply(&work->conv, &tiles, point, group);
        for (int block = 0; block < work->out_blocks; block++)
            kernels->winograd_output(&work->conv, &tiles, block);
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
    int groups = (work->out_blocks + 1) / 2;
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < WINOGRAD_POINTS * groups;)
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
static int winograd_block_tiles(const struct winograd_work *work, int width)
{
    size_t tile_bytes =
        (size_t)WINOGRAD_POINTS * (work->in_blocks + work->out_blocks) * width * sizeof(float);
    size_t count = WINOGRAD_BLOCK_BYTES / tile_bytes / 12 * 12;
    if (count > WINOGRAD_BLOCK_TILES_MAX)
        return WINOGRAD_BLOCK_TILES_MAX;
    return count < WINOGRAD_BLOCK_TILES_MIN ? WINOGRAD_BLOCK_TILES_MIN : (int)count;
}

static void winograd_run_steps(struct winograd_work *work)
{
    int threads = work->engine->threads;
    work->tiles.input = work->scratch;
    work->tiles.output = work->scratch + (size_t)WINOGRAD_POINTS * work->in_blocks *
                                             work->tiles.count * work->engine->kernels->width;
    parallel_run(threads, winograd_input_task, work);
    atomic_store(&work->next, 0);
    parallel_run(threads, winograd_multiply_task, work);
    atomic_store(&work->next, 0);
    parallel_run(threads, winograd_output_task, work);
}

bool winograd_run(struct engine *engine, const struct conv_filter *filter,
                  struct kernels_conv *conv, struct err *err)
{
    int width = engine_block(engine), threads = engine->threads;
    int reach = 4 * conv->dilation;
    conv->tiles_y = (conv->dst.height + reach - 1) / reach;
    conv->tiles_x = (conv->dst.width + reach - 1) / reach;
    struct winograd_work work = { .engine = engine,
                                  .filter = filter,
                                  .conv = *conv,
                                  .in_blocks = tensor_blocks(&conv->src),
                                  .out_blocks = tensor_blocks(&conv->dst) };
    work.tile_count = conv->tiles_y * conv->tiles_x * conv->dilation * conv->dilation;
    bool steps = work.tile_count <= WINOGRAD_STEPS_TILES_MAX;
    work.tiles.count = steps ? work.tile_count : winograd_block_tiles(&work, width);
    work.thread_floats =
        (size_t)WINOGRAD_POINTS * (work.in_blocks + work.out_blocks) * work.tiles.count * width;
    size_t bytes = work.thread_floats * sizeof(float) * (steps ? 1 : threads);
    if (!engine_scratch(engine, bytes, (void **)&work.scratch, err))
        return false;
    if (steps)
        winograd_run_steps(&work);
    else
        parallel_run(threads, winograd_block_task, &work);
    return true;
}
