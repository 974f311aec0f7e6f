/* Whose a blob is: what the blob store asks about blobs in doubt (blob_settle). */
#ifndef MIMEO_PREDICT_OWNERSHIP_H
#define MIMEO_PREDICT_OWNERSHIP_H

#include "base/err.h"
#include "base/str.h"

/* Does the record `owner`, a prediction or an uploaded file, name the blob `ref`? A blob_owns; its
 * context is a struct store. */
bool ownership_of(void *store, const char *owner, struct str ref, bool *ret_owned, struct err *err);

#endif
