/* POST /api/<function>: a model by a short name, a form in, the output or the picture out.
 * Private to api/. */
#ifndef MIMEO_API_FUNCTIONS_H
#define MIMEO_API_FUNCTIONS_H

struct http_call;
struct prediction;

/* Answer a call of a function with the record of its prediction, ended or not. May read the
 * output's files, so not on a thread that must not block. */
void functions_answer(struct http_call *call, const struct prediction *prediction);

#endif
