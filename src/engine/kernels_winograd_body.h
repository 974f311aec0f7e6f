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
#include "engine/kernels_math_body.h"
#include "engine/kernels_winograd_lines_body.h"

/* Where tile `index` of the plane begins: the first output pixel it makes. */
INLINE void winograd_tile_at(const struct kernels_conv *conv, int index, int *ret_y, int *ret_x)
{
    int per_phase = conv->tiles_y * conv->tiles_x;
    int phase = index / per_phase, tile = index % per_phase;
    *ret_y = phase / conv->dilation + tile / conv->tiles_x * conv->tile * conv->dilation;
    *ret_x = phase % conv->dilation + tile % conv->tiles_x * conv->tile * conv->dilation;
}

#include "engine/kernels_winograd_multiply_body.h"

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

/* What the output transform does to a number at last. */
struct winograd_finish {
    vector bias, slope;
    const float *residual;
    float *plane;
};

INLINE void winograd_finish(const struct winograd_finish *finish, size_t at, vector value)
{
    value = vector_leaky(value + finish->bias, finish->slope);
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
        .slope = conv->slopes ? vector_load(conv->slopes + lane) : vector_splat(conv->slope),
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
