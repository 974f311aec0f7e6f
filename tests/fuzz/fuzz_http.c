/* fuzz: server
 * What comes over a connection, byte for byte, to a whole server with CORS and gzip set: heads,
 * bodies, HEAD and OPTIONS, pipelined requests, streams. And the two parsers of header values that
 * are called by such requests, by themselves. */
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "http/cors_private.h"
#include "http/gzip_private.h"
#include "http/server.h"

#define BODY_MAX 4096
#define SILENCE_US 5000 /* then no more is coming: the server waits, as it may */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_server *server;

static void echo(struct http_call *call)
{
    const char *name = http_param(call, "name"), *query = http_query(call, "q");
    http_set_header(call, "X-Name", name ? name : "");
    http_set_header(call, "X-Query", query ? query : "");
    http_set_header(call, "X-Base", http_base_url(call));
    http_reply(call, 200, "application/json", http_body(call));
}

static void stream(struct http_call *call)
{
    struct http_stream_options options = { NULL, NULL, NULL };
    struct http_stream *made = NULL;
    if (!http_reply_stream(call, 200, "text/event-stream", &options, &made)) {
        http_reply(call, 503, "text/plain", S("gone"));
        return;
    }
    http_stream_write(made, S("data: 1\n\n"));
    http_stream_end(made);
    http_stream_unref(made);
}

static const struct http_route routes[] = {
    { "GET", "/v1/x/{name}", echo, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { "POST", "/v1/x/{name}", echo, HTTP_PUBLIC | HTTP_ON_LOOP, BODY_MAX },
    { "PUT", "/v1/x/{name}", echo, HTTP_PUBLIC, BODY_MAX },
    { "GET", "/v1/stream", stream, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { "GET", "/ui/{rest...}", echo, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };
static const char *const prefixes[] = { "", "/replicate", NULL };

static void start(void)
{
    struct http_server_options options = { .listen = "127.0.0.1:0",
                                           .prefixes = prefixes,
                                           .tables = tables,
                                           .workers = 1,
                                           .connections_max = 100,
                                           .trusted_proxies = "127.0.0.0/8",
                                           .cors_origins = "https://a.example, http://b:81",
                                           .gzip_min_bytes = 16 };
    if (!http_server_start(&options, &server, NULL))
        abort();
}

/* Send all, close that side, and read what comes back. */
static void converse(const uint8_t *data, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)http_server_port(server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_usec = SILENCE_US };
    struct linger reset = { .l_onoff = 1, .l_linger = 0 }; /* no port stays taken */
    char first[4096], bytes[4096];
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        abort();
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != EINTR) /* the fuzzer's own clock */
            abort();
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    for (size_t sent = 0; sent < size;) {
        ssize_t now = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (now <= 0)
            break;
        sent += (size_t)now;
    }
    shutdown(fd, SHUT_WR);
    got = recv(fd, first, sizeof first, 0);
    if (got >= 7 && memcmp(first, "HTTP/1.", 7) != 0)
        abort();
    while (got > 0)
        got = recv(fd, bytes, sizeof bytes, 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!server)
        start();
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    gzip_is_accepted(text);
    const char *allowed = cors_allowed_origin((struct str){ text, size }, "https://a.example");
    if (allowed && strcmp(allowed, "*") != 0 && strcmp(allowed, "https://a.example") != 0)
        abort();
    cors_allowed_origin(S("https://a.example, http://b:81"), text);
    free(text);
    converse(data, size);
    return 0;
}
