/* The commands that talk to a server: which one, with what token. */
#ifndef MIMEO_CLI_CONNECT_H
#define MIMEO_CLI_CONNECT_H

#include "base/option.h"
#include "mimeo.h"

/* Rows for those commands' option tables. */
#define CONNECT_OPTIONS                                                                            \
    { .name = "url",                                                                               \
      .type = OPTION_STRING,                                                                       \
      .value = "URL",                                                                              \
      .fallback = "http://127.0.0.1:8080",                                                         \
      .help = "The server, without /v1." },                                                        \
    {                                                                                              \
        .name = "token", .type = OPTION_STRING, .value = "TOKEN", .secret = true,                  \
        .help = "The server's token; better given as MIMEO_TOKEN."                                 \
    }

/* A client for --url and --token; NULL after printing why not. Free with mimeo_client_free. */
struct mimeo_client *connect_open(const struct option_values *values);

/* Print an error of a call, with a hint where one helps; gives the exit status. */
int connect_fail(const struct mimeo_error *error);

/* Print a value as indented JSON on standard output. */
void connect_print_json(const json_t *value);

#endif
