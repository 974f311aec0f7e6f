/* What an answer is beside what its handler said: HEAD and OPTIONS on every route, headers for
 * pages of other origins, gzip where it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/cors_private.h"
#include "http/gzip_private.h"
#include "http/server.h"

#define LARGE_BYTES 20000
#define GZIP_MIN 1000

/* ---- The server --------------------------------------------------------------------------- */

static char large[LARGE_BYTES + 1];

static void reply_large(struct http_call *call)
{
    const char *type = http_query(call, "type");
    http_reply(call, 200, type ? type : "application/json", str_from(large));
}

static void reply_made(struct http_call *call)
{
    if (!http_reply_make(call, 201, "application/json", strdup(large), LARGE_BYTES))
        abort();
    http_reply_made(call);
}

static void reply_small(struct http_call *call)
{
    http_reply(call, 200, "application/json", S("{\"small\":true}"));
}

static void reply_open(struct http_call *call)
{
    http_set_header(call, "Access-Control-Allow-Origin", "*");
    http_reply(call, 200, "image/png", S("png"));
}

static bool authenticate(struct http_call *call, const char **ret_account)
{
    static const char caller[] = "somebody";
    const char *token = http_header(call, "Authorization");
    if (!token) {
        http_reply(call, 401, "application/json", S("{}"));
        return false;
    }
    *ret_account = "acme";
    http_set_caller(call, caller);
    return true;
}

static void reply_caller(struct http_call *call)
{
    const char *caller = http_caller(call);
    http_reply(call, 200, "text/plain", str_from(caller ? caller : "nobody"));
}

static const struct http_route routes[] = {
    { "GET", "/large", reply_large, HTTP_PUBLIC | HTTP_ON_LOOP, 0 },
    { "GET", "/made", reply_made, HTTP_PUBLIC, 0 },
    { "GET", "/small", reply_small, HTTP_PUBLIC, 0 },
    { "GET", "/open", reply_open, HTTP_PUBLIC, 0 },
    { "GET", "/private", reply_caller, 0, 0 },
    { "POST", "/private", reply_caller, 0, 100 },
    { "GET", "/nobody", reply_caller, HTTP_PUBLIC, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };

static struct http_server *start(const char *cors_origins)
{
    struct http_server_options options = { .listen = "127.0.0.1:0",
                                           .tables = tables,
                                           .workers = 1,
                                           .connections_max = 100,
                                           .cors_origins = cors_origins,
                                           .gzip_min_bytes = GZIP_MIN,
                                           .authenticate = authenticate };
    struct http_server *made = NULL;
    struct err err = { .kind = ERR_NONE };
    if (!http_server_start(&options, &made, &err))
        fail_msg("%s", err.detail);
    return made;
}

/* The whole answer to one request; the connection is closed by the server. */
static struct buf ask(const struct http_server *to, const char *line, const char *headers)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)http_server_port(to)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    static char bytes[64 << 10], text[2000];
    struct buf answer;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n",
                       line, headers);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
    buf_init(&answer, 1 << 20);
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        buf_append(&answer, bytes, (size_t)got);
    close(fd);
    return answer;
}

static void assert_answer(const struct http_server *to, const char *line, const char *headers,
                          const char *has, const char *has_not)
{
    struct buf answer = ask(to, line, headers);
    if (has && !strcasestr(answer.ptr, has))
        fail_msg("%s: '%s' not in '%s'", line, has, answer.ptr);
    if (has_not && strcasestr(answer.ptr, has_not))
        fail_msg("%s: '%s' in '%s'", line, has_not, answer.ptr);
    buf_done(&answer);
}

/* ---- Tests -------------------------------------------------------------------------------- */

static void head_is_get_without_the_body(void **state)
{
    struct http_server *server = start(NULL);
    (void)state;
    assert_answer(server, "HEAD /small", "", "Content-Length: 14\r\n", "small");
    assert_answer(server, "HEAD /small", "", "Content-Type: application/json\r\n", NULL);
    assert_answer(server, "HEAD /large", "", "Content-Length: 20000\r\n", "aaaa");
    assert_answer(server, "HEAD /large", "Accept-Encoding: gzip\r\n", "Content-Encoding: gzip",
                  "Length: 20000");
    assert_answer(server, "HEAD /private", "", "HTTP/1.1 401", NULL);
    assert_answer(server, "GET /private", "Authorization: Bearer x\r\n", "\r\n\r\nsomebody", NULL);
    assert_answer(server, "GET /nobody", "", "\r\n\r\nnobody", NULL);
    http_server_stop(server, 1000);
}

