/* Template: products of matrices, and what stands around them: gathering rows into the layout that
 * products read, bias, activation and residual, normalising rows, softmax.
 *
 * Products read their source as [blocks][rows][width], which is how a blocked tensor of `rows`
 * pixels lies, and leave their sums in the same layout: a product can feed the next one.
 *
 * Private to kernels_*.c; needs kernels_vector.h, kernels_math_body.h, vector_fma, vector_max and
 * VECTOR_ROWS. */

/* How many elements of block `block` a view has: the width but for a matrix's last block. */
INLINE int view_count(const struct kernels_view *view, int block)
{
    int left = view->columns - block * VECTOR_WIDTH;
    return left < VECTOR_WIDTH ? left : VECTOR_WIDTH;
}

INLINE size_t view_at(const struct kernels_view *view, int row, int block)
{
    return (size_t)block * view->block_step + (size_t)row * view->row_step;
}

/* The first `count` elements from `index` on, the others 0. */
INLINE vector vector_load_part(enum tensor_type type, const void *from, size_t index, int count)
{
    float lanes[VECTOR_WIDTH] = { 0 };
    uint16_t halves[VECTOR_WIDTH] = { 0 };
    if (count == VECTOR_WIDTH)
        return vector_load_as(type, from, index);
    if (type == TENSOR_F32) {
        for (int i = 0; i < count; i++)
            lanes[i] = ((const float *)from)[index + i];
        return vector_load(lanes);
    }
    for (int i = 0; i < count; i++)
        halves[i] = ((const uint16_t *)from)[index + i];
    return vector_load_as(type, halves, 0);
}

INLINE void vector_store_part(enum tensor_type type, void *to, size_t index, vector v, int count)
{
    float lanes[VECTOR_WIDTH];
    uint16_t halves[VECTOR_WIDTH];
    if (count == VECTOR_WIDTH) {
        vector_store_as(type, to, index, v);
    } else if (type == TENSOR_F32) {
        vector_store(lanes, v);
        for (int i = 0; i < count; i++)
            ((float *)to)[index + i] = lanes[i];
    } else {
        vector_store_as(type, halves, 0, v);
        for (int i = 0; i < count; i++)
            ((uint16_t *)to)[index + i] = halves[i];
    }
}

INLINE vector vector_round_bf16(vector v)
{
    vector_bits bits = (vector_bits)v;
    bits += 0x7fff + ((bits >> 16) & 1);
    return (vector)(bits & 0xffff0000u);
}

INLINE void copy_view_as(const struct kernels_view *src, const struct kernels_view *dst, float scale,
                         bool round, enum tensor_type from, enum tensor_type to)
{
    /* In the order in which src lies: it is what comes from far. */
    int blocks = (dst->columns + VECTOR_WIDTH - 1) / VECTOR_WIDTH, rows = dst->rows;
    bool by_rows = src->row_step > src->block_step;
    for (int outer = 0; outer < (by_rows ? rows : blocks); outer++)
        for (int inner = 0; inner < (by_rows ? blocks : rows); inner++) {
            int row = by_rows ? outer : inner, block = by_rows ? inner : outer;
            vector v = vector_load_part(from, src->data, view_at(src, row, block),
                                        view_count(src, block));
            v *= vector_splat(scale);
            v = round ? vector_round_bf16(v) : v;
            vector_store_part(to, dst->data, view_at(dst, row, block), v, view_count(dst, block));
        }
}

/* dst = src * scale, as many rows as dst has; what src lacks of dst's last block is 0. `round`: to
 * the nearest bf16, whatever dst's type. */
static void copy_view(const struct kernels_view *src, const struct kernels_view *dst, float scale,
                      bool round)
{
    if (src->type == TENSOR_F32 && dst->type == TENSOR_F32)
        copy_view_as(src, dst, scale, round, TENSOR_F32, TENSOR_F32);
    else if (src->type == TENSOR_F32)
        copy_view_as(src, dst, scale, false, TENSOR_F32, TENSOR_BF16);
    else if (dst->type == TENSOR_F32)
        copy_view_as(src, dst, scale, round, TENSOR_BF16, TENSOR_F32);
    else
        copy_view_as(src, dst, scale, false, TENSOR_BF16, TENSOR_BF16);
}

