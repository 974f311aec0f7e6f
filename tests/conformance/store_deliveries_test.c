/* The contract of store/store.h about webhook deliveries, over every registered back end: one is
 * there exactly when the end it tells of is, and comes up when it is due. */
#include "conformance/store_support.h"

#define UNFINISHED (1u << PREDICTION_STARTING | 1u << PREDICTION_PROCESSING)

static struct store_delivery delivery_of(int number, const char *prediction, int64_t next_us)
{
    struct store_delivery delivery = { .prediction = prediction,
                                       .account = "alice",
                                       .url = "https://example.com/hook?a=1",
                                       .created_us = next_us,
                                       .next_us = next_us };
    snprintf(delivery.id, sizeof delivery.id, "msg_%027d", number);
    return delivery;
}

static void add(struct fixture *f, const struct store_delivery *delivery)
{
    struct store_write write = { .kind = STORE_DELIVERY_INSERT, .delivery = delivery };
    assert_true(support_write(f, write).applied);
}

/* How many are due, and *ret_next_us. */
static int due(struct fixture *f, int64_t now_us, int limit, struct store_delivery **ret_deliveries,
               int64_t *ret_next_us)
{
    int count = -1;
    if (!store_delivery_due(f->store, now_us, limit, &f->arena, ret_deliveries, &count, ret_next_us,
                            &f->err))
        fail_msg("%s%s", f->err.detail, f->err.cause);
    return count;
}

