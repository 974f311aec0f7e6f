#include "domain/prediction.h"

#include <stddef.h>

static const char *const status_names[PREDICTION_STATUS_COUNT] = {
    [PREDICTION_STARTING] = "starting",   [PREDICTION_PROCESSING] = "processing",
    [PREDICTION_SUCCEEDED] = "succeeded", [PREDICTION_FAILED] = "failed",
    [PREDICTION_CANCELED] = "canceled",   [PREDICTION_ABORTED] = "aborted",
};

const char *prediction_status_name(enum prediction_status status)
{
    return (unsigned)status < PREDICTION_STATUS_COUNT ? status_names[status] : "unknown";
}

bool prediction_status_from_name(struct str name, enum prediction_status *ret_status)
{
    for (int i = 0; i < PREDICTION_STATUS_COUNT; i++) {
        if (str_equal(name, str_from(status_names[i]))) {
            *ret_status = (enum prediction_status)i;
            return true;
        }
    }
    return false;
}

bool prediction_status_is_terminal(enum prediction_status status)
{
    return status >= PREDICTION_SUCCEEDED && status < PREDICTION_STATUS_COUNT;
}

bool prediction_may_move(enum prediction_status from, enum prediction_status to)
{
    switch (from) {
    case PREDICTION_STARTING:
        /* A runner may fail or finish before its "started" was stored. */
        return to > PREDICTION_STARTING && to < PREDICTION_STATUS_COUNT;
    case PREDICTION_PROCESSING:
        return to == PREDICTION_STARTING ||
               (to >= PREDICTION_SUCCEEDED && to <= PREDICTION_CANCELED);
    default:
        return false;
    }
}
