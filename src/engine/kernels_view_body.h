/* Template: rows of numbers, of a matrix or a blocked tensor alike (struct kernels_view): reading
 * and writing them, blocks cut short too, copying, adding, transposing.
 *
 * Private to kernels_*.c; needs kernels_vector.h. */

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

INLINE void copy_view_as(const struct kernels_view *src, const struct kernels_view *dst,
                         float scale, bool round, enum tensor_type from, enum tensor_type to)
{
    /* In the order in which src lies: it is what comes from far. */
    int blocks = (dst->columns + VECTOR_WIDTH - 1) / VECTOR_WIDTH, rows = dst->rows;
    bool by_rows = src->row_step > src->block_step;
    for (int outer = 0; outer < (by_rows ? rows : blocks); outer++)
        for (int inner = 0; inner < (by_rows ? blocks : rows); inner++) {
            int row = by_rows ? outer : inner, block = by_rows ? inner : outer;
            vector v =
                vector_load_part(from, src->data, view_at(src, row, block), view_count(src, block));
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
