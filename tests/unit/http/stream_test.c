/* Answers that go on: what a client sees of each write and when, and how a stream ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
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

#define WAIT_MS 10000
#define STREAMS_MAX 200
#define COUNTED_PIECES 100

/* ---- The server: a stream for each request, found by its number --------------------------- */

struct slot {
    _Atomic(struct http_stream *) stream;
    atomic_int closed, drained;
    bool counts; /* the next piece is written when the last one is on its way */
    struct http_stream *own;
};

static struct slot slots[STREAMS_MAX];
static struct http_server *server;

static void on_closed(void *context)
{
    struct slot *slot = context;
    atomic_fetch_add(&slot->closed, 1);
}

static void on_drained(void *context)
{
    struct slot *slot = context;
    int count = atomic_fetch_add(&slot->drained, 1);
    struct http_stream *stream = slot->counts ? atomic_load(&slot->stream) : NULL;
    if (stream && count < COUNTED_PIECES)
        http_stream_write(stream, S("piece\n"));
    else if (stream)
        http_stream_end(stream);
}

static void begin(struct http_call *call)
{
    const char *number = http_query(call, "n");
    struct slot *slot = &slots[number ? atoi(number) : 0];
    struct http_stream_options options = { on_drained, on_closed, slot };
    slot->counts = http_query(call, "counts") != NULL;
    http_set_header(call, "X-Kind", "stream");
    if (!http_reply_stream(call, 200, "text/event-stream", &options, &slot->own)) {
        http_reply(call, 503, "text/plain", S("gone"));
        return;
    }
    atomic_store(&slot->stream, slot->own);
}

static void *begin_on_thread(void *context)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    begin(context);
    return NULL;
}

static void begin_later(struct http_call *call)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, begin_on_thread, call) != 0)
        abort();
    pthread_detach(thread);
}

static const struct http_route routes[] = {
    { "GET", "/loop", begin, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { "GET", "/worker", begin, HTTP_PUBLIC, 0 },
    { "GET", "/later", begin_later, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };

static struct http_server *start(void)
{
    struct http_server_options options = {
        .listen = "127.0.0.1:0", .tables = tables, .workers = 2, .connections_max = 1000
    };
    struct http_server *made = NULL;
    struct err err = { .kind = ERR_NONE };
    if (!http_server_start(&options, &made, &err))
        fail_msg("%s", err.detail);
    return made;
}

static void nap_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static struct http_stream *stream_of(int number)
{
    struct http_stream *stream = NULL;
    for (int waited = 0; !(stream = atomic_load(&slots[number].stream)) && waited < WAIT_MS;
         waited++)
        nap_ms(1);
    assert_non_null(stream);
    return stream;
}

static bool becomes(atomic_int *value, int wanted)
{
    for (int waited = 0; atomic_load(value) != wanted && waited < WAIT_MS; waited++)
        nap_ms(1);
    return atomic_load(value) == wanted;
}

static void forget(int number)
{
    http_stream_unref(atomic_load(&slots[number].stream));
    memset(&slots[number], 0, sizeof slots[number]);
}

/* ---- The client --------------------------------------------------------------------------- */

static int request(const struct http_server *to, const char *method, const char *path, int number,
                   const char *version)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)http_server_port(to)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
    char text[200];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small); /* full sooner */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(text, sizeof text, "%s %s%cn=%d HTTP/%s\r\nHost: h\r\n\r\n", method, path,
                       strchr(path, '?') ? '&' : '?', number, version);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    return fd;
}

/* Read up to and with `end`, or to the end of the connection when NULL. */
static void read_to(int fd, const char *end, struct buf *out)
{
    char c;
    buf_clear(out);
    while (!end || out->len < strlen(end) ||
           memcmp(out->ptr + out->len - strlen(end), end, strlen(end)) != 0) {
        if (recv(fd, &c, 1, 0) != 1)
            return;
        buf_append_char(out, c);
    }
}

/* The data of one chunk; false: the last one, or the connection ended. */
static bool read_chunk(int fd, struct buf *out)
{
    read_to(fd, "\r\n", out);
    unsigned long len = out->len ? strtoul(out->ptr, NULL, 16) : 0;
    bool whole = len > 0;
    buf_clear(out);
    for (unsigned long i = 0; i < len + 2 && whole; i++) {
        char c;
        whole = recv(fd, &c, 1, 0) == 1;
        if (whole && i < len)
            buf_append_char(out, c);
    }
    return whole;
}

static bool silent(int fd, int ms)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, ms) == 0;
}

/* ---- Tests -------------------------------------------------------------------------------- */

