#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 6, 0))) static void err_fill(struct err *err, enum err_kind kind,
                                                           int sys, const char *file, int line,
                                                           const char *fmt, va_list args)
{
    if (!err)
        return;
    err->kind = kind;
    err->sys = sys;
    err->field[0] = '\0';
    err->cause[0] = '\0';
    err->file = file;
    err->line = line;
    vsnprintf(err->detail, sizeof err->detail, fmt, args);
}

bool err_set_at(struct err *err, enum err_kind kind, const char *file, int line, const char *fmt,
                ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(err, kind, 0, file, line, fmt, args);
    va_end(args);
    return false;
}

bool err_sys_at(struct err *err, enum err_kind kind, int sys, const char *file, int line,
                const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(err, kind, sys, file, line, fmt, args);
    va_end(args);
    if (err) {
        char text[128] = "";
        /* The XSI variant would need another feature macro; the GNU one returns the text. */
        const char *message = strerror_r(sys, text, sizeof text);
        snprintf(err->cause, sizeof err->cause, " (%s)", message);
    }
    return false;
}

bool err_while(struct err *err, const char *fmt, ...)
{
    if (!err)
        return false;
    size_t used = strlen(err->cause);
    const char *lead = " while ";
    if (used + strlen(lead) + 1 >= sizeof err->cause)
        return false;
    memcpy(err->cause + used, lead, strlen(lead) + 1);
    used += strlen(lead);
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->cause + used, sizeof err->cause - used, fmt, args);
    va_end(args);
    return false;
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[ERR_KIND_COUNT] = {
        [ERR_NONE] = "none",
        [ERR_INVALID] = "invalid",
        [ERR_UNAUTHENTICATED] = "unauthenticated",
        [ERR_FORBIDDEN] = "forbidden",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_CONFLICT] = "conflict",
        [ERR_TOO_LARGE] = "too_large",
        [ERR_RATE_LIMITED] = "rate_limited",
        [ERR_UNAVAILABLE] = "unavailable",
        [ERR_TIMEOUT] = "timeout",
        [ERR_CANCELED] = "canceled",
        [ERR_MODEL] = "model",
        [ERR_NO_MEMORY] = "no_memory",
        [ERR_INTERNAL] = "internal",
    };
    return (unsigned)kind < ERR_KIND_COUNT ? names[kind] : "unknown";
}
