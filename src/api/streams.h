/* Streams: each follows one prediction for one reader. Private to api/. */
#ifndef MIMEO_API_STREAMS_H
#define MIMEO_API_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct api;
struct err;
struct http_call;
struct streams;

/* Starts the thread of the heartbeats. api is borrowed; its work pool `answers` must exist. */
bool streams_new(struct api *api, struct streams **ret_streams, struct err *err);
/* Take no new ones, give those there are until end_us (clock_monotonic_us) to come to their end by
 * themselves. What is left is cut when the HTTP server stops, so that its reader sees that it is
 * not whole. NULL is fine. */
void streams_stop(struct streams *streams, int64_t end_us);
/* When the server has stopped and `answers` is freed. */
void streams_free(struct streams *streams); /* NULL is fine */

/* Answer a call with the stream of a token: 200, or 404. May block on the store. */
void streams_follow(struct http_call *call, struct str token);

#endif