static void each_write_arrives_at_once_and_in_order(void **state)
{
    static const char *const paths[] = { "/loop", "/worker", "/later" };
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    for (int p = 0; p < 3; p++) {
        int fd = request(server, "GET", paths[p], 0, "1.1");
        read_to(fd, "\r\n\r\n", &text); /* before anything is written */
        assert_non_null(strstr(text.ptr, "Transfer-Encoding: chunked\r\n"));
        assert_non_null(strstr(text.ptr, "Content-Type: text/event-stream\r\n"));
        assert_non_null(strstr(text.ptr, "X-Kind: stream\r\n"));
        struct http_stream *stream = stream_of(0);
        assert_true(silent(fd, 20));
        for (int i = 0; i < 20; i++) {
            char piece[32];
            int64_t begun = clock_monotonic_us();
            snprintf(piece, sizeof piece, "data: %d\n\n", i);
            assert_true(http_stream_write(stream, str_from(piece)));
            assert_true(read_chunk(fd, &text));
            assert_string_equal(text.ptr, piece);
            assert_true(clock_monotonic_us() - begun < 30000 * (i ? 1 : 10));
        }
        assert_int_equal(http_stream_unsent(stream), 0);
        http_stream_end(stream);
        http_stream_end(stream);
        assert_false(http_stream_write(stream, S("late")));
        assert_false(read_chunk(fd, &text));
        assert_true(becomes(&slots[0].closed, 1));
        assert_false(http_stream_write(stream, S("late")));
        forget(0);
        close(fd);
    }
    buf_done(&text);
}

static void end_comes_after_all_that_was_written(void **state)
{
    struct buf text, all;
    static char bytes[700000];
    (void)state;
    buf_init(&text, 4 << 20);
    buf_init(&all, 4 << 20);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    int fd = request(server, "GET", "/loop", 1, "1.1");
    struct http_stream *stream = stream_of(1);
    assert_true(http_stream_write(stream, (struct str){ bytes, sizeof bytes }));
    http_stream_end(stream);
    read_to(fd, "\r\n\r\n", &text);
    while (read_chunk(fd, &text))
        buf_append_str(&all, buf_str(&text));
    assert_int_equal(all.len, sizeof bytes);
    assert_memory_equal(all.ptr, bytes, sizeof bytes);
    assert_true(becomes(&slots[1].closed, 1));
    forget(1);
    close(fd);
    /* A piece at a time, each when the last is on its way. */
    fd = request(server, "GET", "/loop?counts=1", 1, "1.1");
    assert_true(http_stream_write(stream_of(1), S("piece\n")));
    read_to(fd, "\r\n\r\n", &text);
    buf_clear(&all);
    while (read_chunk(fd, &text))
        buf_append_str(&all, buf_str(&text));
    assert_int_equal(all.len, (COUNTED_PIECES + 1) * 6);
    assert_true(becomes(&slots[1].closed, 1));
    forget(1);
    close(fd);
    buf_done(&all);
    buf_done(&text);
}

static void old_clients_and_head_are_served(void **state)
{
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    int fd = request(server, "GET", "/loop", 2, "1.0");
    struct http_stream *stream = stream_of(2);
    read_to(fd, "\r\n\r\n", &text);
    assert_null(strstr(text.ptr, "chunked"));
    for (int i = 0; i < 3; i++) {
        assert_true(http_stream_write(stream, S("line\n")));
        read_to(fd, "\n", &text);
        assert_string_equal(text.ptr, "line\n");
    }
    http_stream_end(stream);
    read_to(fd, NULL, &text);
    assert_int_equal(text.len, 0);
    assert_true(becomes(&slots[2].closed, 1));
    forget(2);
    close(fd);
    fd = request(server, "HEAD", "/worker", 2, "1.1");
    stream_of(2);
    read_to(fd, "\r\n\r\n", &text);
    assert_non_null(strstr(text.ptr, "text/event-stream"));
    assert_true(becomes(&slots[2].closed, 1));
    read_to(fd, NULL, &text); /* it is closed, as after any answer without a length */
    assert_int_equal(text.len, 0);
    forget(2);
    close(fd);
    buf_done(&text);
}

static void a_client_that_leaves_is_noticed(void **state)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    for (int how = 0; how < 2; how++) {
        int fd = request(server, "GET", how ? "/later" : "/loop", 3, "1.1");
        struct http_stream *stream = stream_of(3);
        assert_true(http_stream_write(stream, S("x")));
        read_to(fd, "\r\n\r\n", &text);
        assert_true(read_chunk(fd, &text));
        nap_ms(20); /* it sleeps */
        assert_int_equal(atomic_load(&slots[3].closed), 0);
        if (how)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        int64_t begun = clock_monotonic_us();
        close(fd);
        assert_true(becomes(&slots[3].closed, 1));
        assert_true(clock_monotonic_us() - begun < 500000);
        assert_false(http_stream_write(stream, S("y")));
        assert_int_equal(http_stream_unsent(stream), 0);
        http_stream_end(stream);
        nap_ms(10);
        assert_int_equal(atomic_load(&slots[3].closed), 1);
        forget(3);
    }
    buf_done(&text);
}

