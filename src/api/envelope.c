/* The JSON body of a request that makes a prediction, and the headers that go with it.
 *
 * The envelope is judged alone: when it is wrong, nothing is said about the input. Its errors are
 * named from the document's root, the input's (in create.c) from "input". */
#include "api/envelope.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "domain/limits.h"
#include "registry/validation.h"

#define ENVELOPE_WAIT_MAX_S 60 /* the public API's maximum, and its default */
#define ENVELOPE_CANCEL_AFTER_MIN_S 5
#define ENVELOPE_CANCEL_AFTER_MAX_S 86400
#define ENVELOPE_KEY_MAX 255

#define ENVELOPE_PROPERTIES                                                                        \
    "\"input\":{\"type\":\"object\"},\"webhook\":{\"type\":\"string\"},"                           \
    "\"webhook_events_filter\":{\"type\":\"array\",\"items\":{\"type\":\"string\","                \
    "\"enum\":[\"start\",\"output\",\"logs\",\"completed\"]}},\"stream\":{\"type\":\"boolean\"},"  \
    "\"webhook_completed\":{\"type\":[\"string\",\"null\"]}"

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

/* Before there were filters, a webhook for the end alone had a name of its own, which an older
 * Python client still sends when its caller gives it. False: no memory. */
static bool take_legacy_webhook(json_t *json)
{
    const char *url = json_get_string(json, "webhook_completed");

    if (!url || json_object_get(json, "webhook"))
        return true;
    return json_object_set_new(json, "webhook", json_string(url)) == 0 &&
           json_object_set_new(json, "webhook_events_filter", json_pack("[s]", "completed")) == 0;
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
    if (!take_legacy_webhook(json)) {
        json_decref(json);
        return err_set(err, ERR_NO_MEMORY, "not enough memory for a request");
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

/* Digits at the start of *text. False when there are none, or more than a day can have. */
static bool take_number(struct str *text, int64_t *ret_number)
{
    size_t len = 0;

    while (len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9')
        len++;
    if (len == 0 || len > 6 || !str_to_int64((struct str){ text->ptr, len }, ret_number))
        return false;
    *text = str_skip(*text, len);
    return true;
}

bool envelope_cancel_after_us(struct str header, int64_t *ret_after_us)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
    struct str rest = str_trim(header);
    int64_t total_s = 0, number;
    size_t unit = 0; /* the largest that may come next */

    if (!take_number(&rest, &number))
        return false;
    if (rest.len == 0) /* without a letter: seconds */
        total_s = number;
    while (rest.len > 0) {
        while (unit < ARRAY_LEN(units) && units[unit].letter != rest.ptr[0])
            unit++;
        if (unit == ARRAY_LEN(units))
            return false;
        total_s += number * units[unit++].seconds;
        rest = str_skip(rest, 1);
        if (rest.len > 0 && (!take_number(&rest, &number) || rest.len == 0))
            return false;
    }
    if (total_s < ENVELOPE_CANCEL_AFTER_MIN_S || total_s > ENVELOPE_CANCEL_AFTER_MAX_S)
        return false;
    *ret_after_us = total_s * 1000000;
    return true;
}

bool envelope_key_is_valid(struct str header)
{
    for (size_t i = 0; i < header.len; i++)
        if (header.ptr[i] < ' ' || header.ptr[i] > '~')
            return false;
    return header.len > 0 && header.len <= ENVELOPE_KEY_MAX;
}
