/* What predictions and trainings share: reading one, canceling it, and lists of them. Each answers
 * the call. `kind` says which of the two a route is about. Private to api/. */
#ifndef MIMEO_API_RECORDS_H
#define MIMEO_API_RECORDS_H

#include "store/store.h"

struct http_call;

/* The record of the path's {id}, when it is the caller's. May block on the store. */
void records_get(struct http_call *call, enum store_kind kind);

/* 200 and the record when it has ended, or after a few seconds. May block on the store. */
void records_cancel(struct http_call *call, enum store_kind kind);

/* 204 when its data was removed, now or before; 409 while it has not ended. Blocks. */
void records_remove_data(struct http_call *call);

/* A page of the caller's, newest first, filtered as the query string says. */
void records_list(struct http_call *call, enum store_kind kind);

#endif
