/* The answer to a request that waited for its prediction. Private to api/. */
#ifndef MIMEO_API_ANSWER_H
#define MIMEO_API_ANSWER_H

struct http_call;

/* Answer on a thread of api->answers: 201 and the prediction when it has ended, else 202 and a
 * prediction that looks not begun. Must not block: usable as a waits_answer. */
void answer_after_wait(struct http_call *call, const char *id);

/* The same on this thread, which may block on the store. */
void answer_now(struct http_call *call, const char *id);

#endif
