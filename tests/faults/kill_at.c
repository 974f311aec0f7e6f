/* Preloaded into the server by crash_points.test.mjs: after SIGUSR2, the MIMEO_KILL_AT-th call that
 * changes something durable (a name, a sync) is the last thing the process does. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int armed, calls;
static int kill_at;

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
