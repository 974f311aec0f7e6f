/* The contract of store/store.h, over every registered back end: records, conditions.
 * Lists and pages: store_list_test.c. What survives crashes, full disks and other processes:
 * store_durability_test.c. */
#include "conformance/store_support.h"

#include <pthread.h>

#define STARTING (1u << PREDICTION_STARTING)
#define PROCESSING (1u << PREDICTION_PROCESSING)

static void an_inserted_prediction_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction("0123456789abcdefghjkmnpqrs", 1700000000123456);
    p.status = PREDICTION_PROCESSING;
    p.output = S("[\"blob:x/y.png\"]");
    p.logs = S("line\nline \xc3\xa9\n");
    p.error = "an error";
    p.started_us = 5;
    p.completed_us = 6;
    p.deadline_us = 7;
    p.metrics = S("{\"predict_time\":0.8}");
    p.webhook = "https://example.com/hook";
    p.webhook_events_filter = S("[\"completed\"]");
    p.deployment = "alice/fast";
    p.attempts = 2;
    p.cancel_requested = true;
    p.data_removed = true;
    p.token = "0123456789abcdef";
    p.base_url = "https://mimeo.example";
    p.is_training = true;
    p.destination = "alice/portraits";
    assert_true(support_insert(f, &p));
    for (int reopened = 0; reopened < 2; reopened++) {
        struct prediction q = support_get(f, p.id);
        assert_string_equal(q.id, p.id);
        assert_string_equal(q.account, "alice");
        assert_string_equal(q.model, "owner/model");
        assert_string_equal(q.version, "v1");
        assert_string_equal(q.source, "api");
        support_assert_str(q.input, "{\"a\":1}");
        support_assert_str(q.output, "[\"blob:x/y.png\"]");
        support_assert_str(q.logs, "line\nline \xc3\xa9\n");
        assert_string_equal(q.error, "an error");
        assert_int_equal(q.status, PREDICTION_PROCESSING);
        assert_int_equal(q.created_us, 1700000000123456);
        assert_int_equal(q.started_us, 5);
        assert_int_equal(q.completed_us, 6);
        assert_int_equal(q.deadline_us, 7);
        support_assert_str(q.metrics, "{\"predict_time\":0.8}");
        assert_string_equal(q.webhook, "https://example.com/hook");
        support_assert_str(q.webhook_events_filter, "[\"completed\"]");
        assert_string_equal(q.deployment, "alice/fast");
        assert_int_equal(q.attempts, 2);
        assert_true(q.cancel_requested && q.data_removed);
        assert_string_equal(q.token, "0123456789abcdef");
        assert_string_equal(q.base_url, "https://mimeo.example");
        assert_true(q.is_training);
        assert_string_equal(q.destination, "alice/portraits");
        support_reopen(f);
    }
}

