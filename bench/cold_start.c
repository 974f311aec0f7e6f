/* bench: server (links the protocol, no engine)
 *
 * Cold start: from exec of mimeo-runner to its first result, over the same protocol the server
 * speaks, with the same photo each time; then the next result of the same process, warm.
 *
 *   bench-cold-start RUNNER MODEL WEIGHTS_FOLDER PHOTO RUNS
 *
 * Not here: what the server adds (bench/server.mjs measures a whole request). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "wire/message.h"

#define RUNS_MAX 100
#define RUNNER_FD 3
#define PHOTO_BYTES_MAX (100u << 20)

struct child {
    pid_t pid;
    int fd;
    struct wire_decoder decoder;
};

static bool child_start(const char *runner, const char *model, const char *weights,
                        const char *work, struct child *ret_child)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], RUNNER_FD);
    const char *arguments[] = { runner, "--model",     model, "--weights", weights, "--work",
                                work,   "--precision", "f32", "--socket",  "3",     NULL };
    int failed =
        posix_spawn(&ret_child->pid, runner, &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    if (failed) {
        close(pair[0]);
        return false;
    }
    ret_child->fd = pair[0];
    wire_decoder_init(&ret_child->decoder, WIRE_EVENT_BYTES_MAX);
    return true;
}

static void child_end(struct child *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    close(child->fd);
    wire_decoder_done(&child->decoder);
}

/* Read frames until `type` comes. False when the runner ends or says it failed. */
static bool child_expect(struct child *child, enum wire_type type)
{
    for (;;) {
        struct wire_frame frame;
        struct err err;
        bool complete;
        if (!wire_decoder_next(&child->decoder, &frame, &complete, &err))
            return false;
        if (complete) {
            struct wire_message message;
            if (!wire_message_decode(&frame, &message, &err))
                return false;
            bool failed = frame.type == WIRE_FAILED_TO_LOAD ||
                          (frame.type == WIRE_DONE && message.done.status != WIRE_SUCCEEDED);
            if (failed)
                fprintf(stderr, "the runner says: %s\n",
                        frame.type == WIRE_DONE ? message.done.error
                                                : message.failed_to_load.error);
            wire_message_done(&message);
            if (failed || frame.type == type)
                return !failed;
            continue;
        }
        char bytes[65536];
        ssize_t got = read(child->fd, bytes, sizeof bytes);
        if (got <= 0 ||
            !wire_decoder_feed(&child->decoder, (struct str){ bytes, (size_t)got }, &err))
            return false;
    }
}

static bool child_run(struct child *child, const char *photo, const char *folder)
{
    json_t *input = json_pack("{s:s}", "image", "file:photo");
    json_t *files = json_pack("{s:s}", "image", photo);
    struct wire_message job = { .type = WIRE_JOB, .id = "cold", .job = { input, files, folder } };
    struct buf out;
    buf_init(&out, WIRE_JOB_BYTES_MAX);
    bool ok = wire_message_write(&job, &out) &&
              write(child->fd, out.ptr, out.len) == (ssize_t)out.len &&
              child_expect(child, WIRE_DONE);
    buf_done(&out);
    json_decref(input);
    json_decref(files);
    return ok;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_ms(int64_t *times_us, int count)
{
    qsort(times_us, (size_t)count, sizeof *times_us, compare_times);
    return (double)times_us[count / 2] / 1000;
}

int main(int argc, char **argv)
{
    int64_t runs = 0;
    if (argc != 6 || !str_to_int64(str_from(argv[5]), &runs) || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench-cold-start RUNNER MODEL WEIGHTS_FOLDER PHOTO RUNS\n");
        return 2;
    }
    char folder[] = "/tmp/mimeo-cold-XXXXXX";
    if (!mkdtemp(folder))
        return 1;
    /* The runner may read its weights and its work folder, nothing else: the photo goes there. */
    char photo[sizeof folder + 16];
    struct buf bytes;
    struct err err;
    snprintf(photo, sizeof photo, "%s/photo", folder);
    buf_init(&bytes, PHOTO_BYTES_MAX);
    bool copied =
        file_read(argv[4], &bytes, &err) && file_write_atomic(photo, buf_str(&bytes), 0600, &err);
    buf_done(&bytes);
    if (!copied) {
        fprintf(stderr, "%s\n", err.detail);
        return 1;
    }
    int64_t ready[RUNS_MAX], first[RUNS_MAX], next[RUNS_MAX];
    int done = 0;
    for (; done < runs; done++) {
        struct child child;
        int64_t start = clock_monotonic_us();
        if (!child_start(argv[1], argv[2], argv[3], folder, &child))
            break;
        bool ok = child_expect(&child, WIRE_READY);
        ready[done] = clock_monotonic_us() - start;
        ok = ok && child_run(&child, photo, folder);
        first[done] = clock_monotonic_us() - start;
        int64_t warm = clock_monotonic_us();
        ok = ok && child_run(&child, photo, folder);
        next[done] = clock_monotonic_us() - warm;
        child_end(&child);
        if (!ok)
            break;
    }
    file_remove_tree(folder, NULL);
    if (done == 0) {
        fprintf(stderr, "no run came to its end: %s\n", strerror(errno));
        return 1;
    }
    printf("cold start of mimeo-runner, median of %d: ready %.0f ms, first result %.0f ms after "
           "exec; next result %.0f ms\n",
           done, median_ms(ready, done), median_ms(first, done), median_ms(next, done));
    return done == runs ? 0 : 1;
}
