/* Logging: a line is put together in one buffer and leaves in one write, so that lines of several
 * threads and processes never mix. Not here: where standard error goes, rotation. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

#define LOG_LINE_BYTES 4096 /* longer lines are cut: nothing that long belongs in a log */

static _Atomic enum log_level log_threshold = LOG_INFO;

static const char *const log_level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn",
    [LOG_ERROR] = "error", [LOG_OFF] = "off",
};

struct log_line {
    char text[LOG_LINE_BYTES];
    size_t len;
};

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
        if (name && strcmp(name, log_level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

__attribute__((format(printf, 2, 0))) static void log_append_args(struct log_line *line,
                                                                  const char *fmt, va_list args)
{
    size_t room = sizeof line->text - 1 - line->len; /* the last byte is for the line's end */
    int len = vsnprintf(line->text + line->len, room, fmt, args);
    if (len > 0)
        line->len += (size_t)len < room ? (size_t)len : room - 1;
}

__attribute__((format(printf, 2, 3))) static void log_append(struct log_line *line, const char *fmt,
                                                             ...)
{
    va_list args;
    va_start(args, fmt);
    log_append_args(line, fmt, args);
    va_end(args);
}

/* Text from outside in quotes: a quote inside must not end the value. */
static void log_append_quoted(struct log_line *line, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    log_append(line, " %s=\"", name);
    for (; *text; text++)
        log_append(line, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    log_append(line, "\"");
}

static void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    char time[CLOCK_TEXT_SIZE];
    clock_format(clock_now_us(), 3, false, time);
    line->len = 0;
    log_append(line, "ts=%s level=%s event=%s", time, log_level_names[level], event);
}

static void log_finish(struct log_line *line)
{
    /* One event, one line, whatever the values hold. */
    for (size_t i = 0; i < line->len; i++) {
        if ((unsigned char)line->text[i] < 0x20 || line->text[i] == 0x7f)
            line->text[i] = ' ';
    }
    line->text[line->len++] = '\n';
    ssize_t written;
    do
        written = write(STDERR_FILENO, line->text, line->len);
    while (written < 0 && errno == EINTR);
}

static bool log_wanted(enum log_level level)
{
    return level >= log_threshold && level < LOG_OFF;
}

__attribute__((format(printf, 4, 0))) static void log_write(enum log_level level, const char *event,
                                                            const struct err *err, const char *fmt,
                                                            va_list args)
{
    if (!log_wanted(level))
        return;
    struct log_line line;
    log_begin(&line, level, event);
    if (fmt && *fmt) {
        log_append(&line, " ");
        log_append_args(&line, fmt, args);
    }
    if (err) {
        log_append(&line, " kind=%s", err_kind_name(err->kind));
        log_append_quoted(&line, "detail", err->detail);
        log_append_quoted(&line, "cause", err->cause);
        if (err->sys)
            log_append(&line, " sys=%d", err->sys);
        if (err->file)
            log_append(&line, " at=%s:%d", err->file, err->line);
    }
    log_finish(&line);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write(level, event, NULL, fmt, args);
    va_end(args);
}

void log_error(enum log_level level, const char *event, const struct err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_write(level, event, err, fmt, args);
    va_end(args);
}
