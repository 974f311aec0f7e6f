/* Streams: tokens, and how events and their positions are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/stream_events.h"
#include "api/stream_link.h"

#define ID "0123456789abcdefghjkmnpqrs"

static const struct str secret = { "secret", 6 };

static void a_token_leads_to_its_prediction_alone(void **state)
{
    char token[STREAM_LINK_FILES_TOKEN_LEN + 1], id[ID_PREDICTION_LEN + 1];

    (void)state;
    for (int files = 0; files < 2; files++) {
        size_t len = files ? STREAM_LINK_FILES_TOKEN_LEN : STREAM_LINK_TOKEN_LEN;

        stream_link_token(secret, ID, files, token);
        assert_int_equal(strlen(token), len);
        assert_int_equal(strspn(token, "0123456789abcdefghijklmnopqrstuvwxyz-"), len);
        assert_int_equal(stream_link_is_files_token(str_from(token)), files);
        assert_true(stream_link_parse(secret, str_from(token), id));
        assert_string_equal(id, ID);
        assert_false(stream_link_parse(S("other"), str_from(token), id));
        for (size_t i = 0; i < len; i++) {
            char kept = token[i];

            token[i] = kept == 'a' ? 'b' : 'a';
            assert_false(stream_link_parse(secret, str_from(token), id));
            token[i] = kept;
        }
        assert_false(stream_link_parse(secret, (struct str){ token, len - 1 }, id));
    }
    assert_false(stream_link_parse(secret, S(""), id));
}

static void assert_event(const struct stream_event *event, const char *expected)
{
    struct buf out;

    buf_init(&out, 4096);
    stream_event_write(event, &out);
    assert_string_equal(out.ptr, expected);
    buf_done(&out);
}

static void events_keep_lines_and_leading_spaces(void **state)
{
    struct stream_event event = { .name = "output",
                                  .created_s = 1690212292,
                                  .position = { 3, 120 } };

    (void)state;
    event.data = S(" world");
    assert_event(&event, "event: output\nid: 1690212292:3\ndata:  world\n\n");
    event.data = S("a\nb\n");
    assert_event(&event, "event: output\nid: 1690212292:3\ndata: a\ndata: b\ndata: \n\n");
    event.data = S("a\r\nb\rc");
    assert_event(&event, "event: output\nid: 1690212292:3\ndata: a\ndata: b\ndata: c\n\n");
    event.data = S("");
    assert_event(&event, "event: output\nid: 1690212292:3\ndata: \n\n");
    event.name = "done";
    event.data = S("{}");
    event.logs = true;
    assert_event(&event, "event: done\nid: 1690212292:3.120\ndata: {}\n\n");
}

static void ids_are_read_back(void **state)
{
    static const char *const wrong[] = { "",        "1",      ":",    "1:",
                                         "1:x",     "x:1",    "1:-1", "1:1.",
                                         "1:1.x",   "1:1.-1", "1: 1", "1:99999999999",
                                         "1:1.1.1", "-1:1",   "1:1 2" };
    struct predict_position position = { 0 };

    (void)state;
    assert_true(stream_event_parse_id(S("1690212292:3"), &position));
    assert_int_equal(position.outputs, 3);
    assert_int_equal(position.logs, 0);
    assert_true(stream_event_parse_id(S("1690212292:4.120"), &position));
    assert_int_equal(position.outputs, 4);
    assert_int_equal(position.logs, 120);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(stream_event_parse_id(str_from(wrong[i]), &position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_leads_to_its_prediction_alone),
        cmocka_unit_test(events_keep_lines_and_leading_spaces),
        cmocka_unit_test(ids_are_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
