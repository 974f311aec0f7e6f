/* The guard: one thread that watches connections for what libmicrohttpd does not.
 *
 * (1) A client that sends a byte now and then never runs into an inactivity timeout. Each
 *     connection therefore has a deadline that only whole requests and a decent rate move on.
 * (2) A server that answers before it has read a huge body and closes makes the kernel send a reset
 *     that can overtake the answer. The guard keeps such a socket open for a while and throws away
 *     what still comes.
 * (3) A suspended connection is not looked at by libmicrohttpd at all, so that a client that goes
 *     away while its answer goes on is seen only here.
 * Not here: anything about requests (call.c). */
#ifndef MIMEO_HTTP_GUARD_PRIVATE_H
#define MIMEO_HTTP_GUARD_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct guard;
struct guard_connection;

bool guard_new(struct guard **ret_guard, struct err *err);
void guard_free(struct guard *guard); /* ends the thread; every connection must be removed before */

/* Watch a socket from its accept to just before its close. NULL when memory is short (then it is
 * not watched; the functions below accept NULL). Any thread. */
struct guard_connection *guard_add(struct guard *guard, int fd);
void guard_remove(struct guard *guard, struct guard_connection *connection);

/* The next request must be here, headers and all, `allowed_ms` from now; 0: no deadline. */
void guard_set_deadline(struct guard_connection *connection, int64_t allowed_ms);
/* `bytes` of a body came: that earns time. */
void guard_earn(struct guard_connection *connection, int64_t bytes);

/* Have ended(context) called once when the client closes its side or is lost, on the guard's thread
 * and under its lock: it must not call the guard. The socket is cut. Until guard_unwatch_end. */
void guard_watch_end(struct guard *guard, struct guard_connection *connection,
                     void (*ended)(void *context), void *context);
void guard_unwatch_end(struct guard *guard, struct guard_connection *connection);

/* Read and discard from a duplicate of its socket until its end or some seconds have passed; the
 * client sees the end of the answer when the connection is removed. Does nothing when there are too
 * many already. Loop thread. */
void guard_linger(struct guard *guard, struct guard_connection *connection);

#endif
