/* Fetching: which addresses are refused, and how a transfer against a server that behaves badly
 * ends. The server is a script of raw answers, one per connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/fetch_private.h"

/* ---- A scripted server -------------------------------------------------------------------- */

#define SCRIPT_MAX 8

static struct {
    int listener, port;
    const char *answers[SCRIPT_MAX]; /* sent as they are; then the connection is closed */
    int hold_ms;                     /* before it is closed */
    char requests[SCRIPT_MAX][2048];
    int count;
    pthread_t thread;
} script;

static void *run_script(void *context)
{
    (void)context;
    for (int i = 0; i < script.count; i++) {
        int fd = accept(script.listener, NULL, NULL);
        size_t len = 0;
        if (fd < 0)
            break;
        while (len < sizeof script.requests[i] - 1 && !strstr(script.requests[i], "\r\n\r\n")) {
            ssize_t got =
                recv(fd, script.requests[i] + len, sizeof script.requests[i] - 1 - len, 0);
            if (got <= 0)
                break;
            len += (size_t)got;
        }
        send(fd, script.answers[i], strlen(script.answers[i]), MSG_NOSIGNAL);
        nanosleep(&(struct timespec){ .tv_sec = script.hold_ms / 1000,
                                      .tv_nsec = script.hold_ms % 1000 * 1000000L },
                  NULL);
        close(fd);
    }
    return NULL;
}

static void script_start(int count, const char *const *answers, int hold_ms)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
    socklen_t len = sizeof address;
    memset(&script, 0, sizeof script);
    /* All of 127/8, so that "hosts" can differ. */
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    script.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(script.listener, 8), 0);
    assert_int_equal(getsockname(script.listener, (struct sockaddr *)&address, &len), 0);
    script.port = ntohs(address.sin_port);
    script.count = count;
    script.hold_ms = hold_ms;
    for (int i = 0; i < count; i++)
        script.answers[i] = answers[i];
    assert_int_equal(pthread_create(&script.thread, NULL, run_script, NULL), 0);
}

static void script_stop(void)
{
    shutdown(script.listener, SHUT_RDWR);
    pthread_join(script.thread, NULL);
    close(script.listener);
}

/* ---- One fetch ---------------------------------------------------------------------------- */

static char path[] = "/tmp/mimeo-fetch-test-file";

static bool file_is(const char *want)
{
    char text[256] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return want == NULL;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    return want && got == (ssize_t)strlen(want) && strcmp(text, want) == 0;
}

static void make_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static enum err_kind fetch(const char *host, const char *rest, struct fetch_options options,
                           fetch_address_rule *rule, struct fetch_result *result, struct err *err)
{
    char url[512];
    *err = (struct err){ .kind = ERR_NONE };
    snprintf(url, sizeof url, "http://%s:%d%s", host, script.port, rest);
    bool ok = fetch_file_ruled(url, path, &options, rule, result, err);
    assert_int_equal(ok, err->kind == ERR_NONE);
    return err->kind;
}

static bool only_first_host(const unsigned char *address, int len)
{
    return len == 4 && memcmp(address, "\x7f\0\0\1", 4) == 0;
}

#define OK(len, body)                                                                              \
    "HTTP/1.1 200 OK\r\nContent-Length: " len "\r\nContent-Type: image/png\r\n\r\n" body

/* ---- Tests -------------------------------------------------------------------------------- */

static void private_addresses_are_not_public(void **state)
{
    static const char *const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "fd12:3456::1",
        "ff02::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
        "3fff::1",
        "5f00::1",
        "2606:4700::5efe:a00:1",
    };
    static const char *const open_to_all[] = {
        "1.1.1.1",         "8.8.8.8",         "100.63.255.255",    "100.128.0.1",
        "172.15.0.1",      "172.32.0.1",      "192.167.0.1",       "198.17.0.1",
        "198.20.0.1",      "223.255.255.255", "::ffff:8.8.8.8",    "64:ff9b::808:808",
        "2002:808:808::1", "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888",
    };
    unsigned char address[16];
    (void)state;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        int len = inet_pton(AF_INET, closed[i], address) == 1 ? 4 : 16;
        assert_true(len == 4 || inet_pton(AF_INET6, closed[i], address) == 1);
        if (fetch_address_is_public(address, len))
            fail_msg("%s passes as public", closed[i]);
    }
    for (size_t i = 0; i < sizeof open_to_all / sizeof *open_to_all; i++) {
        int len = inet_pton(AF_INET, open_to_all[i], address) == 1 ? 4 : 16;
        assert_true(len == 4 || inet_pton(AF_INET6, open_to_all[i], address) == 1);
        if (!fetch_address_is_public(address, len))
            fail_msg("%s does not pass as public", open_to_all[i]);
    }
    assert_false(fetch_address_is_public(address, 5));
}

