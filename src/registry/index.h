/* Which models there are now, sorted for finding: by name, by their latest version's day, and every
 * version by each of its ids. Borrows the models. Private to the registry. Thread: the caller's
 * lock; finding needs it shared, changing needs it alone. */
#ifndef MIMEO_REGISTRY_INDEX_H
#define MIMEO_REGISTRY_INDEX_H

#include <stddef.h>

#include "registry/registry.h"

struct index_id {
    const char *id;
    const struct registry_version *version;
};

struct index {
    const struct registry_model **by_name; /* by owner/name */
    const struct registry_model **by_day;  /* latest version, newest first; then by name */
    int model_count, model_capacity;
    struct index_id *ids; /* sorted */
    size_t id_count, id_capacity;
};

void index_done(struct index *index);

/* Put `model` in the place of `old` (NULL: of none). ERR_CONFLICT: one of its ids is another's, or
 * stands in it twice. On failure nothing has changed. */
bool index_replace(struct index *index, const struct registry_model *old,
                   const struct registry_model *model, struct err *err);
void index_remove(struct index *index, const struct registry_model *model);

const struct registry_model *index_find_model(const struct index *index, struct str owner,
                                              struct str name); /* or NULL */
const struct registry_version *index_find_id(const struct index *index,
                                             struct str id); /* or NULL */

#endif
