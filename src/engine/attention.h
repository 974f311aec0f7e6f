/* Scaled dot-product attention, several heads. Source: Vaswani et al., "Attention Is All You
 * Need", 2017. Not here: the projections around it (linear_run in matrix.h). */
#ifndef MIMEO_ENGINE_ATTENTION_H
#define MIMEO_ENGINE_ATTENTION_H

#include "engine/matrix.h"

struct attention {
    int heads;         /* divides the columns of query and value */
    float scale;       /* 0 means 1 / sqrt(columns of a head) */
    const float *bias; /* added to the scaled scores: [heads][queries][keys]; NULL: none */
};

/* dst[:, head] = softmax(query[:, head] * transpose(key[:, head]) * scale + bias) value[:, head].
 * query [m][c], key [n][c], value [n][d], dst [m][d]; head h has columns h * c / heads on. Scores
 * are f32 and never exist for more than a few hundred queries of a head at a time. dst may be
 * query. */
bool attention_run(struct engine *engine, const struct matrix *query, const struct matrix *key,
                   const struct matrix *value, const struct attention *attention,
                   const struct matrix *dst, struct err *err);

#endif
