/* Removes uploaded files whose time is over. Private to api/. */
#ifndef MIMEO_API_SWEEP_H
#define MIMEO_API_SWEEP_H

#include <stdbool.h>

struct blob_store;
struct err;
struct store;
struct sweep;

bool sweep_start(struct store *store, struct blob_store *blobs, struct sweep **ret_sweep,
                 struct err *err);
void sweep_stop(struct sweep *sweep); /* NULL is fine */

#endif
