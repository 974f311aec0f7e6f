/* What a store promises when things go wrong: what was acknowledged is there after a crash, a disk
 * that refuses gives errors and no more, and several processes may use one store. */
#include "conformance/store_support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- Closing and reopening ----------------------------------------------------------------- */

static void count_done(struct store_write *write)
{
    int *count = write->context;
    *count += write->ok;
}

static void closing_finishes_what_was_submitted(void **state)
{
    enum { COUNT = 1000 };
    struct fixture *f = *state;
    struct prediction *p = calloc(COUNT, sizeof *p);
    struct store_write *writes = calloc(COUNT, sizeof *writes);
    int done = 0; /* written by the writer thread, read after it was joined */
    support_open(f);
    for (int i = 0; i < COUNT; i++) {
        p[i] = support_prediction(NULL, 1 + i);
        writes[i] = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                          .prediction = &p[i],
                                          .done = count_done,
                                          .context = &done };
        store_submit(f->store, &writes[i]);
    }
    support_reopen(f);
    assert_int_equal(done, COUNT);
    for (int i = 0; i < COUNT; i++)
        support_get(f, p[i].id);
    free(p);
    free(writes);
}

/* ---- kill -9 ------------------------------------------------------------------------------- */

enum { FLIGHT = 16 };

struct reporter {
    struct store *store;
    int pipe;
    struct prediction predictions[FLIGHT];
    struct store_write writes[FLIGHT];
};

static void reporter_submit(struct reporter *reporter, int slot);

/* On the child's writer thread: the insert is acknowledged, so its id goes to the parent. */
static void reporter_done(struct store_write *done)
{
    struct reporter *reporter = done->context;
    int slot = (int)(done - reporter->writes);
    if (!done->ok || write(reporter->pipe, reporter->predictions[slot].id, ID_PREDICTION_LEN) !=
                         ID_PREDICTION_LEN)
        _exit(3);
    reporter_submit(reporter, slot);
}

static void reporter_submit(struct reporter *reporter, int slot)
{
    reporter->predictions[slot] = support_prediction(NULL, clock_now_us());
    reporter->writes[slot] = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                                   .prediction = &reporter->predictions[slot],
                                                   .done = reporter_done,
                                                   .context = reporter };
    store_submit(reporter->store, &reporter->writes[slot]);
}

static void reporter_main(const char *location, int pipe)
{
    static struct reporter reporter;
    reporter.pipe = pipe;
    if (!store_open(location, &reporter.store, NULL))
        _exit(2);
    for (int i = 0; i < FLIGHT; i++)
        reporter_submit(&reporter, i);
    for (;;)
        pause();
}

/* Read ids from a child that is killed after `stop` of them; *ret_count grows by all that came. */
static void kill_after(void (*child_main)(const char *location, int pipe), const char *location,
                       int stop, char (*ids)[ID_PREDICTION_LEN + 1], int ids_max, int *ret_count)
{
    int pipes[2], status = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[0]);
        child_main(location, pipes[1]);
    }
    close(pipes[1]);
    int stop_at = *ret_count + stop;
    while (*ret_count < ids_max &&
           read(pipes[0], ids[*ret_count], ID_PREDICTION_LEN) == ID_PREDICTION_LEN) {
        if (++*ret_count == stop_at)
            kill(child, SIGKILL);
    }
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    enum { ROUNDS = 5, IDS_MAX = 20000 };
    struct fixture *f = *state;
    char(*ids)[ID_PREDICTION_LEN + 1] = calloc(IDS_MAX, sizeof *ids);
    int count = 0;
    for (int round = 0; round < ROUNDS; round++) /* in the middle of things, never at rest */
        kill_after(reporter_main, f->location, 40 + 150 * round, ids, IDS_MAX, &count);
    support_open(f);
    for (int i = 0; i < count; i++)
        assert_int_equal(support_get(f, ids[i]).status, PREDICTION_STARTING);
    int64_t runs = 0;
    assert_true(store_run_count(f->store, "owner/model", &runs, &f->err));
    assert_true(runs >= count); /* some were committed but not yet reported */
    free(ids);
}

/* Each slot inserts a prediction, then ends it, owing a webhook and adding to the books; the end is
 * what the parent hears of. */
struct ender {
    struct store *store;
    int pipe;
    struct slot {
        struct ender *ender;
        struct prediction prediction;
        struct store_usage usage;
        struct store_delivery delivery;
        struct store_write write;
    } slots[FLIGHT];
};

static void ender_done(struct store_write *write);

static void ender_insert(struct slot *slot)
{
    slot->prediction = support_prediction(NULL, clock_now_us());
    slot->write = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                        .prediction = &slot->prediction,
                                        .done = ender_done,
                                        .context = slot };
    store_submit(slot->ender->store, &slot->write);
}