static void options_says_what_a_path_takes(void **state)
{
    struct http_server *server = start(NULL);
    (void)state;
    assert_answer(server, "OPTIONS /small", "", "HTTP/1.1 204", "Access-Control");
    assert_answer(server, "OPTIONS /small", "", "Allow: GET, HEAD, OPTIONS\r\n", NULL);
    assert_answer(server, "OPTIONS /private", "", "HTTP/1.1 204", NULL);
    assert_answer(server, "OPTIONS /private", "", "POST", NULL);
    assert_answer(server, "PUT /small", "", "HTTP/1.1 405", NULL);
    assert_answer(server, "PUT /small", "", "Allow: GET, HEAD, OPTIONS\r\n", NULL);
    assert_answer(server, "OPTIONS /nowhere", "", "HTTP/1.1 404", NULL);
    /* Nothing of CORS unless it was set, but what a handler says itself. */
    assert_answer(server, "OPTIONS /small",
                  "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n", "204",
                  "Access-Control");
    assert_answer(server, "GET /small", "Origin: https://a.example\r\n", "200", "Access-Control");
    assert_answer(server, "GET /open", "Origin: https://a.example\r\n",
                  "Access-Control-Allow-Origin: *", NULL);
    http_server_stop(server, 1000);
}

static void pages_of_named_origins_may_call(void **state)
{
    static const char preflight[] =
        "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: authorization, prefer\r\n";
    struct http_server *server = start("https://a.example , http://localhost:3000");
    (void)state;
    assert_answer(server, "OPTIONS /private", preflight, "HTTP/1.1 204", NULL);
    assert_answer(server, "OPTIONS /private", preflight,
                  "Access-Control-Allow-Origin: https://a.example\r\n", NULL);
    assert_answer(server, "OPTIONS /private", preflight, "Access-Control-Allow-Methods: ", NULL);
    assert_answer(server, "OPTIONS /private", preflight, "idempotency-key, last-event-id", NULL);
    assert_answer(server, "OPTIONS /private", preflight, "Access-Control-Max-Age: ", NULL);
    assert_answer(server, "GET /small", "Origin: http://localhost:3000\r\n",
                  "Access-Control-Allow-Origin: http://localhost:3000\r\n", NULL);
    assert_answer(server, "GET /small", "Origin: http://localhost:3000\r\n", "Vary: Origin\r\n",
                  NULL);
    assert_answer(server, "GET /private", "Origin: https://a.example\r\n",
                  "Access-Control-Expose-Headers: location", NULL); /* of a 401 too */
    assert_answer(server, "GET /nowhere", "Origin: https://a.example\r\n",
                  "Access-Control-Allow-Origin: https://a.example", NULL);
    assert_answer(server, "GET /small", "Origin: https://b.example\r\n", "Vary: Origin",
                  "Access-Control");
    assert_answer(server, "GET /small", "", "Vary: Origin", "Access-Control");
    assert_answer(server, "GET /open", "Origin: https://a.example\r\n",
                  "Access-Control-Allow-Origin: *", "a.example");
    http_server_stop(server, 1000);
    server = start("*");
    assert_answer(server, "GET /small", "Origin: null\r\n", "Access-Control-Allow-Origin: *\r\n",
                  "Vary");
    assert_answer(server, "OPTIONS /small", preflight, "Access-Control-Allow-Origin: *\r\n", NULL);
    http_server_stop(server, 1000);
}

