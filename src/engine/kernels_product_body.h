/* Template: products of matrices, and what is done with their sums: bias, activation, residual.
 *
 * Products read their source as [blocks][rows][width], which is how a blocked tensor of `rows`
 * pixels lies, and leave their sums in the same layout: a product can feed the next one.
 *
 * Private to kernels_*.c; needs kernels_view_body.h, kernels_math_body.h, vector_fma, vector_max
 * and VECTOR_ROWS. */

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
    product_tile(input + row * VECTOR_WIDTH, step, blocks, weights, sums + row * VECTOR_WIDTH,     \
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
INLINE void product_tile_bf16(const float *input, size_t step, int blocks, const uint32_t *weights,
                              float *sums, bool more, const int rows, const int vectors)
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
                tile[row][i] = more ? vector_load(sums + (first + i) * step + row * VECTOR_WIDTH)
                                    : vector_splat(0);
        for (int block = 0; block < blocks; block++, from += step) {
#pragma GCC unroll 1
            for (int channel = 0; channel < VECTOR_WIDTH; channel += 2) {
                vector even[2], odd[2];
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
    product_tile_bf16(input + row * VECTOR_WIDTH, step, blocks, weights,                           \
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
        vector bias =
            finish->bias ? vector_load(finish->bias + block * VECTOR_WIDTH) : vector_splat(0);
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
