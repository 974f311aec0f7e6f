/* The queue: order, bounds, reservations, cancels, and many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/id.h"
#include "queue/queue.h"

static struct queue *new_queue(size_t lane_max, size_t total_max)
{
    struct queue *queue = NULL;
    struct err err;
    assert_true(queue_new(lane_max, total_max, &queue, &err));
    return queue;
}

static void push(struct queue *queue, const char *version, const char *id)
{
    assert_true(queue_push(queue, version, id, false, false));
}

static void assert_pop(struct queue *queue, const char *version, const char *expected)
{
    char id[ID_PREDICTION_LEN + 1];
    assert_true(queue_pop(queue, version, id));
    assert_string_equal(id, expected);
}

static void lanes_are_first_in_first_out(void **state)
{
    (void)state;
    struct queue *queue = new_queue(10, 100);
    char id[ID_PREDICTION_LEN + 1];
    push(queue, "v1", "a");
    push(queue, "v2", "x");
    push(queue, "v1", "b");
    assert_true(queue_push(queue, "v1", "0", true, false)); /* a requeue goes first */
    assert_int_equal(queue_length(queue, "v1"), 3);
    assert_int_equal(queue_length(queue, NULL), 4);
    assert_pop(queue, "v1", "0");
    assert_pop(queue, "v1", "a");
    assert_pop(queue, "v1", "b");
    assert_false(queue_pop(queue, "v1", id));
    assert_false(queue_pop(queue, "v3", id));
    assert_pop(queue, "v2", "x");
    assert_int_equal(queue_length(queue, NULL), 0);
    queue_free(queue);
    queue_free(NULL);
}

static void room_is_bounded_by_lane_and_in_all(void **state)
{
    (void)state;
    struct queue *queue = new_queue(2, 3);
    assert_true(queue_reserve(queue, "v1"));
    assert_true(queue_reserve(queue, "v1"));
    assert_false(queue_reserve(queue, "v1"));
    assert_true(queue_reserve(queue, "v2"));
    assert_false(queue_reserve(queue, "v3"));
    queue_release(queue, "v1");
    assert_true(queue_reserve(queue, "v3"));
    assert_true(queue_push(queue, "v1", "a", false, true)); /* takes its reserved place */
    assert_false(queue_reserve(queue, "v4"));
    assert_pop(queue, "v1", "a");
    assert_true(queue_reserve(queue, "v4"));
    queue_release(queue, "v9"); /* nothing was reserved there */
    assert_false(queue_reserve(queue, "v4"));
    queue_free(queue);
}

static void an_unreserved_push_is_never_refused(void **state)
{
    (void)state;
    struct queue *queue = new_queue(1, 1);
    push(queue, "v1", "a");
    push(queue, "v1", "b");
    push(queue, "v2", "c");
    assert_int_equal(queue_length(queue, NULL), 3);
    assert_false(queue_reserve(queue, "v1"));
    assert_pop(queue, "v1", "a");
    queue_free(queue); /* with entries in it */
}

static void a_canceled_id_leaves_from_wherever_it_stands(void **state)
{
    (void)state;
    struct queue *queue = new_queue(10, 100);
    static const char *const ids[] = { "a", "b", "c", "d" };
    for (size_t i = 0; i < 4; i++)
        push(queue, "v1", ids[i]);
    assert_int_equal(queue_position(queue, "v1", "a"), 1);
    assert_int_equal(queue_position(queue, "v1", "d"), 4);
    assert_int_equal(queue_position(queue, "v1", "none"), 0);
    assert_int_equal(queue_position(queue, "v2", "a"), 0);
    assert_true(queue_remove(queue, "v1", "c"));
    assert_true(queue_remove(queue, "v1", "a"));
    assert_true(queue_remove(queue, "v1", "d"));
    assert_false(queue_remove(queue, "v1", "d"));
    assert_false(queue_remove(queue, "v2", "b"));
    push(queue, "v1", "e");
    assert_pop(queue, "v1", "b");
    assert_pop(queue, "v1", "e");
    queue_free(queue);
}

struct order {
    struct queue *queue;
    char text[100];
};

static void note(void *context, const char *version, size_t length)
{
    struct order *order = context;
    size_t used = strlen(order->text);
    snprintf(order->text + used, sizeof order->text - used, "%s:%zu ", version, length);
    assert_true(queue_length(order->queue, version) == length); /* it may be used in here */
}

static void lanes_come_oldest_waiting_first(void **state)
{
    (void)state;
    struct queue *queue = new_queue(10, 100);
    struct order order = { queue, "" };
    push(queue, "v2", "a");
    push(queue, "v1", "b");
    push(queue, "v2", "c");
    push(queue, "v3", "d");
    queue_each_lane(queue, note, &order);
    assert_string_equal(order.text, "v2:2 v1:1 v3:1 ");
    assert_pop(queue, "v2", "a");
    assert_true(queue_push(queue, "v3", "e", true, false));
    assert_true(queue_reserve(queue, "v4")); /* reserved is not waiting */
    order.text[0] = '\0';
    queue_each_lane(queue, note, &order);
    assert_string_equal(order.text, "v3:2 v1:1 v2:1 ");
    queue_free(queue);
}

enum { THREADS = 4, EACH = 2000 };

struct worker {
    struct queue *queue;
    atomic_int *popped;
};

static void *worker_main(void *context)
{
    const struct worker *worker = context;
    char id[ID_PREDICTION_LEN + 1];
    for (int i = 0; i < EACH;) {
        if (queue_reserve(worker->queue, i % 2 ? "v1" : "v2")) {
            id_prediction(i, id);
            assert_true(queue_push(worker->queue, i % 2 ? "v1" : "v2", id, false, true));
            i++;
        }
        if (queue_pop(worker->queue, i % 3 ? "v1" : "v2", id) ||
            queue_pop(worker->queue, "v1", id) || queue_pop(worker->queue, "v2", id))
            atomic_fetch_add(worker->popped, 1);
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct queue *queue = new_queue(8, 12);
    atomic_int popped = 0;
    struct worker worker = { queue, &popped };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker_main, &worker), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal((size_t)atomic_load(&popped) + queue_length(queue, NULL), THREADS * EACH);
    queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_are_first_in_first_out),
        cmocka_unit_test(room_is_bounded_by_lane_and_in_all),
        cmocka_unit_test(an_unreserved_push_is_never_refused),
        cmocka_unit_test(a_canceled_id_leaves_from_wherever_it_stands),
        cmocka_unit_test(lanes_come_oldest_waiting_first),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
