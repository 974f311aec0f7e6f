/* The body of a create request and its Prefer header; and how its errors are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/envelope.h"
#include "api/problem.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* NULL when the body is accepted, else the whole 422 body. */
static void check(const char *body, bool with_version, const char *expected)
{
    struct envelope_request request;
    struct validation_error *errors;
    struct envelope *envelope;
    struct arena arena;
    struct buf text;
    struct err err;

    assert_true(envelope_new(&envelope, &err));
    arena_init(&arena, 1 << 20);
    buf_init(&text, 1 << 20);
    if (envelope_parse(envelope, str_from(body), with_version, &arena, &request, &errors, &err)) {
        assert_null(expected);
        assert_non_null(request.input);
        envelope_request_done(&request);
    } else {
        assert_non_null(errors);
        problem_write_validation(errors, &text);
        assert_string_equal(text.ptr, expected);
    }
    buf_done(&text);
    arena_done(&arena);
    envelope_free(envelope);
}

static void good_bodies_pass(void **state)
{
    (void)state;
    check("{\"version\":\"x\",\"input\":{}}", true, NULL);
    check("{\"webhook\":\"https://a/\",\"webhook_events_filter\":[\"start\",\"completed\"],"
          "\"stream\":true,\"input\":{\"a\":1},\"version\":\"x\"}",
          true, NULL);
    check("{\"input\":{}}", false, NULL);
}

static void errors_have_the_captured_bytes(void **state)
{
    (void)state;
    check("{\"input\":{},\"model\":\"a/b\"}", true,
          "{\"detail\":\"- version is required\\n- Additional property model is not allowed\\n\","
          "\"status\":422,\"title\":\"Input validation failed\",\"invalid_fields\":["
          "{\"type\":\"required\",\"field\":\"\",\"description\":\"version is required\"},"
          "{\"type\":\"additional_property_not_allowed\",\"field\":\"\","
          "\"description\":\"Additional property model is not allowed\"}]}");
    check("{\"input\":{},\"webhook_events_filter\":[\"bad\"]}", false,
          "{\"detail\":\"- webhook_events_filter.0: webhook_events_filter.0 must be one of the "
          "following: \\\"start\\\", \\\"output\\\", \\\"logs\\\", \\\"completed\\\"\\n\","
          "\"status\":422,\"title\":\"Input validation failed\",\"invalid_fields\":["
          "{\"type\":\"enum\",\"field\":\"webhook_events_filter.0\",\"description\":"
          "\"webhook_events_filter.0 must be one of the following: \\\"start\\\", \\\"output\\\", "
          "\\\"logs\\\", \\\"completed\\\"\"}]}");
    check("{\"version\":\"v\"}", false,
          "{\"detail\":\"- input is required\\n- Additional property version is not allowed\\n\","
          "\"status\":422,\"title\":\"Input validation failed\",\"invalid_fields\":["
          "{\"type\":\"required\",\"field\":\"\",\"description\":\"input is required\"},"
          "{\"type\":\"additional_property_not_allowed\",\"field\":\"\","
          "\"description\":\"Additional property version is not allowed\"}]}");
    check("{\"input\":{},\"<a>\":1}", false,
          "{\"detail\":\"- Additional property \\u003ca\\u003e is not allowed\\n\","
          "\"status\":422,\"title\":\"Input validation failed\",\"invalid_fields\":["
          "{\"type\":\"additional_property_not_allowed\",\"field\":\"\","
          "\"description\":\"Additional property \\u003ca\\u003e is not allowed\"}]}");
}

static void no_json_is_an_error_of_its_own(void **state)
{
    static const char *const bodies[] = { "",     "{",   "{\"input\":{}}x",
                                          "\xff", "nul", "{\"a\":1,\"a\":2}" };
    struct envelope *envelope;

    (void)state;
    assert_true(envelope_new(&envelope, NULL));
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct validation_error *errors;
        struct envelope_request request;
        struct arena arena;
        struct err err = { 0 };

        arena_init(&arena, 1 << 20);
        assert_false(
            envelope_parse(envelope, str_from(bodies[i]), true, &arena, &request, &errors, &err));
        assert_null(errors);
        assert_int_equal(err.kind, ERR_INVALID);
        arena_done(&arena);
    }
    envelope_free(envelope);
}

static void prefer_is_understood_or_ignored(void **state)
{
    static const struct {
        const char *header;
        int wait_ms;
        const char *applied;
    } rows[] = {
        { NULL, 0, NULL },
        { "", 0, NULL },
        { "wait", 59500, "wait" },
        { "wait=10", 10000, "wait=10" },
        { "wait=1", 1000, "wait=1" },
        { "wait=60", 59500, "wait=60" },
        { "wait=99", 59500, "wait=99" },
        { "Wait=5", 5000, "Wait=5" },
        { "respond-async, wait=3", 3000, "wait=3" },
        { "wait=0", 0, NULL },
        { "wait=-1", 0, NULL },
        { "wait=abc", 0, NULL },
        { "wait=", 0, NULL },
        { "waiting", 0, NULL },
        { "wait=99999999999999999999", 0, NULL },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *applied = NULL;

        assert_int_equal(envelope_prefer_ms(rows[i].header, &arena, &applied), rows[i].wait_ms);
        if (rows[i].applied)
            assert_string_equal(applied, rows[i].applied);
        else
            assert_null(applied);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies_pass),
        cmocka_unit_test(errors_have_the_captured_bytes),
        cmocka_unit_test(no_json_is_an_error_of_its_own),
        cmocka_unit_test(prefer_is_understood_or_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
