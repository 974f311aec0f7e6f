/* posix_spawn, two pipes and a poll loop. The child, and what it has started, is killed whenever we
 * stop before it does. */
#include "pull/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define TICK_MS 100
#define KILL_GRACE_MS 2000       /* from SIGTERM to SIGKILL */
#define COMPLAINT_BYTES_MAX 8192 /* standard error kept for the message */

struct process {
    const struct process_options *options;
    pid_t pid;
    int output[2]; /* pipe of the child's standard output; -1 when it goes elsewhere */
    int errors[2];
    struct buf complaint; /* the start of standard error */
};

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool pipes_open(struct process *process, struct err *err)
{
    process->output[0] = process->output[1] = process->errors[0] = process->errors[1] = -1;
    if (pipe2(process->errors, O_CLOEXEC) != 0 ||
        (process->options->output != NULL && pipe2(process->output, O_CLOEXEC) != 0))
        return err_sys(err, ERR_INTERNAL, errno, "cannot make a pipe");
    fcntl(process->errors[0], F_SETFL, O_NONBLOCK);
    if (process->output[0] >= 0)
        fcntl(process->output[0], F_SETFL, O_NONBLOCK);
    return true;
}

static void pipes_close(struct process *process)
{
    fd_close(&process->output[0]);
    fd_close(&process->output[1]);
    fd_close(&process->errors[0]);
    fd_close(&process->errors[1]);
}

static bool process_start(struct process *process, struct err *err)
{
    const struct process_options *options = process->options;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, process->errors[1], 2);
    if (process->output[1] >= 0)
        posix_spawn_file_actions_adddup2(&actions, process->output[1], 1);
    else
        posix_spawn_file_actions_addopen(
            &actions, 1, options->output_path != NULL ? options->output_path : "/dev/null",
            O_WRONLY | O_CREAT | (options->output_path != NULL ? O_TRUNC : 0), 0600);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0); /* a group of its own: see process_kill */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawnp(&process->pid, options->argv[0], &actions, &attributes,
                              (char *const *)options->argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    fd_close(&process->output[1]);
    fd_close(&process->errors[1]);
    if (failed != 0)
        return err_sys(err, failed == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, failed,
                       "cannot start '%s': %s", options->argv[0], strerror(failed));
    return true;
}

/* Read what is there. False at the end of the stream. `overflow` NULL: what does not fit is
 * dropped. */
static bool pipe_drain(int fd, struct buf *out, bool *overflow)
{
    char bytes[16384];

    for (;;) {
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got > 0) {
            size_t room = out->max - out->len;
            size_t len = (size_t)got < room ? (size_t)got : room;
            buf_append(out, bytes, len);
            if (len < (size_t)got && overflow != NULL)
                *overflow = true;
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else {
            return got < 0 && errno == EAGAIN;
        }
    }
}

/* With all that it has started: npm may be a script around another program. Reaped last: until then
 * nothing else can have its group's number. */
static void process_kill(struct process *process)
{
    struct timespec nap = { .tv_nsec = 20000000 };
    siginfo_t info = { 0 };
    int status;

    kill(-process->pid, SIGTERM);
    for (int waited_ms = 0; waited_ms < KILL_GRACE_MS; waited_ms += 20) {
        if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == process->pid)
            break;
        nanosleep(&nap, NULL);
    }
    kill(-process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
}

static bool output_file_over(const struct process_options *options)
{
    struct stat status;

    return options->output_path != NULL && stat(options->output_path, &status) == 0 &&
           status.st_size > options->output_path_max;
}

static bool must_stop(const struct process *process, int64_t deadline_us, bool overflow,
                      struct err *err)
{
    const struct process_options *options = process->options;

    if (options->canceled != NULL && atomic_load(options->canceled))
        return !err_set(err, ERR_CANCELED, "canceled");
    if (clock_monotonic_us() > deadline_us)
        return !err_set(err, ERR_TIMEOUT, "'%s' took longer than %d s", options->argv[0],
                        options->timeout_ms / 1000);
    if (overflow || output_file_over(options))
        return !err_set(err, ERR_TOO_LARGE, "'%s' wrote more than is allowed", options->argv[0]);
    return false;
}

/* Until the child ended (*ret_status) or must be stopped. */
static bool process_watch(struct process *process, int *ret_status, struct err *err)
{
    const struct process_options *options = process->options;
    int64_t deadline_us = clock_monotonic_us() + (int64_t)options->timeout_ms * 1000;
    bool overflow = false;

    for (;;) {
        struct pollfd fds[2] = { { .fd = process->errors[0], .events = POLLIN },
                                 { .fd = process->output[0], .events = POLLIN } };
        poll(fds, 2, TICK_MS);
        pid_t ended = waitpid(process->pid, ret_status, WNOHANG);
        if (fds[0].revents != 0 && !pipe_drain(process->errors[0], &process->complaint, NULL))
            fd_close(&process->errors[0]);
        if (process->output[0] >= 0 && (fds[1].revents != 0 || ended != 0) &&
            !pipe_drain(process->output[0], options->output, &overflow))
            fd_close(&process->output[0]);
        if (ended == process->pid && !overflow && !output_file_over(options))
            return true;
        if (must_stop(process, deadline_us, overflow, err)) {
            if (ended == 0)
                process_kill(process);
            return false;
        }
        if (options->tick != NULL)
            options->tick(options->context);
        if (process->errors[0] < 0 && process->output[0] < 0) {
            struct timespec nap = { .tv_nsec = 10000000 };
            nanosleep(&nap, NULL); /* both pipes are closed: the child is about to end */
        }
    }
}

/* The last line that says something. */
static struct str complaint_line(struct str text)
{
    struct str head, last = { NULL, 0 };

    while (str_cut(text, '\n', &head, &text))
        if (str_trim(head).len > 0)
            last = str_trim(head);
    return str_trim(text).len > 0 ? str_trim(text) : last;
}

static bool status_judge(struct process *process, int status, struct err *err)
{
    const char *name = process->options->argv[0];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && process->complaint.len == 0)
        return err_set(err, ERR_NOT_FOUND, "cannot start '%s'", name);
    struct str line = complaint_line(buf_str(&process->complaint));
    if (line.len > 140)
        line.len = 140;
    if (WIFSIGNALED(status))
        return err_set(err, ERR_INTERNAL, "'%s' was ended by signal %d", name, WTERMSIG(status));
    return err_set(err, ERR_INTERNAL, "'%s' failed with status %d%s%.*s", name, WEXITSTATUS(status),
                   line.len > 0 ? ": " : "", STR_FMT(line));
}

bool process_run(const struct process_options *options, struct err *err)
{
    struct process process = { .options = options };
    int status = 0;

    buf_init(&process.complaint, COMPLAINT_BYTES_MAX);
    bool ok = pipes_open(&process, err) && process_start(&process, err) &&
              process_watch(&process, &status, err) && status_judge(&process, status, err);
    pipes_close(&process);
    buf_done(&process.complaint);
    return ok;
}
