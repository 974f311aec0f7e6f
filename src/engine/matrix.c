#include "engine/matrix.h"

#include "base/err.h"
#include "engine/parallel.h"
#include "engine/product.h"

#include <string.h>

#define MATRIX_ROWS 32 /* per unit of work of operators that move memory */
#define MATRIX_SIDE_MAX (1 << 20)

struct matrix_work {
    const struct kernels *kernels;
    struct kernels_view a, b, dst;
    atomic_int next;
};

bool engine_matrix(struct engine *engine, int rows, int columns, struct matrix *ret_matrix,
                   struct err *err)
{
    struct tensor tensor;
    if (rows < 1 || columns < 1 || rows > MATRIX_SIDE_MAX || columns > MATRIX_SIDE_MAX)
        return err_set(err, ERR_INVALID, "a matrix cannot be %d x %d", rows, columns);
    int stride = (columns + 15) / 16 * 16; /* 64 bytes */
    if (!engine_tensor_plain(engine, 1, rows, stride, &tensor, err))
        return false;
    *ret_matrix = (struct matrix){ rows, columns, stride, tensor.data };
    return true;
}

struct matrix matrix_slice(const struct matrix *matrix, int first, int count)
{
    struct matrix slice = *matrix;
    slice.columns = count;
    slice.data += first;
    return slice;
}

bool matrix_check(const struct matrix *matrix, const char *what, struct err *err)
{
    bool fits = matrix->data && matrix->rows > 0 && matrix->columns > 0 &&
                matrix->rows <= MATRIX_SIDE_MAX && matrix->columns <= matrix->stride;
    return fits || err_set(err, ERR_INVALID, "%s: no matrix can be %d x %d with a stride of %d",
                           what, matrix->rows, matrix->columns, matrix->stride);
}

static bool matrix_fits(bool fits, const char *what, const struct matrix *a, const struct matrix *b,
                        struct err *err)
{
    return fits || err_set(err, ERR_INVALID, "%s: matrices of %d x %d and %d x %d do not fit", what,
                           a->rows, a->columns, b->rows, b->columns);
}

/* `rows` rows from `first` on. */
static struct kernels_view matrix_rows(struct kernels_view view, int first, int rows)
{
    view.data = (char *)view.data + (size_t)first * view.row_step * tensor_type_bytes(view.type);
    view.rows = rows;
    return view;
}

static bool matrix_next(struct matrix_work *work, struct matrix_work *ret_part)
{
    int first = parallel_next(&work->next) * MATRIX_ROWS;
    if (first >= work->dst.rows)
        return false;
    int rows = work->dst.rows - first < MATRIX_ROWS ? work->dst.rows - first : MATRIX_ROWS;
    ret_part->a = matrix_rows(work->a, first, rows);
    ret_part->dst = matrix_rows(work->dst, first, rows);
    if (work->b.data)
        ret_part->b = matrix_rows(work->b, first, rows);
    return true;
}

static void matrix_copy_task(void *context, int thread)
{
    struct matrix_work *work = context, part;
    (void)thread;
    while (matrix_next(work, &part))
        work->kernels->copy_view(&part.a, &part.dst, 1.0f, false);
}

static void matrix_add_task(void *context, int thread)
{
    struct matrix_work *work = context, part;
    (void)thread;
    while (matrix_next(work, &part))
        work->kernels->add_view(&part.a, &part.b, &part.dst);
}

static bool matrix_tensor_fits(const struct engine *engine, const struct matrix *matrix,
                               const struct tensor *tensor, struct err *err)
{
    if (!matrix_check(matrix, "matrix of a tensor", err))
        return false;
    bool fits = tensor->block == engine_block(engine) && tensor->channels == matrix->columns &&
                (size_t)tensor->height * tensor->width == (size_t)matrix->rows;
    return fits ||
           err_set(err, ERR_INVALID, "a matrix of %d x %d and a tensor of %dx%dx%d", matrix->rows,
                   matrix->columns, tensor->channels, tensor->height, tensor->width);
}

bool matrix_from_tensor(struct engine *engine, const struct tensor *src, const struct matrix *dst,
                        struct err *err)
{
    engine_enter(engine);
    if (!matrix_tensor_fits(engine, dst, src, err))
        return false;
    struct matrix_work work = { .kernels = engine->kernels,
                                .a = product_view_tensor(src),
                                .dst = product_view_matrix(engine, dst) };
    parallel_run(engine->threads, matrix_copy_task, &work);
    return true;
}

bool matrix_to_tensor(struct engine *engine, const struct matrix *src, const struct tensor *dst,
                      struct err *err)
{
    engine_enter(engine);
    if (!matrix_tensor_fits(engine, src, dst, err))
        return false;
    struct matrix_work work = { .kernels = engine->kernels,
                                .a = product_view_matrix(engine, src),
                                .dst = product_view_tensor(dst) };
    parallel_run(engine->threads, matrix_copy_task, &work);
    return true;
}

bool matrix_add(struct engine *engine, const struct matrix *a, const struct matrix *b,
                const struct matrix *dst, struct err *err)
{
    engine_enter(engine);
    if (!matrix_check(a, "add", err) || !matrix_check(b, "add", err) ||
        !matrix_check(dst, "add", err) ||
        !matrix_fits(a->rows == dst->rows && a->columns == dst->columns, "add", a, dst, err) ||
        !matrix_fits((b->rows == a->rows || b->rows == 1) && b->columns == a->columns, "add", a, b,
                     err))
        return false;
    struct matrix_work work = { .kernels = engine->kernels,
                                .a = product_view_matrix(engine, a),
                                .b = product_view_matrix(engine, b),
                                .dst = product_view_matrix(engine, dst) };
    if (b->rows == 1)
        work.b.row_step = 0;
    parallel_run(engine->threads, matrix_add_task, &work);
    return true;
}

bool matrix_multiply_transposed(struct engine *engine, const struct matrix *a,
                                const struct matrix *b, const struct matrix *dst, struct err *err)
{
    engine_enter(engine);
    if (!matrix_check(a, "multiply", err) || !matrix_check(b, "multiply", err) ||
        !matrix_check(dst, "multiply", err) ||
        !matrix_fits(a->columns == b->columns, "multiply", a, b, err) ||
        !matrix_fits(dst->rows == a->rows && dst->columns == b->rows, "multiply", a, dst, err))
        return false;
    struct product_weights weights = { .operands = PRODUCT_F32,
                                       .outputs = b->rows,
                                       .inputs = b->columns };
    int block = engine_block(engine);
    size_t mark = engine_mark(engine);
    struct tensor packed;
    struct kernels_finish finish = { .dst = product_view_matrix(engine, dst) };
    struct kernels_view src = product_view_matrix(engine, a);
    if (!engine_tensor_plain(engine, 1, (b->rows + block - 1) / block * block,
                             (b->columns + block - 1) / block * block, &packed, err))
        return false;
    weights.data = packed.data;
    product_pack(engine, &weights, b->data, (size_t)b->stride);
    bool ok = product_run(engine, &src, &weights, &finish, err);
    engine_release(engine, mark);
    return ok;
}
