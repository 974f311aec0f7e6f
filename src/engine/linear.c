/* Linear layers: what matrix.h says of them. */
#include "base/err.h"
#include "engine/matrix.h"
#include "engine/memory.h"
#include "engine/product.h"

#include <stdlib.h>

#define LINEAR_COLUMNS_MAX 65536
#define LINEAR_BIAS_PADDING 16 /* columns: the widest vector */

struct linear {
    int out_columns, in_columns;
    float *source; /* [out][in]; NULL once packed */
    float *bias;   /* padded with zeros to LINEAR_BIAS_PADDING */
    struct product_weights weights;
    size_t source_bytes, packed_bytes;
};

bool linear_new(struct engine *engine, int out_columns, int in_columns, struct linear **ret_linear,
                struct err *err)
{
    (void)engine;
    if (out_columns < 1 || out_columns > LINEAR_COLUMNS_MAX || in_columns < 1 ||
        in_columns > LINEAR_COLUMNS_MAX)
        return err_set(err, ERR_INVALID, "no linear layer can be %d x %d", out_columns, in_columns);
    struct linear *linear = calloc(1, sizeof *linear);
    if (!linear)
        return err_set(err, ERR_NO_MEMORY, "no memory for a linear layer");
    size_t biases =
        (size_t)(out_columns + LINEAR_BIAS_PADDING - 1) / LINEAR_BIAS_PADDING * LINEAR_BIAS_PADDING;
    linear->out_columns = out_columns;
    linear->in_columns = in_columns;
    linear->source_bytes = (size_t)out_columns * in_columns * sizeof *linear->source;
    linear->source = memory_new(linear->source_bytes);
    linear->bias = calloc(biases, sizeof *linear->bias);
    if (!linear->source || !linear->bias) {
        linear_free(linear);
        return err_set(err, ERR_NO_MEMORY, "no memory for a linear layer");
    }
    *ret_linear = linear;
    return true;
}

void linear_free(struct linear *linear)
{
    if (!linear)
        return;
    memory_free(linear->source, linear->source_bytes);
    memory_free(linear->weights.data, linear->packed_bytes);
    free(linear->bias);
    free(linear);
}

float *linear_weights(struct linear *linear)
{
    return linear->source;
}

float *linear_bias(struct linear *linear)
{
    return linear->source ? linear->bias : NULL;
}

size_t linear_bytes(const struct linear *linear)
{
    return (linear->source ? linear->source_bytes : 0) + linear->packed_bytes;
}

static bool linear_pack(struct engine *engine, struct linear *linear, struct err *err)
{
    bool bf16 = engine_type(engine) == TENSOR_BF16;
    linear->weights = (struct product_weights){ .operands = bf16 ? PRODUCT_BF16 : PRODUCT_F32,
                                                .outputs = linear->out_columns,
                                                .inputs = linear->in_columns };
    size_t bytes = product_weights_bytes(engine, &linear->weights);
    linear->weights.data = memory_new(bytes);
    if (!linear->weights.data)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes of weights", bytes);
    linear->packed_bytes = bytes;
    product_pack(engine, &linear->weights, linear->source, (size_t)linear->in_columns);
    memory_free(linear->source, linear->source_bytes);
    linear->source = NULL;
    return true;
}

static bool linear_check(const struct linear *linear, const struct matrix *src,
                         const struct matrix *residual, const struct matrix *dst, struct err *err)
{
    if (!matrix_check(src, "linear", err) || !matrix_check(dst, "linear", err) ||
        (residual && !matrix_check(residual, "linear", err)))
        return false;
    if (src->rows != dst->rows || src->columns != linear->in_columns ||
        dst->columns != linear->out_columns)
        return err_set(err, ERR_INVALID,
                       "a linear layer of %d to %d cannot make %d x %d of %d x %d",
                       linear->in_columns, linear->out_columns, dst->rows, dst->columns, src->rows,
                       src->columns);
    if (residual && (residual->rows != dst->rows || residual->columns != dst->columns))
        return err_set(err, ERR_INVALID, "the residual is not like the destination");
    return true;
}

bool linear_run(struct engine *engine, struct linear *linear, const struct matrix *src,
                enum linear_activation activation, const struct matrix *residual,
                const struct matrix *dst, struct err *err)
{
    static const enum kernels_finish_kind activations[] = {
        [LINEAR_NONE] = FINISH_NONE,           [LINEAR_RELU] = FINISH_LEAKY,
        [LINEAR_SILU] = FINISH_SILU,           [LINEAR_GELU] = FINISH_GELU,
        [LINEAR_GELU_TANH] = FINISH_GELU_TANH,
    };
    engine_enter(engine);
    if (!linear_check(linear, src, residual, dst, err) ||
        (linear->source && !linear_pack(engine, linear, err)))
        return false;
    struct kernels_view view = product_view_matrix(engine, src);
    struct kernels_finish finish = { .dst = product_view_matrix(engine, dst),
                                     .bias = linear->bias,
                                     .activation = activations[activation] };
    if (residual)
        finish.residual = product_view_matrix(engine, residual);
    return product_run(engine, &view, &linear->weights, &finish, err);
}