static void absent_fields_come_back_absent(void **state)
{
    struct fixture *f = *state;
    support_add(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1);
    struct prediction q = support_get(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_null(q.error);
    assert_null(q.webhook);
    assert_null(q.deployment);
    assert_null(q.token);
    assert_null(q.base_url);
    assert_null(q.destination);
    assert_false(q.is_training);
    assert_int_equal(q.output.len + q.logs.len + q.metrics.len + q.webhook_events_filter.len, 0);
    assert_int_equal(q.started_us + q.completed_us + q.deadline_us, 0);
}

static void a_prediction_is_found_only_by_its_account_and_id(void **state)
{
    struct fixture *f = *state;
    struct prediction q = { .attempts = 77 };
    const char *const wrong[] = { "", "x", "aaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaa",
                                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    support_add(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(store_prediction_get(f->store, NULL, wrong[i], &f->arena, &q, &f->err));
        assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    }
    assert_false(store_prediction_get(f->store, "bob", "aaaaaaaaaaaaaaaaaaaaaaaaaa", &f->arena, &q,
                                      &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    assert_int_equal(q.attempts, 77);
    assert_true(store_prediction_get(f->store, "alice", "aaaaaaaaaaaaaaaaaaaaaaaaaa", &f->arena, &q,
                                     &f->err));
}

/* ---- Batches ------------------------------------------------------------------------------- */

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int left;
    int order[512], ordered;
};

static void count_down(struct store_write *write)
{
    struct counter *counter = write->context;
    pthread_mutex_lock(&counter->lock);
    counter->order[counter->ordered++ % 512] = write->kind;
    if (--counter->left == 0)
        pthread_cond_signal(&counter->wake);
    pthread_mutex_unlock(&counter->lock);
}

static void count_wait(struct counter *counter)
{
    pthread_mutex_lock(&counter->lock);
    while (counter->left > 0)
        pthread_cond_wait(&counter->wake, &counter->lock);
    pthread_mutex_unlock(&counter->lock);
}

static void a_conflict_costs_only_its_own_write(void **state)
{
    enum { COUNT = 400 };
    struct fixture *f = *state;
    struct counter counter = {
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, COUNT, { 0 }, 0
    };
    struct prediction *p = calloc(COUNT, sizeof *p);
    struct store_write *writes = calloc(COUNT, sizeof *writes);
    for (int i = 0; i < COUNT; i++) {
        p[i] = support_prediction(NULL, 1000 + i);
        if (i % 10 == 9)
            memcpy(p[i].id, p[i - 1].id, sizeof p[i].id);
        writes[i] = (struct store_write){ .kind = STORE_PREDICTION_INSERT,
                                          .prediction = &p[i],
                                          .done = count_down,
                                          .context = &counter };
        store_submit(f->store, &writes[i]);
    }
    count_wait(&counter);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(writes[i].ok, i % 10 != 9);
        assert_int_equal(writes[i].err.kind, i % 10 == 9 ? ERR_CONFLICT : ERR_NONE);
        assert_int_equal(support_get(f, p[i].id).created_us, i % 10 == 9 ? 999 + i : 1000 + i);
    }
    int64_t runs = 0;
    assert_true(store_run_count(f->store, "owner/model", &runs, &f->err));
    assert_int_equal(runs, COUNT - COUNT / 10);
    free(p);
    free(writes);
}

static void writes_of_one_id_keep_their_order(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 20; round++) {
        struct counter counter = {
            PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 3, { 0 }, 0
        };
        struct prediction p = support_prediction(NULL, 1000 + round);
        struct store_write writes[3] = {
            { .kind = STORE_PREDICTION_INSERT, .prediction = &p },
            { .kind = STORE_PREDICTION_CANCEL_REQUEST, .id = p.id },
            { .kind = STORE_PREDICTION_MOVE,
              .move = { .id = p.id, .from = STARTING, .to = PREDICTION_CANCELED } },
        };
        for (int i = 0; i < 3; i++) {
            writes[i].done = count_down;
            writes[i].context = &counter;
            store_submit(f->store, &writes[i]);
        }
        count_wait(&counter);
        for (int i = 0; i < 3; i++) {
            assert_true(writes[i].ok && writes[i].applied);
            assert_int_equal(counter.order[i], (int)writes[i].kind);
        }
    }
}

/* ---- Moves --------------------------------------------------------------------------------- */

static void a_move_happens_only_from_the_named_states(void **state)
{
    struct fixture *f = *state;
    const char *id = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    support_add(f, id, 1);
    struct store_write w = support_move(f, id, PROCESSING, PREDICTION_SUCCEEDED);
    assert_false(w.applied);
    assert_int_equal(w.status, PREDICTION_STARTING);
    w = support_move(f, id, STARTING, PREDICTION_PROCESSING);
    assert_true(w.applied);
    w = support_move(f, id, STARTING | PROCESSING, PREDICTION_FAILED);
    assert_true(w.applied);
    w = support_move(f, id, STARTING | PROCESSING, PREDICTION_SUCCEEDED);
    assert_false(w.applied);
    assert_int_equal(w.status, PREDICTION_FAILED);
    w = support_move(f, "zzzzzzzzzzzzzzzzzzzzzzzzzz", STARTING, PREDICTION_PROCESSING);
    assert_false(w.applied);
    assert_int_equal(w.status, PREDICTION_STATUS_COUNT);
}

static void a_move_changes_only_what_it_carries(void **state)
{
    struct fixture *f = *state;
    const char *id = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    support_add(f, id, 1);
    struct store_write start = { .kind = STORE_PREDICTION_MOVE,
                                 .move = { .id = id,
                                           .from = STARTING,
                                           .to = PREDICTION_PROCESSING,
                                           .started_us = 10,
                                           .logs = S("first"),
                                           .attempts_add = 1 } };
    assert_true(store_write_wait(f->store, &start, &f->err));
    struct store_write requeue = {
        .kind = STORE_PREDICTION_MOVE,
        .move = { .id = id, .from = PROCESSING, .to = PREDICTION_STARTING, .clear_started = true }
    };
    assert_true(store_write_wait(f->store, &requeue, &f->err));
    struct prediction p = support_get(f, id);
    assert_int_equal(p.started_us, 0);
    assert_int_equal(p.attempts, 1);
    support_assert_str(p.logs, "first");
    struct store_write end = { .kind = STORE_PREDICTION_MOVE,
                               .move = { .id = id,
                                         .from = STARTING | PROCESSING,
                                         .to = PREDICTION_FAILED,
                                         .completed_us = 20,
                                         .output = S("[1]"),
                                         .metrics = S("{}"),
                                         .error = "no",
                                         .attempts_add = 1 } };
    assert_true(store_write_wait(f->store, &end, &f->err));
    p = support_get(f, id);
    assert_int_equal(p.status, PREDICTION_FAILED);
    assert_int_equal(p.completed_us, 20);
    assert_int_equal(p.attempts, 2);
    support_assert_str(p.output, "[1]");
    support_assert_str(p.logs, "first");
    support_assert_str(p.input, "{\"a\":1}");
    assert_string_equal(p.error, "no");
}

struct mover {
    struct store *store;
    const struct prediction *predictions;
    int count, won, number;
};

static void *mover_main(void *context)
{
    struct mover *mover = context;
    static const enum prediction_status ends[] = { PREDICTION_SUCCEEDED, PREDICTION_FAILED,
                                                   PREDICTION_CANCELED };
    for (int i = 0; i < mover->count; i++) {
        struct store_write write = { .kind = STORE_PREDICTION_MOVE,
                                     .move = { .id = mover->predictions[i].id,
                                               .from = STARTING | PROCESSING,
                                               .to = ends[(mover->number + i) % 3],
                                               .attempts_add = 1 } };
        if (store_write_wait(mover->store, &write, NULL))
            mover->won += write.applied;
    }
    return NULL;
}

static void of_many_movers_exactly_one_ends_a_prediction(void **state)
{
    enum { COUNT = 40, MOVERS = 8 };
    struct fixture *f = *state;
    struct prediction p[COUNT];
    struct mover movers[MOVERS];
    pthread_t threads[MOVERS];
    for (int i = 0; i < COUNT; i++) {
        p[i] = support_prediction(NULL, 1 + i);
        assert_true(support_insert(f, &p[i]));
    }
    for (int i = 0; i < MOVERS; i++) {
        movers[i] = (struct mover){ f->store, p, COUNT, 0, i };
        assert_int_equal(pthread_create(&threads[i], NULL, mover_main, &movers[i]), 0);
    }
    int won = 0;
    for (int i = 0; i < MOVERS; i++) {
        pthread_join(threads[i], NULL);
        won += movers[i].won;
    }
    assert_int_equal(won, COUNT);
    for (int i = 0; i < COUNT; i++) {
        struct prediction q = support_get(f, p[i].id);
        assert_true(prediction_status_is_terminal(q.status));
        assert_int_equal(q.attempts, 1);
    }
}

static void a_cancel_request_is_for_unfinished_predictions(void **state)
{
    struct fixture *f = *state;
    const char *id = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    support_add(f, id, 1);
    struct store_write write = { .kind = STORE_PREDICTION_CANCEL_REQUEST, .id = id };
    assert_true(store_write_wait(f->store, &write, &f->err) && write.applied);
    assert_true(support_get(f, id).cancel_requested);
    support_move(f, id, STARTING, PREDICTION_CANCELED);
    assert_true(store_write_wait(f->store, &write, &f->err) && !write.applied);
    assert_int_equal(write.status, PREDICTION_CANCELED);
    write.id = "zzzzzzzzzzzzzzzzzzzzzzzzzz";
    assert_true(store_write_wait(f->store, &write, &f->err) && !write.applied);
    assert_int_equal(write.status, PREDICTION_STATUS_COUNT);
}

/* ---- Files, tokens, settings --------------------------------------------------------------- */

static bool file_insert(struct fixture *f, const char *id, const char *account, int64_t created_us,
                        int64_t expires_us)
{
    struct store_file file = { .account = account,
                               .name = "a b.png",
                               .content_type = "image/png",
                               .metadata = S("{\"k\":\"v\"}"),
                               .size = 5000000000,
                               .created_us = created_us,
                               .expires_us = expires_us,
                               .sha256 = "ab",
                               .md5 = "cd",
                               .blob = "key/name" };
    snprintf(file.id, sizeof file.id, "%s", id);
    struct store_write write = { .kind = STORE_FILE_INSERT, .file = &file };
    return store_write_wait(f->store, &write, &f->err);
}

static void files_are_kept_listed_and_deleted_by_account(void **state)
{
    struct fixture *f = *state;
    struct store_file file, *page;
    int count = 0;
    assert_true(file_insert(f, "f1", "alice", 10, 1000));
    assert_true(file_insert(f, "f2", "alice", 10, 2000));
    assert_true(file_insert(f, "f3", "alice", 20, 500));
    assert_true(file_insert(f, "f4", "bob", 30, 1000));
    assert_false(file_insert(f, "f1", "bob", 99, 99));
    assert_int_equal(f->err.kind, ERR_CONFLICT);
    assert_true(store_file_get(f->store, "alice", "f1", &f->arena, &file, &f->err));
    assert_string_equal(file.name, "a b.png");
    assert_string_equal(file.content_type, "image/png");
    support_assert_str(file.metadata, "{\"k\":\"v\"}");
    assert_int_equal(file.size, 5000000000);
    assert_string_equal(file.sha256, "ab");
    assert_string_equal(file.md5, "cd");
    assert_string_equal(file.blob, "key/name");
    assert_false(store_file_get(f->store, "bob", "f1", &f->arena, &file, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    assert_true(store_file_list(f->store, "alice", (struct store_position){ 0 }, 10, 500, &f->arena,
                                &page, &count, &f->err));
    assert_int_equal(count, 2); /* f3 is expired */
    assert_string_equal(page[0].id, "f2");
    struct store_position before = { 10, "f2" };
    assert_true(
        store_file_list(f->store, "alice", before, 10, 500, &f->arena, &page, &count, &f->err));
    assert_int_equal(count, 1);
    assert_string_equal(page[0].id, "f1");
    assert_true(store_file_list(f->store, NULL, (struct store_position){ 0 }, 10, 0, &f->arena,
                                &page, &count, &f->err));
    assert_int_equal(count, 4);
    assert_true(store_file_expired(f->store, 1000, 2, &f->arena, &page, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(page[0].id, "f3");
    struct store_write gone = { .kind = STORE_FILE_DELETE, .id = "f1", .account = "bob" };
    assert_true(store_write_wait(f->store, &gone, &f->err) && !gone.applied);
    gone.account = "alice";
    assert_true(store_write_wait(f->store, &gone, &f->err) && gone.applied);
    assert_true(store_write_wait(f->store, &gone, &f->err) && !gone.applied);
    assert_false(store_file_get(f->store, NULL, "f1", &f->arena, &file, &f->err));
}

static void a_revoked_token_is_no_longer_found(void **state)
{
    struct fixture *f = *state;
    struct store_token token = { .id = "0123456789abcdef",
                                 .name = "laptop",
                                 .account = "alice",
                                 .prefix = "r8_abc",
                                 .hash = { 1, 2, 3, 0, 5 },
                                 .created_us = 7 };
    struct store_token found, *all;
    int64_t first = 0, second = 0, third = 0;
    int count = 0;
    assert_true(store_token_generation(f->store, &first, &f->err));
    struct store_write insert = { .kind = STORE_TOKEN_INSERT, .token = &token };
    assert_true(store_write_wait(f->store, &insert, &f->err));
    assert_true(store_token_generation(f->store, &second, &f->err));
    assert_true(second > first);
    struct store_token same = token;
    snprintf(same.id, sizeof same.id, "another");
    struct store_write again = { .kind = STORE_TOKEN_INSERT, .token = &same };
    assert_false(store_write_wait(f->store, &again, &f->err));
    assert_int_equal(f->err.kind, ERR_CONFLICT);
    assert_true(store_token_find(f->store, token.hash, &f->arena, &found, &f->err));
    assert_string_equal(found.id, token.id);
    assert_string_equal(found.name, "laptop");
    assert_string_equal(found.account, "alice");
    assert_string_equal(found.prefix, "r8_abc");
    assert_memory_equal(found.hash, token.hash, sizeof token.hash);
    struct store_write revoke = { .kind = STORE_TOKEN_REVOKE, .id = token.id };
    assert_true(store_write_wait(f->store, &revoke, &f->err) && revoke.applied);
    assert_true(store_token_generation(f->store, &third, &f->err));
    assert_true(third > second);
    assert_true(store_write_wait(f->store, &revoke, &f->err) && !revoke.applied);
    assert_false(store_token_find(f->store, token.hash, &f->arena, &found, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    assert_true(store_token_list(f->store, NULL, 0, &f->arena, &all, &count, &f->err));
    assert_int_equal(count, 1);
    assert_true(all[0].revoked_us > 0 && all[0].created_us == 7);
}

static struct store_token token_of(const char *id, unsigned char hash)
{
    struct store_token token = { .name = id, .account = "alice", .prefix = "", .created_us = hash };
    snprintf(token.id, sizeof token.id, "%s", id);
    token.hash[0] = hash;
    return token;
}

static void token_add(struct fixture *f, const struct store_token *token)
{
    struct store_write write = { .kind = STORE_TOKEN_INSERT, .token = token };
    assert_true(store_write_wait(f->store, &write, &f->err));
}

static void a_token_comes_back_with_what_it_may(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("t1", 1), found, *list;
    int count = 0;
    token.scopes = STORE_SCOPE_RUN | STORE_SCOPE_OPERATE;
    token.kind = STORE_TOKEN_SESSION;
    token.creates_per_minute = 60;
    token.predictions_per_day = 500;
    token.expires_us = 1000;
    token_add(f, &token);
    assert_true(store_token_find(f->store, token.hash, &f->arena, &found, &f->err));
    assert_int_equal(found.scopes, STORE_SCOPE_RUN | STORE_SCOPE_OPERATE);
    assert_int_equal(found.kind, STORE_TOKEN_SESSION);
    assert_int_equal(found.creates_per_minute, 60);
    assert_int_equal(found.predictions_per_day, 500);
    assert_int_equal(found.expires_us, 1000);
    assert_int_equal(found.last_used_us, 0);
    struct store_write used = { .kind = STORE_TOKEN_USED, .token_used = { "t1", 77 } };
    assert_true(store_write_wait(f->store, &used, &f->err) && used.applied);
    used.token_used.used_us = 50;
    assert_true(store_write_wait(f->store, &used, &f->err) && !used.applied);
    support_reopen(f);
    assert_true(store_token_list(f->store, "alice", 0, &f->arena, &list, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].last_used_us, 77);
}

static void tokens_are_listed_by_account_and_validity_without_codes(void **state)
{
    struct fixture *f = *state;
    struct store_token token = token_of("old", 1), *list;
    int count = 0;
    token.expires_us = 100;
    token_add(f, &token);
    token = token_of("young", 2);
    token.expires_us = 101;
    token_add(f, &token);
    token = token_of("gone", 3);
    token.revoked_us = 5;
    token_add(f, &token);
    token = token_of("code", 4);
    token.kind = STORE_TOKEN_CODE;
    token_add(f, &token);
    token = token_of("bobs", 5);
    token.account = "bob";
    token_add(f, &token);
    assert_true(store_token_list(f->store, "alice", 100, &f->arena, &list, &count, &f->err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].id, "young");
    assert_true(store_token_list(f->store, "alice", 0, &f->arena, &list, &count, &f->err));
    assert_int_equal(count, 3);
    assert_true(store_token_list(f->store, NULL, 200, &f->arena, &list, &count, &f->err));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].id, "bobs");
    struct store_write revoke = { .kind = STORE_TOKEN_REVOKE, .id = "bobs", .account = "alice" };
    assert_true(store_write_wait(f->store, &revoke, &f->err) && !revoke.applied);
    revoke.account = "bob";
    assert_true(store_write_wait(f->store, &revoke, &f->err) && revoke.applied);
}

/* Exchange the code with that hash at that time; was it? */
static bool exchange(struct fixture *f, unsigned char code, const char *id, int64_t now_us)
{
    static unsigned char next = 100;
    struct store_token made = token_of(id, next++);
    unsigned char hash[32] = { code };
    struct store_write write = { .kind = STORE_TOKEN_EXCHANGE,
                                 .exchange = { hash, &made, now_us } };
    struct store_token found;
    assert_true(store_write_wait(f->store, &write, &f->err));
    /* Both or neither. */
    assert_int_equal(store_token_find(f->store, made.hash, &f->arena, &found, NULL), write.applied);
    return write.applied;
}

static void a_code_is_exchanged_once_in_time_for_its_account(void **state)
{
    struct fixture *f = *state;
    struct store_token code = token_of("c1", 1);
    code.kind = STORE_TOKEN_CODE;
    code.expires_us = 100;
    token_add(f, &code);
    code = token_of("c2", 2);
    code.kind = STORE_TOKEN_CODE;
    code.expires_us = 100;
    code.account = "bob";
    token_add(f, &code);
    struct store_token plain = token_of("c3", 3);
    plain.expires_us = 100;
    token_add(f, &plain);
    assert_false(exchange(f, 1, "late", 100));
    assert_false(exchange(f, 9, "unknown", 99));
    assert_false(exchange(f, 2, "another", 99)); /* alice's token for bob's code */
    assert_false(exchange(f, 3, "token", 99));   /* a token is no code */
    assert_true(exchange(f, 1, "first", 99));
    assert_false(exchange(f, 1, "second", 99));
}

static void sessions_and_codes_are_swept_when_they_have_long_expired(void **state)
{
    struct fixture *f = *state;
    struct store_token found;
    for (unsigned char i = 1; i <= 5; i++) {
        struct store_token token = token_of("", i);
        snprintf(token.id, sizeof token.id, "t%d", i);
        token.kind = i == 1 ? STORE_TOKEN_KEY : i == 2 ? STORE_TOKEN_CODE : STORE_TOKEN_SESSION;
        token.expires_us = i == 4 ? 500 : i == 5 ? 0 : 499;
        token_add(f, &token);
    }
    struct store_write sweep = { .kind = STORE_SWEEP, .sweep = { .tokens_before_us = 500 } };
    assert_true(store_write_wait(f->store, &sweep, &f->err) && !sweep.applied);
    for (unsigned char i = 1; i <= 5; i++) {
        unsigned char hash[32] = { i };
        bool kept = i == 1 || i == 4 || i == 5;
        assert_int_equal(store_token_find(f->store, hash, &f->arena, &found, NULL), kept);
    }
}

static void a_setting_is_put_or_only_added(void **state)
{
    struct fixture *f = *state;
    struct str value;
    assert_false(store_setting_get(f->store, "secret", &f->arena, &value, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
    struct store_write put = { .kind = STORE_SETTING_PUT,
                               .setting = { "secret", { "a\0b", 3 }, .only_if_absent = true } };
    assert_true(store_write_wait(f->store, &put, &f->err) && put.applied);
    put.setting.value = S("other");
    assert_true(store_write_wait(f->store, &put, &f->err) && !put.applied);
    assert_true(store_setting_get(f->store, "secret", &f->arena, &value, &f->err));
    assert_int_equal(value.len, 3);
    assert_memory_equal(value.ptr, "a\0b", 3);
    put.setting.only_if_absent = false;
    assert_true(store_write_wait(f->store, &put, &f->err) && put.applied);
    assert_true(store_setting_get(f->store, "secret", &f->arena, &value, &f->err));
    support_assert_str(value, "other");
}

static void runs_are_counted_per_model(void **state)
{
    struct fixture *f = *state;
    int64_t count = -1;
    assert_true(store_run_count(f->store, "nobody/nothing", &count, &f->err));
    assert_int_equal(count, 0);
    for (int i = 0; i < 7; i++) {
        struct prediction p = support_prediction(NULL, 1 + i);
        p.model = i < 5 ? "a/b" : "c/d";
        assert_true(support_insert(f, &p));
    }
    assert_true(store_run_count(f->store, "a/b", &count, &f->err));
    assert_int_equal(count, 5);
    assert_true(store_run_count(f->store, "c/d", &count, &f->err));
    assert_int_equal(count, 2);
}

static void a_record_too_large_for_the_arena_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct arena small;
    struct prediction q;
    support_add(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1);
    arena_init(&small, 8);
    assert_false(
        store_prediction_get(f->store, NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaa", &small, &q, &f->err));
    assert_int_equal(f->err.kind, ERR_NO_MEMORY);
    arena_done(&small);
    support_get(f, "aaaaaaaaaaaaaaaaaaaaaaaaaa"); /* the reader is free again */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_inserted_prediction_comes_back_whole),
        CASE(absent_fields_come_back_absent),
        CASE(a_prediction_is_found_only_by_its_account_and_id),
        CASE(a_conflict_costs_only_its_own_write),
        CASE(writes_of_one_id_keep_their_order),
        CASE(a_move_happens_only_from_the_named_states),
        CASE(a_move_changes_only_what_it_carries),
        CASE(of_many_movers_exactly_one_ends_a_prediction),
        CASE(a_cancel_request_is_for_unfinished_predictions),
        CASE(files_are_kept_listed_and_deleted_by_account),
        CASE(a_revoked_token_is_no_longer_found),
        CASE(a_token_comes_back_with_what_it_may),
        CASE(tokens_are_listed_by_account_and_validity_without_codes),
        CASE(a_code_is_exchanged_once_in_time_for_its_account),
        CASE(sessions_and_codes_are_swept_when_they_have_long_expired),
        CASE(a_setting_is_put_or_only_added),
        CASE(runs_are_counted_per_model),
        CASE(a_record_too_large_for_the_arena_is_an_error),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
