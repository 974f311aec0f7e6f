/* Template: the steps of Winograd F(4x4,3x3) and F(6x6,3x3) for one vector type.
 *
 *     output = A' [ (G g G') * (B' d B) ] A      g: 3x3 filter, d: 6x6 (8x8) input,
 *                                                output: 4x4 (6x6)
 *
 * `tile` is the edge of the output, always a constant in here: loops over it unroll. With dilation
 * d the pixels of a tile are d apart; everything else stays the same. Layouts: winograd_points.h.
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma, vector_max and VECTOR_ROWS. */

#include "engine/winograd_points.h"

/* B' x for tiles of 4: six values to six. */
INLINE void winograd_input_4(const vector *x, vector *y)
{
    const vector aa = vector_splat(-WINOGRAD_A * WINOGRAD_A);
    const vector bb = vector_splat(-WINOGRAD_B * WINOGRAD_B);
    const vector a = vector_splat(WINOGRAD_A), b = vector_splat(WINOGRAD_B);
    const vector product = vector_splat(WINOGRAD_A * WINOGRAD_A * WINOGRAD_B * WINOGRAD_B);
    const vector sum = vector_splat(-WINOGRAD_A * WINOGRAD_A - WINOGRAD_B * WINOGRAD_B);
    vector even_a = vector_fma(bb, x[2], x[4]), odd_a = vector_fma(bb, x[1], x[3]);
    vector even_b = vector_fma(aa, x[2], x[4]), odd_b = vector_fma(aa, x[1], x[3]);
    y[0] = vector_fma(sum, x[2], vector_fma(product, x[0], x[4]));
    y[1] = vector_fma(a, odd_a, even_a);
    y[2] = vector_fma(-a, odd_a, even_a);
    y[3] = vector_fma(b, odd_b, even_b);
    y[4] = vector_fma(-b, odd_b, even_b);
    y[5] = vector_fma(sum, x[3], vector_fma(product, x[1], x[5]));
}

/* B' x for tiles of 6: eight values to eight. Written so that as much as possible is plain
 * addition, for which most processors have units of its own. */
INLINE void winograd_input_6(const vector *x, vector *y)
{
    const vector half = vector_splat(0.5f), one_quarter = vector_splat(0.25f);
    const vector two = vector_splat(2), four = vector_splat(4);
    const vector outer = vector_splat(5.25f), inner = vector_splat(-4.25f);
    const vector near = vector_splat(-5), far = vector_splat(-1.25f);
    vector even = vector_fma(four, x[2], vector_fma(near, x[4], x[6]));
    vector odd = vector_fma(four, x[1], vector_fma(near, x[3], x[5]));
    y[0] = vector_fma(outer, x[2] - x[4], x[6] - x[0]);
    y[1] = vector_fma(half, odd, even);
    y[2] = vector_fma(-half, odd, even);
    even = vector_fma(inner, x[4], x[2] + x[6]);
    odd = vector_fma(inner, x[3], x[1] + x[5]);
    y[3] = even + odd;
    y[4] = even - odd;
    even = vector_fma(one_quarter, x[2], vector_fma(far, x[4], x[6]));
    odd = vector_fma(one_quarter, x[1], vector_fma(far, x[3], x[5]));
    y[5] = vector_fma(two, odd, even);
    y[6] = vector_fma(-two, odd, even);
    y[7] = vector_fma(outer, x[3] - x[5], x[7] - x[1]);
}

/* A' x for tiles of 4: six values to four. */
INLINE void winograd_output_4(const vector *x, vector *y)
{
    const vector a = vector_splat(WINOGRAD_A), b = vector_splat(WINOGRAD_B);
    const vector aa = vector_splat(WINOGRAD_A * WINOGRAD_A);
    const vector bb = vector_splat(WINOGRAD_B * WINOGRAD_B);
    const vector aaa = vector_splat(WINOGRAD_A * WINOGRAD_A * WINOGRAD_A);
    const vector bbb = vector_splat(WINOGRAD_B * WINOGRAD_B * WINOGRAD_B);
    vector sum_a = x[1] + x[2], difference_a = x[1] - x[2];
    vector sum_b = x[3] + x[4], difference_b = x[3] - x[4];
    y[0] = x[0] + (sum_a + sum_b);
    y[1] = vector_fma(a, difference_a, b * difference_b);
    y[2] = vector_fma(aa, sum_a, bb * sum_b);
    y[3] = vector_fma(aaa, difference_a, vector_fma(bbb, difference_b, x[5]));
}

