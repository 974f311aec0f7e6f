/* Matrices for the parts of a network that think in tokens: rows of f32 numbers, one row per
 * token. Like a tensor, a matrix is a view of memory that someone else owns.
 * A shape that does not fit is ERR_INVALID. Not here: attention (attention.h), norms (norm.h). */
#ifndef MIMEO_ENGINE_MATRIX_H
#define MIMEO_ENGINE_MATRIX_H

#include "engine/engine.h"

struct matrix {
    int rows, columns;
    int stride; /* floats from one row to the next; >= columns */
    float *data;
};

/* A new matrix in the arena, content undefined, rows 64-byte aligned. */
bool engine_matrix(struct engine *engine, int rows, int columns, struct matrix *ret_matrix,
                   struct err *err);

/* Columns first .. first + count - 1, as a view. */
struct matrix matrix_slice(const struct matrix *matrix, int first, int count);

/* The pixels of a blocked tensor (f32 or bf16), row by row, as tokens: dst is [h * w][channels];
 * and back. */
bool matrix_from_tensor(struct engine *engine, const struct tensor *src, const struct matrix *dst,
                        struct err *err);
bool matrix_to_tensor(struct engine *engine, const struct matrix *src, const struct tensor *dst,
                      struct err *err);

/* dst = a + b; b may have one row, which is added to each. dst may be a or b. */
bool matrix_add(struct engine *engine, const struct matrix *a, const struct matrix *b,
                const struct matrix *dst, struct err *err);

/* dst = a * transpose(b): [m][k] x [n][k] -> [m][n]. */
bool matrix_multiply_transposed(struct engine *engine, const struct matrix *a,
                                const struct matrix *b, const struct matrix *dst, struct err *err);

/* A linear layer: y = activation(x W' + b) (+ residual), W being [out][in] as frameworks keep it.
 * Made, filled and packed like a conv_filter (conv.h). In an ENGINE_BF16 engine the weights are
 * packed as bf16 and x is rounded to bf16; sums and results are f32. */
struct linear;
bool linear_new(struct engine *engine, int out_columns, int in_columns, struct linear **ret_linear,
                struct err *err);
void linear_free(struct linear *linear);
float *linear_weights(struct linear *linear); /* to be filled; NULL after the first use */
float *linear_bias(struct linear *linear);    /* zeros at first; NULL after the first use */
size_t linear_bytes(const struct linear *linear);

enum linear_activation { LINEAR_NONE, LINEAR_RELU, LINEAR_SILU, LINEAR_GELU, LINEAR_GELU_TANH };

/* src [n][in] -> dst [n][out]. `residual` (NULL: none) is added after the activation and may be
 * dst. */
bool linear_run(struct engine *engine, struct linear *linear, const struct matrix *src,
                enum linear_activation activation, const struct matrix *residual,
                const struct matrix *dst, struct err *err);

#endif
