/* The pool that POSTs: what a receiver sees, what is refused, and that one that hangs delays
 * nobody else. Hosts are told apart by name, so "127.0.0.1" and "localhost" are two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "http/post.h"
#include "unit/little_server.h"

#define WAIT_MS 10000

/* ---- Outcomes ----------------------------------------------------------------------------- */

struct outcome {
    atomic_int calls;
    int status;
    enum err_kind kind;
    char detail[256];
};

static void done(void *context, int status, const struct err *err)
{
    struct outcome *outcome = context;
    outcome->status = status;
    outcome->kind = err->kind;
    snprintf(outcome->detail, sizeof outcome->detail, "%s", status ? "" : err->detail);
    atomic_fetch_add(&outcome->calls, 1);
}

static void nap_ms(int ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static void await(struct outcome *outcome)
{
    for (int waited = 0; !atomic_load(&outcome->calls) && waited < WAIT_MS; waited += 2)
        nap_ms(2);
    assert_int_equal(atomic_load(&outcome->calls), 1);
}

static struct post_pool *make_pool(int connections_max, int per_host_max, size_t waiting_max,
                                   bool allow_private)
{
    struct post_pool_options options = { .connections_max = connections_max,
                                         .per_host_max = per_host_max,
                                         .waiting_max = waiting_max,
                                         .allow_private = allow_private,
                                         .user_agent = "Webhooks/test" };
    struct post_pool *pool = NULL;
    struct err err = { .kind = ERR_NONE };
    if (!post_pool_new(&options, &pool, &err))
        fail_msg("%s", err.detail);
    return pool;
}

static enum err_kind submit(struct post_pool *pool, const char *url, const char *body,
                            int timeout_ms, struct outcome *outcome)
{
    static const struct post_header headers[] = { { "content-type", "application/json" },
                                                  { "webhook-id", "msg_1" } };
    struct err err = { .kind = ERR_NONE };
    struct post_request request = { .url = url,
                                    .headers = headers,
                                    .header_count = 2,
                                    .body = strdup(body),
                                    .body_len = strlen(body),
                                    .timeout_ms = timeout_ms,
                                    .done = done,
                                    .context = outcome };
    *outcome = (struct outcome){ 0 };
    if (!post_submit(pool, &request, &err))
        free(request.body);
    return err.kind;
}

/* ---- Receivers ---------------------------------------------------------------------------- */

struct receiver {
    struct little_server server;
    struct little_request last;
    atomic_int count;
};

static void answer(void *context, struct little_request *request)
{
    struct receiver *receiver = context;
    receiver->last = *request;
    atomic_fetch_add(&receiver->count, 1);
    if (strncmp(request->path, "/status/", 8) == 0) {
        char line[32], location[128];
        snprintf(line, sizeof line, "%.3s Some", request->path + 8);
        snprintf(location, sizeof location, "Location: %s/ok\r\n", receiver->server.url);
        little_answer(request, line, location, "", 0);
    } else if (strcmp(request->path, "/large") == 0) {
        static char page[200000];
        memset(page, 'x', sizeof page);
        little_answer(request, "201 Created", "", page, sizeof page);
    } else if (strcmp(request->path, "/nothing") != 0) {
        little_answer(request, "200 OK", "", "fine", 4);
    }
}

static const char *at(const struct receiver *receiver, const char *host, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http://%s:%d%s", host, receiver->server.port, path);
    return url;
}

/* A socket that takes connections (the kernel does) and never says a word. */
static int open_hanging(char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, 64, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    return fd;
}

/* ---- Tests -------------------------------------------------------------------------------- */

static void the_receiver_gets_headers_and_body(void **state)
{
    static struct receiver receiver;
    struct post_pool *pool = make_pool(4, 2, 10, true);
    struct outcome outcome;
    static char body[50000];
    (void)state;
    little_start(&receiver.server, answer, &receiver);
    memset(body, 'b', sizeof body - 1);
    assert_int_equal(
        submit(pool, at(&receiver, "localhost", "/in?a=1&b=%20"), body, 5000, &outcome), ERR_NONE);
    await(&outcome);
    assert_int_equal(outcome.status, 200);
    assert_string_equal(receiver.last.method, "POST");
    assert_string_equal(receiver.last.path, "/in?a=1&b=%20");
    assert_string_equal(little_header(&receiver.last, "Content-Type"), "application/json");
    assert_string_equal(little_header(&receiver.last, "webhook-id"), "msg_1");
    assert_string_equal(little_header(&receiver.last, "User-Agent"), "Webhooks/test");
    assert_null(little_header(&receiver.last, "Expect"));
    assert_string_equal(receiver.last.body, body);
    post_pool_free(pool);
    little_stop(&receiver.server);
}

static void every_answer_is_an_answer(void **state)
{
    static const struct {
        const char *path;
        int status;
    } cases[] = { { "/status/302", 302 }, { "/status/307", 307 }, { "/status/404", 404 },
                  { "/status/503", 503 }, { "/large", 201 },      { "/ok", 200 } };
    static struct receiver receiver;
    struct post_pool *pool = make_pool(4, 2, 10, true);
    struct outcome outcome;
    (void)state;
    little_start(&receiver.server, answer, &receiver);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        submit(pool, at(&receiver, "127.0.0.1", cases[i].path), "{}", 5000, &outcome);
        await(&outcome);
        assert_int_equal(outcome.status, cases[i].status);
    }
    assert_int_equal(atomic_load(&receiver.count), 6); /* no redirect was followed */
    submit(pool, at(&receiver, "127.0.0.1", "/nothing"), "{}", 5000, &outcome);
    await(&outcome);
    assert_int_equal(outcome.status, 0);
    assert_int_equal(outcome.kind, ERR_UNAVAILABLE);
    post_pool_free(pool);
    little_stop(&receiver.server);
}