/* A' x for tiles of 6: eight values to six. */
INLINE void winograd_output_6(const vector *x, vector *y)
{
    vector sum_a = x[1] + x[2], difference_a = x[1] - x[2]; /* of +-1/2 */
    vector sum_b = x[3] + x[4], difference_b = x[3] - x[4]; /* of +-1 */
    vector sum_c = x[5] + x[6], difference_c = x[5] - x[6]; /* of +-2 */
#define WINOGRAD_POWER(power, a, b, c)                                                             \
    vector_fma(vector_splat(1.0f / (power)), a, vector_fma(vector_splat(power), c, b))
    y[0] = (x[0] + sum_a) + (sum_b + sum_c);
    y[1] = WINOGRAD_POWER(2.0f, difference_a, difference_b, difference_c);
    y[2] = WINOGRAD_POWER(4.0f, sum_a, sum_b, sum_c);
    y[3] = WINOGRAD_POWER(8.0f, difference_a, difference_b, difference_c);
    y[4] = WINOGRAD_POWER(16.0f, sum_a, sum_b, sum_c);
    y[5] = WINOGRAD_POWER(32.0f, difference_a, difference_b, difference_c) + x[7];
#undef WINOGRAD_POWER
}

/* G x for tiles of 4: three taps to six values. */
INLINE void winograd_filter_4(const vector *x, vector *y)
{
    const float aa = WINOGRAD_A * WINOGRAD_A, bb = WINOGRAD_B * WINOGRAD_B;
    const vector scale_0 = vector_splat(1 / (aa * bb));
    const vector scale_a = vector_splat(1 / (2 * aa * (aa - bb)));
    const vector scale_b = vector_splat(1 / (2 * bb * (bb - aa)));
    vector even_a = vector_fma(vector_splat(aa), x[2], x[0]);
    vector even_b = vector_fma(vector_splat(bb), x[2], x[0]);
    vector odd_a = vector_splat(WINOGRAD_A) * x[1], odd_b = vector_splat(WINOGRAD_B) * x[1];
    y[0] = x[0] * scale_0;
    y[1] = (even_a + odd_a) * scale_a;
    y[2] = (even_a - odd_a) * scale_a;
    y[3] = (even_b + odd_b) * scale_b;
    y[4] = (even_b - odd_b) * scale_b;
    y[5] = x[2];
}

/* G x for tiles of 6: three taps to eight values. */
INLINE void winograd_filter_6(const vector *x, vector *y)
{
    const vector scale_a = vector_splat(32.0f / 45), scale_b = vector_splat(-2.0f / 9);
    const vector scale_c = vector_splat(1.0f / 90);
    vector even_a = vector_fma(vector_splat(0.25f), x[2], x[0]), odd_a = vector_splat(0.5f) * x[1];
    vector even_b = x[0] + x[2], odd_b = x[1];
    vector even_c = vector_fma(vector_splat(4), x[2], x[0]), odd_c = x[1] + x[1];
    y[0] = -x[0];
    y[1] = (even_a + odd_a) * scale_a;
    y[2] = (even_a - odd_a) * scale_a;
    y[3] = (even_b + odd_b) * scale_b;
    y[4] = (even_b - odd_b) * scale_b;
    y[5] = (even_c + odd_c) * scale_c;
    y[6] = (even_c - odd_c) * scale_c;
    y[7] = x[2];
}

/* Where tile `index` of the plane begins: the first output pixel it makes. */
INLINE void winograd_tile_at(const struct kernels_conv *conv, int index, int *ret_y, int *ret_x)
{
    int per_phase = conv->tiles_y * conv->tiles_x;
    int phase = index / per_phase, tile = index % per_phase;
    *ret_y = phase / conv->dilation + tile / conv->tiles_x * conv->tile * conv->dilation;
    *ret_x = phase % conv->dilation + tile % conv->tiles_x * conv->tile * conv->dilation;
}

/* Where channel block `block` of tile `i` stands in the scratch, at point 0. */
INLINE float *winograd_tile_in(float *scratch, int i, int block, size_t step, const int points)
{
    size_t group = (size_t)(i / VECTOR_ROWS) * (size_t)points * step;
    return scratch + group +
           ((size_t)block * VECTOR_ROWS + (size_t)(i % VECTOR_ROWS)) * VECTOR_WIDTH;
}

