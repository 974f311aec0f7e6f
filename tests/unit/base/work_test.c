/* The thread pool: everything accepted runs once; a full queue says so. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/work.h"

static void add_one(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void everything_accepted_runs_before_the_pool_is_gone(void **state)
{
    (void)state;
    struct work_pool *pool = NULL;
    struct err err;
    atomic_int ran = 0;
    int accepted = 0;
    assert_true(work_pool_new("a-pool-with-a-long-name", 4, 50, &pool, &err));
    for (int i = 0; i < 5000; i++)
        accepted += work_submit(pool, add_one, &ran);
    work_pool_free(pool);
    assert_true(accepted >= 50);
    assert_int_equal(atomic_load(&ran), accepted);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool entered, open;
};

static void wait_at_gate(void *context)
{
    struct gate *gate = context;
    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->wake);
    while (!gate->open)
        pthread_cond_wait(&gate->wake, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    struct work_pool *pool = NULL;
    struct err err;
    struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false };
    atomic_int ran = 0;
    assert_true(work_pool_new("pool", 1, 2, &pool, &err));
    assert_true(work_submit(pool, wait_at_gate, &gate));
    pthread_mutex_lock(&gate.lock);
    while (!gate.entered)
        pthread_cond_wait(&gate.wake, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    assert_true(work_submit(pool, add_one, &ran));
    assert_true(work_submit(pool, add_one, &ran));
    assert_false(work_submit(pool, add_one, &ran));
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.wake);
    pthread_mutex_unlock(&gate.lock);
    work_pool_free(pool);
    assert_int_equal(atomic_load(&ran), 2);
}

static void wrong_sizes_are_refused(void **state)
{
    (void)state;
    struct work_pool *pool = NULL;
    struct err err;
    assert_false(work_pool_new("pool", 0, 1, &pool, &err));
    assert_false(work_pool_new("pool", 1, 0, &pool, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(pool);
    work_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_accepted_runs_before_the_pool_is_gone),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(wrong_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
