/* bench: server
 * A crowd of connections to a server on this machine that mostly wait:
 *   crowd idle COUNT PORT               opens COUNT keep-alive connections, asks /healthz once on
 *                                       each, says "ready" and holds them until its input ends
 *   crowd streams COUNT PORT PATH...    reads server-sent events on COUNT connections, spread over
 *                                       the paths, to their end; says how many events came
 * Only ever connects to 127.0.0.1. Not here: requests per second (http_load.c). */
#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD_MAX 15000 /* below what a process may open here */
#define CROWD_TIMEOUT_MS 120000
#define CROWD_READ_BYTES 65536

struct member {
    int fd;
    char tail[8]; /* the last bytes, for what is cut in two */
    int64_t outputs, done;
};

static int connect_to(int64_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool send_request(int fd, const char *path)
{
    char text[1024];
    int len =
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n", path);
    return len > 0 && (size_t)len < sizeof text && send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static int hold_idle(int64_t count, int64_t port)
{
    char answer[4096];
    for (int64_t i = 0; i < count; i++) {
        int fd = connect_to(port);
        if (fd < 0 || !send_request(fd, "/healthz") || recv(fd, answer, sizeof answer, 0) <= 0) {
            fprintf(stderr, "connection %lld: %s\n", (long long)i, strerror(errno));
            return 1;
        }
    }
    printf("ready %lld\n", (long long)count);
    fflush(stdout);
    while (read(STDIN_FILENO, answer, sizeof answer) > 0)
        ;
    return 0;
}

/* Count lines "event: output" and "event: done", also where two reads cut one. */
static void count_events(struct member *member, const char *bytes, size_t len)
{
    static const char output[] = "t: outp", done[] = "t: done";
    char window[8];
    memcpy(window, member->tail, sizeof window);
    for (size_t i = 0; i < len; i++) {
        memmove(window, window + 1, sizeof window - 1);
        window[sizeof window - 1] = bytes[i];
        member->outputs += memcmp(window + 1, output, sizeof output - 1) == 0;
        member->done += memcmp(window + 1, done, sizeof done - 1) == 0;
    }
    memcpy(member->tail, window, sizeof window);
}

/* False: this one's stream is over. */
static bool read_events(struct member *member)
{
    static char bytes[CROWD_READ_BYTES];
    ssize_t got = recv(member->fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0)
        return false;
    count_events(member, bytes, (size_t)got);
    return member->done == 0;
}

static int report(const struct member *members, int64_t count, int64_t took_us)
{
    int64_t outputs = 0, done = 0, unfinished = 0, least = INT64_MAX, most = 0;
    for (int64_t i = 0; i < count; i++) {
        outputs += members[i].outputs;
        done += members[i].done;
        unfinished += members[i].done != 1;
        least = members[i].outputs < least ? members[i].outputs : least;
        most = members[i].outputs > most ? members[i].outputs : most;
    }
    printf("readers=%lld events=%lld done=%lld unfinished=%lld least=%lld most=%lld s=%.2f "
           "events_per_s=%.0f\n",
           (long long)count, (long long)outputs, (long long)done, (long long)unfinished,
           (long long)least, (long long)most, (double)took_us / 1e6,
           (double)outputs * 1e6 / (double)took_us);
    return unfinished ? 1 : 0;
}

static int read_streams(int64_t count, int64_t port, char **paths, int path_count)
{
    struct member *members = calloc((size_t)count, sizeof *members);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int64_t start_us = clock_monotonic_us(), left = count;
    if (!members || epoll_fd < 0)
        return 1;
    for (int64_t i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &members[i] };
        members[i].fd = connect_to(port);
        if (members[i].fd < 0 || !send_request(members[i].fd, paths[i % path_count]) ||
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, members[i].fd, &event) != 0) {
            fprintf(stderr, "reader %lld: %s\n", (long long)i, strerror(errno));
            return 1;
        }
    }
    while (left > 0) {
        struct epoll_event events[256];
        int got = epoll_wait(epoll_fd, events, 256, CROWD_TIMEOUT_MS);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        for (int i = 0; i < got; i++) {
            struct member *member = events[i].data.ptr;
            if (read_events(member))
                continue;
            close(member->fd);
            left--;
        }
    }
    int status = report(members, count, clock_monotonic_us() - start_us);
    free(members);
    return status;
}

int main(int argc, char **argv)
{
    int64_t count, port;
    if (argc >= 4 && str_to_int64(str_from(argv[2]), &count) && count > 0 && count <= CROWD_MAX &&
        str_to_int64(str_from(argv[3]), &port) && port > 0 && port <= 65535) {
        if (strcmp(argv[1], "idle") == 0 && argc == 4)
            return hold_idle(count, port);
        if (strcmp(argv[1], "streams") == 0 && argc > 4)
            return read_streams(count, port, argv + 4, argc - 4);
    }
    fprintf(stderr, "usage: crowd idle COUNT PORT | crowd streams COUNT PORT PATH...\n");
    return 2;
}
