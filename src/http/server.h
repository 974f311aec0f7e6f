/* The HTTP server over libmicrohttpd: epoll loop, routes, bodies, answers now or later.
 *
 * Two loop threads read requests, each with the connections it accepted. A handler runs on its
 * connection's loop thread when its route says HTTP_ON_LOOP and the body is small, otherwise on a
 * worker thread. It answers with http_reply*, before it returns or at any later time from any
 * thread: meanwhile the connection is suspended and costs no thread. Knows nothing of predictions.
 * Not here: errors' wording (api/problem.c). */
#ifndef MIMEO_HTTP_SERVER_H
#define MIMEO_HTTP_SERVER_H

#include "base/arena.h"
#include "base/str.h"

struct err;
struct http_call;
struct http_server;

enum http_route_flags {
    HTTP_ON_LOOP = 1,   /* never blocks: may run on the loop thread */
    HTTP_PUBLIC = 2,    /* no token needed (signed links, health) */
    HTTP_BODY_FILE = 4, /* large body: spilled to an unlinked file and mapped, not held in memory */
    HTTP_ROOT_ONLY = 8, /* not under the prefixes, only as written */
};

typedef void http_handler(struct http_call *call);

struct http_route {
    const char *method; /* "GET", ..., any token ("QUERY"); NULL ends a table */
    const char
        *pattern; /* "/v1/models/{owner}/{name}"; a last "{rest...}" takes all that is left */
    http_handler *handler;
    unsigned flags;
    size_t body_max; /* bytes; 0: no body expected (a small one is read and ignored) */
};

struct http_server_options {
    const char *listen;                              /* "HOST:PORT", "[::1]:0"; port 0 picks one */
    const char *tls_certificate_path, *tls_key_path; /* both or none */
    const char *public_url;                          /* NULL: from the request */
    const char *trusted_proxies; /* "127.0.0.1,10.0.0.0/8": whose X-Forwarded-* count; NULL: none */
    const char *const *prefixes; /* e.g. "", "/replicate"; NULL-ended */
    const struct http_route *const
        *tables;              /* NULL-ended list of route tables; outlive the server */
    int workers;              /* threads for handlers that block */
    int connections_max;      /* held at once, also from one address */
    const char *spill_folder; /* for HTTP_BODY_FILE */
    bool check_host; /* on a loopback listener: 421 for a Host that is no name of this machine */
    const char
        *hosts; /* names that are, beside public_url's: "a.example,b"; "*": any; NULL: none */
    const char *cors_origins; /* "*", or a list: whose pages may call; NULL: none */
    size_t gzip_min_bytes;    /* smaller JSON and text answers are not compressed; 0: none is */
    void *context;            /* http_context() of every call */
    /* Called once before a non-public handler, on the thread that will run it; but before a large
     * body is read, on the loop thread (so it should not block for long). True lets it pass (and
     * may set *ret_account with memory from http_arena); false means it has replied. */
    bool (*authenticate)(struct http_call *call, const char **ret_account);
    /* Reply for what no handler sees. kinds: ERR_NOT_FOUND, ERR_INVALID (405: detail names the
     * methods; 421: the Host), ERR_TOO_LARGE, ERR_UNAVAILABLE, ERR_INTERNAL. Path, query and
     * headers can be read. On the loop thread; must have replied when it returns. NULL: plain text.
     */
    void (*problem)(struct http_call *call, int status, const struct err *err);
    /* May be NULL: called after each answer, for logs and metrics, on the loop thread. status 0:
     * the connection ended before an answer was sent. */
    void (*finished)(struct http_call *call, int status, int64_t duration_us);
};

bool http_server_start(const struct http_server_options *options, struct http_server **ret_server,
                       struct err *err); /* ERR_CONFLICT when the address is taken */
int http_server_port(const struct http_server *server);
bool http_server_is_loopback(const struct http_server *server); /* heard on this machine only */
/* How many it takes: fewer than asked for when the system's limit on open files, which is raised as
 * far as this process may, does not allow more. */
int http_server_connections_max(const struct http_server *server);

/* Stop taking connections; calls that are under way go on. Also done by http_server_stop. */
void http_server_quiesce(struct http_server *server);

