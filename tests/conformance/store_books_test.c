/* The contract of store/store.h about usage and accounts, over every registered back end: what a
 * run adds to the books is there once, exactly when the run's end is. */
#include "conformance/store_support.h"

#define UNFINISHED (1u << PREDICTION_STARTING | 1u << PREDICTION_PROCESSING)

static struct store_write end_of(const struct prediction *prediction,
                                 const struct store_usage *usage)
{
    return (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                 .move = { .id = prediction->id,
                                           .from = UNFINISHED,
                                           .to = PREDICTION_SUCCEEDED,
                                           .completed_us = 10,
                                           .usage = usage } };
}

static struct store_usage usage_of(const char *account, const char *token, const char *model,
                                   int64_t day, int64_t cost_microusd)
{
    return (struct store_usage){ .account = account,
                                 .token = token,
                                 .model = model,
                                 .day = day,
                                 .runs = 1,
                                 .succeeded = 1,
                                 .predict_us = 1000,
                                 .images = 2,
                                 .cost_microusd = cost_microusd };
}

static int list(struct fixture *f, const char *account, int64_t first_day, int64_t last_day,
                struct store_usage **ret_rows)
{
    int count = -1;
    if (!store_usage_list(f->store, account, first_day, last_day, &f->arena, ret_rows, &count,
                          &f->err))
        fail_msg("%s%s", f->err.detail, f->err.cause);
    return count;
}

/* End a new prediction with that line for the books. */
static void run_once(struct fixture *f, struct store_usage usage)
{
    struct prediction p = support_prediction(NULL, 1);
    assert_true(support_insert(f, &p));
    assert_true(support_write(f, end_of(&p, &usage)).applied);
}

static void put_account(struct fixture *f, struct store_account account)
{
    struct store_write write = { .kind = STORE_ACCOUNT_PUT, .account_row = &account };
    assert_true(support_write(f, write).applied);
}

static bool add_credit(struct fixture *f, const char *account, int64_t amount_microusd)
{
    struct store_account row = { .account = account, .credit_microusd = amount_microusd };
    struct store_write write = { .kind = STORE_ACCOUNT_CREDIT_ADD, .account_row = &row };
    return support_write(f, write).applied;
}

static int64_t credit(struct fixture *f, const char *account)
{
    struct store_account found;
    if (!store_account_get(f->store, account, &f->arena, &found, &f->err))
        fail_msg("%s%s", f->err.detail, f->err.cause);
    return found.credit_microusd;
}

/* ---- Usage ---------------------------------------------------------------------------------- */

static void usage_is_summed_per_day_account_token_and_model(void **state)
{
    enum { COUNT = 120 };
    static const char *const accounts[] = { "alice", "bob" }, *const tokens[] = { "t1", "t2", "" },
                             *const models[] = { "o/a", "o/b" };
    struct fixture *f = *state;
    struct prediction p[COUNT];
    struct store_usage usage[COUNT], *rows;
    struct store_write inserts[COUNT], ends[COUNT];
    for (int batch = 0; batch < 2; batch++) { /* sums go on over batches */
        for (int i = 0; i < COUNT; i++) {
            p[i] = support_prediction(NULL, 1 + i);
            usage[i] =
                usage_of(accounts[i % 2], tokens[i % 3], models[i / 6 % 2], 20000 + i % 5, 7);
            usage[i].succeeded = i % 10 != 0;
            usage[i].failed = i % 10 == 0;
            inserts[i] =
                (struct store_write){ .kind = STORE_PREDICTION_INSERT, .prediction = &p[i] };
            ends[i] = end_of(&p[i], &usage[i]);
        }
        support_batch_wait(f, inserts, COUNT);
        support_batch_wait(f, ends, COUNT);
        for (int i = 0; i < COUNT; i++)
            assert_true(ends[i].ok && ends[i].applied);
    }
    support_reopen(f);
    int count = list(f, NULL, 0, 99999, &rows);
    assert_int_equal(count, 2 * 3 * 2 * 5);
    int64_t runs = 0, succeeded = 0, failed = 0;
    for (int i = 0; i < count; i++) {
        assert_true(i == 0 || rows[i].day <= rows[i - 1].day);
        assert_int_equal(rows[i].runs, 4);
        assert_int_equal(rows[i].predict_us, 4000);
        assert_int_equal(rows[i].images, 8);
        assert_int_equal(rows[i].cost_microusd, 28);
        runs += rows[i].runs;
        succeeded += rows[i].succeeded;
        failed += rows[i].failed;
    }
    assert_int_equal(runs, 2 * COUNT);
    assert_int_equal(succeeded, 2 * COUNT - 24);
    assert_int_equal(failed, 24);
    assert_int_equal(list(f, "alice", 20001, 20002, &rows), 3 * 2 * 2); /* inclusive */
    assert_string_equal(rows[0].account, "alice");
    assert_int_equal(rows[0].day, 20002);
    assert_int_equal(list(f, "eve", 0, 99999, &rows), 0);
}