/* dst = a + b, as many rows as dst has. */
static void add_view(const struct kernels_view *a, const struct kernels_view *b,
                     const struct kernels_view *dst)
{
    int blocks = (dst->columns + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    for (int row = 0; row < dst->rows; row++)
        for (int block = 0; block < blocks; block++) {
            int count = view_count(dst, block);
            vector v = vector_load_part(TENSOR_F32, a->data, view_at(a, row, block), count) +
                       vector_load_part(TENSOR_F32, b->data, view_at(b, row, block), count);
            vector_store_part(TENSOR_F32, dst->data, view_at(dst, row, block), v, count);
        }
}

/* Rows of `columns` numbers, `step` apart, to columns: to is [depth][two vectors of rows], zero
 * where there is no row (rows may be less than two vectors) or no column. */
static void transpose_panel(const float *from, size_t step, int rows, int columns, int depth,
                            float *to)
{
    rows = rows < 2 * VECTOR_WIDTH ? rows : 2 * VECTOR_WIDTH;
    if (rows < 2 * VECTOR_WIDTH || columns < depth)
        memset(to, 0, sizeof(float) * (size_t)depth * 2 * VECTOR_WIDTH);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            to[(size_t)column * 2 * VECTOR_WIDTH + row] = from[row * step + column];
}

/* ---- Products ---------------------------------------------------------------------------------- */

/* The inner kernel: rows x vectors sums stay in registers, both being constants. */
INLINE void product_tile(const float *input, size_t step, int blocks, const float *weights,
                          float *sums, bool more, const int rows, const int vectors)
{
    vector tile[VECTOR_ROWS][2];
    UNROLL
    for (int row = 0; row < rows; row++) {
        tile[row][0] = more ? vector_load(sums + row * VECTOR_WIDTH) : vector_splat(0);
        if (vectors > 1)
            tile[row][1] = more ? vector_load(sums + step + row * VECTOR_WIDTH) : vector_splat(0);
    }
    for (int block = 0; block < blocks; block++, input += step) {
#pragma GCC unroll 1
        for (int channel = 0; channel < VECTOR_WIDTH; channel++) {
            vector left = vector_load(weights);
            vector right = vectors > 1 ? vector_load(weights + VECTOR_WIDTH) : left;
            weights += vectors * VECTOR_WIDTH;
            UNROLL
            for (int row = 0; row < rows; row++) {
                vector value = vector_splat(input[row * VECTOR_WIDTH + channel]);
                tile[row][0] = vector_fma(value, left, tile[row][0]);
                if (vectors > 1)
                    tile[row][1] = vector_fma(value, right, tile[row][1]);
            }
        }
    }
    UNROLL
    for (int row = 0; row < rows; row++) {
        vector_store(sums + row * VECTOR_WIDTH, tile[row][0]);
        if (vectors > 1)
            vector_store(sums + step + row * VECTOR_WIDTH, tile[row][1]);
    }
}

INLINE void product_vectors(const float *input, int rows, int blocks, const float *weights,
                             float *sums, bool more, const int vectors)
{
    size_t step = (size_t)rows * VECTOR_WIDTH;
    int row = 0;
#define PRODUCT_TILES(count)                                                                       \
    for (; row + (count) <= rows; row += (count))                                                  \
    product_tile(input + row * VECTOR_WIDTH, step, blocks, weights, sums + row * VECTOR_WIDTH,    \
                  more, count, vectors)
#if VECTOR_ROWS >= 12
    PRODUCT_TILES(12);
    PRODUCT_TILES(8);
#endif
#if VECTOR_ROWS >= 6
    PRODUCT_TILES(6);
    PRODUCT_TILES(4);
#endif
    PRODUCT_TILES(2);
    PRODUCT_TILES(1);
#undef PRODUCT_TILES
}

static void product(const void *input, int rows, int blocks, const void *weights, int vectors,
                     float *sums, bool more)
{
    if (vectors > 1)
        product_vectors(input, rows, blocks, weights, sums, more, 2);
    else
        product_vectors(input, rows, blocks, weights, sums, more, 1);
}

/* The same with weights in bf16, widened here: half the memory to read, not half the work. */
INLINE void product_tile_bf16(const float *input, size_t step, int blocks,
                               const uint32_t *weights, float *sums, bool more, const int rows,
                               const int vectors)
{
    const int per_step = VECTOR_ROWS > 8 ? 2 : 1; /* vectors of weights: two halves each */
    for (int first = 0; first < vectors; first += per_step) {
        const int count = vectors - first < per_step ? vectors - first : per_step;
        const float *from = input;
        const uint32_t *w = weights + first * VECTOR_WIDTH;
        vector tile[VECTOR_ROWS][2];
        UNROLL
        for (int row = 0; row < rows; row++)
            for (int i = 0; i < count; i++)
                tile[row][i] = more ? vector_load(sums + (first + i) * step + row * VECTOR_WIDTH) :
                                      vector_splat(0);
        for (int block = 0; block < blocks; block++, from += step) {
#pragma GCC unroll 1
            for (int channel = 0; channel < VECTOR_WIDTH; channel += 2) {
                vector even[2], odd[2];
                UNROLL
                for (int i = 0; i < count; i++) {
                    vector_bits pairs;
                    memcpy(&pairs, w + i * VECTOR_WIDTH, sizeof pairs);
                    even[i] = (vector)(pairs << 16);
                    odd[i] = (vector)(pairs & 0xffff0000u);
                }
                w += vectors * VECTOR_WIDTH;
                UNROLL
                for (int row = 0; row < rows; row++)
                    for (int i = 0; i < count; i++) {
                        const float *values = from + row * VECTOR_WIDTH + channel;
                        tile[row][i] = vector_fma(vector_splat(values[0]), even[i], tile[row][i]);
                        tile[row][i] = vector_fma(vector_splat(values[1]), odd[i], tile[row][i]);
                    }
            }
        }
        UNROLL
        for (int row = 0; row < rows; row++)
            for (int i = 0; i < count; i++)
                vector_store(sums + (first + i) * step + row * VECTOR_WIDTH, tile[row][i]);
    }
}

INLINE void product_vectors_bf16(const float *input, int rows, int blocks, const uint32_t *weights,
                                  float *sums, bool more, const int vectors)
{
    size_t step = (size_t)rows * VECTOR_WIDTH;
    int row = 0;
#define PRODUCT_TILES(count)                                                                       \
    for (; row + (count) <= rows; row += (count))                                                  \
    product_tile_bf16(input + row * VECTOR_WIDTH, step, blocks, weights,                          \
                       sums + row * VECTOR_WIDTH, more, count, vectors)
    PRODUCT_TILES(VECTOR_ROWS);
#if VECTOR_ROWS > 4
    PRODUCT_TILES(4);
#endif
    PRODUCT_TILES(1);
#undef PRODUCT_TILES
}

static void product_bf16(const void *input, int rows, int blocks, const void *weights, int vectors,
                          float *sums, bool more)
{
    if (vectors > 1)
        product_vectors_bf16(input, rows, blocks, weights, sums, more, 2);
    else
        product_vectors_bf16(input, rows, blocks, weights, sums, more, 1);
}

INLINE vector finish_value(vector v, enum kernels_finish_kind activation, float slope)
{
    switch (activation) {
    case FINISH_NONE:
        return v;
    case FINISH_LEAKY:
        return vector_max(vector_splat(slope) * v, v);
    case FINISH_SILU:
        return vector_silu(v);
    case FINISH_GELU:
        return vector_gelu(v);
    case FINISH_GELU_TANH:
        return vector_gelu_tanh(v);
    }
    return v;
}

INLINE void finish_as(const struct kernels_finish *finish, const float *sums, int rows,
                      enum tensor_type type, enum kernels_finish_kind activation)
{
    const struct kernels_view *dst = &finish->dst, *residual = &finish->residual;
    int blocks = (dst->columns + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    for (int block = 0; block < blocks; block++) {
        int count = view_count(dst, block);
        vector bias = finish->bias ? vector_load(finish->bias + block * VECTOR_WIDTH) :
                                     vector_splat(0);
        for (int row = 0; row < rows; row++, sums += VECTOR_WIDTH) {
            vector v = finish_value(vector_load(sums) + bias, activation, finish->slope);
            if (residual->data)
                v += vector_load_part(type, residual->data, view_at(residual, row, block), count);
            vector_store_part(type, dst->data, view_at(dst, row, block), v, count);
        }
    }
}

INLINE void finish_activated(const struct kernels_finish *finish, const float *sums, int rows,
                             enum kernels_finish_kind activation)
{
    if (finish->dst.type == TENSOR_F32)
        finish_as(finish, sums, rows, TENSOR_F32, activation);
    else
        finish_as(finish, sums, rows, TENSOR_BF16, activation);
}

/* sums: [blocks of dst][rows][width]. */
static void finish(const struct kernels_finish *finish, const float *sums, int rows)
{
    switch (finish->activation) {
    case FINISH_NONE:
        finish_activated(finish, sums, rows, FINISH_NONE);
        return;
    case FINISH_LEAKY:
        finish_activated(finish, sums, rows, FINISH_LEAKY);
        return;
    case FINISH_SILU:
        finish_activated(finish, sums, rows, FINISH_SILU);
        return;
    case FINISH_GELU:
        finish_activated(finish, sums, rows, FINISH_GELU);
        return;
    case FINISH_GELU_TANH:
        finish_activated(finish, sums, rows, FINISH_GELU_TANH);
        return;
    }
}
