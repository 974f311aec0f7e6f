/* Frames and messages: what is written is read back; what is wrong is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "wire/message.h"

static struct buf bytes;

static int setup(void **state)
{
    (void)state;
    buf_init(&bytes, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&bytes);
    return 0;
}

static void frames_survive_any_cutting(void **state)
{
    (void)state;
    assert_true(wire_frame_write(WIRE_LOG, S("{\"a\":1}"), &bytes));
    assert_true(wire_frame_write(WIRE_DONE, S(""), &bytes));
    assert_true(wire_frame_write(WIRE_JOB, S("{}"), &bytes));
    for (size_t step = 1; step <= bytes.len; step++) {
        static const enum wire_type types[] = { WIRE_LOG, WIRE_DONE, WIRE_JOB };
        struct wire_decoder decoder;
        size_t seen = 0;
        wire_decoder_init(&decoder, 100);
        for (size_t at = 0; at < bytes.len; at += step) {
            size_t len = bytes.len - at < step ? bytes.len - at : step;
            assert_true(wire_decoder_feed(&decoder, (struct str){ bytes.ptr + at, len }, NULL));
            struct wire_frame frame;
            bool complete;
            while (wire_decoder_next(&decoder, &frame, &complete, NULL) && complete) {
                assert_int_equal(frame.type, types[seen]);
                if (seen++ == 0)
                    assert_true(str_equal(frame.payload, S("{\"a\":1}")));
            }
        }
        assert_int_equal(seen, 3);
        wire_decoder_done(&decoder);
    }
}

static void assert_broken(const char *head, size_t len)
{
    struct wire_decoder decoder;
    struct wire_frame frame;
    struct err err = { 0 };
    bool complete;
    wire_decoder_init(&decoder, 100);
    assert_true(wire_decoder_feed(&decoder, (struct str){ head, len }, &err));
    assert_false(wire_decoder_next(&decoder, &frame, &complete, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_false(wire_decoder_next(&decoder, &frame, &complete, &err)); /* for good */
    assert_false(wire_decoder_feed(&decoder, S("x"), &err));
    wire_decoder_done(&decoder);
}

static void a_wrong_header_breaks_the_stream(void **state)
{
    (void)state;
    assert_broken("GET / HTTP/1.1", 14);
    assert_broken("MIM\x02\x01\0\0\0\0\0\0\0", 12);   /* another protocol */
    assert_broken("MIM\x01\0\0\0\0\0\0\0\0", 12);     /* type 0 */
    assert_broken("MIM\x01\x63\0\0\0\0\0\0\0", 12);   /* unknown type */
    assert_broken("MIM\x01\x01\0\x01\0\0\0\0\0", 12); /* not zero */
    assert_broken("MIM\x01\x01\0\0\0\x65\0\0\0", 12); /* 101 of at most 100 bytes */
    assert_broken("MIM\x01\x01\0\0\0\xff\xff\xff\xff", 12);
}

/* Write and read back. The caller ends *ret_message with wire_message_done. */
static void round_trip(const struct wire_message *message, struct wire_message *ret_message)
{
    struct wire_decoder decoder;
    struct wire_frame frame;
    struct err err = { 0 };
    bool complete = false;
    buf_clear(&bytes);
    assert_true(wire_message_write(message, &bytes));
    wire_decoder_init(&decoder, 1 << 20);
    assert_true(wire_decoder_feed(&decoder, buf_str(&bytes), &err));
    assert_true(wire_decoder_next(&decoder, &frame, &complete, &err) && complete);
    if (!wire_message_decode(&frame, ret_message, &err))
        fail_msg("%s", err.detail);
    assert_int_equal(ret_message->type, message->type);
    wire_decoder_done(&decoder);
}

