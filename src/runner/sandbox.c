/* The steps of confinement, in the order in which each is still possible:
 *
 *   die with the parent -> first choice of the kernel's OOM killer -> limits -> not dumpable ->
 *   no new privileges -> Landlock (files) -> seccomp (system calls)
 *
 * The filter is a list of what is allowed; everything else fails with EPERM, so that a library
 * that only tries (a look at nscd's socket, say) goes on, and what no honest code here calls ends
 * the process. Making links is not allowed, so that an output file cannot point elsewhere. */
#include "runner/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/landlock.h>

#include "base/err.h"
#include "base/str.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

#define FILE_BYTES_MAX ((rlim_t)8 << 30) /* no output is larger; a runaway write stops here */
#define OPEN_FILES_MAX 1024

static bool die_with_parent(pid_t parent, struct err *err)
{
    if (parent == 0)
        return true;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return err_sys(err, ERR_INTERNAL, errno, "The death signal could not be set.");
    /* It may have died before the call above: then nobody will send the signal. */
    if (getppid() != parent)
        return err_set(err, ERR_UNAVAILABLE, "The server is gone.");
    return true;
}

/* When memory runs out, the kernel shall take a runner, never the server. Best effort. */
static void offer_to_oom_killer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "800", 3) < 0)
        errno = 0;
    close(fd);
}

static bool set_limits(struct err *err)
{
    const struct {
        int resource;
        rlim_t max;
    } limits[] = {
        { RLIMIT_CORE, 0 },
        { RLIMIT_NOFILE, OPEN_FILES_MAX },
        { RLIMIT_FSIZE, FILE_BYTES_MAX },
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
            return err_sys(err, ERR_INTERNAL, errno, "A resource limit could not be read.");
        rlim_t max = limits[i].max < now.rlim_max ? limits[i].max : now.rlim_max;
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &(struct rlimit){ max, max }) < 0)
            return err_sys(err, ERR_INTERNAL, errno, "A resource limit could not be set.");
    }
    return true;
}

/* ---- Landlock: files ---------------------------------------------------------------------- */

#define READ_ACCESS                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_ACCESS                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)
#define ALL_ACCESS                                                                                 \
    (READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static bool allow_path(int ruleset, const char *path, uint64_t access, struct err *err)
{
    struct stat info;
    int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
    if (fd < 0)
        return true; /* what is not there needs no right */
    if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
        access &= FILE_ACCESS;
    struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
    long failed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int sys = errno;
    close(fd);
    return failed == 0 || err_sys(err, ERR_INTERNAL, sys, "A file rule was refused.");
}

static bool restrict_files(const struct sandbox_options *options, struct err *err)
{
    static const char *const readable[] = {
        "/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/opt", "/run/opengl-driver",
    };
    static const char *const writable[] = { "/dev/null", "/dev/zero", "/dev/shm" };
    const uint64_t write_access =
        ALL_ACCESS & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE & ~(uint64_t)LANDLOCK_ACCESS_FS_MAKE_SYM;
    struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_ACCESS };
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0)
        return true; /* a kernel without Landlock: the filter below still stands */
    bool ok = allow_path(ruleset, options->weights_directory, READ_ACCESS, err) &&
              allow_path(ruleset, options->work_directory, write_access, err);
    for (size_t i = 0; ok && i < ARRAY_LEN(readable); i++)
        ok = allow_path(ruleset, readable[i], READ_ACCESS, err);
    for (size_t i = 0; ok && i < ARRAY_LEN(writable); i++)
        ok = allow_path(ruleset, writable[i], write_access, err);
    if (ok && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        ok = err_sys(err, ERR_INTERNAL, errno, "The file rules were refused.");
    close(ruleset);
    return ok;
}

/* ---- seccomp: system calls ---------------------------------------------------------------- */

