/* The contract of store/store.h, over every registered back end: pages, filters, and the walks of
 * the server's start and of retention. */
#include "conformance/store_support.h"

#define STARTING (1u << PREDICTION_STARTING)

static int list(struct fixture *f, struct store_prediction_query query,
                struct prediction **ret_predictions)
{
    int count = -1;
    if (!store_prediction_list(f->store, &query, &f->arena, ret_predictions, &count, &f->err))
        fail_msg("%s%s", f->err.detail, f->err.cause);
    return count;
}

static struct store_position position_of(const struct prediction *p)
{
    struct store_position position = { .created_us = p->created_us };
    snprintf(position.id, sizeof position.id, "%s", p->id);
    return position;
}

static bool is_newer(const struct prediction *a, const struct prediction *b)
{
    return a->created_us != b->created_us ? a->created_us > b->created_us
                                          : strcmp(a->id, b->id) > 0;
}

/* Walk all pages backwards, then forwards again; each prediction exactly once, in order. */
static void walk_pages(struct fixture *f, const char *account, int limit, int expected)
{
    struct prediction *page, last = { 0 };
    struct store_position before = { 0 };
    int seen = 0, count;
    while ((count = list(f,
                         (struct store_prediction_query){
                             .account = account, .before = before, .limit = limit },
                         &page)) > 0) {
        for (int i = 0; i < count; i++) {
            assert_true(seen == 0 || is_newer(&last, &page[i]));
            last = page[i];
            seen++;
        }
        before = position_of(&last);
    }
    assert_int_equal(seen, expected);
    struct store_position after = position_of(&last); /* the oldest */
    seen = 1;
    while ((count = list(f,
                         (struct store_prediction_query){
                             .account = account, .after = after, .limit = limit },
                         &page)) > 0) {
        assert_true(is_newer(&page[count - 1], &last)); /* the nearest comes last */
        for (int i = 1; i < count; i++)
            assert_true(is_newer(&page[i - 1], &page[i]));
        seen += count;
        last = page[0];
        after = position_of(&last);
    }
    assert_int_equal(seen, expected);
}

static void pages_go_both_ways_also_through_equal_times(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 60; i++) {
        struct prediction p = support_prediction(NULL, 1000 + i / 15); /* 15 per microsecond */
        p.account = i % 3 ? "alice" : "bob";
        assert_true(support_insert(f, &p));
    }
    static const int limits[] = { 1, 4, 7, 100 };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        walk_pages(f, "alice", limits[i], 40);
        walk_pages(f, "bob", limits[i], 20);
        walk_pages(f, NULL, limits[i], 60);
    }
    struct prediction *page;
    assert_int_equal(
        list(f, (struct store_prediction_query){ .account = "eve", .limit = 5 }, &page), 0);
}

static void filters_are_inclusive_and_combine(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        struct prediction p = support_prediction(NULL, 100 + i);
        p.source = i % 2 ? "web" : "api";
        assert_true(support_insert(f, &p));
    }
    struct prediction *page;
    struct store_prediction_query query = {
        .account = "alice", .created_after_us = 102, .created_before_us = 106, .limit = 100
    };
    assert_int_equal(list(f, query, &page), 5);
    assert_int_equal(page[0].created_us, 106);
    assert_int_equal(page[4].created_us, 102);
    query.source = "api";
    assert_int_equal(list(f, query, &page), 3);
    query.before = position_of(&page[0]);
    assert_int_equal(list(f, query, &page), 2);
    query.account = NULL;
    query.limit = 1;
    assert_int_equal(list(f, query, &page), 1);
    assert_int_equal(page[0].created_us, 104);
}

/* Every fourth a training, every third of version "v2", every fifth of a deployment; one per
 * microsecond, of two accounts in turn. */
static void add_of_all_kinds(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct prediction p = support_prediction(NULL, 100 + i);
        p.account = i % 2 ? "bob" : "alice";
        p.is_training = i % 4 < 1;
        p.version = i % 3 ? "v1" : "v2";
        p.deployment = i % 5 ? NULL : "alice/fast";
        assert_true(support_insert(f, &p));
    }
}

