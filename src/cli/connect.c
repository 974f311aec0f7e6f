/* Opening a client from options. */
#include "cli/connect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/usage.h"

struct mimeo_client *connect_open(const struct option_values *values)
{
    struct mimeo_error error;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct mimeo_client *client =
        mimeo_client_new(option_string(values, "url"), option_string(values, "token"), &error);
    if (client == NULL)
        cli_fail("%s", error.detail);
    return client;
}

int connect_fail(const struct mimeo_error *error)
{
    if (error->status == 401)
        return cli_fail("%s (set MIMEO_TOKEN to a token of this server)", error->detail);
    if (error->status == 0 && !error->canceled)
        return cli_fail("%s (is the server running? `mimeo serve` starts one; MIMEO_URL names it)",
                        error->detail);
    return cli_fail("%s", error->detail);
}

void connect_print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);

    if (text != NULL)
        puts(text);
    free(text);
}
