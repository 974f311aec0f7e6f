/* Template: the products of Winograd, and fetching what the transforms around them will need.
 *
 * Private to kernels_winograd_body.h. */

/* What is fetched into the cache while products are computed, which need little memory: the pixels
 * that the next block of tiles reads and those that this block writes. Without it both transforms
 * wait for memory most of their time. Per channel block of the source, `src_lines` lines and
 * `dst_lines` lines of each output block. */
struct winograd_ahead {
    const char *src, *dst;
    size_t src_plane, dst_plane; /* bytes of a channel block */
    int src_lines, dst_lines;
};

#define WINOGRAD_LINE 64 /* bytes of a cache line */

/* Lines `first` on of `lines` in a block of tiles' row `row` of pixels: where they are in `tensor`
 * (NULL: outside). Not exact where the block goes on in the next row of tiles: it need not be. */
INLINE const char *winograd_line(const struct kernels_conv *conv, const struct tensor *tensor,
                                 int tile, int row, int first)
{
    const int pixel_bytes = VECTOR_WIDTH * (int)sizeof(float);
    int pixel = first * WINOGRAD_LINE / pixel_bytes, y, x;
    winograd_tile_at(conv, tile + pixel / conv->tile, &y, &x);
    y += row;
    x += pixel % conv->tile;
    if (y < 0 || y >= tensor->height || x >= tensor->width)
        return NULL;
    return (const char *)tensor->data + ((size_t)y * tensor->width + x) * pixel_bytes;
}

/* The share of point `point` and group `group` of all that is to be fetched. */
INLINE struct winograd_ahead winograd_look_ahead(const struct kernels_conv *conv,
                                                 const struct kernels_tiles *tiles, int point,
                                                 int group)
{
    const struct tensor *src = &conv->src, *dst = &conv->dst;
    const int pixel_bytes = VECTOR_WIDTH * (int)sizeof(float);
    int in_blocks = tensor_blocks(src);
    int groups = (tensor_blocks(dst) + 1) / 2, edge = winograd_edge(conv->tile);
    int run = tiles->count * conv->tile * pixel_bytes / WINOGRAD_LINE; /* lines of a pixel row */
    struct winograd_ahead ahead = {
        .src_plane = (size_t)src->height * src->width * pixel_bytes,
        .dst_plane = (size_t)dst->height * dst->width * pixel_bytes,
    };
    if (conv->dilation > 1)
        return ahead;
    int slots = edge * groups, slot = point * groups + group; /* slots per row of pixels */
    int lines = (run + slots - 1) / slots;
    if (tiles->next >= 0)
        ahead.src = winograd_line(conv, src, tiles->next, slot / slots - conv->padding,
                                  slot % slots * lines);
    ahead.src_lines = ahead.src ? lines : 0;
    lines = (run + edge - 1) / edge;
    if (point / edge < conv->tile)
        ahead.dst = winograd_line(conv, dst, tiles->first, point / edge, point % edge * lines);
    if (ahead.dst)
        ahead.dst += (size_t)group * 2 * ahead.dst_plane;
    ahead.dst_lines = ahead.dst ? (lines + in_blocks - 1) / in_blocks : 0;
    return ahead;
}

INLINE void winograd_fetch(const struct winograd_ahead *ahead, int block, const int columns)
{
    for (int line = 0; line < ahead->src_lines; line++)
        __builtin_prefetch(ahead->src + block * ahead->src_plane + line * WINOGRAD_LINE, 0, 1);
    for (int line = block * ahead->dst_lines; line < (block + 1) * ahead->dst_lines; line++) {
        __builtin_prefetch(ahead->dst + line * WINOGRAD_LINE, 1);
        if (columns > 1)
            __builtin_prefetch(ahead->dst + ahead->dst_plane + line * WINOGRAD_LINE, 1);
    }
}

/* rows tiles x columns output blocks, over all source channels: the inner product kernel.
 * rows and columns are constants: the accumulators are registers. */
