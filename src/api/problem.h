/* Errors as answers: status and body, byte for byte as clients know them. The only place that maps
 * an error's kind to a status. Private to api/. */
#ifndef MIMEO_API_PROBLEM_H
#define MIMEO_API_PROBLEM_H

#include "base/buf.h"

struct err;
struct http_call;
struct validation_error;

/* Answer with the body of an error. Internal ones are logged and told without detail. */
void problem_reply(struct http_call *call, const struct err *err);

/* {"title":title,"detail":detail,"status":status}; title NULL: without. */
void problem_reply_detail(struct http_call *call, int status, const char *title,
                          const char *detail);

void problem_reply_not_found(struct http_call *call);
void problem_reply_file_not_found(struct http_call *call);
void problem_reply_file_too_large(struct http_call *call);
void problem_reply_version(struct http_call *call);      /* unknown version: 422 */
void problem_reply_model_exists(struct http_call *call); /* 409 */
void problem_reply_destination(struct http_call *call);  /* of a training: 404 */
void problem_reply_no_credit(struct http_call *call);    /* 402 */
void problem_reply_throttled(struct http_call *call, const char *detail, int retry_after_s);
void problem_reply_validation(struct http_call *call, const struct validation_error *errors);

/* The body of the last one, for tests and fuzzing. */
void problem_write_validation(const struct validation_error *errors, struct buf *out);

/* The HTTP server's hook for what no handler sees. */
void problem_reply_server(struct http_call *call, int status, const struct err *err);

#endif