static void trainings_and_predictions_have_pages_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct prediction *page;
    add_of_all_kinds(f, 60);
    struct store_prediction_query query = { .account = "alice", .limit = 1000 };
    static const int alices[] = { 15, 15, 30 }, everybodys[] = { 45, 15, 60 };
    for (int kind = STORE_KIND_PREDICTIONS; kind <= STORE_KIND_BOTH; kind++) {
        query.kind = (enum store_kind)kind;
        query.account = "alice";
        int count = list(f, query, &page);
        assert_int_equal(count, alices[kind]);
        for (int i = 0; i < count; i++) {
            assert_string_equal(page[i].account, "alice");
            assert_true(i == 0 || is_newer(&page[i - 1], &page[i]));
            if (kind != STORE_KIND_BOTH)
                assert_int_equal(page[i].is_training, kind == STORE_KIND_TRAININGS);
        }
        query.account = NULL;
        assert_int_equal(list(f, query, &page), everybodys[kind]);
    }
    query.account = "bob"; /* has made none */
    query.kind = STORE_KIND_TRAININGS;
    assert_int_equal(list(f, query, &page), 0);
    query.account = ""; /* nobody, not everybody */
    assert_int_equal(list(f, query, &page), 0);
}

static void pages_of_trainings_go_both_ways(void **state)
{
    struct fixture *f = *state;
    struct prediction *page;
    add_of_all_kinds(f, 40); /* ten trainings: at 100, 104, ... 136 */
    struct store_prediction_query query = { .account = "alice",
                                            .kind = STORE_KIND_TRAININGS,
                                            .limit = 4 };
    assert_int_equal(list(f, query, &page), 4);
    assert_int_equal(page[0].created_us, 136);
    query.before = position_of(&page[3]);
    assert_int_equal(list(f, query, &page), 4);
    assert_int_equal(page[0].created_us, 120);
    query.after = position_of(&page[0]);
    query.before = (struct store_position){ 0 };
    query.account = NULL;
    assert_int_equal(list(f, query, &page), 4);
    assert_int_equal(page[3].created_us, 124);
    assert_int_equal(page[0].created_us, 136);
}

static void pages_can_be_of_one_version_or_deployment(void **state)
{
    struct fixture *f = *state;
    struct prediction *page;
    add_of_all_kinds(f, 60);
    struct store_prediction_query query = { .version = "v2",
                                            .kind = STORE_KIND_BOTH,
                                            .limit = 1000 };
    assert_int_equal(list(f, query, &page), 20);
    query.account = "alice";
    assert_int_equal(list(f, query, &page), 10);
    assert_string_equal(page[0].version, "v2");
    query.kind = STORE_KIND_TRAININGS;
    assert_int_equal(list(f, query, &page), 5);
    query.version = "v3";
    assert_int_equal(list(f, query, &page), 0);
    query = (struct store_prediction_query){ .deployment = "alice/fast",
                                             .account = "bob",
                                             .limit = 1000 };
    assert_int_equal(list(f, query, &page), 6);
    assert_string_equal(page[0].deployment, "alice/fast");
    query.limit = 2;
    assert_int_equal(list(f, query, &page), 2);
    query.deployment = "alice/slow";
    assert_int_equal(list(f, query, &page), 0);
}

/* Who made each, of which model, and how far it is: by its number. */
static void add_of_all_fates(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct prediction p = support_prediction(NULL, 100 + i / 3); /* three per microsecond */
        p.account = i % 10 ? "alice" : "bob";
        p.model = i % 4 ? "owner/model" : "owner/other";
        p.token = i % 5 ? "aaaa" : NULL;
        p.is_training = i % 20 == 1;
        assert_true(support_insert(f, &p));
        if (i % PREDICTION_STATUS_COUNT != PREDICTION_STARTING)
            support_move(f, p.id, STARTING, (enum prediction_status)(i % PREDICTION_STATUS_COUNT));
    }
}

static bool is_wanted(const struct store_prediction_query *query, const struct prediction *p)
{
    return strcmp(p->account, query->account) == 0 && !p->is_training &&
           (!query->model || strcmp(p->model, query->model) == 0) &&
           (!query->token || (p->token && strcmp(p->token, query->token) == 0)) &&
           (!query->statuses || query->statuses & 1u << p->status);
}

/* Both ways through pages of a filtered list: all that are wanted, in order, and no others. */
static void walk_filtered(struct fixture *f, struct store_prediction_query query,
                          const struct prediction *all, int count)
{
    struct prediction *page, *wanted[200];
    int expected = 0, at = 0, got;
    for (int i = 0; i < count; i++) {
        if (is_wanted(&query, &all[i]))
            wanted[expected++] = (struct prediction *)(uintptr_t)&all[i];
    }
    while ((got = list(f, query, &page)) > 0) {
        for (int i = 0; i < got; i++) {
            assert_true(at < expected);
            assert_string_equal(page[i].id, wanted[at]->id);
            assert_int_equal(page[i].status, wanted[at++]->status);
        }
        query.before = position_of(&page[got - 1]);
    }
    assert_int_equal(at, expected);
    query.after = query.before;
    query.before = (struct store_position){ 0 };
    for (at = expected - 1; expected > 0 && (got = list(f, query, &page)) > 0; at -= got) {
        for (int i = 0; i < got; i++)
            assert_string_equal(page[got - 1 - i].id, wanted[at - 1 - i]->id);
        query.after = position_of(&page[0]);
    }
    assert_int_equal(at, expected > 0 ? 0 : -1);
}

