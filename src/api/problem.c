/* Errors as answers: status and body, byte for byte as clients know them.
 *
 * Key orders and texts are those captured from the public API (docs/api-compatibility.md): they
 * differ between kinds, a body ends with one newline, and <, > and & are escaped. Bodies that were
 * never captured (400, 405, 5xx) use the same set of keys. Not here: what an error means. */
#include "api/problem.h"

#include <string.h>

#include "api/reply.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "http/server.h"
#include "registry/validation.h"

#define PROBLEM_BYTES_MAX (4u << 20) /* 100 validation errors of 64 KiB would be silly */
#define PROBLEM_TYPE "application/problem+json"

/* A JSON string with <, > and & escaped, as the public API's encoder does it. */
static void write_text(struct buf *out, const char *text)
{
    struct buf plain;

    if (!strpbrk(text, "<>&")) {
        json_write_string(str_from(text), out);
        return;
    }
    buf_init(&plain, PROBLEM_BYTES_MAX);
    json_write_string(str_from(text), &plain);
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.ptr[i] == '<' || plain.ptr[i] == '>' || plain.ptr[i] == '&')
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)plain.ptr[i]);
        else
            buf_append_char(out, plain.ptr[i]);
    }
    buf_done(&plain);
}

static void send_body(struct http_call *call, int status, struct buf *body)
{
    buf_append_char(body, '\n');
    reply_set_headers(call);
    http_reply(call, status, PROBLEM_TYPE, buf_str(body));
    buf_done(body);
}

static void send_text(struct http_call *call, int status, const char *body)
{
    reply_set_headers(call);
    http_reply(call, status, PROBLEM_TYPE, str_from(body));
}

void problem_reply_detail(struct http_call *call, int status, const char *title, const char *detail)
{
    struct buf body;

    buf_init(&body, PROBLEM_BYTES_MAX);
    buf_append_char(&body, '{');
    if (title) {
        buf_append_str(&body, S("\"title\":"));
        write_text(&body, title);
        buf_append_char(&body, ',');
    }
    buf_append_str(&body, S("\"detail\":"));
    write_text(&body, detail);
    buf_printf(&body, ",\"status\":%d}", status);
    send_body(call, status, &body);
}

void problem_reply_not_found(struct http_call *call)
{
    send_text(call, 404,
              "{\"detail\":\"The requested resource could not be found.\","
              "\"status\":404}\n");
}

void problem_reply_file_not_found(struct http_call *call)
{
    send_text(call, 404, "{\"detail\":\"File not found\"}\n");
}

void problem_reply_file_too_large(struct http_call *call)
{
    send_text(call, 413, "{\"detail\":\"Files must be less than 100MB in size\"}\n");
}

void problem_reply_version(struct http_call *call)
{
    send_text(call, 422,
              "{\"title\":\"Invalid version or not permitted\","
              "\"detail\":\"The specified version does not exist (or perhaps you don't have "
              "permission to use it?)\",\"status\":422}\n");
}

void problem_write_validation(const struct validation_error *errors, struct buf *out)
{
    struct buf detail;

    buf_init(&detail, PROBLEM_BYTES_MAX);
    for (const struct validation_error *error = errors; error; error = error->next)
        buf_printf(&detail, "- %s%s%s\n", error->field, *error->field ? ": " : "",
                   error->description);
    buf_append_str(out, S("{\"detail\":"));
    write_text(out, detail.failed || !detail.ptr ? "Input validation failed" : detail.ptr);
    buf_done(&detail);
    buf_append_str(out, S(",\"status\":422,\"title\":\"Input validation failed\","
                          "\"invalid_fields\":["));
    for (const struct validation_error *error = errors; error; error = error->next) {
        buf_append_str(out, error == errors ? S("{\"type\":") : S(",{\"type\":"));
        write_text(out, error->type);
        buf_append_str(out, S(",\"field\":"));
        write_text(out, error->field);
        buf_append_str(out, S(",\"description\":"));
        write_text(out, error->description);
        buf_append_char(out, '}');
    }
    buf_append_str(out, S("]}"));
}

void problem_reply_validation(struct http_call *call, const struct validation_error *errors)
{
    struct buf body;

    buf_init(&body, 2 * PROBLEM_BYTES_MAX);
    problem_write_validation(errors, &body);
    send_body(call, 422, &body);
}

static void reply_throttled(struct http_call *call, const char *detail)
{
    struct buf body;

    buf_init(&body, PROBLEM_BYTES_MAX);
    buf_append_str(&body, S("{\"detail\":"));
    write_text(&body, detail);
    buf_append_str(&body, S(",\"status\":429,\"retry_after\":1}"));
    http_set_header(call, "Retry-After", "1");
    send_body(call, 429, &body);
}

static void reply_hidden(struct http_call *call, const struct err *err)
{
    log_error(LOG_ERROR, "request_failed", err, "request=%s method=%s", http_request_id(call),
              http_method(call));
    problem_reply_detail(call, 500, "Internal server error",
                         "The server could not handle the request. Its log says why.");
}

void problem_reply(struct http_call *call, const struct err *err)
{
    switch (err->kind) {
    case ERR_INVALID:
    case ERR_MODEL:
        problem_reply_detail(call, 422, "Unprocessable entity", err->detail);
        return;
    case ERR_UNAUTHENTICATED:
        problem_reply_detail(call, 401, "Unauthenticated", err->detail);
        return;
    case ERR_FORBIDDEN:
        problem_reply_detail(call, 403, "Forbidden", err->detail);
        return;
    case ERR_NOT_FOUND:
        problem_reply_not_found(call);
        return;
    case ERR_CONFLICT:
        problem_reply_detail(call, 409, "Conflict", err->detail);
        return;
    case ERR_TOO_LARGE:
        problem_reply_detail(call, 413, "Request entity too large", err->detail);
        return;
    case ERR_RATE_LIMITED:
        reply_throttled(call, err->detail);
        return;
    case ERR_UNAVAILABLE:
    case ERR_CANCELED:
        problem_reply_detail(call, 503, "Service unavailable", err->detail);
        return;
    case ERR_NO_MEMORY:
        log_error(LOG_ERROR, "request_failed", err, "request=%s", http_request_id(call));
        problem_reply_detail(call, 503, "Service unavailable", "The server is short of memory.");
        return;
    case ERR_TIMEOUT:
        problem_reply_detail(call, 504, "Timeout", err->detail);
        return;
    default:
        reply_hidden(call, err);
    }
}

/* Does the request's path end with the upload route? Its 413 has words of its own. */
static bool is_upload(const struct http_call *call)
{
    return strcmp(http_method(call), "POST") == 0 && str_ends(http_path(call), S("/v1/files"));
}

void problem_reply_server(struct http_call *call, int status, const struct err *err)
{
    if (status == 404)
        problem_reply_not_found(call);
    else if (status == 405)
        problem_reply_detail(call, 405, "Method not allowed", err->detail);
    else if (status == 413 && is_upload(call))
        problem_reply_file_too_large(call);
    else if (status == 413)
        problem_reply_detail(call, 413, "Request entity too large", err->detail);
    else if (status == 400)
        problem_reply_detail(call, 400, "Bad request", err->detail);
    else
        problem_reply(call, err);
}
