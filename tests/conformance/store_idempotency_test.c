/* The contract of store/store.h about idempotency keys, over every registered back end: a create
 * that comes again makes nothing new. */
#include "conformance/store_support.h"

static struct store_idempotency key_of(const char *key, int request, int64_t expires_us)
{
    struct store_idempotency idempotency = { .key = key, .expires_us = expires_us };
    idempotency.request_hash[0] = (unsigned char)request;
    idempotency.request_hash[31] = 7;
    return idempotency;
}

static struct store_write insert_with(struct fixture *f, const struct prediction *prediction,
                                      struct store_idempotency idempotency)
{
    return support_write(f, (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                                  .prediction = prediction,
                                                  .idempotency = &idempotency });
}

static void assert_absent(struct fixture *f, const char *id)
{
    struct prediction p;
    assert_false(store_prediction_get(f->store, NULL, id, &f->arena, &p, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static int64_t runs(struct fixture *f)
{
    int64_t count = 0;
    assert_true(store_run_count(f->store, "owner/model", &count, &f->err));
    return count;
}

static void a_used_key_inserts_nothing_and_names_the_first(void **state)
{
    struct fixture *f = *state;
    struct prediction first = support_prediction(NULL, 100), second = support_prediction(NULL, 101);
    struct store_write write = insert_with(f, &first, key_of("k", 1, 1000));
    assert_true(write.applied);
    assert_string_equal(write.found_id, "");
    for (int reopened = 0; reopened < 2; reopened++) {
        write = insert_with(f, &second, key_of("k", 1, 1000));
        assert_true(write.ok && !write.applied && write.found_same);
        assert_string_equal(write.found_id, first.id);
        write = insert_with(f, &second, key_of("k", 2, 1000));
        assert_true(write.ok && !write.applied && !write.found_same);
        assert_string_equal(write.found_id, first.id);
        assert_absent(f, second.id);
        assert_int_equal(runs(f), 1);
        support_reopen(f);
    }
}

static void a_key_is_of_one_account_and_is_taken_literally(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "k", "K", "k ", "%", "", "\xc3\xa9" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct prediction p = support_prediction(NULL, 100 + (int64_t)i);
        assert_true(insert_with(f, &p, key_of(keys[i], 1, 1000)).applied);
    }
    struct prediction other = support_prediction(NULL, 200);
    other.account = "bob";
    assert_true(insert_with(f, &other, key_of("k", 1, 1000)).applied);
    other = support_prediction(NULL, 201);
    assert_true(support_insert(f, &other)); /* without a key as always */
}

static void an_expired_key_is_taken_over(void **state)
{
    struct fixture *f = *state;
    struct prediction first = support_prediction(NULL, 100);
    struct prediction early = support_prediction(NULL, 999), late = support_prediction(NULL, 1000);
    assert_true(insert_with(f, &first, key_of("k", 1, 1000)).applied);
    assert_false(insert_with(f, &early, key_of("k", 1, 1999)).applied);
    assert_true(insert_with(f, &late, key_of("k", 2, 2000)).applied);
    struct prediction last = support_prediction(NULL, 1999);
    struct store_write write = insert_with(f, &last, key_of("k", 2, 3000));
    assert_false(write.applied);
    assert_string_equal(write.found_id, late.id);
    assert_true(write.found_same);
}

static void the_same_key_twice_in_one_batch_inserts_once(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state;
    struct prediction p[COUNT];
    struct store_write writes[COUNT];
    struct store_idempotency keys[2] = { key_of("even", 0, 1000), key_of("odd", 1, 1000) };
    for (int i = 0; i < COUNT; i++) {
        p[i] = support_prediction(NULL, 100 + i);
        writes[i] = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                          .prediction = &p[i],
                                          .idempotency = &keys[i % 2] };
    }
    support_batch_wait(f, writes, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(writes[i].ok);
        assert_int_equal(writes[i].applied, i < 2);
        if (i < 2)
            continue;
        assert_string_equal(writes[i].found_id, p[i % 2].id);
        assert_true(writes[i].found_same);
        assert_absent(f, p[i].id);
    }
    assert_int_equal(runs(f), 2);
}

static void a_refused_insert_leaves_its_key_free(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction(NULL, 100), other = support_prediction(NULL, 101);
    struct store_idempotency idempotency = key_of("k", 1, 1000);
    assert_true(support_insert(f, &p));
    struct store_write write = { .kind = STORE_PREDICTION_INSERT,
                                 .prediction = &p,
                                 .idempotency = &idempotency };
    assert_false(store_write_wait(f->store, &write, &f->err));
    assert_int_equal(f->err.kind, ERR_CONFLICT);
    assert_true(insert_with(f, &other, idempotency).applied);
}

static void expired_keys_are_swept_in_portions(void **state)
{
    enum { COUNT = STORE_SWEEP_MAX + 5 };
    struct fixture *f = *state;
    struct prediction *p = calloc(COUNT, sizeof *p);
    struct store_idempotency *keys = calloc(COUNT, sizeof *keys);
    struct store_write *writes = calloc(COUNT, sizeof *writes);
    char(*names)[16] = calloc(COUNT, sizeof *names);
    for (int i = 0; i < COUNT; i++) {
        p[i] = support_prediction(NULL, 100 + i);
        snprintf(names[i], sizeof names[i], "key-%d", i);
        keys[i] = key_of(names[i], 1, 5000 + (i == COUNT - 1));
        writes[i] = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                          .prediction = &p[i],
                                          .idempotency = &keys[i] };
    }
    support_batch_wait(f, writes, COUNT);
    struct store_write sweep = { .kind = STORE_SWEEP, .sweep = { .now_us = 5000 } };
    assert_true(support_write(f, sweep).applied); /* there is more */
    assert_false(support_write(f, sweep).applied);
    struct prediction again = support_prediction(NULL, 200);
    assert_true(insert_with(f, &again, key_of("key-0", 1, 9000)).applied);
    again = support_prediction(NULL, 201);
    assert_false(insert_with(f, &again, key_of(names[COUNT - 1], 1, 9000)).applied);
    free(p);
    free(keys);
    free(writes);
    free(names);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_used_key_inserts_nothing_and_names_the_first),
        CASE(a_key_is_of_one_account_and_is_taken_literally),
        CASE(an_expired_key_is_taken_over),
        CASE(the_same_key_twice_in_one_batch_inserts_once),
        CASE(a_refused_insert_leaves_its_key_free),
        CASE(expired_keys_are_swept_in_portions),
    };
    return cmocka_run_group_tests_name("store idempotency", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
