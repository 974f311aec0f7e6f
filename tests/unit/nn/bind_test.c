/* Filters filled by name: batch norms folded, transposed and grouped ones too, and what does not
 * fit is named. The filters are looked at before they are packed: nothing is convolved here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "engine/engine.h"
#include "golden/seeded.h"
#include "nn/bind.h"
#include "nn/keys.h"
#include "weights/weights.h"

#define EPS 1e-3f

struct fixture {
    struct engine *engine;
    void *file;
    struct weights *weights;
};

/* The weights that `keys` lists, with seeded values; the list is freed. */
static struct fixture fixture_new(struct keys *keys)
{
    struct fixture fixture = { 0 };
    struct err err = { 0 };
    size_t bytes = 0;
    assert_true(keys_ok(keys, &err));
    fixture.file = seeded_file(keys, &bytes);
    keys_free(keys);
    assert_true(weights_open_memory(fixture.file, bytes, &fixture.weights, &err));
    assert_true(engine_new(&(struct engine_options){ .threads = 1 }, &fixture.engine, &err));
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    weights_close(fixture->weights);
    free(fixture->file);
    engine_free(fixture->engine);
}

static float value(const struct fixture *fixture, const char *name, size_t index)
{
    const struct weight *weight = weights_find(fixture->weights, name);
    float number;
    assert_non_null(weight);
    memcpy(&number, (const char *)weight->data + 4 * index, sizeof number);
    return number;
}

/* Every tap and bias of a filter "c" with the norm "n" behind it, against the norm's own formula.
 * `output` tells the output channel of a tap. */
static void assert_folded(const struct conv_shape *shape, size_t taps,
                          int (*output)(size_t tap, const struct conv_shape *shape))
{
    struct keys *keys = keys_new("Net");
    struct err err = { 0 };
    struct conv_filter *filter = NULL;
    int k = shape->kernel, groups = shape->groups ? shape->groups : 1;
    int outer = shape->transposed ? shape->in_channels : shape->out_channels;
    int inner = (shape->transposed ? shape->out_channels : shape->in_channels) / groups;
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(outer, inner, k, k), "c.weight");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(shape->out_channels), "c.bias");
    keys_add_batch_norm(keys, "n", shape->out_channels);
    struct fixture fixture = fixture_new(keys);
    if (!bind_conv(fixture.engine, fixture.weights, "c", "n", EPS, shape, &filter, &err))
        fail_msg("%s", err.detail);
    for (size_t i = 0; i < taps; i++) {
        size_t channel = (size_t)output(i, shape);
        float scale = value(&fixture, "n.weight", channel) /
                      sqrtf(value(&fixture, "n.running_var", channel) + EPS);
        float wanted = value(&fixture, "c.weight", i) * scale;
        assert_true(fabsf(conv_filter_weights(filter)[i] - wanted) < 1e-6f);
        wanted = (value(&fixture, "c.bias", channel) - value(&fixture, "n.running_mean", channel)) *
                     scale +
                 value(&fixture, "n.bias", channel);
        assert_true(fabsf(conv_filter_bias(filter)[channel] - wanted) < 1e-6f);
    }
    conv_filter_free(filter);
    fixture_free(&fixture);
}

static int output_of_plain(size_t tap, const struct conv_shape *shape)
{
    int groups = shape->groups ? shape->groups : 1;
    return (int)tap / (shape->in_channels / groups * shape->kernel * shape->kernel);
}

static int output_of_transposed(size_t tap, const struct conv_shape *shape)
{
    return (int)tap / (shape->kernel * shape->kernel) % shape->out_channels;
}

static void batch_norms_are_folded(void **state)
{
    (void)state;
    assert_folded(&(struct conv_shape){ .out_channels = 4, .in_channels = 3, .kernel = 3 }, 108,
                  output_of_plain);
    assert_folded(
        &(struct conv_shape){ .out_channels = 4, .in_channels = 4, .kernel = 3, .groups = 4 }, 36,
        output_of_plain);
    assert_folded(
        &(struct conv_shape){
            .out_channels = 2, .in_channels = 5, .kernel = 2, .transposed = true },
        40, output_of_transposed);
}