INLINE void winograd_multiply_rows(const float *input, int blocks, const float *weights,
                                   float *output, const struct winograd_ahead *ahead,
                                   const int rows, const int columns)
{
    vector sums[VECTOR_ROWS][2];
    UNROLL
    for (int row = 0; row < rows; row++) {
        sums[row][0] = sums[row][1] = vector_splat(0);
    }
    for (int block = 0; block < blocks; block++, input += VECTOR_ROWS * VECTOR_WIDTH) {
        winograd_fetch(ahead, block, columns);
#pragma GCC unroll 1
        for (int channel = 0; channel < VECTOR_WIDTH; channel++) {
            vector left = vector_load(weights);
            vector right = columns > 1 ? vector_load(weights + VECTOR_WIDTH) : left;
            weights += columns * VECTOR_WIDTH;
            UNROLL
            for (int row = 0; row < rows; row++) {
                vector value = vector_splat(input[row * VECTOR_WIDTH + channel]);
                sums[row][0] = vector_fma(value, left, sums[row][0]);
                if (columns > 1)
                    sums[row][1] = vector_fma(value, right, sums[row][1]);
            }
        }
    }
    UNROLL
    for (int row = 0; row < rows; row++) {
        vector_store(output + row * VECTOR_WIDTH, sums[row][0]);
        if (columns > 1)
            vector_store(output + (VECTOR_ROWS + row) * VECTOR_WIDTH, sums[row][1]);
    }
}

/* One group of tiles; the last of a plane has fewer than VECTOR_ROWS. */
INLINE void winograd_multiply_group(const float *input, int tiles, int blocks, const float *weights,
                                    float *output, const struct winograd_ahead *ahead,
                                    const int columns)
{
    int tile = 0;
#define WINOGRAD_ROWS(rows)                                                                        \
    for (; tile + (rows) <= tiles; tile += (rows))                                                 \
    winograd_multiply_rows(input + tile * VECTOR_WIDTH, blocks, weights,                           \
                           output + tile * VECTOR_WIDTH, ahead, rows, columns)
#if VECTOR_ROWS >= 12
    WINOGRAD_ROWS(VECTOR_ROWS);
    WINOGRAD_ROWS(8);
#endif
#if VECTOR_ROWS >= 6
    WINOGRAD_ROWS(6);
    WINOGRAD_ROWS(4);
#endif
    WINOGRAD_ROWS(2);
    WINOGRAD_ROWS(1);
#undef WINOGRAD_ROWS
}

static void winograd_multiply(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                              int point, int group)
{
    int in_blocks = tensor_blocks(&conv->src), out_blocks = tensor_blocks(&conv->dst);
    int columns = group * 2 + 1 < out_blocks ? 2 : 1, channels = in_blocks * VECTOR_WIDTH;
    size_t points = (size_t)winograd_points(conv->tile);
    size_t in_step = winograd_step(in_blocks, VECTOR_ROWS, VECTOR_WIDTH);
    size_t out_step = winograd_step(out_blocks, VECTOR_ROWS, VECTOR_WIDTH);
    const float *weights =
        conv->weights + (size_t)group * points * winograd_weights_step(channels, 2, VECTOR_WIDTH) +
        (size_t)point * winograd_weights_step(channels, columns, VECTOR_WIDTH);
    struct winograd_ahead ahead = winograd_look_ahead(conv, tiles, point, group);
    const float *input = tiles->input + (size_t)point * in_step;
    float *output =
        tiles->output + (size_t)point * out_step + (size_t)group * 2 * VECTOR_ROWS * VECTOR_WIDTH;
    for (int first = 0; first < tiles->count; first += VECTOR_ROWS) {
        int left = tiles->count - first;
        int count = left < VECTOR_ROWS ? left : VECTOR_ROWS;
        if (columns == 2)
            winograd_multiply_group(input, count, in_blocks, weights, output, &ahead, 2);
        else
            winograd_multiply_group(input, count, in_blocks, weights, output, &ahead, 1);
        input += points * in_step;
        output += points * out_step;
    }
}