/* Stop taking connections, give calls that are under way up to drain_ms, then close and free.
 * Handlers still running on workers are waited for; a call that is answered only later stays valid
 * until that http_reply*, which then goes nowhere. */
void http_server_stop(struct http_server *server, int drain_ms);

/* ---- Reading a call: everything borrowed until the answer is sent -------------------------- */

const char *http_method(const struct http_call *call);
struct str http_path(const struct http_call *call); /* as sent, without query */
const char *http_param(const struct http_call *call,
                       const char *name); /* from the pattern, percent-decoded; NULL */
const char *http_query(const struct http_call *call,
                       const char *name);                    /* decoded; NULL when absent */
const char *http_query_string(const struct http_call *call); /* as sent, without '?'; "" */
const char *http_header(const struct http_call *call, const char *name); /* NULL when absent */
struct str http_body(const struct http_call *call);
struct arena *http_arena(struct http_call *call);
void *http_context(const struct http_call *call);
const char *http_account(const struct http_call *call); /* what authenticate set */
void http_set_caller(struct http_call *call,
                     const void *caller);              /* for authenticate: whatever it */
const void *http_caller(const struct http_call *call); /* wants to find again; NULL */
/* The route the call has come to; NULL: none. Its pattern tells calls apart in numbers. */
const struct http_route *http_call_route(const struct http_call *call);
/* Did the client connect over loopback? (Behind a proxy on this machine: the proxy did.) */
bool http_is_loopback(const struct http_call *call);
const char *http_request_id(const struct http_call *call); /* short, unique per process run */
/* Does the client take answers in that coding ("br", "gzip")? */
bool http_accepts_coding(const struct http_call *call, const char *coding);

/* "https://host[/prefix]": what URLs in answers start with (public_url, or the request's Host and,
 * from trusted proxies, X-Forwarded-Proto/Host/Prefix; plus the route prefix the call came by). */
const char *http_base_url(const struct http_call *call);
bool http_is_https(const struct http_call *call); /* of that base URL */

/* ---- Answering: exactly one http_reply* per call ------------------------------------------- */

/* Set a header of the answer (copied). Before http_reply*. */
void http_set_header(struct http_call *call, const char *name, const char *value);

void http_reply(struct http_call *call, int status, const char *content_type,
                struct str body); /* body copied */
/* body is borrowed until the server has stopped, and sent as it is: the caller has negotiated. */
void http_reply_static(struct http_call *call, int status, const char *content_type,
                       struct str body);
/* In two steps: make the answer, then give it at any later time from any thread, which costs that
 * thread next to nothing. http_reply* may still be called instead of the second step. Takes body
 * (heap memory). False: no memory, and nothing was made. */
bool http_reply_make(struct http_call *call, int status, const char *content_type, char *body,
                     size_t len);
void http_reply_made(struct http_call *call);

/* An answer that goes on: pieces are written from any thread as they come, each is sent at once.
 * The connection costs no thread. What was written and not yet taken by the client is kept, up to
 * HTTP_STREAM_BYTES_MAX. */
#define HTTP_STREAM_BYTES_MAX (1u << 20)
struct http_stream;
struct http_stream_options {
    /* Both called on a loop thread, must not block, and may call the functions below. */
    void (*drained)(void *context); /* all that was written is on its way; may be NULL */
    void (*closed)(void *context);  /* once: ended and sent, or the client or the server is gone */
    void *context;
};
/* Begins the answer (the call is answered by it). The caller owns one reference to *ret_stream.
 * False: no memory, or the connection is gone; then the call is to be answered by http_reply, and
 * neither function is called. */
bool http_reply_stream(struct http_call *call, int status, const char *content_type,
                       const struct http_stream_options *options, struct http_stream **ret_stream);
/* False: the stream is closed, or the client has left too much unread (then nothing is kept). */
bool http_stream_write(struct http_stream *stream, struct str bytes);
size_t http_stream_unsent(const struct http_stream *stream); /* bytes written and not yet taken */
void http_stream_end(struct http_stream *stream);   /* after what was written; again is fine */
void http_stream_unref(struct http_stream *stream); /* any thread; also after closed */

void http_reply_file(struct http_call *call, int status, const char *content_type, int fd,
                     int64_t offset, int64_t len); /* takes fd */

#endif