static void urls_to_private_hosts_are_refused(void **state)
{
    static const struct {
        const char *url;
        enum err_kind kind;
    } cases[] = {
        { "http://localhost/", ERR_FORBIDDEN },
        { "http://a.LocalHost/", ERR_FORBIDDEN },
        { "http://127.0.0.1:1/", ERR_FORBIDDEN },
        { "http://127.1/", ERR_FORBIDDEN },
        { "http://2130706433/", ERR_FORBIDDEN },
        { "http://0x7f.0.0.1/", ERR_FORBIDDEN },
        { "http://0177.0.0.1/", ERR_FORBIDDEN },
        { "http://0/", ERR_FORBIDDEN },
        { "http://[::1]/", ERR_FORBIDDEN },
        { "http://[::ffff:127.0.0.1]/", ERR_FORBIDDEN },
        { "http://169.254.169.254/latest/meta-data/", ERR_FORBIDDEN },
        { "https://10.0.0.1/", ERR_FORBIDDEN },
        { "http://user:pw@8.8.8.8/", ERR_INVALID },
        { "http://a-very-long-user-name@8.8.8.8/", ERR_INVALID },
        { "file:///etc/passwd", ERR_INVALID },
        { "ftp://8.8.8.8/", ERR_INVALID },
        { "gopher://8.8.8.8/", ERR_INVALID },
        { "8.8.8.8/x", ERR_INVALID },
        { "http://", ERR_INVALID },
        { "http:///x", ERR_INVALID },
        { "http://h\xc3\xa9/", ERR_INVALID },
        { "http://no-such-host.invalid/", ERR_INVALID },
        { "", ERR_INVALID },
    };
    struct fetch_options options = { .bytes_max = 100, .redirects_max = 3, .timeout_ms = 5000 };
    (void)state;
    unlink(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch_result result;
        struct err err = { .kind = ERR_NONE };
        print_message("%s\n", cases[i].url);
        assert_false(fetch_file(cases[i].url, path, &options, &result, &err));
        assert_int_equal(err.kind, cases[i].kind);
        assert_true(file_is(NULL));
    }
}

static void a_file_arrives_through_redirects(void **state)
{
    char other[80], other_url[160];
    struct fetch_result result;
    struct err err;
    const char *answers[] = {
        "HTTP/1.1 302 Found\r\nLocation: /b?x#f\r\nContent-Length: 3\r\n\r\nabc", other_url,
        OK("5", "hello")
    };
    (void)state;
    unlink(path);
    script_start(3, answers, 0);
    snprintf(other, sizeof other, "http://127.0.0.2:%d/dir/..a%%20b.png", script.port);
    snprintf(other_url, sizeof other_url,
             "HTTP/1.1 307 T\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", other);
    struct fetch_options options = {
        .bytes_max = 5, .redirects_max = 2, .timeout_ms = 5000, .authorization = "Bearer secret"
    };
    assert_int_equal(fetch("127.0.0.1", "/a", options, NULL, &result, &err), ERR_NONE);
    script_stop();
    assert_true(file_is("hello"));
    assert_int_equal(result.bytes, 5);
    assert_string_equal(result.content_type, "image/png");
    assert_string_equal(result.file_name, "_.a_b.png");
    assert_non_null(strstr(script.requests[0], "Authorization: Bearer secret"));
    assert_non_null(strstr(script.requests[1], "GET /b?x HTTP"));
    assert_non_null(strstr(script.requests[1], "Authorization: Bearer secret"));
    assert_null(strstr(script.requests[2], "secret"));
}

