/* The contract of store/store.h about documents, over every registered back end. */
#include "conformance/store_support.h"

static struct store_write put(struct fixture *f, struct store_document document,
                              enum store_condition condition)
{
    return support_write(f, (struct store_write){ .kind = STORE_DOCUMENT_PUT,
                                                  .document = &document,
                                                  .condition = condition });
}

static struct store_document document_of(const char *kind, const char *id, int64_t created_us,
                                         struct str json)
{
    return (struct store_document){ .kind = kind,
                                    .id = id,
                                    .account = "alice",
                                    .created_us = created_us,
                                    .updated_us = created_us,
                                    .json = json };
}

static struct store_document get(struct fixture *f, const char *kind, const char *id)
{
    struct store_document document = { 0 };
    if (!store_document_get(f->store, kind, id, &f->arena, &document, &f->err))
        fail_msg("%s %s: %s", kind, id, f->err.detail);
    return document;
}

static void a_document_is_kept_replaced_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct store_document gone, first = document_of("model", "alice/a", 10, S("{\"a\":1}"));
    assert_true(put(f, first, STORE_ANY).applied);
    support_reopen(f);
    struct store_document found = get(f, "model", "alice/a");
    assert_string_equal(found.kind, "model");
    assert_string_equal(found.id, "alice/a");
    assert_string_equal(found.account, "alice");
    assert_int_equal(found.created_us, 10);
    assert_int_equal(found.updated_us, 10);
    support_assert_str(found.json, "{\"a\":1}");
    assert_true(put(f, document_of("model", "alice/a", 20, S("{\"a\":2}")), STORE_ANY).applied);
    found = get(f, "model", "alice/a");
    assert_int_equal(found.created_us, 10); /* stays */
    assert_int_equal(found.updated_us, 20);
    support_assert_str(found.json, "{\"a\":2}");
    struct store_write delete = { .kind = STORE_DOCUMENT_DELETE, .document = &first };
    assert_true(support_write(f, delete).applied);
    assert_false(support_write(f, delete).applied);
    assert_false(store_document_get(f->store, "model", "alice/a", &f->arena, &gone, &f->err));
    assert_int_equal(f->err.kind, ERR_NOT_FOUND);
}

static void a_put_can_ask_for_absence_or_presence(void **state)
{
    struct fixture *f = *state;
    struct store_document first = document_of("deployment", "alice/d", 10, S("{\"n\":1}"));
    assert_false(put(f, first, STORE_IF_PRESENT).applied);
    assert_true(put(f, first, STORE_IF_ABSENT).applied);
    struct store_document second = document_of("deployment", "alice/d", 20, S("{\"n\":2}"));
    assert_false(put(f, second, STORE_IF_ABSENT).applied);
    support_assert_str(get(f, "deployment", "alice/d").json, "{\"n\":1}");
    assert_true(put(f, second, STORE_IF_PRESENT).applied);
    struct store_document found = get(f, "deployment", "alice/d");
    support_assert_str(found.json, "{\"n\":2}");
    assert_int_equal(found.created_us, 10);
    assert_int_equal(found.updated_us, 20);
    assert_true(put(f, document_of("model", "alice/d", 5, S("{}")), STORE_IF_ABSENT).applied);
    support_assert_str(get(f, "deployment", "alice/d").json, "{\"n\":2}"); /* kinds are apart */
}

static void of_two_in_one_batch_the_first_is_made(void **state)
{
    struct fixture *f = *state;
    struct store_document both[2] = { document_of("model", "alice/a", 1, S("{\"n\":1}")),
                                      document_of("model", "alice/a", 2, S("{\"n\":2}")) };
    struct store_write writes[2];
    for (int i = 0; i < 2; i++)
        writes[i] = (struct store_write){ .kind = STORE_DOCUMENT_PUT,
                                          .document = &both[i],
                                          .condition = STORE_IF_ABSENT };
    support_batch_wait(f, writes, 2);
    assert_true(writes[0].ok && writes[0].applied);
    assert_true(writes[1].ok && !writes[1].applied);
    support_assert_str(get(f, "model", "alice/a").json, "{\"n\":1}");
}

static void a_kind_is_listed_newest_first_up_to_a_limit(void **state)
{
    struct fixture *f = *state;
    struct store_document *documents;
    int count = -1;
    for (int i = 0; i < 300; i++) {
        char id[32];
        snprintf(id, sizeof id, "owner/%03d", (i * 7) % 300);
        struct store_document document = document_of("model", id, 100 + i / 2, S("{}"));
        document.account = i % 3 ? "alice" : "bob";
        assert_true(put(f, document, STORE_IF_ABSENT).applied);
    }
    assert_true(put(f, document_of("version", "v", 1, S("{}")), STORE_ANY).applied);
    assert_true(
        store_document_list(f->store, "model", NULL, 300, &f->arena, &documents, &count, &f->err));
    assert_int_equal(count, 300);
    for (int i = 1; i < count; i++)
        assert_true(documents[i].created_us <= documents[i - 1].created_us);
    assert_true(
        store_document_list(f->store, "model", "bob", 100, &f->arena, &documents, &count, &f->err));
    assert_int_equal(count, 100);
    for (int i = 0; i < count; i++)
        assert_string_equal(documents[i].account, "bob");
    assert_false(
        store_document_list(f->store, "model", "bob", 99, &f->arena, &documents, &count, &f->err));
    assert_int_equal(f->err.kind, ERR_TOO_LARGE);
    assert_true(store_document_list(f->store, "deployment", NULL, 1, &f->arena, &documents, &count,
                                    &f->err));
    assert_int_equal(count, 0);
}

static void a_document_has_a_largest_size(void **state)
{
    struct fixture *f = *state;
    size_t len = STORE_DOCUMENT_BYTES_MAX;
    char *json = malloc(len + 1);
    memset(json, ' ', len + 1);
    struct store_document document = document_of("version", "v", 1, (struct str){ json, len });
    assert_true(put(f, document, STORE_ANY).applied);
    assert_int_equal(get(f, "version", "v").json.len, len);
    document.json.len++;
    struct store_write write = { .kind = STORE_DOCUMENT_PUT, .document = &document };
    assert_false(store_write_wait(f->store, &write, &f->err));
    assert_int_equal(f->err.kind, ERR_TOO_LARGE);
    assert_int_equal(get(f, "version", "v").json.len, len);
    free(json);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, support_setup, support_teardown)

static int run(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_document_is_kept_replaced_and_deleted),
        CASE(a_put_can_ask_for_absence_or_presence),
        CASE(of_two_in_one_batch_the_first_is_made),
        CASE(a_kind_is_listed_newest_first_up_to_a_limit),
        CASE(a_document_has_a_largest_size),
    };
    return cmocka_run_group_tests_name("store documents", tests, NULL, NULL);
}

int main(void)
{
    return support_run(run);
}