/* Transform one tile whose first input pixel is (y, x). `inside`: no pixel is beyond the border
 * (a constant, so the checks vanish). `to` has room at every point, `step` floats apart. */
INLINE void winograd_input_tile(const struct kernels_conv *conv, const float *plane, int y, int x,
                                const bool inside, float *to, size_t step, const int tile)
{
    const int edge = winograd_edge(tile);
    int height = conv->src.height, width = conv->src.width, dilation = conv->dilation;
    vector half[WINOGRAD_EDGE_MAX][WINOGRAD_EDGE_MAX];
    UNROLL
    for (int column = 0; column < edge; column++) {
        vector in[WINOGRAD_EDGE_MAX], out[WINOGRAD_EDGE_MAX];
        int px = x + column * dilation;
        UNROLL
        for (int row = 0; row < edge; row++) {
            int py = y + row * dilation;
            if (inside || (py >= 0 && py < height && px >= 0 && px < width))
                in[row] = vector_load(plane + ((ptrdiff_t)py * width + px) * VECTOR_WIDTH);
            else
                in[row] = vector_splat(0);
        }
        if (tile == 4)
            winograd_input_4(in, out);
        else
            winograd_input_6(in, out);
        UNROLL
        for (int row = 0; row < edge; row++)
            half[row][column] = out[row];
    }
    UNROLL
    for (int row = 0; row < edge; row++) {
        vector out[WINOGRAD_EDGE_MAX];
        if (tile == 4)
            winograd_input_4(half[row], out);
        else
            winograd_input_6(half[row], out);
        UNROLL
        for (int column = 0; column < edge; column++)
            vector_store(to + (size_t)(row * edge + column) * step, out[column]);
    }
}

INLINE void winograd_input_as(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                              int block, const int tile)
{
    const struct tensor *src = &conv->src;
    const float *plane =
        (const float *)src->data + (size_t)block * src->height * src->width * VECTOR_WIDTH;
    size_t step = winograd_step(tensor_blocks(src), VECTOR_ROWS, VECTOR_WIDTH);
    int reach = (winograd_edge(tile) - 1) * conv->dilation;
    for (int i = 0; i < tiles->count; i++) {
        float *to = winograd_tile_in(tiles->input, i, block, step, winograd_points(tile));
        int y, x;
        winograd_tile_at(conv, tiles->first + i, &y, &x);
        y -= conv->padding;
        x -= conv->padding;
        if (y >= 0 && x >= 0 && y + reach < src->height && x + reach < src->width)
            winograd_input_tile(conv, plane, y, x, true, to, step, tile);
        else
            winograd_input_tile(conv, plane, y, x, false, to, step, tile);
    }
}

static void winograd_input(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                           int block)
{
    if (conv->tile == 4)
        winograd_input_as(conv, tiles, block, 4);
    else
        winograd_input_as(conv, tiles, block, 6);
}

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

/* What the output transform does to a number at last. */
struct winograd_finish {
    vector bias, slope; /* slope negated */
    const float *residual;
    float *plane;
};

INLINE void winograd_finish(const struct winograd_finish *finish, size_t at, vector value)
{
    const vector zero = vector_splat(0);
    value += finish->bias;
    value = vector_fma(finish->slope, vector_max(-value, zero), vector_max(value, zero));
    if (finish->residual)
        value += vector_load(finish->residual + at);
    vector_store(finish->plane + at, value);
}

/* `inside`: every output pixel of the tile is one of the plane. */
INLINE void winograd_output_tile(const struct kernels_conv *conv,
                                 const struct winograd_finish *finish, int y, int x,
                                 const bool inside, const float *from, size_t step, const int tile)
{
    const int edge = winograd_edge(tile);
    vector half[WINOGRAD_EDGE_MAX][WINOGRAD_EDGE_MAX];
    UNROLL
    for (int column = 0; column < edge; column++) {
        vector in[WINOGRAD_EDGE_MAX], out[WINOGRAD_EDGE_MAX];
        UNROLL
        for (int row = 0; row < edge; row++)
            in[row] = vector_load(from + (size_t)(row * edge + column) * step);
        if (tile == 4)
            winograd_output_4(in, out);
        else
            winograd_output_6(in, out);
        UNROLL
        for (int row = 0; row < tile; row++)
            half[row][column] = out[row];
    }
    UNROLL
    for (int row = 0; row < tile; row++) {
        int py = y + row * conv->dilation;
        if (!inside && py >= conv->dst.height)
            break;
        vector out[WINOGRAD_EDGE_MAX];
        if (tile == 4)
            winograd_output_4(half[row], out);
        else
            winograd_output_6(half[row], out);
        UNROLL
        for (int column = 0; column < tile; column++) {
            int px = x + column * conv->dilation;
            if (!inside && px >= conv->dst.width)
                break;
            winograd_finish(finish, ((size_t)py * conv->dst.width + px) * VECTOR_WIDTH,
                            out[column]);
        }
    }
}

