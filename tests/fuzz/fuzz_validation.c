/* fuzz: server
 * The whole validation: a schema document and a value, as JSON texts with a 0 byte between them.
 * Both are hostile: whatever they hold, there is an answer, and every error in it has its words. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "registry/schema.h"
#include "registry/validation.h"

#define ARENA_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *schema, const json_t *value)
{
    struct arena arena;
    int count = 0;

    arena_init(&arena, ARENA_BYTES);
    for (struct validation_error *error = validation_check(schema, value, "input", false, &arena);
         error; error = error->next) {
        if (!error->type || !error->field || !error->description || ++count > VALIDATION_ERRORS_MAX)
            abort();
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = memchr(data, 0, size);
    json_t *document = NULL, *value = NULL, *flat = NULL;
    int nodes_left = 20000;
    struct str text;

    if (!cut)
        return 0;
    text = (struct str){ (const char *)data, (size_t)(cut - data) };
    if (!json_parse(text, &document, NULL))
        return 0;
    text = (struct str){ (const char *)cut + 1, size - text.len - 1 };
    if (json_parse(text, &value, NULL)) {
        check(document, value);
        if (schema_flatten(document, &nodes_left, &flat, NULL))
            check(flat, value);
    }
    json_decref(flat);
    json_decref(value);
    json_decref(document);
    return 0;
}
