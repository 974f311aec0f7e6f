#include "http/guard_private.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUARD_STACK_BYTES (128u << 10)
#define GUARD_PERIOD_MS 1000
#define LINGERING_MAX 32
#define LINGER_MS 10000
#define LINGER_READ_BYTES 16384
#define LINGER_READS_PER_TURN 64
#define ENDS_PER_TURN 64
#define LOST_IDLE_SECONDS 60 /* then a client that is silent is asked for a sign of life */
#define LOST_PROBE_SECONDS 15
#define LOST_PROBES 4
#define BODY_BYTES_PER_MS 1 /* a body slower than 1 kB/s loses ground */

struct guard_connection {
    struct guard_connection *next, *prev;
    int fd;
    bool lingers;                 /* written and read on the loop only */
    _Atomic int64_t deadline_us;  /* monotonic; 0: none */
    void (*ended)(void *context); /* under the mutex; NULL: its end is not watched */
    void *ended_context;
};

struct lingering {
    int fd;
    int64_t until_us;
};

struct guard {
    pthread_t thread;
    pthread_mutex_t mutex; /* connections, incoming; a leaf: nothing else is locked under it */
    struct guard_connection *connections;
    struct lingering incoming[LINGERING_MAX]; /* handed over to the thread */
    int incoming_count;
    struct lingering lingering[LINGERING_MAX]; /* the thread's own */
    int lingering_count;
    int wake_fd;
    int ends_fd; /* epoll: the connections whose end is watched */
    atomic_bool ending;
};

static void wake(struct guard *guard)
{
    uint64_t one = 1;
    ssize_t wrote = write(guard->wake_fd, &one, sizeof one);
    (void)wrote; /* a full counter wakes just as well */
}

static void cut_overdue(struct guard *guard)
{
    int64_t now = clock_monotonic_us();
    pthread_mutex_lock(&guard->mutex);
    for (struct guard_connection *each = guard->connections; each; each = each->next) {
        int64_t deadline = atomic_load_explicit(&each->deadline_us, memory_order_relaxed);
        if (deadline && deadline < now)
            shutdown(each->fd, SHUT_RDWR); /* the loop sees the end and closes it */
    }
    pthread_mutex_unlock(&guard->mutex);
}

static void tell_ends(struct guard *guard)
{
    struct epoll_event events[ENDS_PER_TURN];
    /* Under the mutex from the look on, so that none of them is removed meanwhile. */
    pthread_mutex_lock(&guard->mutex);
    int count = epoll_wait(guard->ends_fd, events, ENDS_PER_TURN, 0);
    for (int i = 0; i < count; i++) {
        struct guard_connection *connection = events[i].data.ptr;
        shutdown(connection->fd, SHUT_RDWR);
        if (connection->ended)
            connection->ended(connection->ended_context);
        connection->ended = NULL;
    }
    pthread_mutex_unlock(&guard->mutex);
}

static void take_incoming(struct guard *guard)
{
    pthread_mutex_lock(&guard->mutex);
    for (int i = 0; i < guard->incoming_count; i++) {
        if (guard->lingering_count == LINGERING_MAX) {
            close(guard->incoming[i].fd);
            continue;
        }
        guard->lingering[guard->lingering_count++] = guard->incoming[i];
    }
    guard->incoming_count = 0;
    pthread_mutex_unlock(&guard->mutex);
}

/* False when the socket is at its end. */
static bool discard_some(int fd)
{
    char bytes[LINGER_READ_BYTES];
    for (int i = 0; i < LINGER_READS_PER_TURN; i++) {
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got < 0)
            return true;
    }
    return true;
}

static void *run_guard(void *argument)
{
    struct guard *guard = argument;
    int64_t next_cut_us = 0;
    while (!atomic_load(&guard->ending)) {
        struct pollfd polls[LINGERING_MAX + 2];
        polls[0] = (struct pollfd){ .fd = guard->wake_fd, .events = POLLIN };
        polls[1] = (struct pollfd){ .fd = guard->ends_fd, .events = POLLIN };
        for (int i = 0; i < guard->lingering_count; i++)
            polls[i + 2] = (struct pollfd){ .fd = guard->lingering[i].fd, .events = POLLIN };
        poll(polls, (nfds_t)guard->lingering_count + 2, GUARD_PERIOD_MS);
        if (polls[0].revents) {
            uint64_t count;
            ssize_t got = read(guard->wake_fd, &count, sizeof count);
            (void)got;
        }
        if (polls[1].revents)
            tell_ends(guard);
        int64_t now = clock_monotonic_us();
        int kept = 0;
        for (int i = 0; i < guard->lingering_count; i++) {
            struct lingering one = guard->lingering[i];
            if (one.until_us > now && (!polls[i + 2].revents || discard_some(one.fd)))
                guard->lingering[kept++] = one;
            else
                close(one.fd);
        }
        guard->lingering_count = kept;
        take_incoming(guard);
        if (now >= next_cut_us) {
            cut_overdue(guard);
            next_cut_us = now + GUARD_PERIOD_MS * 1000;
        }
    }
    for (int i = 0; i < guard->lingering_count; i++)
        close(guard->lingering[i].fd);
    return NULL;
}

