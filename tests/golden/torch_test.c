/* torch's checkpoints against what torch says is in them: both forms, two pickle protocols, every
 * element type, views of all kinds, and much that is no tensor. The files and the expectation
 * (safetensors) are made by tests/reference/make_torch_seeds.py. Exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "weights/weights.h"

static struct weights *opened(const char *path)
{
    struct weights *weights = NULL;
    struct err err = { 0 };
    if (!weights_open(path, &weights, &err))
        fail_msg("%s%s", err.detail, err.cause);
    return weights;
}

static void assert_same(const struct weight *weight, const struct weight *expected)
{
    if (!expected)
        fail_msg("%s is not expected", weight->name);
    if (weight->type != expected->type || weight->rank != expected->rank ||
        memcmp(weight->shape, expected->shape, sizeof weight->shape) != 0 ||
        weight->count != expected->count || weight->bytes != expected->bytes)
        fail_msg("%s is of another type or shape", weight->name);
    if (weight->bytes && memcmp(weight->data, expected->data, weight->bytes) != 0)
        fail_msg("%s has other values", weight->name);
}

/* Every tensor of the file is as expected, and there are `count`. */
static void assert_file(const char *path, size_t count)
{
    struct weights *weights = opened(path), *expected = opened("tests/golden/torch.safetensors");
    assert_int_equal(weights_format(weights), WEIGHTS_TORCH);
    assert_int_equal(weights_count(weights), count);
    for (size_t i = 0; i < count; i++) {
        const struct weight *weight = weights_at(weights, i);
        assert_same(weight, weights_find(expected, weight->name));
    }
    weights_close(weights);
    weights_close(expected);
}

#define VIEWS 2 /* of torch_views.pth; all others are in each of the other files */

static void every_form_gives_the_same_tensors(void **state)
{
    (void)state;
    struct weights *expected = opened("tests/golden/torch.safetensors");
    size_t count = weights_count(expected) - VIEWS;
    assert_true(count > 40);
    weights_close(expected);
    assert_file("tests/golden/torch_zip.pth", count);
    assert_file("tests/golden/torch_zip_protocol4.pth", count);
    assert_file("tests/golden/torch_old.pth", count);
}

static void views_of_one_storage_are_told_apart(void **state)
{
    (void)state;
    struct weights *weights = opened("tests/golden/torch_views.pth");
    struct weights *expected = opened("tests/golden/torch.safetensors");
    assert_int_equal(weights_count(weights), VIEWS);
    assert_same(weights_find(weights, "a"), weights_find(expected, "views.a"));
    assert_same(weights_find(weights, "b"), weights_find(expected, "views.b"));
    weights_close(weights);
    weights_close(expected);
}

static void a_part_is_entered(void **state)
{
    (void)state;
    struct weights *weights = opened("tests/golden/torch_old.pth");
    assert_null(weights_find(weights, "turned"));
    assert_false(weights_enter(weights, "params"));
    assert_true(weights_enter(weights, "params_ema"));
    assert_int_equal(weights_find(weights, "turned")->shape[0], 6);
    assert_null(weights_find(weights, "network.conv.weight"));
    assert_false(weights_enter(weights, "turned"));
    weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_same_tensors),
        cmocka_unit_test(views_of_one_storage_are_told_apart),
        cmocka_unit_test(a_part_is_entered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
