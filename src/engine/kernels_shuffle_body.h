/* Template: pixels between channels and space, in f32 or bf16, for ratios up to 4.
 *
 * Numbers are moved one by one, but those of a pixel side by side: the channel blocks of one pixel
 * are so far apart (often a power of two) that they would throw each other out of the nearest
 * cache. That is as fast as memory.
 *
 * Private to kernels_*.c; needs kernels_vector.h and plane_line. */

#define SHUFFLE_RATIO_MAX 4

/* Between the ratio x ratio pixels from `few` on and all their channels, side by side. */
INLINE void shuffle_pixel(char *few, size_t few_line, char *many, const int ratio, const int lanes,
                          const bool back, const enum tensor_type type)
{
    const size_t element = type == TENSOR_F32 ? 4 : 2;
    const int phases = ratio * ratio;
    for (int phase = 0; phase < phases; phase++) {
        char *at = few + (size_t)(phase / ratio) * few_line +
                   (size_t)(phase % ratio * VECTOR_WIDTH) * element;
        for (int lane = 0; lane < lanes; lane++, at += element) {
            char *other = many + (size_t)(lane * phases + phase) * element;
            memcpy(back ? other : at, back ? at : other, element);
        }
        if (!back)
            memset(at, 0, (size_t)(VECTOR_WIDTH - lanes) * element);
    }
}

INLINE void shuffle_row_as(const struct tensor *few, const struct tensor *many, int block, int y,
                           const int ratio, const bool back, const enum tensor_type type)
{
    const size_t element = type == TENSOR_F32 ? 4 : 2, bytes = VECTOR_WIDTH * element;
    const int phases = ratio * ratio;
    int left = few->channels - block * VECTOR_WIDTH;
    int lanes = left < VECTOR_WIDTH ? left : VECTOR_WIDTH;
    int blocks = (lanes * phases + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    size_t few_line = (size_t)few->width * bytes;
    size_t many_block = (size_t)many->height * (size_t)many->width * bytes;
    char *pixel = (char *)few->data + plane_line(few, block, y * ratio) * element;
    char *planes = (char *)many->data + plane_line(many, block * phases, y) * element;
    char side_by_side[SHUFFLE_RATIO_MAX * SHUFFLE_RATIO_MAX * VECTOR_WIDTH * sizeof(float)] = { 0 };
    for (int x = 0; x < many->width; x++, pixel += (size_t)ratio * bytes, planes += bytes) {
        for (int i = 0; i < blocks && !back; i++)
            memcpy(side_by_side + (size_t)i * bytes, planes + (size_t)i * many_block, bytes);
        if (lanes == VECTOR_WIDTH)
            shuffle_pixel(pixel, few_line, side_by_side, ratio, VECTOR_WIDTH, back, type);
        else
            shuffle_pixel(pixel, few_line, side_by_side, ratio, lanes, back, type);
        for (int i = 0; i < blocks && back; i++)
            memcpy(planes + (size_t)i * many_block, side_by_side + (size_t)i * bytes, bytes);
    }
}

INLINE void shuffle_row_either(const struct tensor *few, const struct tensor *many, int block,
                               int y, const bool back, const enum tensor_type type)
{
    int ratio = few->height / many->height;
    if (ratio == 2)
        shuffle_row_as(few, many, block, y, 2, back, type);
    else if (ratio == 4)
        shuffle_row_as(few, many, block, y, 4, back, type);
    else
        shuffle_row_as(few, many, block, y, ratio, back, type);
}

static void shuffle_row(const struct tensor *few, const struct tensor *many, int block, int y,
                        bool back)
{
    if (few->type == TENSOR_F32 && back)
        shuffle_row_either(few, many, block, y, true, TENSOR_F32);
    else if (few->type == TENSOR_F32)
        shuffle_row_either(few, many, block, y, false, TENSOR_F32);
    else if (back)
        shuffle_row_either(few, many, block, y, true, TENSOR_BF16);
    else
        shuffle_row_either(few, many, block, y, false, TENSOR_BF16);
}
