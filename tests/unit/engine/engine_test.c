/* The engine itself: options, and the arena's marks. */
#include "unit/engine/engine_fixture.h"

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct engine *engine = NULL;
    struct err err = { 0 };
    assert_false(engine_new(&(struct engine_options){ .threads = -1 }, &engine, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(
        engine_new(&(struct engine_options){ .threads = ENGINE_THREADS_MAX + 1 }, &engine, &err));
    assert_null(engine);
    engine_free(NULL);
}

static void the_block_follows_the_instruction_set(void **state)
{
    (void)state;
    for (int isa = ENGINE_ISA_PLAIN; isa <= ENGINE_ISA_AVX512; isa++) {
        struct engine *engine =
            fixture_engine((struct engine_options){ .isa = (enum engine_isa)isa });
        if (!engine)
            continue;
        assert_int_equal(engine_block(engine), isa == ENGINE_ISA_AVX512 ? 16 : 8);
        engine_free(engine);
    }
}

static void releasing_to_a_mark_gives_the_same_memory_again(void **state)
{
    (void)state;
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 2 });
    struct tensor kept = fixture_tensor(engine, 64, 33, 31);
    memset(kept.data, 1, tensor_bytes(&kept));
    size_t mark = engine_mark(engine);
    struct tensor first = fixture_tensor(engine, 48, 100, 100);
    memset(first.data, 2, tensor_bytes(&first));
    assert_true((char *)first.data >= (char *)kept.data + tensor_bytes(&kept));
    assert_int_equal((uintptr_t)first.data % 64, 0);
    size_t peak = engine_arena_bytes_peak(engine);
    engine_release(engine, mark);
    struct tensor second = fixture_tensor(engine, 16, 3, 3);
    assert_ptr_equal(first.data, second.data);
    assert_int_equal(engine_arena_bytes_peak(engine), peak);
    for (size_t i = 0; i < tensor_bytes(&kept); i++)
        assert_int_equal(((char *)kept.data)[i], 1);
    engine_free(engine);
}

static void a_full_arena_is_an_error_and_stays_usable(void **state)
{
    (void)state;
    struct engine *engine =
        fixture_engine((struct engine_options){ .threads = 1, .arena_bytes_max = 1 << 20 });
    struct err err = { 0 };
    struct tensor tensor;
    assert_false(engine_tensor(engine, 64, 1024, 1024, &tensor, &err));
    assert_int_equal(err.kind, ERR_NO_MEMORY);
    assert_false(engine_tensor(engine, 0, 1, 1, &tensor, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(engine_tensor(engine, 16, 64, 64, &tensor, &err));
    engine_free(engine);
}

static void a_slice_is_a_view(void **state)
{
    (void)state;
    struct engine *engine = fixture_engine((struct engine_options){ .threads = 1 });
    int block = engine_block(engine);
    struct tensor both = fixture_tensor(engine, 3 * block, 5, 7);
    struct tensor slice = tensor_slice(&both, block, 2 * block);
    memset(both.data, 0, tensor_bytes(&both));
    ((float *)slice.data)[fixture_index(&slice, block, 4, 6)] = 3;
    assert_true(fixture_get(&both, 2 * block, 4, 6) == 3.0f);
    assert_int_equal(tensor_bytes(&slice), 2 * tensor_bytes(&both) / 3);
    engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(the_block_follows_the_instruction_set),
        cmocka_unit_test(releasing_to_a_mark_gives_the_same_memory_again),
        cmocka_unit_test(a_full_arena_is_an_error_and_stays_usable),
        cmocka_unit_test(a_slice_is_a_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
