/* Confinement of a runner: what is left of the process's rights after start.
 *
 * A model decodes pictures and reads weight files that strangers made, so it gets no network, no
 * new processes, no way to trace others, and (where the kernel has Landlock) only the files it
 * needs. Memory is not bounded here: the server measures it and ends a runner that is over.
 * Not here: what the server does when a runner dies (predict/). */
#ifndef MIMEO_RUNNER_SANDBOX_H
#define MIMEO_RUNNER_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

struct err;

struct sandbox_options {
    const char *weights_directory; /* readable; NULL or absent: none */
    const char *work_directory;    /* readable and writable; NULL: none */
    pid_t parent;                  /* whose death ends this process; 0: nobody's */
};

/* Call once, before there is a second thread. ERR_INTERNAL when the kernel refuses a step that it
 * should have; Landlock alone may be missing. Does nothing harmful to sanitizers: a build with one
 * leaves out the system call filter and Landlock. */
bool sandbox_enter(const struct sandbox_options *options, struct err *err);

#endif
