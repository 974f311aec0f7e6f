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

static void cancel_after_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* 0: refused */
    } rows[] = {
        { "30", 30 },      { "30s", 30 },    { "5m", 300 },
        { "2h", 7200 },    { "1m30s", 90 },  { "1h30m45s", 5445 },
        { "2h30m", 9000 }, { "1h5s", 3605 }, { " 90s ", 90 },
        { "5", 5 },        { "24h", 86400 }, { "86400", 86400 },
        { "4", 0 },        { "4s", 0 },      { "86401", 0 },
        { "24h1s", 0 },    { "", 0 },        { "soon", 0 },
        { "-5", 0 },       { "5.5", 0 },     { "30s5m", 0 },
        { "5m5m", 0 },     { "1h30", 0 },    { "s", 0 },
        { "1d", 0 },       { "10 s", 0 },    { "99999999999999999999", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t after_us = 0;

        assert_int_equal(envelope_cancel_after_us(str_from(rows[i].text), &after_us),
                         rows[i].seconds > 0);
        assert_int_equal(after_us, rows[i].seconds * 1000000);
    }
}

static void idempotency_keys_are_printable(void **state)
{
    char text[257];

    (void)state;
    memset(text, 'k', 256);
    text[256] = 0;
    assert_false(envelope_key_is_valid(str_from(text)));
    assert_true(envelope_key_is_valid((struct str){ text, 255 }));
    assert_true(envelope_key_is_valid(S("a b-~!")));
    assert_false(envelope_key_is_valid(S("")));
    assert_false(envelope_key_is_valid(S("a\tb")));
    assert_false(envelope_key_is_valid(S("\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_after_is_read),
        cmocka_unit_test(idempotency_keys_are_printable),
        cmocka_unit_test(good_bodies_pass),
        cmocka_unit_test(errors_have_the_captured_bytes),
        cmocka_unit_test(no_json_is_an_error_of_its_own),
        cmocka_unit_test(prefer_is_understood_or_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
