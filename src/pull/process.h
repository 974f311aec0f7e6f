/* Running another program to its end, without a shell: with a time limit, a limit on what it may
 * print, and a way to stop it. Blocking; any thread. */
#ifndef MIMEO_PULL_PROCESS_H
#define MIMEO_PULL_PROCESS_H

#include <stdatomic.h>

#include "base/buf.h"

struct err;

struct process_options {
    const char *const *argv; /* NULL-ended; argv[0] is looked up on PATH when it has no "/" */
    int timeout_ms;
    struct buf *output;          /* standard output is appended, up to its max; NULL: thrown away */
    const char *output_path;     /* instead: standard output goes to this file (made, emptied) */
    int64_t output_path_max;     /* bytes the file may grow to */
    const atomic_bool *canceled; /* may be NULL; ERR_CANCELED */
    void (*tick)(void *context); /* called about ten times a second; may be NULL */
    void *context;
};

/* Standard input is empty; standard error is kept (its last line) for the message. ERR_NOT_FOUND
 * when there is no such program, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_INTERNAL when it fails. */
bool process_run(const struct process_options *options, struct err *err);

#endif