/* By name, because not every architecture has each; unknown ones are skipped. */
static const char *const allowed_calls[] = {
    /* memory and threads (oneDNN makes code: mmap and mprotect with PROT_EXEC) */
    "brk",
    "futex",
    "futex_waitv",
    "get_mempolicy",
    "get_robust_list",
    "madvise",
    "mbind",
    "membarrier",
    "memfd_create",
    "mincore",
    "mlock",
    "mlock2",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    "rseq",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_setaffinity",
    "sched_yield",
    "set_mempolicy",
    "set_robust_list",
    "set_tid_address",
    "getcpu",
    /* open files */
    "close",
    "close_range",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "fadvise64",
    "fallocate",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fsync",
    "ftruncate",
    "getdents64",
    "ioctl",
    "lseek",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readv",
    "sendfile",
    "write",
    "writev",
    "fstatfs",
    /* names */
    "access",
    "chdir",
    "faccessat",
    "faccessat2",
    "fchmod",
    "getcwd",
    "lstat",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "statfs",
    "statx",
    "umask",
    "unlink",
    "unlinkat",
    "utimensat",
    /* waiting */
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "eventfd2",
    "gettimeofday",
    "nanosleep",
    "pause",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "pselect6",
    "restart_syscall",
    "select",
    "time",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "times",
    /* this process */
    "arch_prctl",
    "exit",
    "exit_group",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpgrp",
    "getpgid",
    "getpid",
    "getppid",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sigaltstack",
    "sysinfo",
    "uname",
};

/* What only an attack calls. */
static const char *const deadly_calls[] = {
    "add_key",          "bpf",
    "delete_module",    "finit_module",
    "init_module",      "io_uring_setup",
    "ioperm",           "iopl",
    "kexec_file_load",  "kexec_load",
    "keyctl",           "mount",
    "move_mount",       "open_by_handle_at",
    "open_tree",        "perf_event_open",
    "pidfd_getfd",      "pivot_root",
    "process_vm_readv", "process_vm_writev",
    "ptrace",           "reboot",
    "request_key",      "setns",
    "swapoff",          "swapon",
    "umount2",          "unshare",
    "userfaultfd",
};

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                     size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0)
            failed = seccomp_rule_add(filter, action, number, 0);
    }
    return failed;
}

/* Allow a call whose first argument, as far as `mask` goes, is `value`. */
static int add_condition(scmp_filter_ctx filter, int number, uint64_t mask, uint64_t value)
{
    const struct scmp_arg_cmp condition = {
        .arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value
    };
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition);
}

/* Calls that are allowed with certain arguments only. */
static int add_conditions(scmp_filter_ctx filter)
{
    static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA,
                                  PR_GET_PDEATHSIG };
    const uint64_t all = UINT64_MAX, int_bits = UINT32_MAX, self = (uint64_t)getpid();
    int failed = 0;
    /* New threads, but no new processes. clone3 hides its flags behind a pointer; told that the
     * kernel does not know it, the C library takes clone. */
    failed |= add_condition(filter, SCMP_SYS(clone), CLONE_THREAD, CLONE_THREAD);
    failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    failed |= add_condition(filter, SCMP_SYS(tgkill), int_bits, self);
    failed |= add_condition(filter, SCMP_SYS(kill), int_bits, self);
    failed |= add_condition(filter, SCMP_SYS(prlimit64), all, 0);
    for (size_t i = 0; i < ARRAY_LEN(prctls); i++)
        failed |= add_condition(filter, SCMP_SYS(prctl), int_bits, (uint64_t)prctls[i]);
    return failed;
}

static bool filter_calls(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the system call filter.");
    int failed = add_names(filter, SCMP_ACT_ALLOW, allowed_calls, ARRAY_LEN(allowed_calls));
    if (!failed)
        failed = add_names(filter, SCMP_ACT_KILL_PROCESS, deadly_calls, ARRAY_LEN(deadly_calls));
    if (!failed)
        failed = add_conditions(filter);
    if (!failed)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0 || err_sys(err, ERR_INTERNAL, failed < 0 ? -failed : failed,
                                  "The system call filter was refused.");
}

/* ---- All of it ---------------------------------------------------------------------------- */

bool sandbox_enter(const struct sandbox_options *options, struct err *err)
{
    if (!die_with_parent(options->parent, err))
        return false;
    offer_to_oom_killer();
    if (!set_limits(err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, ERR_INTERNAL, errno, "Privileges could not be given up.");
    if (SANDBOX_SANITIZED)
        return true;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(err, ERR_INTERNAL, errno, "The process could not be closed to tracing.");
    return restrict_files(options, err) && filter_calls(err);
}