static void private_addresses_are_refused(void **state)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost",      "2130706433",
                                         "0x7f.1",    "[::1]",          "[::ffff:127.0.0.1]",
                                         "0.0.0.0",   "169.254.169.254" };
    static struct receiver receiver;
    struct post_pool *pool = make_pool(4, 2, 10, false);
    struct outcome outcome;
    (void)state;
    little_start(&receiver.server, answer, &receiver);
    setenv("http_proxy", receiver.server.url, 1);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_int_equal(submit(pool, at(&receiver, hosts[i], "/"), "{}", 5000, &outcome),
                         ERR_NONE);
        await(&outcome);
        assert_int_equal(outcome.status, 0);
        assert_int_equal(outcome.kind, ERR_FORBIDDEN);
        assert_null(strstr(outcome.detail, "::ffff:7f"));
    }
    unsetenv("http_proxy");
    assert_int_equal(atomic_load(&receiver.count), 0);
    post_pool_free(pool);
    little_stop(&receiver.server);
}

static void what_is_no_url_is_invalid(void **state)
{
    static const char *const bad[] = {
        "", "x", "ftp://h/", "file:///etc/passwd", "http://", "http://u:p@h/", "http://h\r\nX: y/"
    };
    struct post_pool *pool = make_pool(4, 2, 10, true);
    struct outcome outcome;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(submit(pool, bad[i], "{}", 1000, &outcome), ERR_INVALID);
    struct post_header split = { "x-a", "b\r\nx-c: d" };
    struct post_request request = { .url = "http://h/", .headers = &split, .header_count = 1 };
    struct err err = { .kind = ERR_NONE };
    assert_false(post_submit(pool, &request, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    post_pool_free(pool);
}

static void a_receiver_that_hangs_times_out_and_delays_nobody(void **state)
{
    static struct receiver receiver;
    static struct outcome hanging[100];
    struct post_pool *pool = make_pool(8, 2, 200, true);
    struct outcome outcome;
    char url[64];
    int fd = open_hanging(url);
    (void)state;
    little_start(&receiver.server, answer, &receiver);
    int64_t begun = clock_monotonic_us();
    for (int i = 0; i < 100; i++)
        assert_int_equal(submit(pool, url, "{}", 300, &hanging[i]), ERR_NONE);
    for (int i = 0; i < 20; i++) {
        submit(pool, at(&receiver, "localhost", "/"), "{}", 5000, &outcome);
        await(&outcome);
        assert_int_equal(outcome.status, 200);
    }
    assert_true(clock_monotonic_us() - begun < 2000000);
    await(&hanging[0]);
    assert_int_equal(hanging[0].kind, ERR_TIMEOUT);
    await(&hanging[3]); /* the place of one that timed out goes to the next */
    assert_int_equal(atomic_load(&hanging[90].calls), 0);
    post_pool_free(pool); /* with two under way and the others waiting */
    for (int i = 0; i < 100; i++)
        assert_int_equal(atomic_load(&hanging[i].calls), 1);
    assert_int_equal(hanging[99].kind, ERR_CANCELED);
    little_stop(&receiver.server);
    close(fd);
}

static void too_many_that_wait_are_refused(void **state)
{
    static struct outcome outcomes[6];
    struct post_pool *pool = make_pool(8, 1, 3, true);
    int refused = 0;
    char url[64];
    int fd = open_hanging(url);
    (void)state;
    submit(pool, url, "{}", 5000, &outcomes[0]);
    nap_ms(200); /* it is under way */
    for (int i = 1; i < 6; i++)
        refused += submit(pool, url, "{}", 5000, &outcomes[i]) == ERR_UNAVAILABLE;
    assert_int_equal(refused, 2);
    post_pool_free(pool);
    post_pool_free(NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_gets_headers_and_body),
        cmocka_unit_test(every_answer_is_an_answer),
        cmocka_unit_test(private_addresses_are_refused),
        cmocka_unit_test(what_is_no_url_is_invalid),
        cmocka_unit_test(a_receiver_that_hangs_times_out_and_delays_nobody),
        cmocka_unit_test(too_many_that_wait_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