static void a_delivery_comes_back_whole_and_is_updated(void **state)
{
    struct fixture *f = *state;
    struct store_delivery found, delivery = delivery_of(1, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 50);
    delivery.base_url = "https://mimeo.example";
    add(f, &delivery);
    support_reopen(f);
    assert_true(store_delivery_get(f->store, "alice", delivery.id, &f->arena, &found, &f->err));
    assert_string_equal(found.id, delivery.id);
    assert_string_equal(found.prediction, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(found.account, "alice");
    assert_string_equal(found.url, "https://example.com/hook?a=1");
    assert_string_equal(found.base_url, "https://mimeo.example");
    assert_int_equal(found.state, DELIVERY_PENDING);
    assert_int_equal(found.attempts + found.last_status, 0);
    assert_null(found.last_error);
    assert_int_equal(found.created_us, 50);
    assert_int_equal(found.next_us, 50);
    assert_int_equal(found.completed_us, 0);
    struct store_delivery outcome = { .state = DELIVERY_FAILED,
                                      .attempts = 3,
                                      .last_status = 503,
                                      .last_error = "It answered 503.",
                                      .completed_us = 70 };
    memcpy(outcome.id, delivery.id, sizeof outcome.id);
    struct store_write update = { .kind = STORE_DELIVERY_UPDATE, .delivery = &outcome };
    assert_true(support_write(f, update).applied);
    assert_true(store_delivery_get(f->store, NULL, delivery.id, &f->arena, &found, &f->err));
    assert_int_equal(found.state, DELIVERY_FAILED);
    assert_int_equal(found.attempts, 3);
    assert_int_equal(found.last_status, 503);
    assert_string_equal(found.last_error, "It answered 503.");
    assert_int_equal(found.next_us, 0);
    assert_int_equal(found.completed_us, 70);
    assert_string_equal(found.url, "https://example.com/hook?a=1");
    outcome.id[5] = 'x';
    assert_false(support_write(f, update).applied);
    assert_false(store_delivery_get(f->store, "bob", delivery.id, &f->arena, &found, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    struct store_write again = { .kind = STORE_DELIVERY_INSERT, .delivery = &delivery };
    assert_false(store_write_wait(f->store, &again, &f->err));
    assert_int_equal(f->err.kind, ERR_CONFLICT);
}

static void due_ones_come_longest_due_first_and_say_when_to_look_again(void **state)
{
    struct fixture *f = *state;
    struct store_delivery *found;
    int64_t next_us = -1;
    assert_int_equal(due(f, INT64_MAX, 10, &found, &next_us), 0);
    assert_int_equal(next_us, 0);
    static const int64_t times[] = { 300, 100, 500, 200, 400, 100 };
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct store_delivery delivery = delivery_of((int)i, "p", times[i]);
        add(f, &delivery);
    }
    assert_int_equal(due(f, 99, 10, &found, &next_us), 0);
    assert_int_equal(next_us, 100);
    assert_int_equal(due(f, 300, 10, &found, &next_us), 4);
    assert_int_equal(next_us, 400);
    static const int64_t order[] = { 100, 100, 200, 300 };
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_int_equal(found[i].next_us, order[i]);
    assert_int_equal(due(f, 300, 4, &found, &next_us), 4);
    assert_int_equal(next_us, 400);
    assert_int_equal(due(f, 300, 2, &found, &next_us), 2);
    assert_int_equal(next_us, 200); /* is due as well, but not in the answer */
    assert_int_equal(due(f, INT64_MAX, 10, &found, &next_us), 6);
    assert_int_equal(next_us, 0);
    struct store_delivery later = { .state = DELIVERY_PENDING, .attempts = 1, .next_us = 900 };
    struct store_delivery done = { .state = DELIVERY_DELIVERED, .completed_us = 310 };
    memcpy(later.id, found[0].id, sizeof later.id);
    memcpy(done.id, found[1].id, sizeof done.id);
    support_write(f, (struct store_write){ .kind = STORE_DELIVERY_UPDATE, .delivery = &later });
    support_write(f, (struct store_write){ .kind = STORE_DELIVERY_UPDATE, .delivery = &done });
    assert_int_equal(due(f, 500, 10, &found, &next_us), 4);
    assert_int_equal(found[0].next_us, 200);
    assert_int_equal(next_us, 900);
}

static void deliveries_are_listed_newest_first(void **state)
{
    struct fixture *f = *state;
    struct store_delivery *found;
    int count = -1;
    for (int i = 0; i < 30; i++) {
        struct store_delivery delivery =
            delivery_of(i, i % 5 ? "aaaaaaaaaaaaaaaaaaaaaaaaaa" : "bbbbbbbbbbbbbbbbbbbbbbbbbb",
                        100 + (i * 7) % 30);
        delivery.account = i % 3 ? "alice" : "bob";
        add(f, &delivery);
    }
    static const struct {
        const char *account, *prediction;
        int limit, count;
    } cases[] = {
        { NULL, NULL, 100, 30 },
        { NULL, NULL, 7, 7 },
        { "alice", NULL, 100, 20 },
        { "bob", NULL, 4, 4 },
        { NULL, "bbbbbbbbbbbbbbbbbbbbbbbbbb", 100, 6 },
        { "bob", "bbbbbbbbbbbbbbbbbbbbbbbbbb", 100, 2 },
        { "eve", "bbbbbbbbbbbbbbbbbbbbbbbbbb", 100, 0 },
        { NULL, "cccccccccccccccccccccccccc", 100, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(store_delivery_list(f->store, cases[i].account, cases[i].prediction,
                                        cases[i].limit, &f->arena, &found, &count, &f->err));
        assert_int_equal(count, cases[i].count);
        for (int j = 0; j < count; j++) {
            assert_true(j == 0 || found[j].created_us < found[j - 1].created_us);
            if (cases[i].account)
                assert_string_equal(found[j].account, cases[i].account);
            if (cases[i].prediction)
                assert_string_equal(found[j].prediction, cases[i].prediction);
        }
        if (!cases[i].account && !cases[i].prediction)
            assert_int_equal(found[0].created_us, 129);
    }
}

static void a_delivery_is_made_by_the_move_that_applies(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction(NULL, 1);
    struct store_delivery *found, first = delivery_of(1, p.id, 10),
                                  second = delivery_of(2, p.id, 20);
    int64_t next_us = 0;
    struct store_write end = { .kind = STORE_PREDICTION_MOVE,
                               .move = { .id = p.id,
                                         .from = UNFINISHED,
                                         .to = PREDICTION_SUCCEEDED,
                                         .completed_us = 10,
                                         .delivery = &first } };
    assert_false(support_write(f, end).applied); /* no such prediction */
    assert_int_equal(due(f, INT64_MAX, 10, &found, &next_us), 0);
    assert_true(support_insert(f, &p));
    assert_true(support_write(f, end).applied);
    end.move.delivery = &second;
    assert_false(support_write(f, end).applied); /* has ended */
    assert_int_equal(due(f, INT64_MAX, 10, &found, &next_us), 1);
    assert_string_equal(found[0].id, first.id);
    assert_string_equal(found[0].prediction, p.id);
}

static void completed_ones_are_swept_and_pending_ones_stay(void **state)
{
    enum { COUNT = 60 };
    struct fixture *f = *state;
    struct store_delivery *found;
    int count = -1;
    for (int i = 0; i < COUNT; i++) {
        struct store_delivery delivery = delivery_of(i, "p", 1 + i);
        delivery.state = i % 2 ? DELIVERY_DELIVERED : DELIVERY_FAILED;
        if (i % 3 == 0)
            delivery.state = DELIVERY_PENDING;
        else
            delivery.completed_us = 1000 + i;
        add(f, &delivery);
    }
    struct store_write sweep = { .kind = STORE_SWEEP,
                                 .sweep = { .now_us = 0, .deliveries_before_us = 1031 } };
    assert_false(support_write(f, sweep).applied);
    assert_true(store_delivery_list(f->store, NULL, NULL, 100, &f->arena, &found, &count, &f->err));
    assert_int_equal(count, COUNT - 20); /* 31 before that time, 11 of them pending */
    for (int i = 0; i < count; i++)
        assert_true(found[i].state == DELIVERY_PENDING || found[i].completed_us >= 1031);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_delivery_comes_back_whole_and_is_updated),
        CASE(due_ones_come_longest_due_first_and_say_when_to_look_again),
        CASE(deliveries_are_listed_newest_first),
        CASE(a_delivery_is_made_by_the_move_that_applies),
        CASE(completed_ones_are_swept_and_pending_ones_stay),
    };
    return cmocka_run_group_tests_name("store deliveries", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
