/* mimeo version */
#include <stdio.h>

#include "cli/command.h"
#include "cli/usage.h"

static int version_run(const struct option_values *values, int argc, char **argv)
{
    (void)values;
    if (argc > 0)
        return cli_misuse("version takes no argument '%s'", argv[0]);
    puts("mimeo " MIMEO_VERSION);
    return CLI_OK;
}

const struct cli_command cli_command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the version.",
    .run = version_run,
};
