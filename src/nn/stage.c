#include "nn/stage.h"

#include "base/err.h"

#include <stdio.h>

#define STAGE_NAME_BYTES 32

bool stage_tell(const struct stage_watch *watch, const char *kind, int index,
                const struct tensor *result, struct err *err)
{
    char stage[STAGE_NAME_BYTES];
    if (!watch->see)
        return true;
    if (index < 0)
        snprintf(stage, sizeof stage, "%s", kind);
    else
        snprintf(stage, sizeof stage, "%s.%d", kind, index);
    return watch->see(watch->context, stage, result) || err_set(err, ERR_CANCELED, "canceled");
}
