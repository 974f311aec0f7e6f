/* A full server still serves those it has, and takes the next when there is room again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "http/server.h"

#define CONNECTIONS_MAX 16 /* the least a server takes */
#define REQUEST "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

static void hello(struct http_call *call)
{
    http_reply(call, 200, "text/plain", S("hello"));
}

static const struct http_route routes[] = { { "GET", "/", hello, HTTP_PUBLIC, 0 },
                                            { NULL, NULL, NULL, 0, 0 } };
static const struct http_route *const tables[] = { routes, NULL };

static int dial(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool send_request(int fd)
{
    return send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) == sizeof REQUEST - 1;
}

static bool answers_within(int fd, int ms)
{
    char bytes[1024];
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, ms) == 1 && recv(fd, bytes, sizeof bytes, 0) > 12 &&
           memcmp(bytes, "HTTP/1.1 200", 12) == 0;
}

static void a_full_server_serves_those_it_has(void **state)
{
    struct http_server_options options = {
        .listen = "127.0.0.1:0", .tables = tables, .workers = 1, .connections_max = CONNECTIONS_MAX
    };
    struct http_server *server;
    struct err err = { .kind = ERR_NONE };
    int fds[CONNECTIONS_MAX], next;
    (void)state;
    if (!http_server_start(&options, &server, &err))
        fail_msg("%s", err.detail);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        fds[i] = dial(http_server_port(server));
        assert_true(send_request(fds[i]) && answers_within(fds[i], 5000));
    }
    next = dial(http_server_port(server)); /* waits in the kernel's queue */
    assert_true(send_request(next));
    assert_false(answers_within(next, 300));
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        assert_true(send_request(fds[i]) && answers_within(fds[i], 5000));
    close(fds[0]);
    assert_true(answers_within(next, 5000));
    close(next);
    for (int i = 1; i < CONNECTIONS_MAX; i++)
        close(fds[i]);
    http_server_stop(server, 1000);
}

static void the_limit_on_files_is_raised_for_connections(void **state)
{
    struct http_server_options options = {
        .listen = "127.0.0.1:0", .tables = tables, .workers = 1, .connections_max = 400
    };
    struct http_server *server;
    struct err err = { .kind = ERR_NONE };
    struct rlimit before, limit;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = (struct rlimit){ .rlim_cur = 256, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(http_server_start(&options, &server, &err));
    assert_int_equal(http_server_connections_max(server), 400);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur > 400);
    http_server_stop(server, 0);
    /* What the system does not allow is not promised. */
    limit.rlim_cur = limit.rlim_max = 512;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    options.connections_max = 100000;
    assert_true(http_server_start(&options, &server, &err));
    assert_in_range(http_server_connections_max(server), 100, 511);
    http_server_stop(server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_server_serves_those_it_has),
        cmocka_unit_test(the_limit_on_files_is_raised_for_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
