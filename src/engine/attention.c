#include "engine/attention.h"

#include "base/err.h"
#include "engine/parallel.h"
#include "engine/product.h"

#include <float.h>
#include <math.h>

/* A unit of work: one head's queries, so many at a time, against its keys, so many at a time: 48 x
 * 512 scores are 96 KB. */
#define ATTENTION_QUERIES 48
#define ATTENTION_KEYS 512

struct attention_work {
    const struct kernels *kernels;
    const struct attention *attention;
    struct kernels_view query, key, value, dst;
    int depth, value_depth;               /* columns of a head */
    int depth_blocks, value_blocks;       /* the same in vectors */
    int key_panels, query_blocks, chunks; /* panels: two vectors of keys */
    float *keys;   /* per head: [panels][depth, padded][two vectors of keys] */
    float *values; /* per head: [chunks of keys][panels of the depth][keys][panel] */
    char *scratch; /* per thread */
    size_t keys_floats, values_floats, scratch_bytes; /* of a head; of a thread */
    atomic_int next;
};

/* A part of a matrix as a view: rows, and `columns` of them from `column` on. */
static struct kernels_view attention_part(const struct kernels_view *view, int row, int rows,
                                          int column, int columns)
{
    struct kernels_view part = *view;
    part.data = (float *)view->data + (size_t)row * view->row_step + column;
    part.rows = rows;
    part.columns = columns;
    return part;
}

/* One chunk of keys of a head. Keys become the weights of the first product, which are wanted
 * [input][output], that is [column][key]; values those of the second, and are so already. */
static void attention_pack(const struct attention_work *work, int head, int chunk)
{
    int width = work->kernels->width, panel_keys = 2 * width;
    int first = chunk * ATTENTION_KEYS, depth = work->depth_blocks * width;
    int count = work->key.rows - first < ATTENTION_KEYS ? work->key.rows - first : ATTENTION_KEYS;
    int padded = (count + panel_keys - 1) / panel_keys * panel_keys;
    float *keys = work->keys + head * work->keys_floats + (size_t)first * depth;
    struct kernels_view key =
        attention_part(&work->key, first, count, head * work->depth, work->depth);
    for (int panel = 0; panel < padded / panel_keys; panel++) {
        int keys_here = count - panel * panel_keys;
        work->kernels->transpose_panel(
            (const float *)key.data + (size_t)panel * panel_keys * key.row_step, key.row_step,
            keys_here, work->depth, depth, keys + (size_t)panel * panel_keys * depth);
    }
    float *values =
        work->values + head * work->values_floats + (size_t)first * work->value_blocks * width;
    for (int block = 0; block < work->value_blocks; block += 2) {
        int vectors = work->value_blocks - block < 2 ? work->value_blocks - block : 2;
        int column = block * width, columns = work->value_depth - column;
        struct kernels_view from =
            attention_part(&work->value, first, count, head * work->value_depth + column,
                           columns < vectors * width ? columns : vectors * width);
        struct kernels_view to = { .type = TENSOR_F32,
                                   .data = values + (size_t)block * width * padded,
                                   .rows = count,
                                   .columns = vectors * width,
                                   .row_step = (size_t)vectors * width,
                                   .block_step = (size_t)width };
        work->kernels->copy_view(&from, &to, 1.0f, false);
        float *rest = (float *)to.data + (size_t)count * vectors * width;
        for (int i = 0; i < (padded - count) * vectors * width; i++)
            rest[i] = 0;
    }
}

static void attention_pack_task(void *context, int thread)
{
    struct attention_work *work = context;
    int units = work->attention->heads * work->chunks;
    (void)thread;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        attention_pack(work, unit / work->chunks, unit % work->chunks);
}

/* The scratch of one unit. */
struct attention_block {
    int head, first, rows; /* which queries */
    float *query;          /* [depth blocks][rows][width] */
    float *scores;         /* [key blocks of a chunk][rows][width] */
    float *sums;           /* [value blocks][rows][width] */
    struct kernels_softmax *states;
    float *factors;
};

/* One chunk of keys: scores, softmax so far, and what the values add to the sums. */
static void attention_chunk(const struct attention_work *work, const struct attention_block *block,
                            int chunk)
{
    const struct attention *attention = work->attention;
    int width = work->kernels->width, panel_keys = 2 * width, rows = block->rows;
    int first = chunk * ATTENTION_KEYS, depth = work->depth_blocks * width;
    int count = work->key.rows - first < ATTENTION_KEYS ? work->key.rows - first : ATTENTION_KEYS;
    int panels = (count + panel_keys - 1) / panel_keys;
    const float *keys = work->keys + block->head * work->keys_floats + (size_t)first * depth;
    const float *values = work->values + block->head * work->values_floats +
                          (size_t)first * work->value_blocks * width;
    const float *bias = NULL;
    for (int panel = 0; panel < panels; panel++)
        work->kernels->product(block->query, rows, work->depth_blocks,
                               keys + (size_t)panel * panel_keys * depth, 2,
                               block->scores + (size_t)panel * panel_keys * rows, false);
    if (attention->bias)
        bias = attention->bias +
               ((size_t)block->head * work->query.rows + block->first) * work->key.rows + first;
    work->kernels->softmax(block->scores, rows, count, bias, (size_t)work->key.rows, block->states,
                           block->factors);
    if (chunk > 0)
        work->kernels->scale_rows(block->sums, rows, work->value_blocks, block->factors);
    /* Scores beyond the last key are 0 within its block; a panel's second block may be all beyond.
     */
    int key_blocks = (count + width - 1) / width;
    for (int value = 0; value < work->value_blocks; value += 2)
        work->kernels->product(block->scores, rows, key_blocks,
                               values + (size_t)value * width * panels * panel_keys,
                               work->value_blocks - value < 2 ? 1 : 2,
                               block->sums + (size_t)value * width * rows, chunk > 0);
}

