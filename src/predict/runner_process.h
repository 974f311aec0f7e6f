/* A runner as an operating system process: starting it with nothing but its socket, measuring it,
 * ending it, and saying in a sentence how it ended. Not here: what it says (predict/supervisor.c).
 */
#ifndef MIMEO_PREDICT_RUNNER_PROCESS_H
#define MIMEO_PREDICT_RUNNER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct err;

struct runner_process_options { /* all borrowed */
    const char *path;           /* the executable */
    const char *model, *weights, *work, *precision;
    int threads;
};

struct runner_process {
    pid_t pid;
    int pid_fd;  /* readable when the process has ended */
    int socket;  /* non-blocking; frames */
    int printed; /* non-blocking; the read end of its standard output and error */
};

/* Start one. Must be called on the thread that lives as long as the runner shall: the kernel ends
 * the runner with it. ERR_UNAVAILABLE. */
bool runner_process_start(const struct runner_process_options *options,
                          struct runner_process *ret_process, struct err *err);

void runner_process_kill(const struct runner_process *process); /* SIGKILL; ended ones are fine */

/* Collect an ended process and close its descriptors. *ret_status as in waitpid. */
void runner_process_collect(struct runner_process *process, int *ret_status);

/* Resident memory in bytes; 0 when it cannot be told. */
int64_t runner_process_resident_bytes(pid_t pid);

/* One sentence about an end that was not the server's doing. out_of_memory: has the kernel ended
 * processes for memory meanwhile (runner_process_oom_kills)? */
void runner_process_describe_end(int status, bool out_of_memory, char *ret_text, size_t size);

/* How often the kernel has ended a process for want of memory since it started; -1: unknown. */
int64_t runner_process_oom_kills(void);

/* What all runners together may use when nobody said: 80% of what this machine (or the control
 * group this process is in) has to give. */
int64_t runner_process_memory_budget(void);

#endif