static void ender_end(struct slot *slot)
{
    const struct prediction *p = &slot->prediction;
    slot->usage = (struct store_usage){ .account = "alice",
                                        .token = "t",
                                        .model = "owner/model",
                                        .day = 1,
                                        .runs = 1,
                                        .cost_microusd = 3 };
    slot->delivery = (struct store_delivery){ .prediction = p->id,
                                              .account = "alice",
                                              .url = "https://example.com",
                                              .created_us = 1,
                                              .next_us = 1 };
    snprintf(slot->delivery.id, sizeof slot->delivery.id, "msg_%s", p->id);
    slot->write = (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                        .move = { .id = p->id,
                                                  .from = 1u << PREDICTION_STARTING,
                                                  .to = PREDICTION_SUCCEEDED,
                                                  .completed_us = 1,
                                                  .usage = &slot->usage,
                                                  .delivery = &slot->delivery },
                                        .done = ender_done,
                                        .context = slot };
    store_submit(slot->ender->store, &slot->write);
}

static void ender_done(struct store_write *done)
{
    struct slot *slot = done->context;
    if (!done->ok || !done->applied)
        _exit(3);
    if (done->kind == STORE_PREDICTION_INSERT) {
        ender_end(slot);
        return;
    }
    if (write(slot->ender->pipe, slot->prediction.id, ID_PREDICTION_LEN) != ID_PREDICTION_LEN)
        _exit(3);
    ender_insert(slot);
}

static void ender_main(const char *location, int pipe)
{
    static struct ender ender;
    ender.pipe = pipe;
    if (!store_open(location, &ender.store, NULL))
        _exit(2);
    for (int i = 0; i < FLIGHT; i++) {
        ender.slots[i].ender = &ender;
        ender_insert(&ender.slots[i]);
    }
    for (;;)
        pause();
}

static void an_end_its_webhook_and_its_cost_survive_together(void **state)
{
    enum { ROUNDS = 3, IDS_MAX = 20000 };
    struct fixture *f = *state;
    struct store_account alice = { "alice", NULL, true, 0 };
    char(*ids)[ID_PREDICTION_LEN + 1] = calloc(IDS_MAX, sizeof *ids);
    int count = 0, ended = 0, owed = 0, rows = 0;
    support_open(f);
    support_write(f, (struct store_write){ .kind = STORE_ACCOUNT_PUT, .account_row = &alice });
    store_close(f->store);
    f->store = NULL;
    for (int round = 0; round < ROUNDS; round++)
        kill_after(ender_main, f->location, 30 + 90 * round, ids, IDS_MAX, &count);
    support_open(f);
    for (int i = 0; i < count; i++)
        assert_int_equal(support_get(f, ids[i]).status, PREDICTION_SUCCEEDED);
    struct store_prediction_query query = { .account = "alice", .limit = 1000 };
    struct prediction *page;
    for (int page_count = 1; page_count > 0;) {
        arena_reset(&f->arena);
        assert_true(
            store_prediction_list(f->store, &query, &f->arena, &page, &page_count, &f->err));
        for (int i = 0; i < page_count; i++) {
            struct store_delivery *delivery;
            int deliveries = -1;
            bool has_ended = page[i].status == PREDICTION_SUCCEEDED;
            assert_true(store_delivery_list(f->store, NULL, page[i].id, 2, &f->arena, &delivery,
                                            &deliveries, &f->err));
            assert_int_equal(deliveries, has_ended);
            ended += has_ended;
            owed += deliveries;
        }
        if (page_count > 0)
            query.before.created_us = page[page_count - 1].created_us;
        if (page_count > 0)
            memcpy(query.before.id, page[page_count - 1].id, sizeof page->id);
    }
    struct store_usage *usage;
    assert_true(ended >= count && owed == ended);
    assert_true(store_usage_list(f->store, "alice", 1, 1, &f->arena, &usage, &rows, &f->err));
    assert_int_equal(rows, 1);
    assert_int_equal(usage[0].runs, ended);
    assert_true(store_account_get(f->store, "alice", &f->arena, &alice, &f->err));
    assert_int_equal(alice.credit_microusd, -3 * ended);
    free(ids);
}

/* ---- Several processes --------------------------------------------------------------------- */

/* A child that adds `count` predictions and one token, then ends with 0. With a gate it begins
 * when something can be read there. Must be forked before this process opens the store. */
static pid_t start_writer(const struct fixture *f, int number, int count, int gate)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    struct fixture mine = *f;
    char go;
    if (gate >= 0 && read(gate, &go, 1) != 1)
        _exit(5);
    if (!store_open(mine.location, &mine.store, &mine.err))
        _exit(2);
    for (int i = 0; i < count; i++) {
        struct prediction p = support_prediction(NULL, 1 + number * 1000 + i);
        if (!support_insert(&mine, &p))
            _exit(3);
    }
    struct store_token token = { .name = "", .account = "alice", .prefix = "r8_", .created_us = 1 };
    token.hash[0] = (unsigned char)number;
    snprintf(token.id, sizeof token.id, "token-%d", token.hash[0]);
    struct store_write write = { .kind = STORE_TOKEN_INSERT, .token = &token };
    if (!store_write_wait(mine.store, &write, &mine.err))
        _exit(4);
    store_close(mine.store);
    _exit(0);
}

