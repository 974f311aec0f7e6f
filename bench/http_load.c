/* bench: server
 * Load on a server on this machine: N keep-alive connections, each with one request at a time, for
 * a while; then requests per second, latencies, and how many answers were not 2xx.
 *   http_load [-c CONNECTIONS] [-t SECONDS] [-n REQUESTS] [-m METHOD] [-H 'Name: value']...
 *             [-b BODY] PORT PATH
 * Only ever connects to 127.0.0.1. One thread and epoll, so that on a small machine the load costs
 * little beside the server. Not a general HTTP client: answers must carry a Content-Length. */
#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define LOAD_CONNECTIONS_MAX 10000
#define LOAD_SECONDS_MAX 600
#define LOAD_REQUESTS_MAX 100000000
#define LOAD_ANSWER_BYTES_MAX (1u << 20)
#define LOAD_SLOTS                                                                                 \
    100000 /* latencies in steps of 10 us, up to 1 s; slower ones count in the last */
#define LOAD_SLOT_US 10

struct load_options {
    int64_t connections, seconds, requests;
    const char *method, *body;
    struct buf headers;
    int64_t port;
    const char *path;
};

struct connection {
    int fd;
    size_t sent;
    int64_t started_us;
    struct buf answer;
};

struct load {
    struct load_options options;
    struct buf request;
    struct connection *connections;
    int epoll_fd;
    int64_t started, finished, not_2xx, broken, max_us;
    uint32_t *slots;
};

static bool open_connection(struct load *load, struct connection *connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)load->options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return false;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    return epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

