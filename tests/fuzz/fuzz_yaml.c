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
    struct buf first, second;
    buf_init(&first, size * 16 + 64);
    buf_init(&second, size * 16 + 64);
    must(json_write(value, false, &first));
    must(json_parse(buf_str(&first), &again, &err));
    must(json_write(again, false, &second));
    must(str_equal(buf_str(&first), buf_str(&second)));
    buf_done(&first);
    buf_done(&second);
    json_decref(value);
    json_decref(again);
    return 0;
}
