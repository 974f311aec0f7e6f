/* Watching a network compute: tests compare its stages with the reference, benchmarks time them,
 * and whoever runs it can end it between two of them. Which stages there are is each network's to
 * say. */
#ifndef MIMEO_NN_STAGE_H
#define MIMEO_NN_STAGE_H

#include "engine/tensor.h"

struct err;

struct stage_watch {
    /* Called in the thread that runs the network; the result is valid during the call. False ends
     * the run with ERR_CANCELED. NULL: nobody watches. */
    bool (*see)(void *context, const char *stage, const struct tensor *result);
    void *context;
};

/* Tell of the stage "KIND.INDEX", or "KIND" when the index is negative. */
bool stage_tell(const struct stage_watch *watch, const char *kind, int index,
                const struct tensor *result, struct err *err);

#endif
