/* What the end of a prediction carries beside its record, in the same write of the store: its line
 * in the books, and the webhook that is owed for it. So neither is lost or doubled by a crash.
 * For predict/ only. */
#ifndef MIMEO_PREDICT_ACCOUNTING_H
#define MIMEO_PREDICT_ACCOUNTING_H

#include "store/store.h"

struct predict;
struct registry_version;

struct accounting { /* zeroed at first; must live as long as the write, and over its repetitions */
    struct store_usage usage;
    struct store_delivery delivery;
};

/* Add both to a terminal move whose `to` and `completed_us` are set. The record is a whole one and
 * outlives the write, as does `version` (NULL: it is gone, and costs nothing). A write that is
 * filled again keeps its delivery's id. */
void accounting_fill(struct accounting *accounting, struct store_write *write,
                     const struct prediction *record, const struct registry_version *version,
                     int64_t predict_us, int64_t images);

/* The move was applied: it is counted, and credit in memory is kept true. Before it leaves the live
 * table, so that whoever waited for it finds it counted; the listener is told after that. */
void accounting_applied(struct predict *predict, const struct accounting *accounting,
                        const struct prediction *record, const struct store_write *write);

#endif
