#include "engine/product.h"

#include "base/err.h"
#include "engine/parallel.h"

#include <stdint.h>
#include <string.h>

/* A piece: so many rows, and inputs of them, copied to where the kernel reads them: 96 x 768 f32
 * are 288 KB, a part of the second-level cache. Rows are whole register tiles. */
#define PRODUCT_ROWS_MAX 96
#define PRODUCT_INPUTS_MAX 768
#define PRODUCT_PANELS_MAX 16       /* of one piece, when sums wait for more inputs */
#define PRODUCT_PIECES_PER_THREAD 4 /* at least, so that threads end together */

struct product_work {
    const struct kernels *kernels;
    kernels_product *multiply;
    struct kernels_view src;
    const struct product_weights *weights;
    struct kernels_finish finish;
    int pieces, piece_panels; /* pieces: row blocks x groups of panels */
    int panels, panel_groups;
    int blocks;    /* of inputs */
    bool pairs;    /* the kernel reads its source as bf16 */
    char *scratch; /* per thread */
    size_t scratch_bytes, input_bytes;
    atomic_int next;
};

static int product_divide(int a, int b)
{
    return (a + b - 1) / b;
}

struct kernels_view product_view_matrix(const struct engine *engine, const struct matrix *matrix)
{
    return (struct kernels_view){ .type = TENSOR_F32,
                                  .data = matrix->data,
                                  .rows = matrix->rows,
                                  .columns = matrix->columns,
                                  .row_step = (size_t)matrix->stride,
                                  .block_step = (size_t)engine_block(engine) };
}

struct kernels_view product_view_tensor(const struct tensor *tensor)
{
    int pixels = tensor->height * tensor->width;
    return (struct kernels_view){ .type = tensor->type,
                                  .data = tensor->data,
                                  .rows = pixels,
                                  .columns = tensor_blocks(tensor) * tensor->block,
                                  .row_step = (size_t)tensor->block,
                                  .block_step = (size_t)pixels * tensor->block };
}

static size_t product_operand_bytes(enum product_operands operands)
{
    return operands == PRODUCT_BF16 ? sizeof(uint16_t) : sizeof(float);
}

size_t product_weights_bytes(const struct engine *engine, const struct product_weights *weights)
{
    int width = engine_block(engine);
    return (size_t)product_divide(weights->outputs, width) * width *
           product_divide(weights->inputs, width) * width *
           product_operand_bytes(weights->operands);
}

/* ---- Packing ------------------------------------------------------------------------------------
 */

struct product_packing {
    const struct product_weights *weights;
    const float *from;
    size_t stride;
    int width, vectors;
    atomic_int next;
};

static uint16_t product_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* One output, `lane` of a panel of `lanes`. */
static void product_pack_output(const struct product_packing *packing, const float *from,
                                char *panel, int lane, int lanes)
{
    int inputs = packing->weights->inputs;
    if (packing->weights->operands == PRODUCT_F32) {
        float *to = (float *)panel + lane;
        for (int input = 0; input < inputs; input++)
            to[(size_t)input * lanes] = from[input];
        return;
    }
    uint16_t *to = (uint16_t *)panel + lane * 2;
    for (int input = 0; input < inputs; input++)
        to[(size_t)(input / 2) * 2 * lanes + input % 2] = product_bf16(from[input]);
}

static void product_pack_task(void *context, int thread)
{
    struct product_packing *packing = context;
    const struct product_weights *weights = packing->weights;
    int width = packing->width, depth = product_divide(weights->inputs, width) * width;
    size_t vector_bytes = (size_t)depth * width * product_operand_bytes(weights->operands);
    (void)thread;
    for (int panel; (panel = parallel_next(&packing->next)) * 2 < packing->vectors;) {
        char *to = (char *)weights->data + (size_t)panel * 2 * vector_bytes;
        int lanes = panel * 2 + 1 < packing->vectors ? 2 * width : width;
        memset(to, 0, vector_bytes * (size_t)(lanes / width));
        for (int lane = 0; lane < lanes && panel * 2 * width + lane < weights->outputs; lane++) {
            size_t output = (size_t)panel * 2 * width + lane;
            product_pack_output(packing, packing->from + output * packing->stride, to, lane, lanes);
        }
    }
}

void product_pack(struct engine *engine, const struct product_weights *weights, const float *from,
                  size_t stride)
{
    int width = engine_block(engine);
    struct product_packing packing = { .weights = weights,
                                       .from = from,
                                       .stride = stride,
                                       .width = width,
                                       .vectors = product_divide(weights->outputs, width) };
    parallel_run(engine->threads, product_pack_task, &packing);
}

/* ---- Multiplying --------------------------------------------------------------------------------
 */

/* A view of what the kernel reads: rows x blocks, contiguous. */
static struct kernels_view product_view_input(const struct product_work *work, void *input,
                                              int rows, int blocks)
{
    int width = work->kernels->width;
    return (struct kernels_view){ .type = work->pairs ? TENSOR_BF16 : TENSOR_F32,
                                  .data = input,
                                  .rows = rows,
                                  .columns = blocks * width,
                                  .row_step = (size_t)width,
                                  .block_step = (size_t)rows * width };
}

/* The same view from (row, block) on. */
static struct kernels_view product_view_from(struct kernels_view view, int width, int row,
                                             int block)
{
    size_t at = (size_t)row * view.row_step + (size_t)block * view.block_step;
    if (!view.data)
        return view;
    view.data = (char *)view.data + at * tensor_type_bytes(view.type);
    view.rows -= row;
    view.columns -= block * width;
    return view;
}

