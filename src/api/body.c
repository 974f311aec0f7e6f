/* The JSON body of a call that changes something, checked before anything is done with it. */
#include "api/body.h"

#include "api/problem.h"
#include "base/err.h"
#include "base/json.h"
#include "http/server.h"
#include "registry/validation.h"

bool body_read(struct http_call *call, struct str schema, json_t **ret_body)
{
    json_t *rules = NULL, *body = NULL;
    struct validation_error *errors;
    struct err err;

    if (!json_parse(http_body(call), &body, &err)) {
        problem_reply_detail(call, 400, "Bad request", err.detail);
        return false;
    }
    if (!json_parse(schema, &rules, &err)) {
        json_decref(body);
        problem_reply(call, &err);
        return false;
    }
    errors = validation_check(rules, body, "", true, http_arena(call));
    json_decref(rules);
    if (errors) {
        json_decref(body);
        problem_reply_validation(call, errors);
        return false;
    }
    *ret_body = body;
    return true;
}

void body_refuse(struct http_call *call, const char *type, const char *field,
                 const char *description)
{
    struct validation_error error = { .type = type, .field = field, .description = description };

    problem_reply_validation(call, &error);
}
