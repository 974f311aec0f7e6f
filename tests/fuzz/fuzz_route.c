/* fuzz: server
 * Paths: decoding and the walk through the route tree. The input is one path, raw. */
#include "base/err.h"
#include "http/route_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(struct http_call *call)
{
    (void)call;
}

static const struct http_route routes[] = {
    { "GET", "/", nothing, HTTP_ROOT_ONLY, 0 },
    { "GET", "/ui/{rest...}", nothing, HTTP_ROOT_ONLY, 0 },
    { "GET", "/v1/models/{owner}/{name}", nothing, 0, 0 },
    { "POST", "/v1/models/{owner}/{name}/versions/{id}/trainings", nothing, 0, 0 },
    { "GET", "/v1/models/{owner}/featured", nothing, 0, 0 },
    { "GET", "/v1/{rest...}", nothing, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_route *const tables[] = { routes, NULL };
    static const char *const prefixes[] = { "", "/replicate", "/a/b", NULL };
    static struct route_table *table;
    struct arena arena;
    struct route_match match = { 0 };
    struct err err;
    if (!table && !route_table_new(tables, prefixes, &table, &err))
        abort();
    arena_init(&arena, 1 << 20);
    char *copy = malloc(size ? size : 1);
    if (copy) {
        if (size)
            memcpy(copy, data, size);
        if (route_find(table, "GET", (struct str){ copy, size }, &arena, &match) == ROUTE_FOUND)
            for (int i = 0; i < match.param_count; i++)
                if (strstr(match.param_values[i], "../") && strstr(match.param_names[i], "rest"))
                    if (strncmp(match.param_values[i], "../", 3) == 0)
                        abort();
    }
    free(copy);
    arena_done(&arena);
    return 0;
}