static void product_finish(const struct product_work *work, const float *sums, int row, int rows,
                           int panel, int vectors)
{
    struct kernels_finish finish = work->finish;
    int width = work->kernels->width, block = panel * 2;
    finish.dst = product_view_from(finish.dst, width, row, block);
    finish.residual = product_view_from(finish.residual, width, row, block);
    if (finish.dst.columns > vectors * width)
        finish.dst.columns = vectors * width;
    if (finish.bias)
        finish.bias += block * width;
    work->kernels->finish(&finish, sums, rows);
}

/* Ask for the lines of dst that product_finish will write, while the product is computed. */
static void product_prefetch(const struct product_work *work, int row, int rows, int panel,
                             int vectors)
{
    const struct kernels_view *dst = &work->finish.dst;
    struct kernels_view view = product_view_from(*dst, work->kernels->width, row, panel * 2);
    size_t bytes = tensor_type_bytes(dst->type);
    for (int i = 0; i < vectors; i++)
        for (int j = 0; j < rows; j++)
            __builtin_prefetch(
                (const char *)view.data + (i * dst->block_step + j * dst->row_step) * bytes, 1);
}

static void product_piece(const struct product_work *work, int piece, char *scratch)
{
    const struct product_weights *weights = work->weights;
    int width = work->kernels->width;
    int row = piece / work->panel_groups * PRODUCT_ROWS_MAX;
    int rows = work->src.rows - row < PRODUCT_ROWS_MAX ? work->src.rows - row : PRODUCT_ROWS_MAX;
    int from = piece % work->panel_groups * work->piece_panels;
    int to = from + work->piece_panels < work->panels ? from + work->piece_panels : work->panels;
    int vectors = product_divide(weights->outputs, width), step = PRODUCT_INPUTS_MAX / width;
    size_t vector_bytes =
        (size_t)work->blocks * width * width * product_operand_bytes(weights->operands);
    float *sums = (float *)(scratch + work->input_bytes);
    size_t panel_floats = (size_t)rows * 2 * width;
    for (int block = 0; block < work->blocks; block += step) {
        int blocks = work->blocks - block < step ? work->blocks - block : step;
        bool last = block + blocks == work->blocks, alone = work->blocks <= step;
        struct kernels_view src = product_view_from(work->src, width, row, block);
        struct kernels_view input = product_view_input(work, scratch, rows, blocks);
        work->kernels->copy_view(&src, &input, 1.0f, weights->operands == PRODUCT_BF16);
        for (int panel = from; panel < to; panel++) {
            int count = panel * 2 + 1 < vectors ? 2 : 1;
            const char *packed = (const char *)weights->data + (size_t)panel * 2 * vector_bytes +
                                 count * (vector_bytes / work->blocks) * block;
            float *panel_sums = alone ? sums : sums + (size_t)(panel - from) * panel_floats;
            if (last)
                product_prefetch(work, row, rows, panel, count);
            work->multiply(scratch, rows, blocks, packed, count, panel_sums, block > 0);
            if (last)
                product_finish(work, panel_sums, row, rows, panel, count);
        }
    }
}

static void product_task(void *context, int thread)
{
    struct product_work *work = context;
    for (int piece; (piece = parallel_next(&work->next)) < work->pieces;)
        product_piece(work, piece, work->scratch + (size_t)thread * work->scratch_bytes);
}

/* How many panels a piece has: all, unless there are too few rows to keep the threads busy. */
static void product_divide_work(const struct engine *engine, struct product_work *work)
{
    int width = work->kernels->width;
    int row_blocks = product_divide(work->src.rows, PRODUCT_ROWS_MAX);
    bool alone = work->blocks <= PRODUCT_INPUTS_MAX / width;
    int pieces = engine->threads > 1 ? engine->threads * PRODUCT_PIECES_PER_THREAD : 1;
    int groups = product_divide(pieces, row_blocks);
    work->panels = product_divide(product_divide(work->weights->outputs, width), 2);
    work->piece_panels = product_divide(work->panels, groups);
    if (!alone && work->piece_panels > PRODUCT_PANELS_MAX)
        work->piece_panels = PRODUCT_PANELS_MAX;
    work->panel_groups = product_divide(work->panels, work->piece_panels);
    work->pieces = row_blocks * work->panel_groups;
    work->input_bytes = (size_t)PRODUCT_ROWS_MAX * PRODUCT_INPUTS_MAX * sizeof(float);
    work->scratch_bytes = work->input_bytes + (size_t)PRODUCT_ROWS_MAX * 2 * width * sizeof(float) *
                                                  (alone ? 1 : work->piece_panels);
}

bool product_run(struct engine *engine, const struct kernels_view *src,
                 const struct product_weights *weights, const struct kernels_finish *finish,
                 struct err *err)
{
    void *scratch;
    struct product_work work = { .kernels = engine->kernels,
                                 .src = *src,
                                 .weights = weights,
                                 .finish = *finish,
                                 .multiply = engine->kernels->product,
                                 .blocks = product_divide(weights->inputs, engine_block(engine)) };
    if (weights->operands == PRODUCT_BF16) {
        work.pairs = engine->product_pairs != NULL;
        work.multiply = work.pairs ? engine->product_pairs : engine->kernels->product_bf16;
    }
    product_divide_work(engine, &work);
    if (!engine_scratch(engine, work.scratch_bytes * (size_t)engine->threads, &scratch, err))
        return false;
    work.scratch = scratch;
    parallel_run(engine->threads, product_task, &work);
    return true;
}