static void origins_are_compared_whole(void **state)
{
    struct str list = S("https://a.example,http://b.example:81");
    (void)state;
    assert_string_equal(cors_allowed_origin(list, "https://a.example"), "https://a.example");
    assert_string_equal(cors_allowed_origin(list, "HTTP://B.example:81"), "HTTP://B.example:81");
    assert_null(cors_allowed_origin(list, "https://a.example.evil"));
    assert_null(cors_allowed_origin(list, "http://a.example"));
    assert_null(cors_allowed_origin(list, "http://b.example"));
    assert_null(cors_allowed_origin(list, ""));
    assert_null(cors_allowed_origin(list, NULL));
    assert_null(cors_allowed_origin(S(""), "https://a.example"));
    assert_string_equal(cors_allowed_origin(S(" * "), NULL), "*");
}

static void unpack_and_compare(const struct buf *answer)
{
    static char out[LARGE_BYTES + 10];
    char *body = strstr(answer->ptr, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    z_stream stream = { .next_in = (Bytef *)body,
                        .avail_in = (uInt)(answer->ptr + answer->len - body),
                        .next_out = (Bytef *)out,
                        .avail_out = sizeof out };
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, LARGE_BYTES);
    assert_memory_equal(out, large, LARGE_BYTES);
    inflateEnd(&stream);
}

static void large_text_is_compressed_for_those_who_ask(void **state)
{
    static const char *const lines[] = { "GET /large", "GET /made", "GET /large?type=text/plain",
                                         "GET /large?type=application/problem%2Bjson" };
    struct http_server *server = start(NULL);
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct buf answer = ask(server, lines[i], "Accept-Encoding: gzip, deflate\r\n");
        assert_non_null(strstr(answer.ptr, "Content-Encoding: gzip\r\n"));
        assert_non_null(strstr(answer.ptr, "Vary: Accept-Encoding\r\n"));
        assert_true(answer.len < LARGE_BYTES / 4);
        unpack_and_compare(&answer);
        buf_done(&answer);
        assert_answer(server, lines[i], "", "Vary: Accept-Encoding", "Content-Encoding");
        assert_answer(server, lines[i], "Accept-Encoding: gzip;q=0\r\n", "Length: 20000",
                      "Content-Encoding");
    }
    assert_answer(server, "GET /large?type=image/png", "Accept-Encoding: gzip\r\n", "20000",
                  "Encoding");
    assert_answer(server, "GET /large?type=text/event-stream", "Accept-Encoding: gzip\r\n", "20000",
                  "Encoding");
    assert_answer(server, "GET /small", "Accept-Encoding: gzip\r\n", "small", "Encoding");
    http_server_stop(server, 1000);
}

static void accept_encoding_is_weighed(void **state)
{
    static const char *const yes[] = {
        "gzip",           "GZIP",      "deflate, gzip;q=0.001", "*", "x-gzip", "br;q=1.0, *;q=0.5",
        "gzip ; q=1.000", "gzip;Q=0.5"
    };
    static const char *const no[] = { "",          "identity", "gzip;q=0",     "gzip;q=0.000",
                                      "*;q=0",     "br",       "gzip;q=0, *",  "gzip;q=x",
                                      "gzip;q=-1", "gzipped",  "gzip;q=0.0001" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!gzip_is_accepted(yes[i]))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (gzip_is_accepted(no[i]))
            fail_msg("%s", no[i]);
    assert_false(gzip_is_accepted(NULL));
    assert_true(gzip_accepts("gzip, deflate, BR", S("br")));
    assert_true(gzip_accepts("gzip;q=0, *", S("br")));
    assert_false(gzip_accepts("gzip, br;q=0, *", S("br")));
    assert_false(gzip_accepts("x-br", S("br")));
    size_t len;
    assert_null(gzip_compress(S("x"), &len));
    assert_null(gzip_compress(S("abcdefgh"), &len)); /* it would grow */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(options_says_what_a_path_takes),
        cmocka_unit_test(pages_of_named_origins_may_call),
        cmocka_unit_test(origins_are_compared_whole),
        cmocka_unit_test(large_text_is_compressed_for_those_who_ask),
        cmocka_unit_test(accept_encoding_is_weighed),
    };
    memset(large, 'a', LARGE_BYTES);
    for (int i = 0; i < LARGE_BYTES; i += 7)
        large[i] = (char)('b' + i % 19);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
