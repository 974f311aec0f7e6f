/* The answer to a request that waited for its prediction. Private to api/. */
#ifndef MIMEO_API_ANSWER_H
#define MIMEO_API_ANSWER_H

#include "api/waits.h"

struct prediction;

/* Answer with a record as it is. Any thread. */
void answer_prediction(struct http_call *call, int status, const struct prediction *prediction);

/* Answer on a thread of api->answers. A create: 201 and the prediction when it has ended, else 202
 * and a prediction that looks not begun. A replayed create: 201 and the prediction as it is. A
 * cancel: 200 and the prediction. A function: as functions_answer does. Does not block. */
void answer_after_wait(struct http_call *call, const char *id, enum waits_kind kind);

/* The same on this thread, which may block on the store. */
void answer_now(struct http_call *call, const char *id, enum waits_kind kind);

/* Is this call to get output files as data: URLs, not as links? */
bool answer_wants_inline(const struct http_call *call);

#endif
