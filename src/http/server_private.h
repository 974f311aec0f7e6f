/* What server.c (life of the server) and call.c (life of one call) share.
 *
 * A call's state, the only thing that its loop thread and a replying thread race on:
 *
 *              http_reply()                         the loop queues call->response
 *     OPEN ---------------------------> ANSWERED ------------------------------------> (sent)
 *      |                                   ^
 *      | park(): MHD_suspend_connection    | http_reply() + MHD_resume_connection
 *      v                                   |
 *    PARKED -------------------------------+
 *      |  abandon(): server stops, MHD_resume_connection
 *      v
 *   ABANDONED: the connection is closed; a later http_reply() only frees the call
 *
 * Invariants
 *  (1) Who moves a call out of PARKED resumes the connection, or leaves that to the loop by
 *      call_resume: once.
 *  (2) A call that another thread may answer is suspended before that thread is given it, or, when
 *      a handler on the loop gave it away itself, park() finds ANSWERED and resumes by itself.
 *  (3) Only its own loop thread touches the connection otherwise; other threads leave a response.
 *  (4) A call has two owners, the connection and whoever owes the answer; the last frees it. So a
 *      client that goes away, or a server that stops, never frees a call under a handler. */
#ifndef MIMEO_HTTP_SERVER_PRIVATE_H
#define MIMEO_HTTP_SERVER_PRIVATE_H

#include "http/base_url_private.h"
#include "http/body_private.h"
#include "http/guard_private.h"
#include "http/host_private.h"
#include "http/route_private.h"
#include "http/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

struct work_pool;

#define HTTP_KEEP_ALIVE_SECONDS 75u        /* longer than the pools of the official clients */
#define HTTP_HEADER_ALLOWED_MS 105000      /* from the end of the last answer: idle and headers */
#define HTTP_FIRST_HEADER_ALLOWED_MS 30000 /* from the accept */
#define HTTP_BODY_ALLOWED_MS 60000         /* and a rate, see guard_earn */

enum call_state { CALL_OPEN, CALL_PARKED, CALL_ANSWERED, CALL_ABANDONED };

struct call_header {
    const char *name, *value;
};

struct http_server {
    struct http_server_options options; /* strings copied into arena */
    struct arena arena;
    struct base_url_rules base_url;
    struct host_rules hosts;
    bool loopback; /* it listens on a loopback address */
    struct route_table *routes;
    struct work_pool *workers;
    struct guard *guard;
    struct MHD_Daemon *daemon;
    int port;
    atomic_int references;    /* the owner and every call */
    atomic_int live_count;    /* calls whose connection is still at it */
    atomic_int replier_count; /* threads between taking a call's state and resuming it */
    atomic_bool draining;     /* answers close their connections */
    int quiesced;             /* the listener, once draining; closed at the end */
    atomic_uint next_request;
    uint32_t run_id;
    pthread_mutex_t mutex;    /* parked, streams, closing, spare */
    struct http_call *parked; /* may be abandoned */
    struct http_stream *streams;
    bool closing;            /* nothing may be parked any more, no stream begun */
    struct http_call *spare; /* freed ones, with their arena's first block; linked by parked_next */
    int spare_count;
    _Atomic(struct http_call *) answered; /* were parked, to be resumed; the last one first */
};

struct http_call {
    struct http_server *server;
    struct MHD_Connection *connection; /* the loop's; others only resume it */
    struct guard_connection *watched;
    atomic_int state;
    atomic_int references;
    struct http_call *parked_next, **parked_link; /* in the server's list, under its mutex */
    bool was_parked;                              /* is in that list; its own loop's only */
    struct http_call *answered_next;

    struct arena arena;
    const char *method;
    struct str path;
    const char *query_string;
    struct call_header *headers;
    int header_count;
    struct route_match match;
    const char *account;
    bool admitted; /* authenticate has let it pass */
    const void *caller;
    const char *base_url;
    bool base_url_is_https;
    bool trusted_proxy;
    bool loopback;
    char request_id[20];

    struct body body;
    bool begun;      /* headers are in; counted as live */
    bool discarding; /* the answer is made already: the body is thrown away */
    bool dispatched;
    int64_t discarded;

    struct call_header *reply_headers;
    int reply_header_count;
    struct MHD_Response *response;
    struct http_stream *stream; /* whose answer it is; counts once the call is ANSWERED */
    int status;
    int sent_status; /* 0: no answer was handed to the connection */
    int64_t started_us;
};

/* call.c, for server.c to hand to libmicrohttpd. All on the loop thread of the connection. */
void *call_new_for_uri(void *server, const char *uri, struct MHD_Connection *connection);
enum MHD_Result call_on_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **ret_call);
void call_on_completed(void *server, struct MHD_Connection *connection, void **ret_call,
                       enum MHD_RequestTerminationCode code);

/* Let go of every parked call: their connections close, their handlers' answers go nowhere. After
 * this nothing can be parked. Any thread. */
void call_abandon_all(struct http_server *server);

/* Have the connection of a call that was parked and is now answered go on. Waking the loop costs
 * more than all the rest, so only the first of the calls that come together does that itself. */
void call_resume(struct http_call *call); /* any thread */

/* Resume what others have left, connections of the other loop too. On a loop before a resumed call
 * goes on or ends, as it may be the one that stands for the others; and when the server stops. */
void call_resume_answered(struct http_server *server);

/* reply.c: the parts of an answer. */
void reply_add_headers(struct http_call *call, struct MHD_Response *response,
                       const char *content_type);
/* Leave call->response with the call and wake its connection if it sleeps; the call may be gone
 * then. False: the answer is a stream and the connection is gone; the answer is still owed. */
bool reply_give(struct http_call *call);

/* stream.c */
void stream_begin(struct http_call *call);       /* loop: the answer was queued */
void stream_close(struct http_call *call);       /* loop: the request is completed */
void stream_cut_all(struct http_server *server); /* under the server's mutex */

void http_call_unref(struct http_call *call); /* any thread; the last one frees it */

void call_free_spares(struct http_server *server); /* when it has no more calls */

/* The last reference frees the server (server.c). Any thread. */
void http_server_unref(struct http_server *server);

#endif
