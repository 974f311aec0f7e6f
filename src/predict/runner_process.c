/* Starting, measuring and ending runner processes; see runner_process.h. */
#include "predict/runner_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

#define SOCKET_FD 3
#define ENVIRONMENT_MAX 128

/* ---- The environment ----------------------------------------------------------------------- */

/* What a runner may know of ours: no tokens, no secrets, no settings of the server. */
static bool is_kept(const char *variable)
{
    static const char *const names[] = {
        "PATH=", "LANG=", "LC_ALL=", "TZ=",          "LD_LIBRARY_PATH=", "OMP_",
        "GOMP_", "DNNL_", "ONEDNN_", "CUDA_",        "NVIDIA_",          "ASAN_",
        "LSAN_", "TSAN_", "UBSAN_",  "LLVM_PROFILE_"
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

struct environment {
    char *variables[ENVIRONMENT_MAX + 3];
    char home[4200], temporary[4200];
};

static void make_environment(struct environment *environment, const char *work)
{
    int count = 0;
    for (char **at = environ; *at && count < ENVIRONMENT_MAX; at++) {
        if (is_kept(*at))
            environment->variables[count++] = *at;
    }
    snprintf(environment->home, sizeof environment->home, "HOME=%s", work);
    snprintf(environment->temporary, sizeof environment->temporary, "TMPDIR=%s", work);
    environment->variables[count++] = environment->home;
    environment->variables[count++] = environment->temporary;
    environment->variables[count] = NULL;
}

/* ---- Starting ------------------------------------------------------------------------------ */

/* Far from 0 to 3, so that putting the ends in place cannot overwrite one of them. */
static bool move_up(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 10);
    close(*fd);
    *fd = moved;
    return moved >= 0;
}

static int add_actions(posix_spawn_file_actions_t *actions, int socket, int printed)
{
    int failed = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(actions, printed, 1);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(actions, printed, 2);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(actions, socket, SOCKET_FD);
    if (!failed)
        failed = posix_spawn_file_actions_addclosefrom_np(actions, SOCKET_FD + 1);
    return failed;
}

/* A group of its own (Ctrl-C in a terminal is for the server, which ends its runners in order),
 * and no signal blocked or ignored. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failed)
        failed = posix_spawnattr_setpgroup(attributes, 0);
    if (!failed)
        failed = posix_spawnattr_setsigmask(attributes, &none);
    if (!failed)
        failed = posix_spawnattr_setsigdefault(attributes, &all);
    return failed;
}

static int spawn(const struct runner_process_options *options, int socket, int printed,
                 pid_t *ret_pid)
{
    struct environment *environment = calloc(1, sizeof *environment);
    char threads[16], parent[16], fd[16];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (!environment)
        return ENOMEM;
    snprintf(threads, sizeof threads, "%d", options->threads);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(fd, sizeof fd, "%d", SOCKET_FD);
    const char *const arguments[] = {
        options->path, "--model",     options->model, "--weights",        options->weights,
        "--work",      options->work, "--precision",  options->precision, "--threads",
        threads,       "--parent",    parent,         "--socket",         fd,
        NULL,
    };
    make_environment(environment, options->work);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = add_actions(&actions, socket, printed);
    if (!failed)
        failed = set_attributes(&attributes);
    if (!failed)
        failed = posix_spawn(ret_pid, options->path, &actions, &attributes,
                             (char *const *)(uintptr_t)arguments, environment->variables);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(environment);
    return failed;
}

bool runner_process_start(const struct runner_process_options *options,
                          struct runner_process *ret_process, struct err *err)
{
    int sockets[2] = { -1, -1 }, pipes[2] = { -1, -1 }, failed = 0, pid_fd = -1;
    pid_t pid = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0 ||
        pipe2(pipes, O_CLOEXEC) < 0 || !move_up(&sockets[1]) || !move_up(&pipes[1]) ||
        fcntl(sockets[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(pipes[0], F_SETFL, O_NONBLOCK) < 0)
        failed = errno;
    if (!failed)
        failed = spawn(options, sockets[1], pipes[1], &pid);
    if (!failed && (pid_fd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0) {
        failed = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (sockets[1] >= 0)
        close(sockets[1]);
    if (pipes[1] >= 0)
        close(pipes[1]);
    if (failed) {
        if (sockets[0] >= 0)
            close(sockets[0]);
        if (pipes[0] >= 0)
            close(pipes[0]);
        return err_sys(err, ERR_UNAVAILABLE, failed, "The model's process could not be started.");
    }
    *ret_process = (struct runner_process){ pid, pid_fd, sockets[0], pipes[0] };
    return true;
}

void runner_process_kill(const struct runner_process *process)
{
    syscall(SYS_pidfd_send_signal, process->pid_fd, SIGKILL, NULL, 0);
}

void runner_process_collect(struct runner_process *process, int *ret_status)
{
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(process->pid_fd);
    close(process->socket);
    close(process->printed);
    *process = (struct runner_process){ -1, -1, -1, -1 };
    *ret_status = status;
}

/* ---- Ends ---------------------------------------------------------------------------------- */

void runner_process_describe_end(int status, bool out_of_memory, char *ret_text, size_t size)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && out_of_memory) {
        snprintf(ret_text, size, "The model ran out of memory and was stopped.");
    } else if (WIFSIGNALED(status)) {
        char name[64];
        const char *text = sigdescr_np(WTERMSIG(status));
        snprintf(name, sizeof name, "%s", text ? text : "unknown");
        if (name[0] >= 'A' && name[0] <= 'Z')
            name[0] = (char)(name[0] | 32);
        snprintf(ret_text, size,
                 "The model's process was killed by signal %d (%s); please try again.",
                 WTERMSIG(status), name);
    } else {
        snprintf(ret_text, size,
                 "The model's process ended unexpectedly (exit status %d); please try again.",
                 WEXITSTATUS(status));
    }
}