INLINE void winograd_output_as(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                               int block, const int tile)
{
    const struct tensor *dst = &conv->dst;
    size_t plane_at = (size_t)block * dst->height * dst->width * VECTOR_WIDTH;
    size_t lane = (size_t)block * VECTOR_WIDTH;
    size_t step = winograd_step(tensor_blocks(dst), VECTOR_ROWS, VECTOR_WIDTH);
    struct winograd_finish finish = {
        .bias = vector_load(conv->bias + lane),
        .slope = conv->slopes ? -vector_load(conv->slopes + lane) : -vector_splat(conv->slope),
        .residual = conv->residual ? (const float *)conv->residual->data + plane_at : NULL,
        .plane = (float *)dst->data + plane_at,
    };
    int reach = (tile - 1) * conv->dilation;
    for (int i = 0; i < tiles->count; i++) {
        const float *from = winograd_tile_in(tiles->output, i, block, step, winograd_points(tile));
        int y, x;
        winograd_tile_at(conv, tiles->first + i, &y, &x);
        if (y + reach < dst->height && x + reach < dst->width)
            winograd_output_tile(conv, &finish, y, x, true, from, step, tile);
        else
            winograd_output_tile(conv, &finish, y, x, false, from, step, tile);
    }
}

static void winograd_output(const struct kernels_conv *conv, const struct kernels_tiles *tiles,
                            int block)
{
    if (conv->tile == 4)
        winograd_output_as(conv, tiles, block, 4);
    else
        winograd_output_as(conv, tiles, block, 6);
}

/* One vector of filters, [9 taps], `from_step` floats apart, to every point. */
INLINE void winograd_filter(const float *from, size_t from_step, float *to, size_t to_step,
                            const int tile)
{
    const int edge = winograd_edge(tile);
    vector half[WINOGRAD_EDGE_MAX][3];
    UNROLL
    for (int column = 0; column < 3; column++) {
        vector in[3], out[WINOGRAD_EDGE_MAX];
        UNROLL
        for (int row = 0; row < 3; row++)
            in[row] = vector_load(from + (size_t)(row * 3 + column) * from_step);
        if (tile == 4)
            winograd_filter_4(in, out);
        else
            winograd_filter_6(in, out);
        UNROLL
        for (int row = 0; row < edge; row++)
            half[row][column] = out[row];
    }
    UNROLL
    for (int row = 0; row < edge; row++) {
        vector out[WINOGRAD_EDGE_MAX];
        if (tile == 4)
            winograd_filter_4(half[row], out);
        else
            winograd_filter_6(half[row], out);
        UNROLL
        for (int column = 0; column < edge; column++)
            vector_store(to + (size_t)(row * edge + column) * to_step, out[column]);
    }
}

/* The filters of `count` source channels and one or two output blocks. `taps` is [channel][9][one
 * or two x width]; `weights` is where the first of them goes at point 0 of its group, which has
 * `channels` of them. */
static void winograd_weights(const float *taps, int count, float *weights, int channels,
                             int columns, int tile)
{
    size_t step = winograd_weights_step(channels, columns, VECTOR_WIDTH);
    size_t floats = (size_t)columns * VECTOR_WIDTH;
    for (int channel = 0; channel < count; channel++)
        for (int column = 0; column < columns; column++) {
            const float *from = taps + (size_t)channel * 9 * floats + column * VECTOR_WIDTH;
            float *to = weights + (size_t)channel * floats + column * VECTOR_WIDTH;
            if (tile == 4)
                winograd_filter(from, floats, to, step, 4);
            else
                winograd_filter(from, floats, to, step, 6);
        }
}