static void attention_queries(const struct attention_work *work, int unit, char *scratch)
{
    const struct attention *attention = work->attention;
    int width = work->kernels->width;
    struct attention_block block = { .head = unit / work->query_blocks };
    block.first = unit % work->query_blocks * ATTENTION_QUERIES;
    block.rows = work->query.rows - block.first;
    block.rows = block.rows < ATTENTION_QUERIES ? block.rows : ATTENTION_QUERIES;
    size_t row_block = (size_t)ATTENTION_QUERIES * width;
    block.query = (float *)scratch;
    block.scores = block.query + row_block * work->depth_blocks;
    block.sums = block.scores + (size_t)ATTENTION_QUERIES * ATTENTION_KEYS;
    block.factors = block.sums + row_block * work->value_blocks;
    block.states = (struct kernels_softmax *)(block.factors + ATTENTION_QUERIES);
    float scale = attention->scale;
    struct kernels_view from = attention_part(&work->query, block.first, block.rows,
                                              block.head * work->depth, work->depth);
    struct kernels_view to = { .type = TENSOR_F32,
                               .data = block.query,
                               .rows = block.rows,
                               .columns = work->depth_blocks * width,
                               .row_step = (size_t)width,
                               .block_step = (size_t)block.rows * width };
    if (scale == 0)
        scale = 1.0f / sqrtf((float)work->depth);
    work->kernels->copy_view(&from, &to, scale, false);
    for (int row = 0; row < block.rows; row++)
        block.states[row] = (struct kernels_softmax){ -FLT_MAX, 0 };
    for (int chunk = 0; chunk < work->chunks; chunk++)
        attention_chunk(work, &block, chunk);
    /* A query that may look at nothing (a bias of minus infinity everywhere) sees zeros. */
    for (int row = 0; row < block.rows; row++)
        block.factors[row] = block.states[row].sum > 0 ? 1.0f / block.states[row].sum : 0.0f;
    work->kernels->scale_rows(block.sums, block.rows, work->value_blocks, block.factors);
    struct kernels_finish finish = { .dst = attention_part(&work->dst, block.first, block.rows,
                                                           block.head * work->value_depth,
                                                           work->value_depth) };
    work->kernels->finish(&finish, block.sums, block.rows);
}

static void attention_queries_task(void *context, int thread)
{
    struct attention_work *work = context;
    int units = work->attention->heads * work->query_blocks;
    for (int unit; (unit = parallel_next(&work->next)) < units;)
        attention_queries(work, unit, work->scratch + (size_t)thread * work->scratch_bytes);
}

static bool attention_check(const struct matrix *query, const struct matrix *key,
                            const struct matrix *value, const struct attention *attention,
                            const struct matrix *dst, struct err *err)
{
    if (!matrix_check(query, "attention", err) || !matrix_check(key, "attention", err) ||
        !matrix_check(value, "attention", err) || !matrix_check(dst, "attention", err))
        return false;
    if (query->columns != key->columns || key->rows != value->rows || dst->rows != query->rows ||
        dst->columns != value->columns)
        return err_set(
            err, ERR_INVALID,
            "attention of %d x %d to keys of %d x %d and values of %d x %d cannot be %d x %d",
            query->rows, query->columns, key->rows, key->columns, value->rows, value->columns,
            dst->rows, dst->columns);
    if (attention->heads < 1 || query->columns % attention->heads != 0 ||
        value->columns % attention->heads != 0)
        return err_set(err, ERR_INVALID, "%d heads do not divide %d and %d columns",
                       attention->heads, query->columns, value->columns);
    return true;
}

bool attention_run(struct engine *engine, const struct matrix *query, const struct matrix *key,
                   const struct matrix *value, const struct attention *attention,
                   const struct matrix *dst, struct err *err)
{
    engine_enter(engine);
    if (!attention_check(query, key, value, attention, dst, err))
        return false;
    int width = engine_block(engine), heads = attention->heads;
    struct attention_work work = { .kernels = engine->kernels,
                                   .attention = attention,
                                   .query = product_view_matrix(engine, query),
                                   .key = product_view_matrix(engine, key),
                                   .value = product_view_matrix(engine, value),
                                   .dst = product_view_matrix(engine, dst),
                                   .depth = query->columns / heads,
                                   .value_depth = value->columns / heads };
    work.depth_blocks = (work.depth + width - 1) / width;
    work.value_blocks = (work.value_depth + width - 1) / width;
    work.query_blocks = (query->rows + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES;
    work.chunks = (key->rows + ATTENTION_KEYS - 1) / ATTENTION_KEYS;
    int keys = (key->rows + 2 * width - 1) / (2 * width) * 2 * width;
    work.keys_floats = (size_t)keys * work.depth_blocks * width;
    work.values_floats = (size_t)keys * work.value_blocks * width;
    work.scratch_bytes = (size_t)ATTENTION_QUERIES *
                         (ATTENTION_KEYS + 16 + /* 16: factors and states */
                          (size_t)(work.depth_blocks + work.value_blocks) * width) *
                         sizeof(float);
    size_t packed_bytes = (work.keys_floats + work.values_floats) * heads * sizeof(float);
    void *scratch;
    if (!engine_scratch(engine, packed_bytes + work.scratch_bytes * (size_t)engine->threads,
                        &scratch, err))
        return false;
    work.keys = scratch;
    work.values = work.keys + work.keys_floats * heads;
    work.scratch = (char *)scratch + packed_bytes;
    parallel_run(engine->threads, attention_pack_task, &work);
    atomic_store(&work.next, 0);
    parallel_run(engine->threads, attention_queries_task, &work);
    return true;
}
