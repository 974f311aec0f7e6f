/* Resizing against OpenCV's own results, made by tests/reference/resample.py: nine sizes, one to
 * four channels, three types, four filters (nearest: torch's).
 * 8-bit values are equal. 16-bit ones may differ by one level in one of a hundred values (sums of
 * f32 in another order; measured: 0.3 %); floats by 1e-6 (measured: 6e-7). */
#include "golden.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "image/resample.h"
#include "weights/weights.h"

static const char *const types[] = { "u8", "u16", "f32" };
static const char *const filters[] = { "nearest", "linear", "area", "lanczos4" };

#define SIZES 9

struct tally {
    int64_t values, different;
    double worst;
};

static const struct weight *fixture(const struct weights *weights, const char *type, int number,
                                    const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%d.%s", type, number, what);
    const struct weight *weight = weights_find(weights, name);
    assert_non_null(weight);
    assert_int_equal(weight->rank, 3);
    return weight;
}

static double value_at(enum resample_type type, const void *values, int64_t i)
{
    if (type == RESAMPLE_U8)
        return ((const uint8_t *)values)[i];
    return type == RESAMPLE_U16 ? ((const uint16_t *)values)[i] : ((const float *)values)[i];
}

/* The fixture's numbers in their type; 16-bit ones come as floats. Free with free. */
static void *typed(enum resample_type type, const struct weight *weight)
{
    size_t count = (size_t)weight->count;
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    memcpy(values, weight->data, weight->bytes);
    for (size_t i = 0; type == RESAMPLE_U16 && i < count; i++)
        ((uint16_t *)(void *)values)[i] = (uint16_t)values[i];
    return values;
}

static void compare(const struct weights *weights, enum resample_type type,
                    enum resample_filter filter, int number, struct tally *tally)
{
    struct err err = { 0 };
    struct resample *resample = NULL;
    const struct weight *from = fixture(weights, types[type], number, "from");
    const struct weight *to = fixture(weights, types[type], number, filters[filter]);
    struct resample_options options = {
        .filter = filter,
        .type = type,
        .channels = (int)from->shape[2],
        .from = { (int)from->shape[1], (int)from->shape[0] },
        .to = { (int)to->shape[1], (int)to->shape[0] },
    };
    void *pixels = typed(type, from), *wanted = typed(type, to);
    void *result = malloc((size_t)to->count * sizeof(float));
    assert_non_null(result);
    assert_true(resample_new(&options, &resample, &err));
    assert_true(resample_run(resample, pixels, result, &err));
    for (int64_t i = 0; i < to->count; i++) {
        double off = fabs(value_at(type, result, i) - value_at(type, wanted, i));
        assert_true(isfinite(off));
        tally->values++;
        tally->different += off > (type == RESAMPLE_F32 ? 1e-6 : 0);
        tally->worst = fmax(tally->worst, off);
    }
    resample_free(resample);
    free(pixels);
    free(wanted);
    free(result);
}

static void resizes_as_opencv_does(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct weights *weights = NULL;
    assert_true(weights_open("tests/golden/resample.safetensors", &weights, &err));
    for (int type = RESAMPLE_U8; type <= RESAMPLE_F32; type++)
        for (int filter = RESAMPLE_NEAREST; filter <= RESAMPLE_LANCZOS4; filter++) {
            struct tally tally = { 0 };
            for (int number = 0; number < SIZES; number++)
                compare(weights, type, filter, number, &tally);
            printf("%s %s: %" PRId64 " of %" PRId64 " values differ, by at most %g\n", types[type],
                   filters[filter], tally.different, tally.values, tally.worst);
            assert_true(tally.worst <= (type == RESAMPLE_U8 ? 0 : type == RESAMPLE_U16 ? 1 : 1e-6));
            assert_true(tally.different * 100 <= tally.values);
        }
    weights_close(weights);
}

static void refuses_what_has_no_size(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct resample *resample = NULL;
    struct resample_options options = { .channels = 4, .from = { 3, 3 }, .to = { 0, 3 } };
    assert_false(resample_new(&options, &resample, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    options.to.width = 3;
    options.channels = RESAMPLE_CHANNELS_MAX + 1;
    assert_false(resample_new(&options, &resample, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes_as_opencv_does),
        cmocka_unit_test(refuses_what_has_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
