/* Template: resizing rows of planes other than bilinearly (which kernels_plane_body.h does), and
 * windows of means, in f32 or bf16.
 *
 * Private to kernels_*.c; needs kernels_plane_body.h. */

INLINE void bicubic_row_as(const struct tensor *src, const struct tensor *dst, int block, int y,
                           const struct kernels_cubic *tap_y, const struct kernels_cubic *taps_x,
                           const enum tensor_type type)
{
    size_t to = plane_line(dst, block, y), lines[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        lines[i] = plane_line(src, block, tap_y->at[i]);
    for (int x = 0; x < dst->width; x++, to += VECTOR_WIDTH) {
        const struct kernels_cubic *tap_x = &taps_x[x];
        vector sum = vector_splat(0);
        UNROLL
        for (int i = 0; i < 4; i++) {
            size_t at = (size_t)tap_x->at[i] * VECTOR_WIDTH;
            vector column = vector_splat(0);
            UNROLL
            for (int j = 0; j < 4; j++)
                column = vector_fma(vector_load_as(type, src->data, lines[j] + at),
                                    vector_splat(tap_y->weight[j]), column);
            sum = vector_fma(column, vector_splat(tap_x->weight[i]), sum);
        }
        vector_store_as(type, dst->data, to, sum);
    }
}

static void bicubic_row(const struct tensor *src, const struct tensor *dst, int block, int y,
                        const struct kernels_cubic *tap_y, const struct kernels_cubic *taps_x)
{
    if (src->type == TENSOR_F32)
        bicubic_row_as(src, dst, block, y, tap_y, taps_x, TENSOR_F32);
    else
        bicubic_row_as(src, dst, block, y, tap_y, taps_x, TENSOR_BF16);
}

INLINE void area_row_as(const struct tensor *src, const struct tensor *dst, int block, int y,
                        const struct kernels_span *span_y, const struct kernels_span *spans_x,
                        const enum tensor_type type)
{
    size_t to = plane_line(dst, block, y);
    for (int x = 0; x < dst->width; x++, to += VECTOR_WIDTH) {
        const struct kernels_span *span_x = &spans_x[x];
        int count = (span_y->to - span_y->from) * (span_x->to - span_x->from);
        vector sum = vector_splat(0);
        for (int sy = span_y->from; sy < span_y->to; sy++) {
            size_t line = plane_line(src, block, sy);
            for (int sx = span_x->from; sx < span_x->to; sx++)
                sum += vector_load_as(type, src->data, line + (size_t)sx * VECTOR_WIDTH);
        }
        vector_store_as(type, dst->data, to, sum / vector_splat((float)count));
    }
}

static void area_row(const struct tensor *src, const struct tensor *dst, int block, int y,
                     const struct kernels_span *span_y, const struct kernels_span *spans_x)
{
    if (src->type == TENSOR_F32)
        area_row_as(src, dst, block, y, span_y, spans_x, TENSOR_F32);
    else
        area_row_as(src, dst, block, y, span_y, spans_x, TENSOR_BF16);
}

INLINE void pool_average_row_as(const struct tensor *src, const struct tensor *dst, int block,
                                int y, const enum tensor_type type)
{
    size_t upper = plane_line(src, block, y), lower = plane_line(src, block, y + 1);
    size_t to = plane_line(dst, block, y);
    vector left = vector_load_as(type, src->data, upper) + vector_load_as(type, src->data, lower);
    for (int x = 0; x < dst->width; x++, to += VECTOR_WIDTH) {
        size_t at = (size_t)(x + 1) * VECTOR_WIDTH;
        vector right = vector_load_as(type, src->data, upper + at) +
                       vector_load_as(type, src->data, lower + at);
        vector_store_as(type, dst->data, to, (left + right) * vector_splat(0.25f));
        left = right;
    }
}

static void pool_average_row(const struct tensor *src, const struct tensor *dst, int block, int y)
{
    if (src->type == TENSOR_F32)
        pool_average_row_as(src, dst, block, y, TENSOR_F32);
    else
        pool_average_row_as(src, dst, block, y, TENSOR_BF16);
}
