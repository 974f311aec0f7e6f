/* POSTing to other people's servers, many at once on one thread: webhooks. The same guard as
 * http/fetch.h (public addresses only, pinned), no redirects, no answer body kept. */
#ifndef MIMEO_HTTP_POST_H
#define MIMEO_HTTP_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct post_pool;

struct post_pool_options {
    int connections_max; /* requests under way at once; others wait */
    int per_host_max;    /* of them to one host: a slow one delays only itself */
    size_t waiting_max;  /* requests that wait; beyond it post_submit refuses */
    bool allow_private;  /* also loopback, private, link-local, metadata addresses */
    const char *user_agent;
};

struct post_header {
    const char *name, *value;
};

/* status 0: no answer came, and err says why in one sentence a client may see (ERR_FORBIDDEN: not a
 * public address; ERR_CANCELED: the pool ends). Redirects are answers like any other. */
typedef void post_done(void *context, int status, const struct err *err);

struct post_request {
    const char *url; /* http or https */
    const struct post_header *headers;
    int header_count;
    char *body; /* heap memory, taken */
    size_t body_len;
    int timeout_ms;  /* from when it is sent to its answer */
    post_done *done; /* once, on the pool's thread; must not block */
    void *context;
};

bool post_pool_new(const struct post_pool_options *options, struct post_pool **ret_pool,
                   struct err *err);
/* What waits or is under way is given up (done: ERR_CANCELED). NULL is fine. */
void post_pool_free(struct post_pool *pool);

/* Hand over; everything but body is copied. Any thread. False: nothing happens and body is the
 * caller's (ERR_UNAVAILABLE: too many wait; ERR_INVALID: no such URL). */
bool post_submit(struct post_pool *pool, const struct post_request *request, struct err *err);

#endif
