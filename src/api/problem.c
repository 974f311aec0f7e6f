/* Errors as answers: status and body, byte for byte as clients know them.
 *
 * Key orders and texts are those captured from the public API (docs/api-compatibility.md): they
 * differ between kinds, a body ends with one newline, and <, > and & are escaped. Bodies that were
 * never captured (400, 405, 5xx) use the same set of keys. Not here: what an error means. */
#include "api/problem.h"

#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/reply.h"
#include "api/site.h"
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

/* The lines of a detail as one sentence, without what only users of the API itself know of. */
static void write_sentence(struct buf *out, struct str detail)
{
    struct str line;

    while (detail.len > 0) {
        if (!str_cut(detail, '\n', &line, &detail)) {
            line = detail;
            detail.len = 0;
        }
        if (str_starts(line, S("- ")))
            line = str_skip(line, 2);
        if (str_starts(line, S("input: ")))
            line = str_skip(line, 7);
        else if (str_starts(line, S("input.")))
            line = str_skip(line, 6);
        if (out->len > 0 && line.len > 0)
            buf_append_str(out, S("; "));
        buf_append_str(out, line);
    }
}

/* {"error":"..."}: what functions answer, in place of the body of a problem. */
static void send_error(struct http_call *call, int status, struct str body)
{
    struct buf sentence, error;
    json_t *problem = NULL;

    buf_init(&sentence, PROBLEM_BYTES_MAX);
    buf_init(&error, 2 * PROBLEM_BYTES_MAX);
    if (json_parse(str_trim(body), &problem, NULL))
        write_sentence(&sentence, str_from(json_get_string(problem, "detail")));
    buf_append_str(&error, S("{\"error\":"));
    json_write_string(buf_str(&sentence), &error);
    buf_append_str(&error, S("}"));
    http_reply(call, status, "application/json", buf_str(&error));
    buf_done(&sentence);
    buf_done(&error);
    json_decref(problem);
}

static void send(struct http_call *call, int status, struct str body)
{
    const struct http_route *route = http_call_route(call);

    reply_set_headers(call);
    if (route && str_starts(str_from(route->pattern), S("/api/")))
        send_error(call, status, body);
    else
        http_reply(call, status, PROBLEM_TYPE, body);
}

static void send_body(struct http_call *call, int status, struct buf *body)
{
    buf_append_char(body, '\n');
    send(call, status, buf_str(body));
    buf_done(body);
}

static void send_text(struct http_call *call, int status, const char *body)
{
    send(call, status, str_from(body));
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

void problem_reply_model_exists(struct http_call *call)
{
    send_text(call, 409,
              "{\"detail\":\"A model with that name and owner already exists.\",\"status\":409,"
              "\"errors\":[{\"detail\":\"A model with that name and owner already exists.\"}]}\n");
}

void problem_reply_destination(struct http_call *call)
{
    send_text(call, 404,
              "{\"detail\":\"The specified training destination does not exist\","
              "\"status\":404}\n");
}

void problem_reply_no_credit(struct http_call *call)
{
    send_text(call, 402,
              "{\"title\":\"Insufficient credit\","
              "\"detail\":\"You have insufficient credit to run this model. Go to "
              "https://replicate.com/account/billing#billing to purchase credit. Once you purchase "
              "credit, please wait a few minutes before trying again.\",\"status\":402}\n");
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

void problem_reply_throttled(struct http_call *call, const char *detail, int retry_after_s)
{
    char text[16];
    struct buf body;

    snprintf(text, sizeof(text), "%d", retry_after_s);
    buf_init(&body, PROBLEM_BYTES_MAX);
    buf_append_str(&body, S("{\"detail\":"));
    write_text(&body, detail);
    buf_printf(&body, ",\"status\":429,\"retry_after\":%s}", text);
    http_set_header(call, "Retry-After", text);
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
        problem_reply_throttled(call, err->detail, 1);
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
    if (status == 404) {
        if (!api_of(call)->site || !site_answer(api_of(call)->site, call))
            problem_reply_not_found(call);
    } else if (status == 421)
        problem_reply_detail(call, 421, "Misdirected request", err->detail);
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
