/* The JSON body of a request that makes a prediction, and its Prefer header.
 *
 * The envelope is judged alone: when it is wrong, nothing is said about the input. Its errors are
 * named from the document's root, the input's (in resource/predictions.c) from "input". */
#include "api/envelope.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "domain/limits.h"
#include "registry/validation.h"

#define ENVELOPE_WAIT_MAX_S 60 /* the public API's maximum, and its default */

#define ENVELOPE_PROPERTIES                                                                        \
    "\"input\":{\"type\":\"object\"},\"webhook\":{\"type\":\"string\"},"                           \
    "\"webhook_events_filter\":{\"type\":\"array\",\"items\":{\"type\":\"string\","                \
    "\"enum\":[\"start\",\"output\",\"logs\",\"completed\"]}},\"stream\":{\"type\":\"boolean\"}"

struct envelope {
    json_t *with_version, *without_version;
};

bool envelope_new(struct envelope **ret_envelope, struct err *err)
{
    struct envelope *envelope = calloc(1, sizeof(*envelope));
    struct str with = S("{\"type\":\"object\",\"required\":[\"version\",\"input\"],"
                        "\"additionalProperties\":false,\"properties\":{"
                        "\"version\":{\"type\":\"string\"}," ENVELOPE_PROPERTIES "}}");
    struct str without =
        S("{\"type\":\"object\",\"required\":[\"input\"],"
          "\"additionalProperties\":false,\"properties\":{" ENVELOPE_PROPERTIES "}}");

    if (!envelope)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    if (!json_parse(with, &envelope->with_version, err) ||
        !json_parse(without, &envelope->without_version, err)) {
        envelope_free(envelope);
        return false;
    }
    *ret_envelope = envelope;
    return true;
}

void envelope_free(struct envelope *envelope)
{
    if (!envelope)
        return;
    json_decref(envelope->with_version);
    json_decref(envelope->without_version);
    free(envelope);
}

bool envelope_parse(const struct envelope *envelope, struct str body, bool with_version,
                    struct arena *arena, struct envelope_request *ret_request,
                    struct validation_error **ret_errors, struct err *err)
{
    const json_t *schema = with_version ? envelope->with_version : envelope->without_version;
    struct validation_error *errors;
    json_t *json = NULL;

    *ret_errors = NULL;
    if (!json_parse(body, &json, err))
        return false;
    errors = validation_check(schema, json, "", true, arena);
    if (errors) {
        json_decref(json);
        *ret_errors = errors;
        return false;
    }
    *ret_request = (struct envelope_request){
        .body = json,
        .version = json_get_string(json, "version"),
        .input = json_object_get(json, "input"),
        .webhook = json_get_string(json, "webhook"),
        .events_filter = json_object_get(json, "webhook_events_filter"),
    };
    return true;
}

void envelope_request_done(struct envelope_request *request)
{
    json_decref(request->body);
    request->body = NULL;
}

/* One preference: seconds to wait, or 0. */
static int64_t wait_seconds(struct str preference)
{
    struct str name, value;
    int64_t seconds;

    if (str_equal_nocase(preference, S("wait")))
        return ENVELOPE_WAIT_MAX_S;
    if (!str_cut(preference, '=', &name, &value) || !str_equal_nocase(str_trim(name), S("wait")))
        return 0;
    value = str_trim(value);
    if (value.len > 4 || !str_to_int64(value, &seconds) || seconds < 1)
        return 0;
    return seconds > ENVELOPE_WAIT_MAX_S ? ENVELOPE_WAIT_MAX_S : seconds;
}

int envelope_prefer_ms(const char *header, struct arena *arena, const char **ret_applied)
{
    struct str rest = str_from(header), one;

    while (rest.len > 0) {
        int64_t seconds;

        if (!str_cut(rest, ',', &one, &rest)) {
            one = rest;
            rest.len = 0;
        }
        one = str_trim(one);
        seconds = wait_seconds(one);
        if (seconds > 0) {
            *ret_applied = arena_strdup(arena, one);
            return seconds * 1000 > LIMIT_WAIT_MAX_MS ? LIMIT_WAIT_MAX_MS : (int)seconds * 1000;
        }
    }
    return 0;
}