static void layers_without_bias_or_norm_are_bound(void **state)
{
    (void)state;
    struct keys *keys = keys_new("Net");
    struct err err = { 0 };
    struct conv_filter *filter = NULL;
    struct linear *linear = NULL;
    const struct conv_shape shape = { .out_channels = 3, .in_channels = 5, .kernel = 1 };
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3, 5), "l.weight");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3, 5, 1, 1), "c.weight");
    struct fixture fixture = fixture_new(keys);
    /* A linear layer's weight in a 1x1 filter, and the other way round. */
    assert_true(
        bind_conv(fixture.engine, fixture.weights, "l", "absent", EPS, &shape, &filter, &err));
    for (size_t i = 0; i < 15; i++)
        assert_true(conv_filter_weights(filter)[i] == value(&fixture, "l.weight", i));
    assert_true(conv_filter_bias(filter)[2] == 0);
    assert_true(bind_linear(fixture.engine, fixture.weights, "c", 3, 5, &linear, &err));
    for (size_t i = 0; i < 15; i++)
        assert_true(linear_weights(linear)[i] == value(&fixture, "c.weight", i));
    assert_true(linear_bias(linear)[2] == 0);
    linear_free(linear);

    /* y = W (x * 2 + 1) + b */
    static const float two[5] = { 2, 2, 2, 2, 2 }, one[5] = { 1, 1, 1, 1, 1 };
    float sum = 0;
    bind_fold_input(filter, 3, 5, two, one);
    for (size_t i = 5; i < 10; i++) {
        assert_true(conv_filter_weights(filter)[i] == 2 * value(&fixture, "l.weight", i));
        sum += value(&fixture, "l.weight", i);
    }
    assert_true(fabsf(conv_filter_bias(filter)[1] - sum) < 1e-6f);
    conv_filter_free(filter);
    fixture_free(&fixture);
}

static void values_are_padded_with_zeros(void **state)
{
    (void)state;
    struct keys *keys = keys_new("Net");
    struct err err = { 0 };
    float *values = NULL;
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(17), "v");
    struct fixture fixture = fixture_new(keys);
    assert_true(bind_values(fixture.weights, "v", 17, &values, &err));
    assert_true(values[16] == value(&fixture, "v", 16));
    for (int i = 17; i < 32; i++)
        assert_true(values[i] == 0);
    free(values);
    assert_false(bind_values(fixture.weights, "v", 16, &values, &err));
    assert_string_equal(err.detail, "The tensor \"v\" has 17 numbers where 16 are wanted.");
    assert_false(bind_values(fixture.weights, "w", 16, &values, &err));
    assert_string_equal(err.detail, "The weights have no tensor \"w\".");
    fixture_free(&fixture);
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    struct keys *keys = keys_new("Net");
    struct err err = { 0 };
    struct conv_filter *filter = NULL;
    struct linear *linear = NULL;
    const struct conv_shape shape = { .out_channels = 3, .in_channels = 5, .kernel = 3 };
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3, 5, 3, 3), "c.weight");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(4), "c.bias");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(5, 3, 3, 3), "d.weight");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3, 5, 3, 3), "e.weight");
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(3), "n.weight");
    struct fixture fixture = fixture_new(keys);
    assert_false(bind_conv(fixture.engine, fixture.weights, "c", NULL, 0, &shape, &filter, &err));
    assert_string_equal(err.detail, "The tensor \"c.bias\" is 4 where 3 is wanted.");
    assert_false(bind_conv(fixture.engine, fixture.weights, "d", NULL, 0, &shape, &filter, &err));
    assert_string_equal(err.detail,
                        "The tensor \"d.weight\" is 5 x 3 x 3 x 3 where 3 x 5 x 3 x 3 is wanted.");
    assert_false(bind_conv(fixture.engine, fixture.weights, "e", "n", 0, &shape, &filter, &err));
    assert_string_equal(err.detail, "The weights have no tensor \"n.bias\".");
    assert_false(bind_linear(fixture.engine, fixture.weights, "f", 3, 5, &linear, &err));
    assert_string_equal(err.detail, "The weights have no tensor \"f.weight\".");
    assert_null(filter);
    assert_null(linear);
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norms_are_folded),
        cmocka_unit_test(layers_without_bias_or_norm_are_bound),
        cmocka_unit_test(values_are_padded_with_zeros),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
