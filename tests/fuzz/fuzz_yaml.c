/* fuzz: server
 * yaml_parse over any bytes; what is accepted must be JSON that can be written and read. */
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    json_t *value = NULL, *again = NULL;
    if (!yaml_parse((struct str){ (const char *)data, size }, &value, &err)) {
        must(value == NULL && err.kind == ERR_INVALID && err.detail[0]);
        return 0;
    }
    struct buf text;
    buf_init(&text, size * 16 + 64);
    must(json_write(value, false, &text));
    must(json_parse(buf_str(&text), &again, &err));
    must(json_equal(value, again));
    buf_done(&text);
    json_decref(value);
    json_decref(again);
    return 0;
}
