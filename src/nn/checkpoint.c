#include "nn/checkpoint.h"

#include "weights/weights.h"

void checkpoint_enter(struct weights *weights)
{
    if (!weights_enter(weights, "params_ema"))
        weights_enter(weights, "params");
    weights_enter(weights, "module");
}
