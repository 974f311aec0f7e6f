/* Key tables against files made here: what is told, counted and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "golden/seeded.h"
#include "nn/keys.h"
#include "weights/weights.h"

/* A file of what `has` lists, compared with `wanted`. */
static bool compared(const struct keys *wanted, const struct keys *has, struct keys_match *match,
                     struct err *err)
{
    struct weights *weights = NULL;
    size_t bytes = 0;
    void *file = seeded_file(has, &bytes);
    if (!weights_open_memory(file, bytes, &weights, err))
        fail_msg("%s", err->detail);
    bool ok = keys_check(wanted, weights, match, err);
    weights_close(weights);
    free(file);
    return ok;
}

static void tables_list_the_layers_of_torch(void **state)
{
    (void)state;
    static const char *const names[] = {
        "c.weight", "c.bias", "d.weight",       "l.weight",      "l.bias",
        "n.weight", "n.bias", "n.running_mean", "n.running_var", "n.num_batches_tracked",
    };
    struct keys *keys = keys_new("Net");
    struct keys_match match;
    struct err err = { 0 };
    keys_add_conv(keys, "c", 4, 3, 5, true);
    keys_add_conv(keys, "d", 4, 1, 3, false);
    keys_add_linear(keys, "l", 2, 6);
    keys_add_batch_norm(keys, "n", 4);
    assert_true(keys_ok(keys, &err));
    assert_int_equal(keys_count(keys), 10);
    for (size_t i = 0; i < 10; i++)
        assert_string_equal(keys_at(keys, i)->name, names[i]);
    assert_null(keys_at(keys, 10));
    assert_int_equal(keys_at(keys, 0)->rank, 4);
    assert_int_equal(keys_at(keys, 0)->shape[1], 3);
    assert_int_equal(keys_at(keys, 0)->shape[3], 5);
    assert_int_equal(keys_at(keys, 3)->shape[1], 6);
    assert_int_equal(keys_at(keys, 9)->need, KEY_UNUSED);
    /* A file without the counter, which is not needed. */
    assert_true(compared(keys, keys, &match, &err));
    assert_int_equal(match.expected, 10);
    assert_int_equal(match.matched, 9);
    assert_int_equal(match.missing + match.unexpected + match.misshapen, 0);
    keys_free(keys);
}

static void misfits_are_counted_and_named(void **state)
{
    (void)state;
    struct keys *wanted = keys_new("GFPGAN"), *has = keys_new("a file");
    struct keys_match match;
    struct err err = { 0 };
    for (int i = 0; i < 5; i++)
        keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(2), "gone%d", i);
    keys_add(wanted, KEY_OPTIONAL, KEYS_SHAPE(2), "may_be");
    keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(3, 5), "d");
    keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(1), "same");
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(3, 4), "d");
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(1), "same");
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(1), "extra");
    assert_false(compared(wanted, has, &match, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.detail,
                        "The weights do not fit GFPGAN: 5 tensors are missing (gone0, gone1, gone2 "
                        "and 2 more), 1 is unexpected (extra), 1 has another shape (d is 3 x 4 "
                        "where 3 x 5 is wanted).");
    assert_int_equal(match.expected, 7);
    assert_int_equal(match.matched, 1);
    assert_int_equal(match.missing, 5);
    assert_int_equal(match.unexpected, 1);
    assert_int_equal(match.misshapen, 1);
    keys_free(wanted);
    keys_free(has);
}

static void one_misfit_reads_as_one(void **state)
{
    (void)state;
    struct keys *wanted = keys_new("Net"), *has = keys_new("a file");
    struct err err = { 0 };
    keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(2), "a");
    keys_add(wanted, KEY_OPTIONAL, 0, NULL, "b");
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(2), "a");
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(1), "b");
    assert_false(compared(wanted, has, NULL, &err));
    assert_string_equal(err.detail, "The weights do not fit Net: 1 tensor has another shape (b is "
                                    "1 where one number is wanted).");
    keys_free(wanted);
    keys_free(has);
}

/* Names so long that none fits: the counts are still told. */
static void the_sentence_fits_whatever_the_names(void **state)
{
    (void)state;
    char name[KEYS_NAME_BYTES];
    struct keys *wanted = keys_new("Net"), *has = keys_new("a file");
    struct err err = { 0 };
    memset(name, 'x', sizeof name - 2);
    name[sizeof name - 2] = '\0';
    keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(1), "1%s", name);
    keys_add(has, KEY_REQUIRED, KEYS_SHAPE(1), "2%s", name);
    assert_false(compared(wanted, has, NULL, &err));
    assert_string_equal(err.detail,
                        "The weights do not fit Net: 1 tensor is missing, 1 is unexpected.");
    keys_free(wanted);
    keys_free(has);
}

static void mistakes_in_a_table_are_told(void **state)
{
    (void)state;
    char name[KEYS_NAME_BYTES + 1];
    struct err err = { 0 };
    struct keys *keys = keys_new("Net");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1), "twice");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(2), "%s", "twice");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1), "later");
    assert_false(keys_ok(keys, &err));
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_non_null(strstr(err.detail, "twice"));
    assert_int_equal(keys_count(keys), 1);
    assert_false(compared(keys, keys, NULL, &err));
    keys_free(keys);

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    keys = keys_new("Net");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1), "%s", name);
    assert_false(keys_ok(keys, &err));
    keys_free(keys);

    keys = keys_new("Net");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(1, 1, 1, 1, 1, 1), "deep");
    assert_false(keys_ok(keys, &err));
    keys_free(keys);

    keys_add(NULL, KEY_REQUIRED, KEYS_SHAPE(1), "no memory");
    assert_false(keys_ok(NULL, &err));
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    keys_free(NULL);
}

/* More keys than the first allocation, in an order that is not theirs. */
static void long_tables_are_searched(void **state)
{
    (void)state;
    struct keys *wanted = keys_new("Net"), *has = keys_new("a file");
    struct keys_match match;
    struct err err = { 0 };
    for (int i = 0; i < 1000; i++) {
        keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(1), "k%d", i * 389 % 1000);
        keys_add(has, KEY_REQUIRED, KEYS_SHAPE(1), "k%d", i);
    }
    assert_true(compared(wanted, has, &match, &err));
    assert_int_equal(match.matched, 1000);
    keys_add(wanted, KEY_REQUIRED, KEYS_SHAPE(1), "k%d", 777);
    assert_false(keys_ok(wanted, &err));
    keys_free(wanted);
    keys_free(has);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_list_the_layers_of_torch),
        cmocka_unit_test(misfits_are_counted_and_named),
        cmocka_unit_test(one_misfit_reads_as_one),
        cmocka_unit_test(the_sentence_fits_whatever_the_names),
        cmocka_unit_test(mistakes_in_a_table_are_told),
        cmocka_unit_test(long_tables_are_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