/* ---- Measuring ----------------------------------------------------------------------------- */

/* A small file of /proc or /sys. */
static bool read_small(const char *path, struct buf *out)
{
    buf_clear(out);
    return file_read(path, out, NULL);
}

/* The number after `name` and white space, where `name` starts a line; -1 when there is none. */
static int64_t number_after(struct str text, struct str name)
{
    struct str line;
    while (text.len > 0) {
        if (!str_cut(text, '\n', &line, &text)) {
            line = text;
            text = S("");
        }
        if (!str_starts(line, name))
            continue;
        line = str_trim(str_skip(line, name.len));
        struct str number = line;
        number.len = 0;
        while (number.len < line.len && line.ptr[number.len] >= '0' && line.ptr[number.len] <= '9')
            number.len++;
        int64_t value;
        return str_to_int64(number, &value) ? value : -1;
    }
    return -1;
}

int64_t runner_process_resident_bytes(pid_t pid)
{
    char path[64];
    struct buf text;
    struct str size, resident, rest;
    int64_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    buf_init(&text, 4096);
    bool ok = read_small(path, &text) && str_cut(buf_str(&text), ' ', &size, &rest) &&
              str_cut(rest, ' ', &resident, &rest) && str_to_int64(resident, &pages);
    buf_done(&text);
    return ok ? pages * sysconf(_SC_PAGESIZE) : 0;
}

int64_t runner_process_oom_kills(void)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    int64_t count =
        read_small("/proc/vmstat", &text) ? number_after(buf_str(&text), S("oom_kill ")) : -1;
    buf_done(&text);
    return count;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return b >= 0 && (a < 0 || b < a) ? b : a;
}

/* What a control group leaves: its limit less its use. -1: no limit. */
static int64_t group_room(const char *group, const char *limit_name, const char *use_name)
{
    char path[4096];
    struct buf text;
    int64_t limit = -1, use = 0;
    buf_init(&text, 4096);
    snprintf(path, sizeof path, "%s/%s", group, limit_name);
    if (read_small(path, &text))
        limit = number_after(buf_str(&text), S("")); /* "max" is no number: no limit */
    snprintf(path, sizeof path, "%s/%s", group, use_name);
    if (limit >= 0 && read_small(path, &text))
        use = number_after(buf_str(&text), S(""));
    buf_done(&text);
    return limit < 0 ? -1 : limit > use ? limit - use : 0;
}

/* The least room of this process's groups and their parents, in version 1 and 2. */
static int64_t groups_room(void)
{
    struct buf text;
    int64_t room = -1;
    buf_init(&text, 1 << 16);
    struct str rest = read_small("/proc/self/cgroup", &text) ? buf_str(&text) : S(""), line;
    while (str_cut(rest, '\n', &line, &rest)) {
        struct str number, kind, group;
        char path[2048];
        if (!str_cut(line, ':', &number, &kind) || !str_cut(kind, ':', &kind, &group))
            continue;
        bool second = kind.len == 0;
        if (!second && !str_equal(kind, S("memory")))
            continue;
        for (;;) {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s%.*s", second ? "" : "/memory",
                     STR_FMT(group));
            room = smaller(
                room, second ? group_room(path, "memory.max", "memory.current")
                             : group_room(path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
            if (group.len <= 1)
                break;
            while (group.len > 0 && group.ptr[group.len - 1] != '/')
                group.len--;
            group.len -= group.len > 1; /* the parent, without its slash */
        }
    }
    buf_done(&text);
    return room;
}

int64_t runner_process_memory_budget(void)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    int64_t free_kib =
        read_small("/proc/meminfo", &text) ? number_after(buf_str(&text), S("MemAvailable:")) : -1;
    buf_done(&text);
    int64_t room = free_kib < 0 ? -1 : free_kib * 1024;
    room = smaller(room, groups_room());
    return room < 0 ? (int64_t)2 << 30 : room / 10 * 8;
}
