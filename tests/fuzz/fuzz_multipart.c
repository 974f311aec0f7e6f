/* fuzz: server
 * multipart/form-data bodies. The input's first line is the content type, the rest the body. */
#include "http/multipart.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = { (const char *)data, size }, line, body;
    struct arena arena;
    struct multipart_part *parts = NULL;
    struct err err = { .kind = ERR_NONE };
    int count = 0;
    if (!str_cut(all, '\n', &line, &body))
        return 0;
    arena_init(&arena, 1 << 20);
    char *type = arena_strdup(&arena, line);
    /* The body in memory of its own, so that reading past it is seen. */
    char *copy = malloc(body.len ? body.len : 1);
    if (type && copy) {
        if (body.len)
            memcpy(copy, body.ptr, body.len);
        if (multipart_parse(type, (struct str){ copy, body.len }, &arena, &parts, &count, &err)) {
            for (int i = 0; i < count; i++) {
                const struct multipart_part *part = &parts[i];
                if (!part->name || part->body.ptr < copy ||
                    part->body.ptr + part->body.len > copy + body.len)
                    abort();
            }
        } else if (err.kind == ERR_NONE) {
            abort();
        }
    }
    free(copy);
    arena_done(&arena);
    return 0;
}
