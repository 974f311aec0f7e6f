/* A real server on loopback, driven by raw sockets: what stands on the wire is what is judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/server.h"

#define BODY_MAX 100000
#define FILE_BODY_MAX (8 << 20)
#define ANSWER_MS 10000

static struct http_server *server;
static atomic_int finished_count, last_status;

/* ---- Handlers ----------------------------------------------------------------------------- */

static void echo(struct http_call *call)
{
    char text[512];
    const char *id = http_param(call, "id"), *query = http_query(call, "q");
    const char *header = http_header(call, "x-test");
    struct str body = http_body(call);
    snprintf(text, sizeof text, "%s id=%s q=%s x=%s body=%zu:%.*s base=%s%s", http_method(call),
             id ? id : "-", query ? query : "-", header ? header : "-", body.len,
             (int)(body.len < 40 ? body.len : 40), body.len ? body.ptr : "", http_base_url(call),
             http_is_https(call) ? " tls" : "");
    http_set_header(call, "X-Account", http_account(call) ? http_account(call) : "none");
    http_reply(call, 200, "text/plain", str_from(text));
}

static void sum(struct http_call *call)
{
    struct str body = http_body(call);
    uint64_t total = 0;
    char text[64];
    for (size_t i = 0; i < body.len; i++)
        total += (unsigned char)body.ptr[i];
    snprintf(text, sizeof text, "%zu %llu", body.len, (unsigned long long)total);
    http_reply(call, 200, "text/plain", str_from(text));
}

static void send_file(struct http_call *call)
{
    char path[] = "/tmp/mimeo-http-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    if (write(fd, "0123456789", 10) != 10)
        abort();
    http_reply_file(call, 200, "text/plain", fd, 2, 5);
}

static void *reply_later(void *context)
{
    struct http_call *call = context;
    const char *wait = http_query(call, "ms");
    if (wait && wait[0] != '0') {
        struct timespec time = { .tv_nsec = (wait[0] - '0') * 100000000L };
        nanosleep(&time, NULL);
    }
    http_reply(call, 201, "text/plain", S("later"));
    return NULL;
}

/* Answer from a thread of its own: before or after the loop has suspended the connection. */
static void later(struct http_call *call)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, reply_later, call) != 0)
        abort();
    pthread_detach(thread);
}

/* A handful of threads that answer what is handed to them as fast as they can: the stress. */
#define RING_SIZE 256
static struct http_call *ring[RING_SIZE];
static int ring_count;
static bool ring_ending;
static pthread_mutex_t ring_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ring_wake = PTHREAD_COND_INITIALIZER;

static void *run_ring(void *context)
{
    (void)context;
    pthread_mutex_lock(&ring_mutex);
    for (;;) {
        while (!ring_count && !ring_ending)
            pthread_cond_wait(&ring_wake, &ring_mutex);
        if (!ring_count)
            break;
        struct http_call *call = ring[--ring_count];
        pthread_mutex_unlock(&ring_mutex);
        http_reply(call, 200, "text/plain", S("ring"));
        pthread_mutex_lock(&ring_mutex);
    }
    pthread_mutex_unlock(&ring_mutex);
    return NULL;
}

static void to_ring(struct http_call *call)
{
    pthread_mutex_lock(&ring_mutex);
    bool room = ring_count < RING_SIZE;
    if (room)
        ring[ring_count++] = call;
    pthread_cond_signal(&ring_wake);
    pthread_mutex_unlock(&ring_mutex);
    if (!room)
        http_reply(call, 200, "text/plain", S("ring"));
}

static bool authenticate(struct http_call *call, const char **ret_account)
{
    const char *token = http_header(call, "Authorization");
    if (!token || strcmp(token, "Bearer good") != 0) {
        http_reply(call, 401, "application/problem+json", S("{\"status\":401}"));
        return false;
    }
    *ret_account = "acme";
    return true;
}

static void problem(struct http_call *call, int status, const struct err *err)
{
    http_reply(call, status, "application/problem+json", str_from(err->detail));
}

static void finished(struct http_call *call, int status, int64_t duration_us)
{
    (void)call, (void)duration_us;
    atomic_store(&last_status, status);
    atomic_fetch_add(&finished_count, 1);
}