static void processes_share_a_store(void **state)
{
    enum { PROCESSES = 3, COUNT = 150 };
    struct fixture *f = *state;
    pid_t children[PROCESSES];
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    pid_t late = start_writer(f, PROCESSES + 1, 0, gate[0]);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start_writer(f, i + 1, COUNT, -1); /* they create the store together */
    support_open(f);
    int64_t before = 0, after = 0, runs = 0;
    for (int i = 0; i < COUNT; i++)
        support_add(f, support_prediction(NULL, 10000 + i).id, 10000 + i);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_true(store_run_count(f->store, "owner/model", &runs, &f->err));
    assert_int_equal(runs, (PROCESSES + 1) * COUNT);
    assert_true(store_token_generation(f->store, &before, &f->err));
    assert_int_equal(write(gate[1], "!", 1), 1);
    int status = -1;
    assert_int_equal(waitpid(late, &status, 0), late);
    assert_int_equal(status, 0);
    assert_true(store_token_generation(f->store, &after, &f->err));
    assert_true(after > before);
    close(gate[0]);
    close(gate[1]);
    struct store_token *tokens;
    int count = 0;
    assert_true(store_token_list(f->store, NULL, 0, &f->arena, &tokens, &count, &f->err));
    assert_int_equal(count, PROCESSES + 1);
}

/* ---- A disk that refuses ------------------------------------------------------------------- */

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_gives_errors_and_heals(void **state)
{
    struct fixture *f = *state;
    char *large = malloc(4u << 20);
    memset(large, 'x', 4u << 20);
    signal(SIGXFSZ, SIG_IGN);
    support_open(f);
    support_add(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1);
    set_file_limit(2u << 20);
    struct prediction p = support_prediction("bbbbbbbbbbbbbbbbbbbbbbbbbb", 2);
    p.input = (struct str){ large, 4u << 20 };
    for (int i = 0; i < 3; i++) {
        assert_false(support_insert(f, &p));
        assert_int_equal(f->err.kind, ERR_UNAVAILABLE);
    }
    support_get(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_false(store_prediction_get(f->store, NULL, p.id, &f->arena, &p, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    support_add(f, "cccccccccccccccccccccccccc", 3); /* a small one still fits */
    set_file_limit(RLIM_INFINITY);
    assert_true(support_insert(f, &p));
    support_reopen(f);
    assert_int_equal(support_get(f, "bbbbbbbbbbbbbbbbbbbbbbbbbb").input.len, 4u << 20);
    support_get(f, "cccccccccccccccccccccccccc");
    int64_t runs = 0;
    assert_true(store_run_count(f->store, "owner/model", &runs, &f->err));
    assert_int_equal(runs, 3);
    free(large);
}

struct batch_item {
    struct prediction prediction;
    struct store_write write;
    pthread_mutex_t *lock;
    int *left;
};

static void batch_done(struct store_write *write)
{
    struct batch_item *item = write->context;
    pthread_mutex_lock(item->lock);
    --*item->left;
    pthread_mutex_unlock(item->lock);
}

static void one_write_too_large_for_the_disk_spares_the_others(void **state)
{
    enum { COUNT = 20 };
    struct fixture *f = *state;
    static struct batch_item items[COUNT];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int left = COUNT;
    char *large = malloc(4u << 20);
    memset(large, 'x', 4u << 20);
    signal(SIGXFSZ, SIG_IGN);
    support_open(f);
    set_file_limit(2u << 20);
    for (int i = 0; i < COUNT; i++) {
        items[i] = (struct batch_item){ .lock = &lock, .left = &left };
        items[i].prediction = support_prediction(NULL, 1 + i);
        if (i == COUNT / 2)
            items[i].prediction.input = (struct str){ large, 4u << 20 };
        items[i].write = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                               .prediction = &items[i].prediction,
                                               .done = batch_done,
                                               .context = &items[i] };
        store_submit(f->store, &items[i].write);
    }
    support_reopen(f); /* waits for all of them */
    set_file_limit(RLIM_INFINITY);
    assert_int_equal(left, 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(items[i].write.ok, i != COUNT / 2);
        if (i != COUNT / 2)
            support_get(f, items[i].prediction.id);
    }
    free(large);
}

static void an_unknown_scheme_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = { "", "nosuch:path", "path", "sqlit", "sqlite", ":" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(store_open(wrong[i], &f->store, &f->err));
        assert_int_equal(f->err.kind, ERR_INVALID);
        assert_null(f->store);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup_closed, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(closing_finishes_what_was_submitted),
        CASE(what_was_acknowledged_survives_kill_9),
        CASE(an_end_its_webhook_and_its_cost_survive_together),
        CASE(processes_share_a_store),
        CASE(a_full_disk_gives_errors_and_heals),
        CASE(one_write_too_large_for_the_disk_spares_the_others),
        CASE(an_unknown_scheme_is_refused),
    };
    return cmocka_run_group_tests_name("store durability", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