static void close_fds(struct guard *guard)
{
    if (guard->wake_fd >= 0)
        close(guard->wake_fd);
    if (guard->ends_fd >= 0)
        close(guard->ends_fd);
}

bool guard_new(struct guard **ret_guard, struct err *err)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return err_set(err, ERR_NO_MEMORY, "No memory for the server.");
    guard->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    guard->ends_fd = epoll_create1(EPOLL_CLOEXEC);
    if (guard->wake_fd < 0 || guard->ends_fd < 0) {
        int sys = errno;
        close_fds(guard);
        free(guard);
        return err_sys(err, ERR_INTERNAL, sys, "The server could not start its guard.");
    }
    pthread_mutex_init(&guard->mutex, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, GUARD_STACK_BYTES);
    int failed = pthread_create(&guard->thread, &attributes, run_guard, guard);
    pthread_attr_destroy(&attributes);
    if (failed) {
        close_fds(guard);
        pthread_mutex_destroy(&guard->mutex);
        free(guard);
        return err_sys(err, ERR_INTERNAL, failed, "The server could not start its guard.");
    }
    *ret_guard = guard;
    return true;
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    atomic_store(&guard->ending, true);
    wake(guard);
    pthread_join(guard->thread, NULL);
    for (int i = 0; i < guard->incoming_count; i++)
        close(guard->incoming[i].fd);
    close_fds(guard);
    pthread_mutex_destroy(&guard->mutex);
    free(guard);
}

struct guard_connection *guard_add(struct guard *guard, int fd)
{
    struct guard_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->fd = fd;
    pthread_mutex_lock(&guard->mutex);
    connection->next = guard->connections;
    if (connection->next)
        connection->next->prev = connection;
    guard->connections = connection;
    pthread_mutex_unlock(&guard->mutex);
    return connection;
}

void guard_remove(struct guard *guard, struct guard_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&guard->mutex);
    if (connection->next)
        connection->next->prev = connection->prev;
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        guard->connections = connection->next;
    pthread_mutex_unlock(&guard->mutex);
    if (connection->lingers)
        shutdown(connection->fd, SHUT_WR); /* the duplicate would keep the end from the client */
    free(connection);
}

void guard_set_deadline(struct guard_connection *connection, int64_t allowed_ms)
{
    if (!connection)
        return;
    int64_t deadline = allowed_ms ? clock_monotonic_us() + allowed_ms * 1000 : 0;
    atomic_store_explicit(&connection->deadline_us, deadline, memory_order_relaxed);
}

void guard_earn(struct guard_connection *connection, int64_t bytes)
{
    if (connection)
        atomic_fetch_add_explicit(&connection->deadline_us, bytes / BODY_BYTES_PER_MS * 1000,
                                  memory_order_relaxed);
}

void guard_watch_end(struct guard *guard, struct guard_connection *connection,
                     void (*ended)(void *context), void *context)
{
    if (!connection)
        return;
    /* A client that vanished without a word is found out by the kernel. Sockets of other kinds
     * refuse the options, and need them not. */
    int on = 1, idle = LOST_IDLE_SECONDS, probe = LOST_PROBE_SECONDS, probes = LOST_PROBES;
    setsockopt(connection->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof probe);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = connection };
    pthread_mutex_lock(&guard->mutex);
    connection->ended = ended;
    connection->ended_context = context;
    epoll_ctl(guard->ends_fd, EPOLL_CTL_ADD, connection->fd, &event);
    pthread_mutex_unlock(&guard->mutex);
}

void guard_unwatch_end(struct guard *guard, struct guard_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&guard->mutex);
    connection->ended = NULL;
    epoll_ctl(guard->ends_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    pthread_mutex_unlock(&guard->mutex);
}

void guard_linger(struct guard *guard, struct guard_connection *connection)
{
    int copy = connection ? fcntl(connection->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0)
        return;
    pthread_mutex_lock(&guard->mutex);
    bool room = guard->incoming_count < LINGERING_MAX;
    if (room)
        guard->incoming[guard->incoming_count++] =
            (struct lingering){ .fd = copy, .until_us = clock_monotonic_us() + LINGER_MS * 1000 };
    pthread_mutex_unlock(&guard->mutex);
    connection->lingers = room;
    if (room)
        wake(guard);
    else
        close(copy);
}