static const struct http_route routes[] = {
    { "GET", "/v1/echo/{id}", echo, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { "POST", "/v1/echo/{id}", echo, HTTP_PUBLIC | HTTP_ON_LOOP, BODY_MAX },
    { "QUERY", "/v1/echo/{id}", echo, HTTP_PUBLIC, BODY_MAX },
    { "POST", "/v1/private", echo, 0, BODY_MAX },
    { "POST", "/v1/sum", sum, HTTP_PUBLIC | HTTP_BODY_FILE, FILE_BODY_MAX },
    { "GET", "/v1/file", send_file, HTTP_PUBLIC, 0 },
    { "POST", "/v1/later", later, HTTP_PUBLIC | HTTP_ON_LOOP, 1000 },
    { "POST", "/v1/later-worker", later, HTTP_PUBLIC, 1000 },
    { "GET", "/v1/ring", to_ring, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };
static const char *const prefixes[] = { "", "/replicate", NULL };

static struct http_server *start_with(struct http_server_options options)
{
    struct http_server *made = NULL;
    struct err err = { .kind = ERR_NONE };
    options.listen = options.listen ? options.listen : "127.0.0.1:0";
    options.prefixes = prefixes;
    options.tables = tables;
    options.workers = 2;
    options.connections_max = 500;
    options.spill_folder = "/tmp";
    options.authenticate = authenticate;
    options.problem = problem;
    options.finished = finished;
    if (!http_server_start(&options, &made, &err))
        fail_msg("%s", err.detail);
    return made;
}

/* ---- A raw client ------------------------------------------------------------------------- */

static int dial(const struct http_server *to)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)http_server_port(to)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = ANSWER_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail_msg("cannot connect");
    return fd;
}

static bool put(int fd, const void *bytes, size_t len)
{
    for (const char *at = bytes; len;) {
        ssize_t wrote = send(fd, at, len, MSG_NOSIGNAL);
        if (wrote <= 0)
            return false;
        at += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

static bool puts_text(int fd, const char *text)
{
    return put(fd, text, strlen(text));
}

/* Read one answer (head and body) into out; without a body when `head_only`. False at the end. */
static bool take_answer(int fd, bool head_only, struct buf *out)
{
    char c;
    buf_clear(out);
    while (str_find(buf_str(out), S("\r\n\r\n")) < 0) {
        if (recv(fd, &c, 1, 0) != 1)
            return false;
        buf_append_char(out, c);
    }
    const char *told = strcasestr(out->ptr, "content-length:");
    long len = told && !head_only ? strtol(told + 15, NULL, 10) : 0;
    for (long i = 0; i < len; i++) {
        if (recv(fd, &c, 1, 0) != 1)
            return false;
        buf_append_char(out, c);
    }
    return true;
}

static bool at_end(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) == 0;
}

/* One request on a connection of its own; the whole answer, which lives until the next call. */
static const char *ask(struct http_server *to, const char *request)
{
    static struct buf answer;
    if (!answer.max)
        buf_init(&answer, 1 << 20);
    int fd = dial(to);
    assert_true(puts_text(fd, request));
    if (!take_answer(fd, strncmp(request, "HEAD", 4) == 0, &answer))
        fail_msg("no answer to %s", request);
    close(fd);
    return buf_str(&answer).ptr;
}

static void assert_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' not in '%s'", part, text ? text : "");
}

#define END " HTTP/1.1\r\nHost: h:1\r\n\r\n"

/* ---- Tests -------------------------------------------------------------------------------- */

static void answers_have_what_every_answer_has(void **state)
{
    (void)state;
    const char *answer = ask(server, "GET /v1/echo/a%2Fb?q=x+y%21&z" END);
    assert_has(answer, "HTTP/1.1 200 OK\r\n");
    assert_has(answer, "Server: mimeo\r\n");
    assert_has(answer, "Date: ");
    assert_has(answer, "Content-Length: ");
    assert_has(answer, "GET id=a/b q=x y! x=- body=0: base=http://h:1");
    answer = ask(server, "GET /replicate/v1/v1/echo/a" END);
    assert_has(answer, "base=http://h:1/replicate");
}

