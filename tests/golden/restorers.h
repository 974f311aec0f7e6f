/* What the golden tests of GFPGAN and RestoreFormer share (tests/reference/restorers.py is the
 * other side): the face, and comparing each stage with its fixture. */
#ifndef MIMEO_TESTS_RESTORERS_H
#define MIMEO_TESTS_RESTORERS_H

#include "golden/compare.h"
#include "golden/seeded.h"

#include "engine/engine.h"
#include "nn/stage.h"

/* [3][size][size] within -1 .. 1. Free with free. */
static inline float *restorers_face(int size)
{
    float *face = malloc(3 * sizeof *face * (size_t)size * (size_t)size), *at = face;
    assert_non_null(face);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < size; y++)
            for (int x = 0; x < size; x++)
                *at++ =
                    (float)(sin(0.031 * x * (c + 1) + 0.017 * y) * cos(0.023 * y - 0.011 * x * c));
    return face;
}

/* Or NULL when the machine cannot compute with that precision. */
static inline struct engine *restorers_engine(enum engine_precision precision)
{
    struct engine_options options = { .threads = 2, .precision = precision };
    struct engine *engine = NULL;
    struct err err = { 0 };
    if (!engine_new(&options, &engine, &err))
        assert_int_equal(err.kind, ERR_UNAVAILABLE);
    return engine;
}

struct restorers_seen {
    const struct weights *fixture;
    const char *prefix;      /* "full" */
    int stages, stages_left; /* the run is canceled when none is left; negative: never */
    double worst;            /* largest difference of all stages */
};

static inline bool restorers_see(void *context, const char *stage, const struct tensor *result)
{
    struct restorers_seen *seen = context;
    char name[64];
    seen->stages++;
    if (seen->fixture) {
        snprintf(name, sizeof name, "%s.%s", seen->prefix, stage);
        double difference = compare_samples(seen->fixture, name, result);
        seen->worst = fmax(seen->worst, difference);
        print_message("%s: %.2g\n", name, difference);
    }
    return seen->stages_left < 0 || seen->stages_left-- > 0;
}

#endif