static void a_move_that_does_not_apply_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction(NULL, 1);
    struct store_usage *rows, usage = usage_of("alice", "t", "o/a", 1, 30);
    put_account(f, (struct store_account){ "alice", NULL, true, 100 });
    assert_false(support_write(f, end_of(&p, &usage)).applied); /* no such prediction */
    assert_int_equal(list(f, NULL, 0, 9, &rows), 0);
    assert_true(support_insert(f, &p));
    struct store_write ends[3] = { end_of(&p, &usage), end_of(&p, &usage), end_of(&p, &usage) };
    support_batch_wait(f, ends, 3);
    assert_true(ends[0].applied && !ends[1].applied && !ends[2].applied);
    assert_int_equal(list(f, NULL, 0, 9, &rows), 1);
    assert_int_equal(rows[0].runs, 1);
    assert_int_equal(credit(f, "alice"), 70);
}

/* ---- Accounts and credit -------------------------------------------------------------------- */

static void accounts_are_kept_and_listed(void **state)
{
    struct fixture *f = *state;
    struct store_account found, *accounts;
    int count = -1;
    assert_false(store_account_get(f->store, "bob", &f->arena, &found, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    put_account(f, (struct store_account){ "bob", "large", true, 5 });
    put_account(f, (struct store_account){ "alice", NULL, false, 0 });
    put_account(f, (struct store_account){ "bob", "small", true, 6000000000 });
    support_reopen(f);
    assert_true(store_account_list(f->store, &f->arena, &accounts, &count, &f->err));
    assert_int_equal(count, 2);
    assert_true(store_account_get(f->store, "bob", &f->arena, &found, &f->err));
    assert_string_equal(found.account, "bob");
    assert_string_equal(found.plan, "small");
    assert_true(found.metered);
    assert_int_equal(found.credit_microusd, 6000000000);
    assert_true(store_account_get(f->store, "alice", &f->arena, &found, &f->err));
    assert_null(found.plan);
    assert_false(found.metered);
}

static void runs_are_paid_from_a_metered_accounts_credit_only(void **state)
{
    struct fixture *f = *state;
    struct store_account found;
    put_account(f, (struct store_account){ "alice", NULL, true, 100 });
    put_account(f, (struct store_account){ "bob", NULL, false, 100 });
    run_once(f, usage_of("alice", "t", "o/a", 1, 30));
    run_once(f, usage_of("alice", "u", "o/b", 2, 90)); /* below nothing: the run has been */
    run_once(f, usage_of("bob", "t", "o/a", 1, 30));
    run_once(f, usage_of("eve", "t", "o/a", 1, 30));
    assert_int_equal(credit(f, "alice"), -20);
    assert_int_equal(credit(f, "bob"), 100);
    assert_false(store_account_get(f->store, "eve", &f->arena, &found, &f->err));
    assert_true(add_credit(f, "alice", 50));
    assert_int_equal(credit(f, "alice"), 30);
    assert_false(add_credit(f, "bob", 50));
    assert_int_equal(credit(f, "bob"), 100);
    assert_false(add_credit(f, "eve", 50));
}

static void charges_of_one_batch_keep_their_order_with_puts(void **state)
{
    struct fixture *f = *state;
    struct prediction p[3];
    struct store_usage usage = usage_of("alice", "t", "o/a", 1, 30);
    struct store_account fresh = { "alice", NULL, true, 1000 },
                         more = { .account = "alice", .credit_microusd = 5 };
    for (int i = 0; i < 3; i++) {
        p[i] = support_prediction(NULL, 1 + i);
        assert_true(support_insert(f, &p[i]));
    }
    put_account(f, (struct store_account){ "alice", NULL, true, 100 });
    struct store_write writes[] = {
        end_of(&p[0], &usage), /* from the old credit */
        { .kind = STORE_ACCOUNT_PUT, .account_row = &fresh },
        end_of(&p[1], &usage),
        { .kind = STORE_ACCOUNT_CREDIT_ADD, .account_row = &more },
        end_of(&p[2], &usage),
    };
    support_batch_wait(f, writes, (int)ARRAY_LEN(writes));
    for (size_t i = 0; i < ARRAY_LEN(writes); i++)
        assert_true(writes[i].ok && writes[i].applied);
    assert_int_equal(credit(f, "alice"), 1000 - 2 * 30 + 5);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(usage_is_summed_per_day_account_token_and_model),
        CASE(a_move_that_does_not_apply_costs_nothing),
        CASE(accounts_are_kept_and_listed),
        CASE(runs_are_paid_from_a_metered_accounts_credit_only),
        CASE(charges_of_one_batch_keep_their_order_with_puts),
    };
    return cmocka_run_group_tests_name("store books", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