static void methods_are_judged(void **state)
{
    (void)state;
    const char *answer = ask(server, "HEAD /v1/echo/a" END);
    assert_has(answer, "200 OK");
    assert_true(strstr(answer, "Content-Length: 0") == NULL);
    answer = ask(server, "QUERY /v1/echo/a HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
                         "Content-Length: 5\r\n\r\nhello");
    assert_has(answer, "QUERY id=a q=- x=- body=5:hello");
    answer = ask(server, "DELETE /v1/echo/a" END);
    assert_has(answer, "HTTP/1.1 405 ");
    assert_has(answer, "Allow: ");
    assert_has(answer, "QUERY");
    answer = ask(server, "OPTIONS /v1/echo/a" END);
    assert_has(answer, "HTTP/1.1 204 ");
    assert_has(answer, "Allow: ");
    assert_has(ask(server, "GET /nowhere" END), "HTTP/1.1 404 ");
    assert_has(ask(server, "GET /v1/echo/a%00" END), "HTTP/1.1 400 ");
    assert_has(ask(server, "GET /v1/echo/a?q=%00" END), "HTTP/1.1 400 ");
    assert_has(ask(server, "GET /v1/echo/a?q=%zz" END), "HTTP/1.1 400 ");
}

static void tokens_are_asked_for(void **state)
{
    (void)state;
    assert_has(ask(server, "POST /v1/private HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"),
               "HTTP/1.1 401 ");
    const char *answer =
        ask(server, "POST /v1/private HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                    "good\r\nContent-Type: application/json\r\nContent-Length: 0"
                    "\r\n\r\n");
    assert_has(answer, "HTTP/1.1 200 ");
    assert_has(answer, "X-Account: acme");
}

static void many_requests_share_a_connection(void **state)
{
    struct buf answer;
    int fd = dial(server);
    (void)state;
    buf_init(&answer, 1 << 20);
    /* Pipelined, and each answered in another way: at once, by a worker, later. */
    assert_true(puts_text(fd, "GET /v1/echo/1" END "GET /v1/file" END
                              "POST /v1/later HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
                              "GET /v1/echo/2" END "POST /v1/later-worker HTTP/1.1\r\nHost: h\r\n"
                              "Content-Length: 0\r\n\r\nGET /v1/echo/3" END));
    static const char *const want[] = { "id=1", "\r\n\r\n23456", "later", "id=2", "later", "id=3" };
    for (int i = 0; i < 6; i++) {
        assert_true(take_answer(fd, false, &answer));
        assert_has(answer.ptr, want[i]);
    }
    /* One byte at a time. */
    const char *slow =
        "POST /v1/echo/s HTTP/1.1\r\nHost: h\r\nX-Test: t\r\nContent-Length: 3\r\n\r\n"
        "abc";
    for (; *slow; slow++) {
        assert_true(put(fd, slow, 1));
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "POST id=s q=- x=t body=3:abc");
    /* Chunked, and HTTP/1.1 close. */
    assert_true(puts_text(fd,
                          "POST /v1/echo/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                          "Connection: close\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "body=5:abcde");
    assert_true(at_end(fd));
    close(fd);
    buf_done(&answer);
}

static void large_bodies_go_to_a_file(void **state)
{
    size_t len = FILE_BODY_MAX;
    char *bytes = malloc(len), head[200], want[64];
    struct buf answer;
    uint64_t total = 0;
    (void)state;
    buf_init(&answer, 1 << 20);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i * 7 + (i >> 9));
        total += (unsigned char)bytes[i];
    }
    int fd = dial(server);
    snprintf(head, sizeof head, "POST /v1/sum HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
             len);
    assert_true(puts_text(fd, head) && put(fd, bytes, len));
    assert_true(take_answer(fd, false, &answer));
    snprintf(want, sizeof want, "%zu %llu", len, (unsigned long long)total);
    assert_has(answer.ptr, want);
    /* One byte more is too much, and the connection is still good afterwards. */
    snprintf(head, sizeof head, "POST /v1/sum HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\nx",
             len + 1);
    assert_true(puts_text(fd, head) && put(fd, bytes, len));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "HTTP/1.1 413 ");
    assert_true(puts_text(fd, "GET /v1/echo/still" END));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "id=still");
    /* Chunked over the limit. */
    snprintf(head, sizeof head,
             "POST /v1/echo/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
             BODY_MAX + 1);
    assert_true(puts_text(fd, head) && put(fd, bytes, BODY_MAX + 1) &&
                puts_text(fd, "\r\n0\r\n\r\n"));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "HTTP/1.1 413 ");
    close(fd);
    free(bytes);
    buf_done(&answer);
}

