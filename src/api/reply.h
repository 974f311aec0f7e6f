/* Answers that are not errors, and the headers every answer has. Private to api/. */
#ifndef MIMEO_API_REPLY_H
#define MIMEO_API_REPLY_H

#include "base/buf.h"

struct http_call;

/* Cache-Control: no-store and the request's id. Call it once per answer. */
void reply_set_headers(struct http_call *call);

/* Answer with JSON; frees body. A body that failed to fit becomes a 500. */
void reply_json(struct http_call *call, int status, struct buf *body);

/* Make that answer, for http_reply_made to give; frees body. False: nothing was made. */
bool reply_json_make(struct http_call *call, int status, struct buf *body);

/* 204 without a body. */
void reply_empty(struct http_call *call);

#endif
