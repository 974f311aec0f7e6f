/* Running programs: output, limits, time, failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "pull/process.h"

static struct err err;

static bool run(const char *script, struct buf *output, int timeout_ms)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    struct process_options options = { .argv = argv, .timeout_ms = timeout_ms, .output = output };

    memset(&err, 0, sizeof(err));
    return process_run(&options, &err);
}

static void output_comes_back(void **state)
{
    struct buf output;

    (void)state;
    buf_init(&output, 1 << 20);
    assert_true(run("printf hello; echo noise >&2", &output, 10000));
    assert_string_equal(output.ptr, "hello");
    buf_clear(&output);
    assert_true(run("head -c 500000 /dev/zero", &output, 10000));
    assert_int_equal(output.len, 500000);
    buf_done(&output);
    assert_true(run("true", NULL, 10000));
    assert_true(run("cat", NULL, 10000)); /* standard input is empty */
}

static void failure_says_why(void **state)
{
    (void)state;
    assert_false(run("echo first >&2; echo the reason >&2; exit 3", NULL, 10000));
    assert_non_null(strstr(err.detail, "status 3: the reason"));
    assert_false(run("kill -SEGV $$", NULL, 10000));
    assert_non_null(strstr(err.detail, "signal 11"));
    const char *argv[] = { "/nonexistent/program", NULL };
    struct process_options options = { .argv = argv, .timeout_ms = 1000 };
    assert_false(process_run(&options, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void limits_hold(void **state)
{
    struct buf output;
    time_t began = time(NULL);

    (void)state;
    buf_init(&output, 1000);
    assert_false(run("while :; do echo aaaaaaaaaaaaaaaaaaaa; done", &output, 30000));
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    assert_int_equal(output.len, 1000);
    buf_clear(&output);
    assert_false(run("exec sleep 30", &output, 300));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_false(run("trap '' TERM; sleep 30 & wait", &output, 300)); /* killed by force */
    assert_int_equal(err.kind, ERR_TIMEOUT);
    buf_done(&output);
    assert_true(time(NULL) - began < 20);
}

static void output_may_go_to_a_file(void **state)
{
    char path[] = "/tmp/process-test-XXXXXX";
    const char *argv[] = { "sh", "-c", "head -c 5000 /dev/zero", NULL };
    struct process_options options = {
        .argv = argv, .timeout_ms = 10000, .output_path = path, .output_path_max = 6000
    };

    (void)state;
    close(mkstemp(path));
    assert_true(process_run(&options, &err));
    options.output_path_max = 4000;
    assert_false(process_run(&options, &err));
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    unlink(path);
}

/* A program may be a script around the one that does the work. */
static void what_it_started_ends_with_it(void **state)
{
    struct timespec nap = { .tv_nsec = 20000000 };
    struct buf output;

    (void)state;
    buf_init(&output, 1000);
    assert_false(run("sleep 300 & echo $!; wait", &output, 300));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    pid_t grandchild = (pid_t)atoi(output.ptr);
    assert_true(grandchild > 1);
    bool is_there = true;
    for (int i = 0; i < 100 && is_there; i++) { /* whoever adopts it reaps it */
        char path[64], line[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)grandchild);
        FILE *file = fopen(path, "re");
        is_there = file && fgets(line, sizeof(line), file) && !strstr(line, ") Z ");
        if (file)
            fclose(file);
        nanosleep(&nap, NULL);
    }
    if (is_there)
        kill(grandchild, SIGKILL);
    assert_false(is_there);
    buf_done(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_comes_back),
        cmocka_unit_test(failure_says_why),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(output_may_go_to_a_file),
        cmocka_unit_test(what_it_started_ends_with_it),
    };
    return cmocka_run_group_tests_name("pull/process", tests, NULL, NULL);
}
