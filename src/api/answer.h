/* The answer to a request that waited for its prediction. Private to api/. */
#ifndef MIMEO_API_ANSWER_H
#define MIMEO_API_ANSWER_H

#include "api/waits.h"

/* Answer on a thread of api->answers. A create: 201 and the prediction when it has ended, else 202
 * and a prediction that looks not begun. A cancel: 200 and the prediction. Does not block. */
void answer_after_wait(struct http_call *call, const char *id, enum waits_kind kind);

/* The same on this thread, which may block on the store. */
void answer_now(struct http_call *call, const char *id, enum waits_kind kind);

#endif
