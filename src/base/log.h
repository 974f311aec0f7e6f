/* Logging: one logfmt line per event on standard error, event name first.
 *   ts=2026-01-02T03:04:05.678Z level=info event=prediction_done id=... status=succeeded
 * Low layers return errors and do not log; whoever handles an error logs it, once.
 * Never: prompts, tokens, file contents. Thread safe (one write per line). */
#ifndef MIMEO_BASE_LOG_H
#define MIMEO_BASE_LOG_H

#include <stdbool.h>

struct err;

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

void log_set_level(enum log_level level); /* default LOG_INFO; any thread */
bool log_level_from_name(const char *name, enum log_level *ret_level);

/* fmt gives the key=value pairs after the event; values with spaces must be quoted by "%s" in
 * quotes of their own: log_event(LOG_INFO, "started", "address=\"%s\" pid=%d", ...). */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with an error's kind, detail, cause and place added. */
void log_error(enum log_level level, const char *event, const struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
