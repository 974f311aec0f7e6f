/* What a picture says of its making: model, version, prediction, and the inputs that one would give
 * again, so that the file alone is enough to make another like it.
 *
 * Whoever gets the file reads this: it has no secret, no file and no link that an input may be, and
 * nothing of who made it (account, token, webhook). Inputs that the version does not know are left
 * out, too, as nobody can say what they are.
 * Not here: how that gets into the file (blob/picture_note.c). */
#include "predict/making.h"

#include "base/json.h"
#include "predict/inputs.h"
#include "registry/registry.h"

#define INPUT_BYTES_MAX 4096         /* of one input's JSON */
#define INPUTS_BYTES_MAX (32u << 10) /* of all; longer ones are left out: a JPEG has 64 KiB */
#define SEED_SAID "Using seed: "     /* as most models that choose one say it in their logs */

static bool may_be_told(const json_t *property, const json_t *value)
{
    struct str text = { json_string_value(value), json_string_length(value) };
    return property && !registry_is_secret(property) && !inputs_is_file(property) &&
           !str_starts(text, S("data:"));
}

/* The bytes of a value's JSON; more than INPUT_BYTES_MAX: too many. */
static size_t size_of(const json_t *value)
{
    struct buf text;
    buf_init(&text, INPUT_BYTES_MAX);
    size_t size = json_write(value, false, &text) ? text.len : INPUT_BYTES_MAX + 1;
    buf_done(&text);
    return size;
}

/* A new reference. */
static json_t *told_inputs(const json_t *input, const json_t *schema)
{
    const json_t *properties = json_object_get(schema, "properties");
    json_t *told = json_object(), *value;
    const char *name;
    size_t total = 0;
    json_object_foreach((json_t *)(uintptr_t)input, name, value)
    {
        if (!may_be_told(json_object_get(properties, name), value))
            continue;
        size_t size = size_of(value);
        size_t with_name = size + str_from(name).len + 4;
        if (size > INPUT_BYTES_MAX || total + with_name > INPUTS_BYTES_MAX)
            continue;
        total += with_name;
        json_object_set(told, name, value);
    }
    return told;
}

/* The seed that was given, or that the model said it chose. */
static bool find_seed(const json_t *told, struct str logs, int64_t *ret_seed)
{
    const json_t *given = json_object_get(told, "seed");
    struct str digits;
    size_t len = 0;
    if (json_is_integer(given)) {
        *ret_seed = json_integer_value(given);
        return true;
    }
    ptrdiff_t at = str_find(logs, S(SEED_SAID));
    if (at < 0)
        return false;
    digits = str_skip(logs, (size_t)at + sizeof SEED_SAID - 1);
    while (len < digits.len && digits.ptr[len] >= '0' && digits.ptr[len] <= '9')
        len++;
    return str_to_int64((struct str){ digits.ptr, len }, ret_seed);
}

bool making_write(const struct prediction *record, const struct registry_version *version,
                  struct str logs, struct buf *out)
{
    json_t *input;
    int64_t seed;
    if (!json_parse(record->input, &input, NULL))
        return false;
    json_t *told = told_inputs(input, version->input_schema);
    buf_append_str(out, S("{\"model\":"));
    json_write_string(str_from(record->model), out);
    buf_append_str(out, S(",\"version\":"));
    json_write_string(str_from(record->version), out);
    buf_append_str(out, S(",\"prediction\":"));
    json_write_string(str_from(record->id), out);
    buf_append_str(out, S(",\"input\":"));
    bool ok = json_write(told, true, out);
    if (find_seed(told, logs, &seed))
        buf_printf(out, ",\"seed\":%lld", (long long)seed);
    buf_append_char(out, '}');
    json_decref(told);
    json_decref(input);
    return ok && !out->failed;
}
