/* Preloaded into the server. By crash_points.mjs: after SIGUSR2, the MIMEO_KILL_AT-th call that
 * changes something durable (a name, a sync) is the last thing the process does. By clock.test.mjs:
 * the clock of the day is MIMEO_CLOCK_SHIFT_S seconds ahead. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int armed, calls;
static int kill_at;
static time_t clock_shift_s;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void arm(int signal_number)
{
    (void)signal_number;
    atomic_store(&armed, 1);
}

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("MIMEO_KILL_AT");
    unsetenv("LD_PRELOAD"); /* not in the runners */
    kill_at = text ? atoi(text) : 0;
    text = getenv("MIMEO_CLOCK_SHIFT_S");
    clock_shift_s = text ? atoi(text) : 0;
    if (kill_at > 0)
        signal(SIGUSR2, arm);
}

/* Before the call: so that what comes after it is not done. */
static void step(void)
{
    if (atomic_load(&armed) && atomic_fetch_add(&calls, 1) + 1 == kill_at)
        kill(getpid(), SIGKILL);
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int rename(const char *from, const char *to)
{
    step();
    return ((int (*)(const char *, const char *))real("rename"))(from, to);
}

int unlink(const char *path)
{
    step();
    return ((int (*)(const char *))real("unlink"))(path);
}

int unlinkat(int folder, const char *path, int flags)
{
    step();
    return ((int (*)(int, const char *, int))real("unlinkat"))(folder, path, flags);
}

int fsync(int fd)
{
    step();
    return ((int (*)(int))real("fsync"))(fd);
}

int fdatasync(int fd)
{
    step();
    return ((int (*)(int))real("fdatasync"))(fd);
}

int clock_gettime(clockid_t which, struct timespec *ret_time)
{
    if (!real_clock_gettime) /* two threads find the same */
        real_clock_gettime = (int (*)(clockid_t, struct timespec *))real("clock_gettime");
    int failed = real_clock_gettime(which, ret_time);
    if (!failed && which == CLOCK_REALTIME)
        ret_time->tv_sec += clock_shift_s;
    return failed;
}
