/* A small HTTP server for unit tests: one connection at a time, on a thread, on loopback. The
 * test's function writes whole answers, so it can also write wrong ones. */
#ifndef MIMEO_TESTS_LITTLE_SERVER_H
#define MIMEO_TESTS_LITTLE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct little_request {
    char method[16], path[1024];
    char head[8192]; /* all header lines */
    char body[65536];
    size_t body_len;
    int fd; /* answer here */
};

struct little_server {
    int fd, port;
    char url[64];
    pthread_t thread;
    void (*answer)(void *context, struct little_request *request);
    void *context;
};

/* The value of a header, or NULL; valid until the next call. */
static inline const char *little_header(const struct little_request *request, const char *name)
{
    static char value[1024];
    size_t len = strlen(name);

    for (const char *line = request->head; line != NULL && *line != 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\r\n"),
                     line + len + 2);
            return value;
        }
    }
    return NULL;
}

static inline void little_send(struct little_request *request, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(request->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

static inline void little_answer(struct little_request *request, const char *status,
                                 const char *headers, const char *body, size_t body_len)
{
    char head[2048];

    snprintf(head, sizeof(head),
             "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status, body_len,
             headers);
    little_send(request, head, strlen(head));
    little_send(request, body, body_len);
}

static inline void little_read(struct little_request *request)
{
    static char bytes[sizeof(request->head) + sizeof(request->body)];
    size_t len = 0, need = 0;
    char *end = NULL;

    for (;;) {
        ssize_t got = recv(request->fd, bytes + len, sizeof(bytes) - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        bytes[len] = 0;
        if (end == NULL && (end = strstr(bytes, "\r\n\r\n")) != NULL) {
            const char *length;
            size_t head_len = (size_t)(end - bytes);
            snprintf(request->head, sizeof(request->head), "%.*s", (int)head_len, bytes);
            length = little_header(request, "Content-Length");
            need = head_len + 4 + (length != NULL ? strtoul(length, NULL, 10) : 0);
        }
        if (end != NULL && len >= need)
            break;
    }
    if (end == NULL)
        return;
    size_t space = strcspn(bytes, " "), rest = strcspn(bytes + space + 1, " ");
    snprintf(request->method, sizeof(request->method), "%.*s", (int)space, bytes);
    snprintf(request->path, sizeof(request->path), "%.*s", (int)rest, bytes + space + 1);
    request->body_len = len - (size_t)(end + 4 - bytes);
    if (request->body_len >= sizeof(request->body))
        request->body_len = sizeof(request->body) - 1;
    memcpy(request->body, end + 4, request->body_len);
    request->body[request->body_len] = 0;
}

static inline void *little_serve(void *context)
{
    struct little_server *server = context;
    static struct little_request request;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        memset(&request, 0, sizeof(request));
        request.fd = fd;
        little_read(&request);
        if (request.method[0] != 0)
            server->answer(server->context, &request);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

static inline void little_start(struct little_server *server,
                                void (*answer)(void *, struct little_request *), void *context)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->answer = answer;
    server->context = context;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->fd, (struct sockaddr *)&address, len) != 0 || listen(server->fd, 16) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
    if (pthread_create(&server->thread, NULL, little_serve, server) != 0)
        abort();
}

static inline void little_stop(struct little_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    close(server->fd);
    pthread_join(server->thread, NULL);
}

#endif
