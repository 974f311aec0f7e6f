/* The guard cuts what is overdue, and keeps sockets open that still have something to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "http/guard_private.h"

static bool ends_within(int fd, int ms)
{
    char byte;
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void overdue_connections_are_cut_and_others_are_not(void **state)
{
    struct guard *guard;
    struct guard_connection *watched[3];
    struct err err;
    int pairs[3][2];
    (void)state;
    assert_true(guard_new(&guard, &err));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        watched[i] = guard_add(guard, pairs[i][0]);
        assert_non_null(watched[i]);
    }
    guard_set_deadline(watched[0], 100);
    guard_set_deadline(watched[1], 100);
    guard_earn(watched[1], 60000); /* a minute */
    guard_set_deadline(watched[2], 100);
    guard_set_deadline(watched[2], 0);
    assert_true(ends_within(pairs[0][1], 3000));
    assert_false(ends_within(pairs[1][1], 10));
    assert_false(ends_within(pairs[2][1], 1200));
    for (int i = 1; i >= 0; i--) /* not in the order of adding */
        guard_remove(guard, watched[i]);
    guard_remove(guard, watched[2]);
    guard_remove(guard, NULL);
    guard_free(guard);
    for (int i = 0; i < 3; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static void a_lingering_socket_shows_its_end_and_takes_what_still_comes(void **state)
{
    static char bytes[1 << 20];
    struct guard *guard;
    struct err err;
    int pair[2];
    (void)state;
    assert_true(guard_new(&guard, &err));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct guard_connection *connection = guard_add(guard, pair[0]);
    guard_linger(guard, connection);
    guard_remove(guard, connection);
    close(pair[0]);
    assert_int_equal(recv(pair[1], bytes, 1, 0), 0);
    for (int i = 0; i < 8; i++)
        for (size_t done = 0; done < sizeof bytes;) {
            ssize_t wrote = send(pair[1], bytes, sizeof bytes - done, MSG_NOSIGNAL);
            assert_true(wrote > 0);
            done += (size_t)wrote;
        }
    close(pair[1]);
    guard_free(guard);
}

static void count_end(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void the_end_of_a_watched_client_is_told_once(void **state)
{
    struct guard *guard;
    struct guard_connection *watched[2];
    atomic_int counts[2] = { 0, 0 };
    struct err err;
    int pairs[2][2];
    (void)state;
    assert_true(guard_new(&guard, &err));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        watched[i] = guard_add(guard, pairs[i][0]);
        guard_watch_end(guard, watched[i], count_end, &counts[i]);
    }
    assert_int_equal(send(pairs[0][1], "x", 1, 0), 1); /* not an end */
    guard_unwatch_end(guard, watched[1]);
    close(pairs[1][1]);
    close(pairs[0][1]);
    for (int waited = 0; !atomic_load(&counts[0]) && waited < 2000; waited += 5)
        poll(NULL, 0, 5);
    poll(NULL, 0, 50);
    assert_int_equal(atomic_load(&counts[0]), 1);
    assert_int_equal(atomic_load(&counts[1]), 0);
    guard_watch_end(guard, NULL, count_end, NULL);
    guard_unwatch_end(guard, NULL);
    for (int i = 0; i < 2; i++) {
        guard_unwatch_end(guard, watched[i]);
        guard_remove(guard, watched[i]);
        close(pairs[i][0]);
    }
    guard_free(guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overdue_connections_are_cut_and_others_are_not),
        cmocka_unit_test(a_lingering_socket_shows_its_end_and_takes_what_still_comes),
        cmocka_unit_test(the_end_of_a_watched_client_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
