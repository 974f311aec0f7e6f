/* Template: pooling and resizing planes, in f32 or bf16.
 *
 * Private to kernels_*.c; needs kernels_vector.h, vector_fma and vector_max. */

/* The index of pixel (y, 0) of a channel block. */
INLINE size_t plane_line(const struct tensor *tensor, int block, int y)
{
    return ((size_t)block * tensor->height + y) * tensor->width * VECTOR_WIDTH;
}

INLINE void pool_row_as(const struct tensor *src, const struct tensor *dst, int block, int y,
                        enum tensor_type type)
{
    /* Windows that reach over the border repeat the last row or column: the maximum is the same. */
    int below = 2 * y + 1 < src->height ? 2 * y + 1 : 2 * y;
    size_t upper = plane_line(src, block, 2 * y), lower = plane_line(src, block, below);
    size_t to = plane_line(dst, block, y);
    for (int x = 0; x < dst->width; x++, to += VECTOR_WIDTH) {
        size_t left = (size_t)x * 2 * VECTOR_WIDTH;
        size_t right = 2 * x + 1 < src->width ? left + VECTOR_WIDTH : left;
        vector high = vector_max(vector_load_as(type, src->data, upper + left),
                                 vector_load_as(type, src->data, upper + right));
        vector low = vector_max(vector_load_as(type, src->data, lower + left),
                                vector_load_as(type, src->data, lower + right));
        vector_store_as(type, dst->data, to, vector_max(high, low));
    }
}

static void pool_row(const struct tensor *src, const struct tensor *dst, int block, int y)
{
    if (src->type == TENSOR_F32)
        pool_row_as(src, dst, block, y, TENSOR_F32);
    else
        pool_row_as(src, dst, block, y, TENSOR_BF16);
}

INLINE vector resize_between(vector low, vector high, float weight)
{
    return vector_fma(high - low, vector_splat(weight), low);
}

INLINE void resize_row_as(const struct tensor *src, const struct tensor *dst, int block, int y,
                          const struct kernels_tap *tap_y, const struct kernels_tap *taps_x,
                          enum tensor_type type)
{
    size_t upper = plane_line(src, block, tap_y->low), lower = plane_line(src, block, tap_y->high);
    size_t to = plane_line(dst, block, y);
    for (int x = 0; x < dst->width; x++, to += VECTOR_WIDTH) {
        size_t left = (size_t)taps_x[x].low * VECTOR_WIDTH;
        size_t right = (size_t)taps_x[x].high * VECTOR_WIDTH;
        vector first = resize_between(vector_load_as(type, src->data, upper + left),
                                      vector_load_as(type, src->data, lower + left), tap_y->weight);
        vector second =
            resize_between(vector_load_as(type, src->data, upper + right),
                           vector_load_as(type, src->data, lower + right), tap_y->weight);
        vector_store_as(type, dst->data, to, resize_between(first, second, taps_x[x].weight));
    }
}

static void resize_row(const struct tensor *src, const struct tensor *dst, int block, int y,
                       const struct kernels_tap *tap_y, const struct kernels_tap *taps_x)
{
    if (src->type == TENSOR_F32)
        resize_row_as(src, dst, block, y, tap_y, taps_x, TENSOR_F32);
    else
        resize_row_as(src, dst, block, y, tap_y, taps_x, TENSOR_BF16);
}
