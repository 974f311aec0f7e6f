/* What a picture says of its making; see making.c. For predict/ only. */
#ifndef MIMEO_PREDICT_MAKING_H
#define MIMEO_PREDICT_MAKING_H

#include "base/buf.h"
#include "domain/prediction.h"

struct registry_version;

/* Append it as JSON, at most out->max bytes. False: it does not fit, or the record's input cannot
 * be read. Pure. */
bool making_write(const struct prediction *record, const struct registry_version *version,
                  struct str logs, struct buf *out);

#endif
