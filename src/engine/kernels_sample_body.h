/* Template: reading a plane at computed places, in f32 or bf16.
 *
 * Private to kernels_*.c; needs kernels_vector.h and vector_fma. */

INLINE void sample_pixels_as(const void *plane, const struct kernels_place *places, int pixels,
                             void *dst, const enum tensor_type type)
{
    for (int x = 0; x < pixels; x++) {
        const struct kernels_place *place = &places[x];
        vector sum = vector_splat(0);
        UNROLL
        for (int i = 0; i < 4; i++)
            sum = vector_fma(vector_load_as(type, plane, (size_t)place->at[i] * VECTOR_WIDTH),
                             vector_splat(place->weight[i]), sum);
        vector_store_as(type, dst, (size_t)x * VECTOR_WIDTH, sum);
    }
}

static void sample_pixels(enum tensor_type type, const void *plane,
                          const struct kernels_place *places, int pixels, void *dst)
{
    if (type == TENSOR_F32)
        sample_pixels_as(plane, places, pixels, dst, TENSOR_F32);
    else
        sample_pixels_as(plane, places, pixels, dst, TENSOR_BF16);
}