static void pages_can_be_of_one_model_token_or_status(void **state)
{
    struct fixture *f = *state;
    struct prediction *all;
    add_of_all_fates(f, 120);
    int count =
        list(f, (struct store_prediction_query){ .kind = STORE_KIND_BOTH, .limit = 1000 }, &all);
    assert_int_equal(count, 120);
    static const char *const models[] = { NULL, "owner/model", "owner/other", "owner/none" };
    static const char *const tokens[] = { NULL, "aaaa", "bbbb" };
    for (unsigned statuses = 0; statuses < 1u << PREDICTION_STATUS_COUNT; statuses++) {
        for (size_t i = 0; i < ARRAY_LEN(models) * ARRAY_LEN(tokens); i++) {
            struct store_prediction_query query = { .account = statuses % 2 ? "alice" : "bob",
                                                    .statuses = statuses,
                                                    .model = models[i % ARRAY_LEN(models)],
                                                    .token = tokens[i / ARRAY_LEN(models)],
                                                    .limit = 7 };
            walk_filtered(f, query, all, count);
            query.account = "alice";
            walk_filtered(f, query, all, count);
        }
    }
}

static void an_outline_says_how_far_one_is_and_keeps_its_timeline(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction(NULL, 5), outline;
    p.logs = S("so far");
    assert_true(support_insert(f, &p));
    assert_true(store_prediction_outline(f->store, "alice", p.id, &f->arena, &outline, &f->err));
    assert_int_equal(outline.created_us, 5);
    assert_int_equal(outline.logs.len + outline.timeline.len, 0); /* not yet */
    support_write(f, (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                                           .move = { .id = p.id,
                                                     .from = STARTING,
                                                     .to = PREDICTION_SUCCEEDED,
                                                     .started_us = 7,
                                                     .completed_us = 9,
                                                     .timeline = S("{\"prepared\":6}") } });
    assert_true(store_prediction_outline(f->store, NULL, p.id, &f->arena, &outline, &f->err));
    assert_int_equal(outline.status, PREDICTION_SUCCEEDED);
    assert_int_equal(outline.started_us, 7);
    assert_int_equal(outline.completed_us, 9);
    support_assert_str(outline.logs, "so far");
    support_assert_str(outline.timeline, "{\"prepared\":6}");
    support_write(f, (struct store_write){ .kind = STORE_PREDICTION_REMOVE_DATA, .id = p.id });
    assert_true(store_prediction_outline(f->store, NULL, p.id, &f->arena, &outline, &f->err));
    assert_int_equal(outline.logs.len, 0);
    support_assert_str(outline.timeline, "{\"prepared\":6}");
    assert_false(store_prediction_outline(f->store, "eve", p.id, &f->arena, &outline, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void predictions_of_an_account_are_counted_since_a_time(void **state)
{
    struct fixture *f = *state;
    int64_t count = -1;
    add_of_all_kinds(f, 60);
    assert_true(store_prediction_count(f->store, "alice", NULL, 0, &count, &f->err));
    assert_int_equal(count, 30);
    assert_true(store_prediction_count(f->store, "alice", NULL, 150, &count, &f->err));
    assert_int_equal(count, 5); /* inclusive; trainings too */
    assert_true(store_prediction_count(f->store, "eve", NULL, 0, &count, &f->err));
    assert_int_equal(count, 0);
}

static void only_finished_predictions_can_be_deleted(void **state)
{
    struct fixture *f = *state;
    struct prediction p = support_prediction(NULL, 1), *page;
    assert_true(support_insert(f, &p));
    struct store_write delete = { .kind = STORE_PREDICTION_DELETE, .id = p.id };
    struct store_write write = support_write(f, delete);
    assert_false(write.applied);
    assert_int_equal(write.status, PREDICTION_STARTING);
    support_move(f, p.id, STARTING, PREDICTION_FAILED);
    assert_true(support_write(f, delete).applied);
    assert_int_equal(list(f, (struct store_prediction_query){ .limit = 9 }, &page), 0);
    write = support_write(f, delete);
    assert_false(write.applied);
    assert_int_equal(write.status, PREDICTION_STATUS_COUNT);
    assert_true(support_insert(f, &p)); /* the id is free */
}

struct seen {
    int count, stop_after;
    int64_t times[16];
};

static bool see(void *context, const struct prediction *prediction)
{
    struct seen *seen = context;
    assert_string_equal(prediction->version, "v1");
    assert_string_equal(prediction->account, "alice");
    assert_int_equal(prediction->deadline_us, prediction->created_us + 1000);
    assert_int_equal(prediction->is_training, prediction->created_us == 50);
    assert_int_equal(prediction->deployment != NULL, prediction->created_us == 50);
    seen->times[seen->count++] = prediction->created_us;
    return seen->count != seen->stop_after;
}

static void unfinished_predictions_come_oldest_first(void **state)
{
    struct fixture *f = *state;
    static const int64_t times[] = { 50, 20, 40, 10, 30 };
    struct prediction p[ARRAY_LEN(times)];
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        p[i] = support_prediction(NULL, times[i]);
        p[i].is_training = i == 0;
        p[i].deployment = i == 0 ? "alice/fast" : NULL;
        p[i].deadline_us = times[i] + 1000;
        assert_true(support_insert(f, &p[i]));
    }
    support_move(f, p[2].id, STARTING, PREDICTION_PROCESSING);
    support_move(f, p[4].id, STARTING, PREDICTION_SUCCEEDED);
    struct seen seen = { .stop_after = -1 };
    assert_true(store_prediction_unfinished(f->store, see, &seen, &f->err));
    assert_int_equal(seen.count, 4);
    for (int i = 1; i < 4; i++)
        assert_true(seen.times[i - 1] < seen.times[i]);
    seen = (struct seen){ .stop_after = 2 };
    assert_true(store_prediction_unfinished(f->store, see, &seen, &f->err));
    assert_int_equal(seen.count, 2);
}

static void data_is_removed_from_finished_predictions_only(void **state)
{
    struct fixture *f = *state;
    struct prediction p[4], *found;
    int count = -1;
    for (int i = 0; i < 4; i++) {
        p[i] = support_prediction(NULL, 1 + i);
        p[i].source = i == 3 ? "web" : "api";
        p[i].is_training = i == 2;
        p[i].output = S("[\"blob:k/n\"]");
        p[i].logs = S("logs");
        p[i].metrics = S("{}");
        assert_true(support_insert(f, &p[i]));
        struct store_write end = { .kind = STORE_PREDICTION_MOVE,
                                   .move = { .id = p[i].id,
                                             .from = STARTING,
                                             .to = PREDICTION_SUCCEEDED,
                                             .completed_us = 100 - i } };
        assert_true(i == 0 || store_write_wait(f->store, &end, &f->err));
    }
    assert_true(store_prediction_removable(f->store, 99, 10, &f->arena, &found, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(found[0].id, p[2].id);
    assert_string_equal(found[0].account, "alice");
    support_assert_str(found[0].output, "[\"blob:k/n\"]");
    assert_true(store_prediction_removable(f->store, 98, 10, &f->arena, &found, &count, &f->err));
    assert_int_equal(count, 1);
    struct store_write write = { .kind = STORE_PREDICTION_REMOVE_DATA, .id = p[2].id };
    assert_true(store_write_wait(f->store, &write, &f->err) && write.applied);
    assert_true(store_write_wait(f->store, &write, &f->err) && !write.applied);
    write.id = p[0].id; /* not finished */
    assert_true(store_write_wait(f->store, &write, &f->err) && !write.applied);
    assert_int_equal(write.status, PREDICTION_STARTING);
    assert_true(store_prediction_removable(f->store, 98, 10, &f->arena, &found, &count, &f->err));
    assert_int_equal(count, 0);
    struct prediction q = support_get(f, p[2].id);
    assert_true(q.data_removed && q.status == PREDICTION_SUCCEEDED);
    assert_int_equal(q.input.len + q.output.len + q.logs.len, 0);
    support_assert_str(q.metrics, "{}");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(pages_go_both_ways_also_through_equal_times),
        CASE(filters_are_inclusive_and_combine),
        CASE(trainings_and_predictions_have_pages_of_their_own),
        CASE(pages_of_trainings_go_both_ways),
        CASE(pages_can_be_of_one_version_or_deployment),
        CASE(pages_can_be_of_one_model_token_or_status),
        CASE(an_outline_says_how_far_one_is_and_keeps_its_timeline),
        CASE(predictions_of_an_account_are_counted_since_a_time),
        CASE(only_finished_predictions_can_be_deleted),
        CASE(unfinished_predictions_come_oldest_first),
        CASE(data_is_removed_from_finished_predictions_only),
    };
    return cmocka_run_group_tests_name("store lists", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
