/* Logging: one line per event whatever the values hold, and only from the level asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"

static int kept_stderr, read_end;

static void capture_begin(void)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    kept_stderr = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    close(pipes[1]);
    read_end = pipes[0];
}

static void capture_end(char *ret_text, size_t size)
{
    dup2(kept_stderr, STDERR_FILENO); /* closes the pipe's writing end */
    close(kept_stderr);
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(read_end, ret_text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    ret_text[len] = '\0';
    close(read_end);
}

static void an_event_is_one_line(void **state)
{
    (void)state;
    char text[8192];
    capture_begin();
    log_event(LOG_INFO, "started", "address=\"%s\" pid=%d", "a\nb\x1b[0m", 7);
    log_event(LOG_DEBUG, "hidden", "x=1");
    log_event(LOG_WARN, "bare", "%s", "");
    capture_end(text, sizeof text);
    assert_int_equal(strncmp(text, "ts=20", 5), 0);
    assert_non_null(strstr(text, "Z level=info event=started address=\"a b [0m\" pid=7\n"));
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, "level=warn event=bare"));
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void an_error_is_told_with_its_cause_and_place(void **state)
{
    (void)state;
    char text[8192];
    struct err err;
    err_sys(&err, ERR_UNAVAILABLE, 28, "no \"room\"");
    err_while(&err, "writing '%s'", "x");
    capture_begin();
    log_error(LOG_ERROR, "write_failed", &err, "id=%s", "abc");
    capture_end(text, sizeof text);
    assert_non_null(strstr(text, "event=write_failed id=abc kind=unavailable "
                                 "detail=\"no \\\"room\\\"\" cause=\""));
    assert_non_null(strstr(text, "while writing 'x'\""));
    assert_non_null(strstr(text, "sys=28 at="));
    assert_non_null(strstr(text, "log_test.c:"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    char text[16384], *large = malloc(10000);
    memset(large, 'x', 9999);
    large[9999] = '\0';
    capture_begin();
    log_event(LOG_ERROR, "long", "value=%s", large);
    log_event(LOG_ERROR, "next", "a=1");
    capture_end(text, sizeof text);
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text <= 4096 && end - text > 4000);
    assert_non_null(strstr(end, "event=next a=1\n"));
    free(large);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_OFF;
    assert_true(log_level_from_name("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_from_name("off", &level));
    assert_false(log_level_from_name("loud", &level));
    assert_false(log_level_from_name(NULL, &level));
    assert_int_equal(level, LOG_OFF);
    char text[100];
    log_set_level(LOG_OFF);
    capture_begin();
    log_event(LOG_ERROR, "quiet", "a=1");
    capture_end(text, sizeof text);
    assert_string_equal(text, "");
    log_set_level(LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_one_line),
        cmocka_unit_test(an_error_is_told_with_its_cause_and_place),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
