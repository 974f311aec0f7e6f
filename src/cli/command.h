/* A command of the `mimeo` program: one file in cli/command/ that exports one const struct named
 * cli_command_<file name>; the registry is made from the folder's listing. */
#ifndef MIMEO_CLI_COMMAND_H
#define MIMEO_CLI_COMMAND_H

#include <stddef.h> /* NULL, for the generated table */

struct option_row;
struct option_values;

struct cli_command {
    const char *name;                 /* "serve" */
    const char *arguments;            /* "owner/name" or "" ; for the usage line */
    const char *summary;              /* one line for `mimeo help` */
    const struct option_row *options; /* base/option.h */
    int (*run)(const struct option_values *values, int argc,
               char **argv); /* exit status; argv: what is left after options */
};

extern const struct cli_command *const cli_command_registry[]; /* NULL-ended; generated */

#endif