static void close_connection(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

static bool start_request(struct load *load, struct connection *connection)
{
    struct str request = buf_str(&load->request);
    buf_clear(&connection->answer);
    connection->started_us = clock_monotonic_us();
    load->started++;
    /* Requests are small and answered one by one: a blocking send never blocks for long. */
    while (request.len) {
        ssize_t wrote = send(connection->fd, request.ptr, request.len, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        request = str_skip(request, (size_t)wrote);
    }
    return true;
}

static int64_t content_length(struct str head)
{
    struct str line, value;
    int64_t len = -1;
    while (head.len) {
        ptrdiff_t end = str_find(head, S("\r\n"));
        line = (struct str){ head.ptr, end < 0 ? head.len : (size_t)end };
        head = str_skip(head, line.len + 2);
        if (str_cut(line, ':', &line, &value) && str_equal_nocase(line, S("Content-Length")))
            str_to_int64(str_trim(value), &len);
    }
    return len;
}

/* 1: the answer is whole; 0: more to come; -1: it makes no sense. */
static int judge_answer(struct load *load, struct connection *connection)
{
    struct str all = buf_str(&connection->answer);
    ptrdiff_t head_len = str_find(all, S("\r\n\r\n"));
    if (head_len < 0)
        return 0;
    int64_t body_len = content_length((struct str){ all.ptr, (size_t)head_len });
    if (body_len < 0 || !str_starts(all, S("HTTP/1.1 ")))
        return -1;
    if ((int64_t)all.len < head_len + 4 + body_len)
        return 0;
    int64_t took = clock_monotonic_us() - connection->started_us;
    int64_t slot = took / LOAD_SLOT_US;
    load->slots[slot < LOAD_SLOTS ? slot : LOAD_SLOTS - 1]++;
    load->max_us = took > load->max_us ? took : load->max_us;
    load->not_2xx += all.ptr[9] != '2';
    load->finished++;
    return 1;
}

/* Something came. False: the connection is no good any more. */
static bool on_readable(struct load *load, struct connection *connection)
{
    if (!buf_reserve(&connection->answer, 16384))
        return false;
    ssize_t got = recv(connection->fd, connection->answer.ptr + connection->answer.len, 16384, 0);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    connection->answer.len += (size_t)got;
    connection->answer.ptr[connection->answer.len] = '\0';
    int whole = judge_answer(load, connection);
    if (whole < 0)
        return false;
    if (whole && load->started < load->options.requests)
        return start_request(load, connection);
    return true;
}

static bool run(struct load *load, int64_t *ret_took_us)
{
    int64_t start = clock_monotonic_us(), end = start + load->options.seconds * 1000000;
    for (int64_t i = 0; i < load->options.connections; i++) {
        struct connection *connection = &load->connections[i];
        buf_init(&connection->answer, LOAD_ANSWER_BYTES_MAX);
        if (!open_connection(load, connection) || !start_request(load, connection)) {
            fprintf(stderr, "cannot connect to 127.0.0.1:%d: %s\n", (int)load->options.port,
                    strerror(errno));
            return false;
        }
    }
    struct epoll_event events[256];
    while (clock_monotonic_us() < end && load->finished + load->broken < load->options.requests) {
        int count = epoll_wait(load->epoll_fd, events, 256, 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (on_readable(load, connection))
                continue;
            load->broken++;
            close_connection(connection);
            if (!open_connection(load, connection) || !start_request(load, connection))
                return false;
        }
    }
    *ret_took_us = clock_monotonic_us() - start;
    return true;
}

static double percentile_ms(const struct load *load, double share)
{
    int64_t wanted = (int64_t)((double)load->finished * share), seen = 0;
    for (int i = 0; i < LOAD_SLOTS; i++) {
        seen += load->slots[i];
        if (seen > wanted)
            return (i + 1) * LOAD_SLOT_US / 1000.0;
    }
    return 0;
}

static bool parse_options(int argc, char **argv, struct load_options *options)
{
    bool ok = true;
    int letter;
    buf_init(&options->headers, 65536);
    while ((letter = getopt(argc, argv, "c:t:n:m:H:b:")) != -1) {
        struct str value = str_from(optarg);
        if (letter == 'c')
            ok = ok && str_to_int64(value, &options->connections);
        else if (letter == 't')
            ok = ok && str_to_int64(value, &options->seconds);
        else if (letter == 'n')
            ok = ok && str_to_int64(value, &options->requests);
        else if (letter == 'm')
            options->method = optarg;
        else if (letter == 'b')
            options->body = optarg;
        else if (letter == 'H')
            ok = ok && buf_printf(&options->headers, "%s\r\n", optarg);
        else
            ok = false;
    }
    if (!ok || argc - optind != 2 || !str_to_int64(str_from(argv[optind]), &options->port))
        return false;
    options->path = argv[optind + 1];
    return options->connections > 0 && options->connections <= LOAD_CONNECTIONS_MAX &&
           options->seconds > 0 && options->seconds <= LOAD_SECONDS_MAX && options->requests > 0 &&
           options->requests <= LOAD_REQUESTS_MAX && options->port > 0 && options->port <= 65535;
}

int main(int argc, char **argv)
{
    struct load load = { .options = {
                             .connections = 32, .seconds = 5, .requests = LOAD_REQUESTS_MAX } };
    struct load_options *options = &load.options;
    int64_t took_us = 0;
    if (!parse_options(argc, argv, options)) {
        fprintf(stderr, "usage: http_load [-c CONNECTIONS] [-t SECONDS] [-n REQUESTS] [-m METHOD] "
                        "[-H 'Name: value']... [-b BODY] PORT PATH\n");
        return 2;
    }
    buf_init(&load.request, 1u << 20);
    buf_printf(&load.request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s",
               options->method ? options->method
               : options->body ? "POST"
                               : "GET",
               options->path, (int)options->port, buf_str(&options->headers).ptr);
    if (options->body)
        buf_printf(&load.request, "Content-Length: %zu\r\n\r\n%s", strlen(options->body),
                   options->body);
    else
        buf_printf(&load.request, "\r\n");
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.connections = calloc((size_t)options->connections, sizeof *load.connections);
    load.slots = calloc(LOAD_SLOTS, sizeof *load.slots);
    if (load.epoll_fd < 0 || !load.connections || !load.slots || load.request.failed)
        return 1;
    bool ok = run(&load, &took_us);
    if (ok)
        printf("requests=%lld requests_per_s=%.0f p50_ms=%.2f p99_ms=%.2f max_ms=%.2f "
               "non_2xx=%lld broken=%lld\n",
               (long long)load.finished, (double)load.finished * 1e6 / (double)took_us,
               percentile_ms(&load, 0.50), percentile_ms(&load, 0.99), (double)load.max_us / 1000.0,
               (long long)load.not_2xx, (long long)load.broken);
    for (int64_t i = 0; i < options->connections; i++) {
        close_connection(&load.connections[i]);
        buf_done(&load.connections[i].answer);
    }
    free(load.connections);
    free(load.slots);
    buf_done(&load.request);
    buf_done(&options->headers);
    return ok ? 0 : 1;
}