static void messages_are_read_back(void **state)
{
    (void)state;
    struct wire_message out, in;
    json_t *names = json_pack("[s,s]", "a", "b");
    out = (struct wire_message){ .type = WIRE_HELLO,
                                 .hello = { WIRE_PROTOCOL, names, WIRE_OUTPUT_FILE_LIST } };
    round_trip(&out, &in);
    assert_int_equal(in.hello.protocol, WIRE_PROTOCOL);
    assert_int_equal(json_array_size(in.hello.models), 2);
    assert_int_equal(in.hello.output, WIRE_OUTPUT_FILE_LIST);
    wire_message_done(&in);
    json_decref(names);

    out = (struct wire_message){ .type = WIRE_DONE, .id = "x", .done = { WIRE_FAILED, "no", 2.5 } };
    round_trip(&out, &in);
    assert_string_equal(in.id, "x");
    assert_int_equal(in.done.status, WIRE_FAILED);
    assert_string_equal(in.done.error, "no");
    assert_true(in.done.predict_seconds == 2.5);
    wire_message_done(&in);

    out =
        (struct wire_message){ .type = WIRE_DONE, .id = "x", .done = { WIRE_SUCCEEDED, NULL, 0 } };
    round_trip(&out, &in);
    assert_null(in.done.error);
    wire_message_done(&in);

    json_t *input = json_pack("{s:i}", "n", 1), *files = json_pack("{s:s}", "image", "/tmp/x");
    for (int train = 0; train < 2; train++) {
        out = (struct wire_message){ .type = WIRE_JOB,
                                     .id = "x",
                                     .job = { input, files, "/srv/x", train } };
        round_trip(&out, &in);
        assert_int_equal(in.job.train, train);
        assert_string_equal(in.job.folder, "/srv/x");
        wire_message_done(&in);
    }
    out = (struct wire_message){ .type = WIRE_JOB, .id = "x", .job = { input, files, "/srv/x" } };
    round_trip(&out, &in);
    assert_true(json_equal(in.job.input, input) && json_equal(in.job.files, files));
    assert_string_equal(in.job.folder, "/srv/x");
    wire_message_done(&in);
    json_decref(input);
    json_decref(files);
}

static void text_that_is_no_utf8_is_repaired(void **state)
{
    (void)state;
    struct wire_message in;
    round_trip(&(struct wire_message){ .type = WIRE_LOG, .id = "x", .log = { S("a\xff\0b") } },
               &in);
    assert_true(str_equal(in.log.text, S("a\xef\xbf\xbd b")));
    wire_message_done(&in);
}

static void assert_refused(enum wire_type type, const char *payload)
{
    struct wire_frame frame = { type, str_from(payload) };
    struct wire_message message;
    struct err err = { 0 };
    if (wire_message_decode(&frame, &message, &err))
        fail_msg("%s was taken", payload);
    assert_int_equal(err.kind, ERR_INVALID);
}

static void wrong_fields_are_refused(void **state)
{
    (void)state;
    assert_refused(WIRE_STARTED, "");
    assert_refused(WIRE_STARTED, "[]");
    assert_refused(WIRE_STARTED, "{}");
    assert_refused(WIRE_STARTED, "{\"id\":\"\"}");
    assert_refused(WIRE_STARTED, "{\"id\":7}");
    assert_refused(WIRE_HELLO, "{\"protocol\":1,\"models\":[1],\"output\":\"any\"}");
    assert_refused(WIRE_HELLO, "{\"protocol\":-1,\"models\":[],\"output\":\"any\"}");
    assert_refused(WIRE_HELLO, "{\"protocol\":1,\"models\":[],\"output\":\"tensor\"}");
    assert_refused(WIRE_READY, "{\"load_seconds\":-1,\"resident_bytes\":1}");
    assert_refused(WIRE_READY, "{\"load_seconds\":1,\"resident_bytes\":1.5}");
    assert_refused(WIRE_LOG, "{\"id\":\"x\",\"text\":null}");
    assert_refused(WIRE_OUTPUT_FILE, "{\"id\":\"x\",\"name\":\"../a\",\"content_type\":\"\"}");
    assert_refused(WIRE_OUTPUT_FILE, "{\"id\":\"x\",\"name\":\".a\",\"content_type\":\"\"}");
    assert_refused(WIRE_OUTPUT_FILE, "{\"id\":\"x\",\"name\":\"a\\u0000b\",\"content_type\":\"\"}");
    assert_refused(WIRE_JOB,
                   "{\"id\":\"x\",\"input\":{},\"files\":{},\"folder\":\"/a\",\"train\":\"no\"}");
    assert_refused(WIRE_FAILED_TO_LOAD, "{\"error\":\"no\",\"final\":1}");
    assert_refused(WIRE_METRIC, "{\"id\":\"x\",\"name\":\"a\",\"value\":\"1\"}");
    assert_refused(WIRE_DONE, "{\"id\":\"x\",\"status\":\"failed\",\"predict_seconds\":1}");
    assert_refused(WIRE_DONE, "{\"id\":\"x\",\"status\":\"done\",\"predict_seconds\":1}");
    assert_refused(WIRE_JOB, "{\"id\":\"x\",\"input\":[],\"files\":{},\"folder\":\"/\"}");
    assert_refused(WIRE_JOB, "{\"id\":\"x\",\"input\":{},\"files\":{\"a\":1},\"folder\":\"/\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_survive_any_cutting), TEST(a_wrong_header_breaks_the_stream),
        TEST(messages_are_read_back),     TEST(text_that_is_no_utf8_is_repaired),
        TEST(wrong_fields_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
