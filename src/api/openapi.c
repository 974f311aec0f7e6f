/* The API's own description: openapi.yaml, built in, turned into JSON once at the start. */
#include "api/openapi.h"

#include <stdlib.h>

#include "base/embed.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

#define OPENAPI_BYTES_MAX (4u << 20)

struct openapi {
    struct buf rest; /* the JSON after its first key, `servers` */
};

bool openapi_new(struct openapi **ret_openapi, struct err *err)
{
    const struct embed_file *file = &embed_api[0];
    struct openapi *openapi = calloc(1, sizeof(*openapi));
    json_t *document = NULL;
    bool ok;

    if (!openapi)
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    buf_init(&openapi->rest, OPENAPI_BYTES_MAX);
    if (!yaml_parse((struct str){ (const char *)file->data, file->len }, &document, err)) {
        openapi_free(openapi);
        return err_while(err, "reading %s", file->name);
    }
    json_object_del(document, "servers");
    ok = json_write(document, false, &openapi->rest);
    json_decref(document);
    if (!ok) {
        openapi_free(openapi);
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    }
    *ret_openapi = openapi;
    return true;
}

void openapi_free(struct openapi *openapi)
{
    if (!openapi)
        return;
    buf_done(&openapi->rest);
    free(openapi);
}

void openapi_write(const struct openapi *openapi, const char *base_url, struct buf *out)
{
    buf_append_str(out, S("{\"servers\":[{\"url\":"));
    json_write_string(str_from(base_url), out);
    buf_append_str(out, S("}],"));
    buf_append_str(out, str_skip(buf_str(&openapi->rest), 1));
}