static void huge_bodies_are_refused_without_a_reset(void **state)
{
    static char bytes[1 << 16];
    struct buf answer;
    (void)state;
    buf_init(&answer, 1 << 20);
    int fd = dial(server);
    assert_true(puts_text(fd, "POST /v1/echo/x HTTP/1.1\r\nHost: h\r\n"
                              "Content-Length: 10000000000\r\n\r\n"));
    /* A client that only writes: 16 MB, long after the answer was sent and the end with it. */
    for (int i = 0; i < 256; i++)
        assert_true(put(fd, bytes, sizeof bytes));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "HTTP/1.1 413 ");
    int64_t start = clock_monotonic_us();
    assert_true(at_end(fd));
    assert_true(clock_monotonic_us() - start < 2000000); /* told, not timed out */
    close(fd);
    /* A client that waits for leave to send. */
    fd = dial(server);
    assert_true(puts_text(fd, "POST /v1/echo/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                              "Content-Length: 200000\r\n\r\n"));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "HTTP/1.1 413 ");
    close(fd);
    fd = dial(server);
    assert_true(puts_text(fd, "POST /v1/echo/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                              "Content-Length: 3\r\n\r\n"));
    assert_true(take_answer(fd, true, &answer));
    assert_has(answer.ptr, "HTTP/1.1 100 ");
    assert_true(puts_text(fd, "abc"));
    assert_true(take_answer(fd, false, &answer));
    assert_has(answer.ptr, "body=3:abc");
    close(fd);
    buf_done(&answer);
}

static void smuggling_and_injection_fail(void **state)
{
    (void)state;
    assert_has(ask(server, "POST /v1/echo/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
               "HTTP/1.1 400 ");
    const char *answer = ask(server, "GET /v1/echo/x HTTP/1.1\r\nHost: h\"><b>\r\n\r\n");
    assert_has(answer, "base=http://127.0.0.1:");
    answer = ask(server, "GET /v1/echo/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: evil\r\n"
                         "X-Forwarded-Proto: https\r\n\r\n");
    assert_has(answer, "base=http://h");
    assert_null(strstr(answer, "evil"));
}

static void trusted_proxies_are_believed(void **state)
{
    (void)state;
    struct http_server *behind =
        start_with((struct http_server_options){ .trusted_proxies = "127.0.0.0/8" });
    const char *answer = ask(
        behind, "GET /replicate/v1/echo/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: api.example\r\n"
                "X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /gw\r\n\r\n");
    assert_has(answer, "base=https://api.example/gw/replicate tls");
    http_server_stop(behind, 1000);
    behind = start_with((struct http_server_options){ .public_url = "https://p.example/" });
    assert_has(ask(behind, "GET /v1/echo/x" END), "base=https://p.example tls");
    http_server_stop(behind, 1000);
}

static void clients_that_go_away_harm_nothing(void **state)
{
    (void)state;
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    static const char *const half[] = {
        "POST /v1/later?ms=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/later-worker?ms=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/sum HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\nabc",
        "POST /v1/echo/x HTTP/1.1\r\nHo",
        "\r\n",
        "",
        "POST /v1/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\nabc",
    };
    for (int i = 0; i < 70; i++) {
        int fd = dial(server);
        assert_true(puts_text(fd, half[i % 7]));
        if (i % 2)
            nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
    assert_has(ask(server, "GET /v1/echo/alive" END), "id=alive");
}

#define STRESS_CONNECTIONS 16
#define STRESS_ROUNDS 400

static void *stress_client(void *context)
{
    struct buf answer;
    int *failures = context;
    int fd = dial(server);
    buf_init(&answer, 1 << 16);
    for (int i = 0; i < STRESS_ROUNDS; i++) {
        const char *request = i % 8 == 3 ? "POST /v1/later HTTP/1.1\r\nHost: h\r\nContent-Length: 2"
                                           "\r\n\r\n{}"
                              : i % 8 == 5 ? "QUERY /v1/echo/q" END
                                           : "GET /v1/ring" END;
        if (!puts_text(fd, request) || !take_answer(fd, false, &answer) ||
            strncmp(answer.ptr, "HTTP/1.1 20", 11) != 0)
            ++*failures;
    }
    close(fd);
    buf_done(&answer);
    return NULL;
}

static void thousands_of_answers_from_other_threads_arrive_once(void **state)
{
    pthread_t clients[STRESS_CONNECTIONS], repliers[3];
    int failures[STRESS_CONNECTIONS] = { 0 };
    (void)state;
    ring_ending = false;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&repliers[i], NULL, run_ring, NULL), 0);
    for (int i = 0; i < STRESS_CONNECTIONS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, stress_client, &failures[i]), 0);
    for (int i = 0; i < STRESS_CONNECTIONS; i++) {
        pthread_join(clients[i], NULL);
        assert_int_equal(failures[i], 0);
    }
    pthread_mutex_lock(&ring_mutex);
    ring_ending = true;
    pthread_cond_broadcast(&ring_wake);
    pthread_mutex_unlock(&ring_mutex);
    for (int i = 0; i < 3; i++)
        pthread_join(repliers[i], NULL);
}

static void stopping_drains_and_then_lets_go(void **state)
{
    struct buf answer;
    (void)state;
    buf_init(&answer, 1 << 16);
    struct http_server *other = start_with((struct http_server_options){ 0 });
    int quick = dial(other), idle = dial(other);
    assert_true(
        puts_text(quick, "POST /v1/later?ms=3 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"));
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    http_server_stop(other, 3000);
    assert_true(take_answer(quick, false, &answer));
    assert_has(answer.ptr, "HTTP/1.1 201 ");
    assert_has(answer.ptr, "Connection: close");
    assert_true(at_end(idle));
    close(quick);
    close(idle);
    /* An answer that comes only after the server is gone finds its call still there. */
    other = start_with((struct http_server_options){ 0 });
    int slow = dial(other);
    assert_true(
        puts_text(slow, "POST /v1/later?ms=5 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"));
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    int64_t start = clock_monotonic_us();
    http_server_stop(other, 50);
    assert_true(clock_monotonic_us() - start < 350000);
    assert_false(take_answer(slow, false, &answer));
    close(slow);
    nanosleep(&(struct timespec){ .tv_nsec = 600000000 }, NULL);
    buf_done(&answer);
}

static void a_taken_address_is_a_conflict(void **state)
{
    char listen_on[40];
    struct http_server *made = NULL;
    struct err err = { .kind = ERR_NONE };
    (void)state;
    snprintf(listen_on, sizeof listen_on, "127.0.0.1:%d", http_server_port(server));
    struct http_server_options options = { .listen = listen_on, .tables = tables };
    assert_false(http_server_start(&options, &made, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    static const char *const bad[] = { "127.0.0.1", ":99999", "[::1", "::1:80", "127.0.0.1:x" };
    for (int i = 0; i < 5; i++) {
        options.listen = bad[i];
        assert_false(http_server_start(&options, &made, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void finished_is_called_for_each_answer(void **state)
{
    (void)state;
    int before = atomic_load(&finished_count);
    ask(server, "GET /nowhere" END);
    ask(server, "GET /v1/echo/x" END);
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    assert_int_equal(atomic_load(&finished_count), before + 2);
    assert_int_equal(atomic_load(&last_status), 200);
}

static int set_up(void **state)
{
    (void)state;
    server = start_with((struct http_server_options){ 0 });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server, 1000);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_have_what_every_answer_has),
        cmocka_unit_test(methods_are_judged),
        cmocka_unit_test(tokens_are_asked_for),
        cmocka_unit_test(many_requests_share_a_connection),
        cmocka_unit_test(large_bodies_go_to_a_file),
        cmocka_unit_test(huge_bodies_are_refused_without_a_reset),
        cmocka_unit_test(smuggling_and_injection_fail),
        cmocka_unit_test(trusted_proxies_are_believed),
        cmocka_unit_test(clients_that_go_away_harm_nothing),
        cmocka_unit_test(thousands_of_answers_from_other_threads_arrive_once),
        cmocka_unit_test(stopping_drains_and_then_lets_go),
        cmocka_unit_test(a_taken_address_is_a_conflict),
        cmocka_unit_test(finished_is_called_for_each_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
