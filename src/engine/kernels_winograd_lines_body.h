/* Template: the one-dimensional transforms of Winograd, of which the others are made: B', A' and G
 * of winograd_points.h's points for one vector type.
 *
 * Private to kernels_winograd_body.h. */

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
