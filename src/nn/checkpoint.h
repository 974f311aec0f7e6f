/* What the checkpoints of restoration networks share, whatever the network: how they are nested.
 * Not here: the names of a network's tensors (its own file). */
#ifndef MIMEO_NN_CHECKPOINT_H
#define MIMEO_NN_CHECKPOINT_H

#include <stdbool.h>

struct weights;

/* Go into "params_ema" (the averaged weights, which are the ones to use), else "params", else stay;
 * then into "module", which training on several devices leaves behind. Again is fine. */
void checkpoint_enter(struct weights *weights);

#endif
