/* Ownership: a prediction names its blobs in its output, as "blob:<ref>"; an uploaded file names
 * its one. A record that is not there owns nothing. */
#include "predict/ownership.h"

#include <stdio.h>
#include <string.h>

#include "blob/blob.h"
#include "predict/run.h"
#include "store/store.h"

/* With the quotes: one reference may be the beginning of another. */
static bool prediction_names(struct store *store, struct arena *arena, const char *id,
                             struct str ref, bool *ret_owned, struct err *err)
{
    struct prediction prediction;
    char text[BLOB_REF_MAX + 8];
    if (!store_prediction_get(store, NULL, id, arena, &prediction, err))
        return false;
    snprintf(text, sizeof text, "\"blob:%.*s\"", STR_FMT(ref));
    *ret_owned = str_find(prediction.output, str_from(text)) >= 0;
    return true;
}

static bool file_names(struct store *store, struct arena *arena, const char *id, struct str ref,
                       bool *ret_owned, struct err *err)
{
    struct store_file file;
    if (!store_file_get(store, NULL, id, arena, &file, err))
        return false;
    *ret_owned = str_equal(str_from(file.blob), ref);
    return true;
}

bool ownership_of(void *context, const char *owner, struct str ref, bool *ret_owned,
                  struct err *err)
{
    struct store *store = context;
    struct arena arena;
    struct err why = { 0 };
    bool owned = false;
    arena_init(&arena, RECORD_BYTES_MAX);
    bool ok = strlen(owner) == ID_FILE_LEN
                  ? file_names(store, &arena, owner, ref, &owned, &why)
                  : prediction_names(store, &arena, owner, ref, &owned, &why);
    arena_done(&arena);
    if (!ok && why.kind != ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    *ret_owned = ok && owned;
    return true;
}
