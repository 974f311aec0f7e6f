/* fuzz: server
 * Bodies of create requests: through the envelope, the check of the input against a schema with
 * every keyword, and the text of the 422 answer, which must be JSON. The same bytes are read as the
 * headers of a create. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/envelope.h"
#include "api/problem.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "registry/validation.h"

static const char schema_text[] =
    "{\"type\":\"object\",\"required\":[\"image\"],\"minProperties\":1,\"maxProperties\":9,"
    "\"properties\":{\"image\":{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":99},"
    "\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000,\"multipleOf\":8},"
    "\"x\":{\"type\":\"number\",\"exclusiveMinimum\":0.1,\"exclusiveMaximum\":1e300,"
    "\"multipleOf\":0.1},"
    "\"e\":{\"enum\":[\"a\",1,null,{\"b\":[]}]},\"c\":{\"const\":[1,2]},"
    "\"l\":{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"null\"],\"minLength\":2},"
    "\"minItems\":1,\"maxItems\":4,\"uniqueItems\":true},"
    "\"o\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}},"
    "\"a\":{\"anyOf\":[{\"type\":\"string\",\"format\":\"date-time\"},{\"maximum\":3}]},"
    "\"b\":{\"oneOf\":[{\"type\":\"string\",\"format\":\"uuid\"},{\"format\":\"ipv6\"}]},"
    "\"d\":{\"not\":{\"type\":\"null\"},\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct validation_error *errors)
{
    json_t *answer = NULL;
    struct buf text;

    buf_init(&text, 64u << 20);
    problem_write_validation(errors, &text);
    if (text.failed || !json_parse(buf_str(&text), &answer, NULL))
        abort();
    json_decref(answer);
    buf_done(&text);
}

static void check_headers(struct str header)
{
    int64_t after_us = 0;

    if (envelope_cancel_after_us(header, &after_us) &&
        (after_us < 5000000 || after_us > INT64_C(86400000000)))
        abort();
    if (envelope_key_is_valid(header) && (header.len == 0 || header.len > 255))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = { (const char *)data, size };
    struct envelope_request request;
    struct validation_error *errors;
    struct envelope *envelope = NULL;
    json_t *schema = NULL;
    struct arena arena;
    struct err err = { 0 };

    check_headers(body);
    if (!envelope_new(&envelope, NULL) || !json_parse(str_from(schema_text), &schema, NULL))
        abort();
    arena_init(&arena, 8u << 20);
    if (envelope_parse(envelope, body, size % 2 == 0, &arena, &request, &errors, &err)) {
        errors = validation_check(schema, request.input, "input", false, &arena);
        envelope_request_done(&request);
    } else if (!errors && err.detail[0] == '\0') {
        abort();
    }
    if (errors)
        check_answer(errors);
    arena_done(&arena);
    json_decref(schema);
    envelope_free(envelope);
    return 0;
}
