/* Template: normalisations, and the softmax of attention.
 *
 * Private to kernels_*.c; needs kernels_view_body.h and kernels_math_body.h. */

#define NORM_ROWS 8 /* rows at once: their sums stay in registers or the first-level cache */

INLINE void norm_rows_as(const struct kernels_view *src, const struct kernels_view *dst,
                         const float *scale, const float *shift, float eps, int channels, int first,
                         const int rows, enum tensor_type type)
{
    int blocks = (channels + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    vector sums[NORM_ROWS];
    float mean[NORM_ROWS], factor[NORM_ROWS];
    for (int row = 0; row < rows; row++)
        sums[row] = vector_splat(0);
    for (int block = 0; block < blocks; block++)
        for (int row = 0; row < rows; row++)
            sums[row] += vector_load_part(type, src->data, view_at(src, first + row, block),
                                          view_count(src, block));
    for (int row = 0; row < rows; row++) {
        mean[row] = vector_sum(sums[row]) / (float)channels;
        sums[row] = vector_splat(0);
    }
    for (int block = 0; block < blocks; block++) {
        float lanes[VECTOR_WIDTH];
        for (int i = 0; i < VECTOR_WIDTH; i++)
            lanes[i] = block * VECTOR_WIDTH + i < channels ? 1.0f : 0.0f;
        vector present = vector_load(lanes);
        for (int row = 0; row < rows; row++) {
            vector v = vector_load_part(type, src->data, view_at(src, first + row, block),
                                        view_count(src, block));
            v = (v - vector_splat(mean[row])) * present;
            sums[row] = vector_fma(v, v, sums[row]);
        }
    }
    for (int row = 0; row < rows; row++)
        factor[row] = 1.0f / __builtin_sqrtf(vector_sum(sums[row]) / (float)channels + eps);
    for (int block = 0; block < blocks; block++) {
        int count = view_count(dst, block);
        vector a = vector_load_part(TENSOR_F32, scale, (size_t)block * VECTOR_WIDTH, count);
        vector b = vector_load_part(TENSOR_F32, shift, (size_t)block * VECTOR_WIDTH, count);
        for (int row = 0; row < rows; row++) {
            vector v = vector_load_part(type, src->data, view_at(src, first + row, block), count);
            v = (v - vector_splat(mean[row])) * vector_splat(factor[row]);
            vector_store_part(type, dst->data, view_at(dst, first + row, block),
                              vector_fma(v, a, b), count);
        }
    }
}

/* Rows 0 .. dst->rows - 1 of src, over their first `channels` columns. */
static void norm_rows(const struct kernels_view *src, const struct kernels_view *dst,
                      const float *scale, const float *shift, float eps, int channels)
{
    for (int row = 0; row < dst->rows; row += NORM_ROWS) {
        int rows = dst->rows - row < NORM_ROWS ? dst->rows - row : NORM_ROWS;
        if (src->type == TENSOR_F32)
            norm_rows_as(src, dst, scale, shift, eps, channels, row, rows, TENSOR_F32);
        else
            norm_rows_as(src, dst, scale, shift, eps, channels, row, rows, TENSOR_BF16);
    }
}

/* Per lane, the sum and the sum of squares of `count` pixels of one block, in f64: then the
 * variance is good however far the mean is from 0. ret_sums: [2][width]. */
static void norm_sums(enum tensor_type type, const void *from, size_t count, double *ret_sums)
{
    double sums[VECTOR_WIDTH] = { 0 }, squares[VECTOR_WIDTH] = { 0 };
    float lanes[VECTOR_WIDTH];
    for (size_t i = 0; i < count; i++) {
        vector_store(lanes, vector_load_as(type, from, i * VECTOR_WIDTH));
        UNROLL
        for (int lane = 0; lane < VECTOR_WIDTH; lane++) {
            double value = (double)lanes[lane];
            sums[lane] += value;
            squares[lane] += value * value;
        }
    }
    memcpy(ret_sums, sums, sizeof sums);
    memcpy(ret_sums + VECTOR_WIDTH, squares, sizeof squares);
}

INLINE void norm_apply_as(const void *from, void *to, size_t count, const float *mean,
                          const float *scale, const float *shift, enum tensor_type type, bool silu)
{
    vector m = vector_load(mean), a = vector_load(scale), b = vector_load(shift);
    for (size_t i = 0; i < count * VECTOR_WIDTH; i += VECTOR_WIDTH) {
        vector v = vector_fma(vector_load_as(type, from, i) - m, a, b);
        vector_store_as(type, to, i, silu ? vector_silu(v) : v);
    }
}

/* to = (from - mean) * scale + shift for `count` pixels of one block, then SiLU or not. */
static void norm_apply(enum tensor_type type, const void *from, void *to, size_t count,
                       const float *mean, const float *scale, const float *shift, bool silu)
{
    if (type == TENSOR_F32 && silu)
        norm_apply_as(from, to, count, mean, scale, shift, TENSOR_F32, true);
    else if (type == TENSOR_F32)
        norm_apply_as(from, to, count, mean, scale, shift, TENSOR_F32, false);
    else if (silu)
        norm_apply_as(from, to, count, mean, scale, shift, TENSOR_BF16, true);
    else
        norm_apply_as(from, to, count, mean, scale, shift, TENSOR_BF16, false);
}

/* One chunk of keys of a softmax over all keys, for a block of queries.
 * scores: [blocks][rows][width], `keys` of which exist; they become e^(score - largest), 0 where
 * there is no key. bias: row r begins at bias + r * bias_step; NULL: none. states: one per row,
 * brought up to date. ret_factors: what sums of earlier chunks are to be multiplied with. */
static void softmax(float *scores, int rows, int keys, const float *bias, size_t bias_step,
                    struct kernels_softmax *states, float *ret_factors)
{
    int blocks = (keys + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    size_t step = (size_t)rows * VECTOR_WIDTH;
    float beyond[VECTOR_WIDTH];
    for (int i = 0; i < VECTOR_WIDTH; i++)
        beyond[i] = (blocks - 1) * VECTOR_WIDTH + i < keys ? 0.0f : -__builtin_inff();
    for (int row = 0; row < rows; row++) {
        float *at = scores + (size_t)row * VECTOR_WIDTH, lanes[VECTOR_WIDTH];
        vector most = vector_splat(-__builtin_inff()), sum = vector_splat(0);
        for (int block = 0; block < blocks; block++) {
            vector v = vector_load(at + block * step);
            if (bias)
                v += vector_load_part(
                    TENSOR_F32, bias + row * bias_step, (size_t)block * VECTOR_WIDTH,
                    block < blocks - 1 ? VECTOR_WIDTH : keys - block * VECTOR_WIDTH);
            if (block == blocks - 1)
                v += vector_load(beyond);
            vector_store(at + block * step, v);
            most = vector_max(most, v);
        }
        float largest = states[row].largest;
        vector_store(lanes, most);
        for (int i = 0; i < VECTOR_WIDTH; i++)
            largest = lanes[i] > largest ? lanes[i] : largest;
        for (int block = 0; block < blocks; block++) {
            vector v = vector_exp(vector_load(at + block * step) - vector_splat(largest));
            vector_store(at + block * step, v);
            sum += v;
        }
        float factor = vector_exp(vector_splat(states[row].largest - largest))[0];
        states[row].sum = states[row].sum * factor + vector_sum(sum);
        states[row].largest = largest;
        ret_factors[row] = factor;
    }
}

/* values: [blocks][rows][width], row r multiplied with factors[r]. */
static void scale_rows(float *values, int rows, int blocks, const float *factors)
{
    for (int block = 0; block < blocks; block++)
        for (int row = 0; row < rows; row++, values += VECTOR_WIDTH)
            vector_store(values, vector_load(values) * vector_splat(factors[row]));
}

#undef NORM_ROWS
