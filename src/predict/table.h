/* A hash table of things that have a prediction's id. Intrusive: the entry lives inside the thing,
 * so that taking one out allocates nothing. Not thread safe. */
#ifndef MIMEO_PREDICT_TABLE_H
#define MIMEO_PREDICT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/id.h"

struct table_entry {
    struct table_entry *next;
    char id[ID_PREDICTION_LEN + 1];
};

struct table {
    struct table_entry **chains;
    size_t chain_count; /* a power of two; 0: nothing was ever put in */
    size_t count;
};

void table_done(struct table *table); /* frees the table, not the entries */

/* entry->id is set and stands in the table at most once. False when memory is short. */
bool table_put(struct table *table, struct table_entry *entry);
struct table_entry *table_find(const struct table *table, const char *id); /* or NULL */
struct table_entry *table_remove(struct table *table, const char *id);     /* or NULL */

/* Calls each(context, entry) for all, in no order; it must not change the table. */
void table_each(const struct table *table,
                void (*each)(void *context, const struct table_entry *entry), void *context);
struct table_entry *table_any(const struct table *table); /* NULL when empty */

#endif
