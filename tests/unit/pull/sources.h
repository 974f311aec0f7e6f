/* What the tests of pulling share: a fake npm (a script that copies a package made here) and a
 * small server standing in for the hub and for GitHub, both of which can be made to fail. */
#ifndef MIMEO_TESTS_PULL_SOURCES_H
#define MIMEO_TESTS_PULL_SOURCES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "pull/pull.h"
#include "unit/little_server.h"

#define WEIGHTS_BYTES 300000
#define SMALL_BYTES 1000
#define CHUNK_BYTES 100000
#define PATH_BYTES 512

static char folder[64], weights_folder[128], npm_program[128];
static char weights[WEIGHTS_BYTES], weights_sha256[65];
static char small_sha256[65]; /* of the first SMALL_BYTES of the weights */
static struct little_server server;
static atomic_bool canceled;
static char notes[4096];

/* ---- The fakes ------------------------------------------------------------------------------- */

static int hub_requests, hub_ranges; /* how many came, how many asked to go on */
static int hub_cut_after;            /* close the line after so many bytes; 0: never */
static bool hub_absent, hub_wrong;
static bool hub_redirects; /* whatever is not below /elsewhere/ */
static char hub_path[1024], hub_token[1024];

static inline void hub_answer(void *context, struct little_request *request)
{
    const char *range = little_header(request, "Range");
    const size_t size = strstr(request->path, "small") != NULL ? SMALL_BYTES : WEIGHTS_BYTES;
    size_t from = 0;
    char headers[128] = "";

    (void)context;
    hub_requests++;
    snprintf(hub_path, sizeof(hub_path), "%s", request->path);
    if (range != NULL && strncmp(range, "bytes=", 6) == 0) {
        from = strtoul(range + 6, NULL, 10);
        hub_ranges++;
        snprintf(headers, sizeof(headers), "Content-Range: bytes %zu-%zu/%zu\r\n", from, size - 1,
                 size);
    }
    const char *token = little_header(request, "Authorization");
    snprintf(hub_token, sizeof(hub_token), "%s", token != NULL ? token : "");
    if (hub_redirects && strncmp(request->path, "/elsewhere/", 11) != 0) {
        char location[1200];
        snprintf(location, sizeof(location), "Location: /elsewhere%s\r\n", request->path);
        little_answer(request, "302 Found", location, "", 0);
    } else if (hub_absent) {
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
                      size - from);
    }
}

static inline void write_file(const char *path, const char *bytes, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (int)len);
    close(fd);
}

static inline void sha256_of(const char *bytes, size_t len, char ret_hex[65])
{
    unsigned char digest[HASH_SHA256_BYTES];

    hash_sha256((struct str){ bytes, len }, digest);
    hash_hex(digest, sizeof(digest), ret_hex);
}

/* The package: dist/resources.json and the chunks, and files and a link, as <folder>/fake.tgz.
 * `spoil`: one chunk's bytes are not what its name says. */
static inline void package_make(bool spoil)
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
    snprintf(path, sizeof(path), "%s/package/dist/net.bin", folder);
    write_file(path, weights, WEIGHTS_BYTES, 0644);
    snprintf(path, sizeof(path), "%s/package/dist/net.param", folder);
    write_file(path, weights, SMALL_BYTES, 0644);
    snprintf(path, sizeof(path), "%s/package/dist/link.bin", folder);
    assert_int_equal(symlink("net.bin", path), 0);
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
static inline void npm_make(const char *body)
{
    char script[1024];
    int len =
        snprintf(script, sizeof(script), "#!/bin/sh\necho x >> %s/npm-calls\n%s\n", folder, body);

    write_file(npm_program, script, (size_t)len, 0755);
}

static inline int npm_calls(void)
{
    char path[PATH_BYTES];
    struct stat status;

    snprintf(path, sizeof(path), "%s/npm-calls", folder);
    return stat(path, &status) == 0 ? (int)status.st_size / 2 : 0;
}

static inline void npm_make_good(void)
{
    char body[256];

    snprintf(body, sizeof(body), "cp %s/fake.tgz \"$4/imgly-data-1.0.0.tgz\"", folder);
    npm_make(body);
}

/* ---- Around each test ------------------------------------------------------------------------ */

static inline int set_up(void **state)
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
    sha256_of(weights, SMALL_BYTES, small_sha256);
    hub_requests = hub_ranges = hub_cut_after = 0;
    hub_absent = hub_wrong = hub_redirects = false;
    atomic_store(&canceled, false);
    notes[0] = 0;
    little_start(&server, hub_answer, NULL);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    little_stop(&server);
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static inline void on_note(void *context, const char *line)
{
    (void)context;
    size_t len = strlen(notes);
    snprintf(notes + len, sizeof(notes) - len, "%s\n", line);
}

static char installed[4096]; /* the paths told, a line each */

static inline void on_installed(void *context, const char *path)
{
    (void)context;
    size_t len = strlen(installed);
    snprintf(installed + len, sizeof(installed) - len, "%s\n", path);
}

/* Takes the manifest. NULL-ended names of further parts, or NULL. */
static inline bool pull_model(json_t *manifest, const char *name, const char *const *parts,
                              bool all, struct err *err)
{
    struct pull_options options = {
        .manifest = manifest,
        .owner = "bria",
        .name = name,
        .weights_folder = weights_folder,
        .parts = parts,
        .all = all,
        .npm_program = npm_program,
        .hf_endpoint = server.url,
        .github_endpoint = server.url,
        .hf_token = "hf_secret",
        .canceled = &canceled,
        .note = on_note,
        .installed = on_installed,
    };

    while (parts != NULL && parts[options.part_count] != NULL)
        options.part_count++;
    memset(err, 0, sizeof(*err));
    installed[0] = 0;
    bool ok = pull_weights(&options, err);
    json_decref(manifest);
    return ok;
}

#endif