static void redirects_end(void **state)
{
    struct fetch_result result;
    struct err err;
    char away[160];
    const char *loop[] = { "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
                           "HTTP/1.1 302 Found\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n" };
    const char *to_private[] = { away };
    const char *to_file[] = { "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
                              "Content-Length: 0\r\n\r\n" };
    struct fetch_options options = { .bytes_max = 5, .redirects_max = 1, .timeout_ms = 5000 };
    (void)state;
    unlink(path);
    script_start(2, loop, 0);
    assert_int_equal(fetch("127.0.0.1", "/a", options, NULL, &result, &err), ERR_INVALID);
    script_stop();
    assert_true(file_is(NULL));
    script_start(1, to_private, 0);
    snprintf(away, sizeof away,
             "HTTP/1.1 302 F\r\nLocation: http://127.0.0.2:%d/\r\n"
             "Content-Length: 0\r\n\r\n",
             script.port);
    assert_int_equal(fetch("127.0.0.1", "/a", options, only_first_host, &result, &err),
                     ERR_FORBIDDEN);
    script_stop();
    assert_null(strstr(err.detail, "127.0.0.1"));
    assert_true(file_is(NULL));
    script_start(1, to_file, 0);
    assert_int_equal(fetch("127.0.0.1", "/a", options, only_first_host, &result, &err),
                     ERR_INVALID);
    script_stop();
    assert_true(file_is(NULL));
}

static void bad_answers_leave_no_file(void **state)
{
    static const struct {
        const char *answer;
        enum err_kind kind;
    } cases[] = {
        { OK("6", "123456"), ERR_TOO_LARGE },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n",
          ERR_TOO_LARGE },
        { "HTTP/1.0 200 OK\r\n\r\n123456", ERR_TOO_LARGE },
        { OK("5", "123"), ERR_UNAVAILABLE },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", ERR_UNAVAILABLE },
        { "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", ERR_NOT_FOUND },
        { "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", ERR_FORBIDDEN },
        { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", ERR_UNAVAILABLE },
        { "HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n", ERR_INVALID },
        { "nonsense", ERR_UNAVAILABLE },
        { "", ERR_UNAVAILABLE },
    };
    struct fetch_options options = { .bytes_max = 5, .redirects_max = 1, .timeout_ms = 5000 };
    (void)state;
    unlink(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch_result result;
        struct err err;
        const char *answers[] = { cases[i].answer };
        script_start(1, answers, 0);
        enum err_kind kind = fetch("127.0.0.1", "/a", options, only_first_host, &result, &err);
        script_stop();
        if (kind != cases[i].kind)
            fail_msg("case %zu: %s (%s)", i, err_kind_name(kind), err.detail);
        assert_true(file_is(NULL));
    }
}

static void empty_files_are_files(void **state)
{
    struct fetch_result result;
    struct err err;
    const char *answers[] = { OK("0", "") };
    struct fetch_options options = { .bytes_max = 5, .timeout_ms = 5000 };
    (void)state;
    unlink(path);
    script_start(1, answers, 0);
    assert_int_equal(fetch("127.0.0.1", "/", options, only_first_host, &result, &err), ERR_NONE);
    script_stop();
    assert_true(file_is(""));
    assert_int_equal(result.bytes, 0);
    assert_string_equal(result.file_name, "");
}

static void *cancel_soon(void *context)
{
    nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

static void silence_and_cancelling_end_a_fetch(void **state)
{
    struct fetch_result result;
    struct err err;
    const char *answers[] = { OK("5", "12") };
    struct fetch_options options = { .bytes_max = 5, .stall_timeout_ms = 500 };
    atomic_bool canceled = false;
    pthread_t thread;
    (void)state;
    unlink(path);
    script_start(1, answers, 3500);
    int64_t start = clock_monotonic_us();
    assert_int_equal(fetch("127.0.0.1", "/", options, NULL, &result, &err), ERR_TIMEOUT);
    assert_true(clock_monotonic_us() - start < 3000000);
    script_stop();
    options = (struct fetch_options){ .bytes_max = 5, .timeout_ms = 300 };
    script_start(1, answers, 2500);
    assert_int_equal(fetch("127.0.0.1", "/", options, NULL, &result, &err), ERR_TIMEOUT);
    script_stop();
    options = (struct fetch_options){ .bytes_max = 5, .canceled = &canceled };
    script_start(1, answers, 2500);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &canceled), 0);
    start = clock_monotonic_us();
    assert_int_equal(fetch("127.0.0.1", "/", options, NULL, &result, &err), ERR_CANCELED);
    assert_true(clock_monotonic_us() - start < 2000000);
    pthread_join(thread, NULL);
    script_stop();
    assert_true(file_is(NULL));
}

