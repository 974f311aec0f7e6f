/* Forms as the official clients and browsers send them, and forms nobody should send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "http/multipart.h"

#define TYPE "multipart/form-data; boundary=X"

static bool parse(struct arena *arena, const char *type, struct str body,
                  struct multipart_part **parts, int *count)
{
    struct err err = { .kind = ERR_NONE };
    arena_init(arena, 1 << 20);
    bool ok = multipart_parse(type, body, arena, parts, count, &err);
    assert_int_equal(err.kind, ok ? ERR_NONE : ERR_INVALID);
    return ok;
}

static void a_form_of_the_javascript_client_is_read(void **state)
{
    struct arena arena;
    struct multipart_part *parts;
    int count;
    struct str body = S("--X\r\nContent-Disposition: form-data; name=\"content\"; "
                        "filename=\"a \\\"b\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n"
                        "one\r\n--Y\r\ntwo\r\n--X\r\nContent-Disposition: form-data; "
                        "name=\"metadata\"; filename=\"blob\"\r\nContent-Type: application/json"
                        "\r\n\r\n{}\r\n--X--\r\n");
    (void)state;
    assert_true(parse(&arena, TYPE, body, &parts, &count));
    assert_int_equal(count, 2);
    assert_string_equal(parts[0].name, "content");
    assert_string_equal(parts[0].file_name, "a \"b\".txt");
    assert_string_equal(parts[0].content_type, "text/plain");
    assert_true(str_equal(parts[0].body, S("one\r\n--Y\r\ntwo")));
    assert_string_equal(parts[1].name, "metadata");
    assert_true(str_equal(parts[1].body, S("{}")));
    arena_done(&arena);
}

static void small_differences_between_clients_are_accepted(void **state)
{
    struct arena arena;
    struct multipart_part *parts;
    int count;
    (void)state;
    assert_true(
        parse(&arena, "Multipart/Form-Data; charset=utf-8; boundary=\"X\"",
              S("preamble\r\n--X \r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n"
                "--X\r\nContent-Disposition: form-data; name=\"b\"; filename*=UTF-8''na%C3%AFve.txt"
                "; filename=\"x\"\r\n\r\n\r\n--X--epilogue"),
              &parts, &count));
    assert_int_equal(count, 2);
    assert_string_equal(parts[0].name, "a");
    assert_null(parts[0].file_name);
    assert_int_equal(parts[0].body.len, 0);
    assert_string_equal(parts[1].file_name, "na\xc3\xafve.txt");
    arena_done(&arena);
    assert_true(parse(&arena, TYPE, S("--X--"), &parts, &count));
    assert_int_equal(count, 0);
    arena_done(&arena);
    assert_true(
        parse(&arena, TYPE,
              S("--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"C:\\dir\\a.png\""
                "\r\n\r\n\0\1\2\r\n--X--"),
              &parts, &count));
    assert_string_equal(parts[0].file_name, "C:\\dir\\a.png");
    assert_true(str_equal(parts[0].body, S("\0\1\2")));
    arena_done(&arena);
}

#define BODY(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static void broken_forms_are_refused(void **state)
{
    static const struct {
        const char *type;
        struct str body;
    } cases[] = {
        { "application/json", BODY("{}") },
        { "multipart/form-data", BODY("--X--") },
        { "multipart/form-data; boundary=", BODY("--X--") },
        { "multipart/form-data; boundary=\"X", BODY("--X--") },
        { NULL, BODY("--X--") },
        { TYPE, { NULL, 0 } },
        { TYPE, BODY("--X") },
        { TYPE, BODY("--Y--") },
        { TYPE, BODY("--X\r\n\r\nbody\r\n--X--") },
        { TYPE, BODY("--X\r\nContent-Disposition: form-data; name=a\r\n\r\nbody") },
        { TYPE, BODY("--X\r\nContent-Disposition: form-data; name=a") },
        { TYPE, BODY("--X\r\nContent-Disposition: form-data; name=\"a\r\n\r\n\r\n--X--") },
        { TYPE, BODY("--X\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--X--") },
        { TYPE, BODY("--X\r\nContent-Disposition: form-data; name=a\0b\r\n\r\n\r\n--X--") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct multipart_part *parts;
        int count;
        assert_false(parse(&arena, cases[i].type, cases[i].body, &parts, &count));
        arena_done(&arena);
    }
}

static void too_many_parts_are_refused(void **state)
{
    static const char part[] = "--X\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    static char body[(sizeof part - 1) * (MULTIPART_PARTS_MAX + 1) + 5];
    struct arena arena;
    struct multipart_part *parts;
    int count;
    (void)state;
    for (size_t i = 0; i <= MULTIPART_PARTS_MAX; i++)
        memcpy(body + i * (sizeof part - 1), part, sizeof part - 1);
    memcpy(body + sizeof body - 5, "--X--", 5);
    assert_false(parse(&arena, TYPE, (struct str){ body, sizeof body }, &parts, &count));
    arena_done(&arena);
    assert_true(parse(&arena, TYPE,
                      (struct str){ body + sizeof part - 1, sizeof body - (sizeof part - 1) },
                      &parts, &count));
    assert_int_equal(count, MULTIPART_PARTS_MAX);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_of_the_javascript_client_is_read),
        cmocka_unit_test(small_differences_between_clients_are_accepted),
        cmocka_unit_test(broken_forms_are_refused),
        cmocka_unit_test(too_many_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
