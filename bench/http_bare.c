/* bench: server
 * The peer of the create benchmark: what libmicrohttpd alone does with a small JSON POST.
 *   http_bare [bare|loop|worker] [PORT]
 * bare: a bare libmicrohttpd handler with our server's flags that reads the body and answers 201
 * with about 700 bytes of JSON. loop, worker: the same answer from our server, by a handler on the
 * loop thread or on a worker. Prints "listening on 127.0.0.1:PORT" and runs until its standard
 * input ends or it gets a signal. */
#include "base/err.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BARE_BODY_BYTES_MAX 65536

static const char answer_text[] =
    "{\"id\":\"gm3qorzdhgbfurvjtvhg6dckhu\",\"model\":\"black-forest-labs/flux-schnell\","
    "\"version\":\"hidden\",\"input\":{\"aspect_ratio\":\"1:1\",\"num_outputs\":1,"
    "\"output_format\":\"webp\",\"prompt\":\"an astronaut riding a rainbow unicorn, cinematic, "
    "dramatic\"},\"logs\":\"\",\"output\":null,\"data_removed\":false,\"error\":null,"
    "\"source\":\"api\",\"status\":\"starting\",\"created_at\":\"2026-01-02T03:04:05.678Z\","
    "\"urls\":{\"cancel\":\"http://127.0.0.1:8080/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu/"
    "cancel\",\"get\":\"http://127.0.0.1:8080/v1/predictions/gm3qorzdhgbfurvjtvhg6dckhu\","
    "\"stream\":\"http://127.0.0.1:8080/v1/streams/gm3qorzdhgbfurvjtvhg6dckhu-0123456789\","
    "\"web\":\"http://127.0.0.1:8080/p/gm3qorzdhgbfurvjtvhg6dckhu\"}}";

/* ---- libmicrohttpd alone ------------------------------------------------------------------ */

struct bare_request {
    size_t len;
    char body[BARE_BODY_BYTES_MAX];
};

static enum MHD_Result bare_answer(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_len, void **state)
{
    (void)context, (void)url, (void)method, (void)version;
    struct bare_request *request = *state;
    if (!request) {
        *state = request = malloc(sizeof *request);
        if (!request)
            return MHD_NO;
        request->len = 0;
        return MHD_YES;
    }
    if (*upload_len) {
        if (*upload_len > sizeof request->body - request->len)
            return MHD_NO;
        memcpy(request->body + request->len, upload, *upload_len);
        request->len += *upload_len;
        *upload_len = 0;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof answer_text - 1, (void *)(uintptr_t)answer_text, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result ret = MHD_queue_response(connection, 201, response);
    MHD_destroy_response(response);
    return ret;
}

static void bare_completed(void *context, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

static struct MHD_Daemon *bare_start(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_TURBO, 0,
        NULL, NULL, bare_answer, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
        bare_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_CONNECTION_TIMEOUT,
        75u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

/* ---- The same on our server --------------------------------------------------------------- */

static void create(struct http_call *call)
{
    http_reply(call, 201, "application/json", (struct str){ answer_text, sizeof answer_text - 1 });
}

static void problem(struct http_call *call, int status, const struct err *err)
{
    http_reply(call, status, "text/plain", str_from(err->detail));
}

static bool ours_start(int port, bool worker, struct http_server **ret_server)
{
    const struct http_route routes[] = {
        { "POST", "/v1/predictions", create, HTTP_PUBLIC | (worker ? 0u : HTTP_ON_LOOP),
          BARE_BODY_BYTES_MAX },
        { "GET", "/v1/predictions/{id}", create, HTTP_PUBLIC | (worker ? 0u : HTTP_ON_LOOP), 0 },
        { NULL, NULL, NULL, 0, 0 },
    };
    static struct http_route kept[3];
    static const struct http_route *const tables[] = { kept, NULL };
    char listen_on[32];
    struct err err = { .kind = ERR_NONE };
    memcpy(kept, routes, sizeof routes);
    snprintf(listen_on, sizeof listen_on, "127.0.0.1:%d", port);
    struct http_server_options options = { .listen = listen_on,
                                           .tables = tables,
                                           .workers = 2,
                                           .connections_max = 4096,
                                           .problem = problem };
    if (http_server_start(&options, ret_server, &err))
        return true;
    fprintf(stderr, "%s\n", err.detail);
    return false;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "bare";
    int64_t port = 8090;
    struct http_server *server = NULL;
    struct MHD_Daemon *daemon = NULL;
    if (argc > 2 && (!str_to_int64(str_from(argv[2]), &port) || port < 1 || port > 65535)) {
        fprintf(stderr, "usage: http_bare [bare|loop|worker] [PORT]\n");
        return 2;
    }
    if (strcmp(mode, "bare") == 0) {
        daemon = bare_start((int)port);
        if (!daemon)
            return 1;
    } else if (!ours_start((int)port, strcmp(mode, "worker") == 0, &server)) {
        return 1;
    }
    printf("listening on 127.0.0.1:%d\n", (int)port);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    if (daemon)
        MHD_stop_daemon(daemon);
    http_server_stop(server, 1000);
    return 0;
}