static void a_partial_file_is_continued_or_started_again(void **state)
{
    static const struct {
        const char *have;
        int64_t from;
        const char *answers[2];
        const char *want;
        enum err_kind kind;
    } cases[] = {
        { "abc",
          3,
          { "HTTP/1.1 206 P\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nde" },
          "abcde",
          ERR_NONE },
        { "abc", 3, { OK("5", "vwxyz") }, "vwxyz", ERR_NONE },
        { "abc",
          3,
          { "HTTP/1.1 206 P\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\nvwxyz",
            OK("5", "vwxyz") },
          "vwxyz",
          ERR_NONE },
        { "abcde",
          5,
          { "HTTP/1.1 416 R\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n" },
          "abcde",
          ERR_NONE },
        { "abcde",
          5,
          { "HTTP/1.1 416 R\r\nContent-Range: bytes */4\r\nContent-Length: 0\r\n\r\n",
            OK("4", "wxyz") },
          "wxyz",
          ERR_NONE },
        { "abcXX",
          3,
          { "HTTP/1.1 206 P\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nde" },
          "abcde",
          ERR_NONE },
        { "ab", 3, { OK("5", "vwxyz") }, "vwxyz", ERR_NONE },
        { "abc",
          3,
          { "HTTP/1.1 206 P\r\nContent-Range: bytes 3-4/5\r\nContent-Length: 2\r\n\r\nd" },
          "abcd",
          ERR_UNAVAILABLE },
        { "abc",
          3,
          { "HTTP/1.1 206 P\r\nContent-Range: bytes 3-9/10\r\nContent-Length: 7\r\n\r\n"
            "1234567" },
          "abc",
          ERR_TOO_LARGE },
        { "abc", 3, { "HTTP/1.1 503 P\r\nContent-Length: 0\r\n\r\n" }, "abc", ERR_UNAVAILABLE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch_result result;
        struct err err;
        struct fetch_options options = { .bytes_max = 8,
                                         .timeout_ms = 5000,
                                         .resume_from = cases[i].from };
        make_file(cases[i].have);
        script_start(cases[i].answers[1] ? 2 : 1, cases[i].answers, 0);
        enum err_kind kind = fetch("127.0.0.1", "/", options, only_first_host, &result, &err);
        script_stop();
        if (kind != cases[i].kind || !file_is(cases[i].want))
            fail_msg("case %zu: %s (%s)", i, err_kind_name(kind), err.detail);
        if (kind == ERR_NONE)
            assert_int_equal(result.bytes, strlen(cases[i].want));
    }
    unlink(path);
}

static void links_are_not_followed_on_disk(void **state)
{
    struct fetch_result result;
    struct err err;
    const char *answers[] = { OK("5", "hello") };
    struct fetch_options options = { .bytes_max = 5, .timeout_ms = 5000 };
    (void)state;
    unlink(path);
    assert_int_equal(symlink("/tmp/mimeo-fetch-test-target", path), 0);
    script_start(1, answers, 0);
    assert_int_equal(fetch("127.0.0.1", "/", options, NULL, &result, &err), ERR_INTERNAL);
    script_stop();
    assert_int_equal(access("/tmp/mimeo-fetch-test-target", F_OK), -1);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_addresses_are_not_public),
        cmocka_unit_test(urls_to_private_hosts_are_refused),
        cmocka_unit_test(a_file_arrives_through_redirects),
        cmocka_unit_test(redirects_end),
        cmocka_unit_test(bad_answers_leave_no_file),
        cmocka_unit_test(empty_files_are_files),
        cmocka_unit_test(silence_and_cancelling_end_a_fetch),
        cmocka_unit_test(a_partial_file_is_continued_or_started_again),
        cmocka_unit_test(links_are_not_followed_on_disk),
    };
    /* Without a rule proxies count, and the scripted server is not behind one. */
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
