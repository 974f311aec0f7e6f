/* Template: pixels between channels and space, in f32 or bf16.
 *
 * Numbers are moved one by one: pixel by pixel that stays in the nearest cache, and is then as fast
 * as memory.
 *
 * Private to kernels_*.c; needs kernels_vector.h. */

/* One pixel of `many` (the side with more channels) and its ratio x ratio pixels of `few`. */
struct shuffle_pixel {
    char *few, *many;       /* the first pixel, the first of the channel blocks */
    size_t few_line;        /* bytes from one row to the next */
    size_t many_block;      /* bytes from one channel block to the next */
    int lanes, many_blocks; /* channels of the block of `few`; blocks that hold them in `many` */
};

INLINE void shuffle_pixel(const struct shuffle_pixel *pixel, const int ratio, const int lanes,
                          const bool back, const enum tensor_type type)
{
    const size_t element = type == TENSOR_F32 ? 4 : 2;
    const int phases = ratio * ratio;
    for (int phase = 0; phase < phases; phase++) {
        char *few = pixel->few + (size_t)(phase / ratio) * pixel->few_line +
                    (size_t)(phase % ratio * VECTOR_WIDTH) * element;
        for (int lane = 0; lane < lanes; lane++) {
            int channel = lane * phases + phase;
            char *many = pixel->many + (size_t)(channel / VECTOR_WIDTH) * pixel->many_block +
                         (size_t)(channel % VECTOR_WIDTH) * element;
            if (back)
                memcpy(many, few + (size_t)lane * element, element);
            else
                memcpy(few + (size_t)lane * element, many, element);
        }
        if (!back)
            memset(few + (size_t)lanes * element, 0, (size_t)(VECTOR_WIDTH - lanes) * element);
    }
}

/* The padding of the last block of `many`. */
INLINE void shuffle_clear(const struct shuffle_pixel *pixel, int channels, size_t element)
{
    size_t first = (size_t)(channels % VECTOR_WIDTH) * element;
    if (first)
        memset(pixel->many + (size_t)(pixel->many_blocks - 1) * pixel->many_block + first, 0,
               VECTOR_WIDTH * element - first);
}

INLINE void shuffle_row_as(const struct tensor *few, const struct tensor *many, int block, int y,
                           const int ratio, const bool back, const enum tensor_type type)
{
    const size_t element = type == TENSOR_F32 ? 4 : 2, bytes = VECTOR_WIDTH * element;
    int left = few->channels - block * VECTOR_WIDTH, phases = ratio * ratio;
    struct shuffle_pixel pixel = {
        .lanes = left < VECTOR_WIDTH ? left : VECTOR_WIDTH,
        .few_line = (size_t)few->width * bytes,
        .many_block = (size_t)many->height * (size_t)many->width * bytes,
    };
    pixel.many_blocks = (pixel.lanes * phases + VECTOR_WIDTH - 1) / VECTOR_WIDTH;
    pixel.few = (char *)few->data + plane_line(few, block, y * ratio) * element;
    pixel.many = (char *)many->data + plane_line(many, block * phases, y) * element;
    for (int x = 0; x < many->width; x++) {
        if (pixel.lanes == VECTOR_WIDTH) {
            shuffle_pixel(&pixel, ratio, VECTOR_WIDTH, back, type);
        } else {
            shuffle_pixel(&pixel, ratio, pixel.lanes, back, type);
            if (back)
                shuffle_clear(&pixel, pixel.lanes * phases, element);
        }
        pixel.few += (size_t)ratio * bytes;
        pixel.many += bytes;
    }
}

INLINE void shuffle_row_ratio(const struct tensor *few, const struct tensor *many, int block, int y,
                              int ratio, const bool back, const enum tensor_type type)
{
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
    int ratio = few->height / many->height;
    if (few->type == TENSOR_F32 && back)
        shuffle_row_ratio(few, many, block, y, ratio, true, TENSOR_F32);
    else if (few->type == TENSOR_F32)
        shuffle_row_ratio(few, many, block, y, ratio, false, TENSOR_F32);
    else if (back)
        shuffle_row_ratio(few, many, block, y, ratio, true, TENSOR_BF16);
    else
        shuffle_row_ratio(few, many, block, y, ratio, false, TENSOR_BF16);
}
