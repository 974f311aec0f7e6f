/* What a confined process may still do, and what not: each case in a child of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "runner/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static char weights[64], work[64], outside[64];

static int setup(void **state)
{
    (void)state;
    snprintf(weights, sizeof weights, "/tmp/mimeo-sandbox-w-XXXXXX");
    snprintf(work, sizeof work, "/tmp/mimeo-sandbox-j-XXXXXX");
    snprintf(outside, sizeof outside, "/tmp/mimeo-sandbox-o-XXXXXX");
    return mkdtemp(weights) && mkdtemp(work) && mkdtemp(outside) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(weights, NULL) && file_remove_tree(work, NULL) &&
                   file_remove_tree(outside, NULL)
               ? 0
               : -1;
}

/* Run `inside` in a confined child. Returns its wait status; 100 means the sandbox failed. */
static int confined(int (*inside)(void))
{
    int status;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        struct err err = { 0 };
        const struct sandbox_options options = { weights, work, parent };
        if (!sandbox_enter(&options, &err)) {
            fprintf(stderr, "%s%s\n", err.detail, err.cause);
            _exit(100);
        }
        _exit(inside());
    }
    waitpid(pid, &status, 0);
    return status;
}

static void assert_fine(int (*inside)(void))
{
    if (SANITIZED)
        skip();
    int status = confined(inside);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("wait status %d", status);
}

static int try_network(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 || errno != EPERM)
        return 1;
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return fd >= 0 || errno != EPERM ? 2 : 0;
}

static int try_processes(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        return 1;
    char *const arguments[] = { (char *)(uintptr_t) "true", NULL };
    execv("/bin/true", arguments);
    if (errno != EPERM && errno != EACCES)
        return 2;
    return kill(getppid(), 0) == 0 ? 3 : 0;
}

static int open_in(const char *folder, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int try_files(void)
{
    char from[128], to[128];
    if (!open_in(work, O_WRONLY | O_CREAT))
        return 1;
    snprintf(from, sizeof from, "%s/file", work);
    snprintf(to, sizeof to, "%s/link", work);
    if (link(from, to) == 0 || symlink("/etc/passwd", to) == 0)
        return 2;
    snprintf(to, sizeof to, "%s/folder", work);
    if (mkdir(to, 0700) != 0 || rmdir(to) != 0 || unlink(from) != 0)
        return 3;
    return 0;
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static int try_foreign_files(void)
{
    if (open_in(outside, O_WRONLY | O_CREAT) || open_in(weights, O_WRONLY | O_CREAT))
        return 1;
    if (open_in(outside, O_RDONLY))
        return 2;
    int fd = open(outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return 3;
    fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? 4 : 0;
}

static void *set_flag(void *flag)
{
    *(int *)flag = 1;
    return NULL;
}

/* What oneDNN, OpenMP and libvips live on. */
static int try_honest_work(void)
{
    pthread_t thread;
    int flag = 0;
    if (pthread_create(&thread, NULL, set_flag, &flag) != 0 || pthread_join(thread, NULL) != 0)
        return 1;
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED || mprotect(code, 4096, PROT_READ | PROT_EXEC) != 0)
        return 2;
    void *block = malloc(64 << 20);
    if (!block)
        return 3;
    memset(block, 1, 64 << 20);
    free(block);
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0)
        return 4;
    return flag == 1 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 5;
}

static int try_tracing(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return 1;
}

static int try_abort(void)
{
    abort();
}

static void there_is_no_network(void **state)
{
    (void)state;
    assert_fine(try_network);
}

static void there_are_no_new_processes(void **state)
{
    (void)state;
    assert_fine(try_processes);
}

static void the_work_folder_is_writable_and_takes_no_links(void **state)
{
    (void)state;
    assert_fine(try_files);
}

static void other_files_are_out_of_reach(void **state)
{
    (void)state;
    if (!has_landlock())
        skip();
    assert_fine(try_foreign_files);
}

static void honest_work_goes_on(void **state)
{
    (void)state;
    assert_fine(try_honest_work);
}

static void tracing_ends_the_process(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    int status = confined(try_tracing);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void an_abort_is_still_an_abort(void **state)
{
    (void)state;
    int status = confined(try_abort);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_missing_parent_is_seen(void **state)
{
    (void)state;
    struct err err = { 0 };
    const struct sandbox_options options = { .parent = 1 << 22 };
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_enter(&options, &err));
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_no_network),
        cmocka_unit_test(there_are_no_new_processes),
        cmocka_unit_test(the_work_folder_is_writable_and_takes_no_links),
        cmocka_unit_test(other_files_are_out_of_reach),
        cmocka_unit_test(honest_work_goes_on),
        cmocka_unit_test(tracing_ends_the_process),
        cmocka_unit_test(an_abort_is_still_an_abort),
        cmocka_unit_test(a_missing_parent_is_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