static void a_client_that_does_not_read_has_a_limit(void **state)
{
    static char bytes[50000];
    struct buf text;
    size_t written = 0, seen = 0;
    (void)state;
    buf_init(&text, 1 << 20);
    memset(bytes, 'z', sizeof bytes);
    int fd = request(server, "GET", "/loop", 4, "1.1");
    struct http_stream *stream = stream_of(4);
    /* The kernel takes some megabytes; after that what is unsent grows. */
    for (int refusals = 0; refusals < 100 && written < (64u << 20);) {
        if (http_stream_write(stream, (struct str){ bytes, sizeof bytes })) {
            written += sizeof bytes;
            refusals = 0;
        } else {
            nap_ms(1);
            refusals++;
        }
        assert_true(http_stream_unsent(stream) <= HTTP_STREAM_BYTES_MAX);
    }
    assert_true(written < (64u << 20));
    assert_true(http_stream_unsent(stream) > HTTP_STREAM_BYTES_MAX - sizeof bytes);
    assert_int_equal(atomic_load(&slots[4].closed), 0);
    http_stream_end(stream);
    read_to(fd, "\r\n\r\n", &text);
    while (read_chunk(fd, &text))
        seen += text.len;
    assert_int_equal(seen, written);
    assert_true(becomes(&slots[4].closed, 1));
    forget(4);
    close(fd);
    buf_done(&text);
}

static void stopping_the_server_cuts_streams(void **state)
{
    struct http_server *other = start();
    int fds[10];
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 10; i++) {
        fds[i] = request(other, "GET", i % 2 ? "/loop" : "/later", i, "1.1");
        assert_true(http_stream_write(stream_of(i), S("first")));
    }
    int64_t begun = clock_monotonic_us();
    http_server_stop(other, 100);
    assert_true(clock_monotonic_us() - begun < 2000000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(atomic_load(&slots[i].closed), 1);
        assert_false(http_stream_write(stream_of(i), S("late")));
        http_stream_end(stream_of(i));
        forget(i);
        read_to(fds[i], NULL, &text);
        if (text.len)
            assert_null(strstr(text.ptr, "\r\n0\r\n")); /* not taken for the whole */
        close(fds[i]);
    }
    buf_done(&text);
}

/* ---- Many --------------------------------------------------------------------------------- */

#define WRITERS 6
#define LINES 60

static void *write_lines(void *context)
{
    int first = (int)(intptr_t)context;
    for (int line = 0; line < LINES; line++)
        for (int i = first; i < STREAMS_MAX; i += WRITERS) {
            char text[32];
            snprintf(text, sizeof text, "%d:%d\n", i, line);
            http_stream_write(atomic_load(&slots[i].stream), str_from(text));
        }
    for (int i = first; i < STREAMS_MAX; i += WRITERS)
        http_stream_end(atomic_load(&slots[i].stream));
    return NULL;
}

static void many_streams_and_threads_mix_nothing_up(void **state)
{
    static int fds[STREAMS_MAX];
    pthread_t writers[WRITERS];
    struct buf text, all, want;
    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&all, 1 << 20);
    buf_init(&want, 1 << 20);
    for (int i = 0; i < STREAMS_MAX; i++)
        fds[i] = request(server, "GET", i % 2 ? "/loop" : "/worker", i, "1.1");
    for (int i = 0; i < STREAMS_MAX; i++)
        stream_of(i);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_lines, (void *)(intptr_t)i), 0);
    for (int i = 0; i < STREAMS_MAX; i++) {
        if (i % 10 == 3) { /* leaves in the middle */
            close(fds[i]);
            continue;
        }
        read_to(fds[i], "\r\n\r\n", &text);
        buf_clear(&all);
        buf_clear(&want);
        while (read_chunk(fds[i], &text))
            buf_append_str(&all, buf_str(&text));
        for (int line = 0; line < LINES; line++)
            buf_printf(&want, "%d:%d\n", i, line);
        assert_string_equal(all.ptr, want.ptr);
        close(fds[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < STREAMS_MAX; i++) {
        assert_true(becomes(&slots[i].closed, 1));
        forget(i);
    }
    buf_done(&text);
    buf_done(&all);
    buf_done(&want);
}

static void *write_for_ever(void *context)
{
    atomic_bool *ending = context;
    while (!atomic_load(ending))
        for (int i = 0; i < 40; i++) {
            struct http_stream *stream = atomic_load(&slots[i].stream);
            if (stream)
                http_stream_write(stream, S("."));
        }
    return NULL;
}

static void stopping_while_others_write_is_safe(void **state)
{
    atomic_bool ending = false;
    pthread_t writers[2];
    int fds[40];
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_for_ever, &ending), 0);
    struct http_server *other = start();
    for (int i = 0; i < 40; i++)
        fds[i] = request(other, "GET", i % 2 ? "/loop" : "/later", i, "1.1");
    for (int i = 0; i < 40; i++)
        stream_of(i);
    http_server_stop(other, 50);
    atomic_store(&ending, true);
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(atomic_load(&slots[i].closed), 1);
        forget(i);
        close(fds[i]);
    }
}

static int set_up(void **state)
{
    (void)state;
    server = start();
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
        cmocka_unit_test(each_write_arrives_at_once_and_in_order),
        cmocka_unit_test(end_comes_after_all_that_was_written),
        cmocka_unit_test(old_clients_and_head_are_served),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(a_client_that_does_not_read_has_a_limit),
        cmocka_unit_test(stopping_the_server_cuts_streams),
        cmocka_unit_test(many_streams_and_threads_mix_nothing_up),
        cmocka_unit_test(stopping_while_others_write_is_safe),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
