/* Errors as values: one small struct that travels up with context.
 *
 * A function that can fail returns bool and takes `struct err *err` last; its outputs are
 * untouched on failure. `detail` is one sentence for the caller; `cause` and `sys` are for the log
 * and never leave the server. Not here: what an error looks like over HTTP (api/problem.c). */
#ifndef MIMEO_BASE_ERR_H
#define MIMEO_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_INVALID,         /* the caller's input is wrong */
    ERR_UNAUTHENTICATED, /* no token, or an unknown one */
    ERR_FORBIDDEN,
    ERR_NOT_FOUND,
    ERR_CONFLICT,
    ERR_TOO_LARGE,
    ERR_RATE_LIMITED,
    ERR_UNAVAILABLE, /* try again later */
    ERR_TIMEOUT,
    ERR_CANCELED,
    ERR_MODEL, /* the model says no: the prediction fails with `detail` */
    ERR_NO_MEMORY,
    ERR_INTERNAL,
    ERR_KIND_COUNT
};

struct err {
    enum err_kind kind;
    int sys;          /* errno or driver code, for the log only; 0 when none */
    char field[64];   /* which input, e.g. "input.seed"; "" when none */
    char detail[256]; /* one sentence for the caller */
    char cause[512];  /* breadcrumbs for the log: " while ..." */
    const char *file; /* where it was first set */
    int line;
};

/* Fill *err and return false, so that `return err_set(err, ERR_INVALID, "...")` is one line.
 * err may be NULL: then the error is only signalled by the return value. Any thread. */
#define err_set(err, kind, ...) err_set_at((err), (kind), __FILE__, __LINE__, __VA_ARGS__)
bool err_set_at(struct err *err, enum err_kind kind, const char *file, int line, const char *fmt,
                ...) __attribute__((format(printf, 5, 6), cold));

/* As err_set, and keep errno `sys` (its text goes to `cause`, not to the caller). */
#define err_sys(err, kind, sys, ...)                                                               \
    err_sys_at((err), (kind), (sys), __FILE__, __LINE__, __VA_ARGS__)
bool err_sys_at(struct err *err, enum err_kind kind, int sys, const char *file, int line,
                const char *fmt, ...) __attribute__((format(printf, 6, 7), cold));

/* Add one breadcrumb (" while <text>") on the way up. Keeps kind and detail. Returns false. */
bool err_while(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* The short lower-case name of a kind, for logs: "not_found". Never NULL. */
const char *err_kind_name(enum err_kind kind);

#endif
