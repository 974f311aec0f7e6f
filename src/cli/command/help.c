/* mimeo help [COMMAND] */
#include "cli/command.h"
#include "cli/usage.h"

static int help_run(const struct option_values *values, int argc, char **argv)
{
    (void)values;
    if (argc == 0) {
        cli_usage_overview(stdout);
        return CLI_OK;
    }
    const struct cli_command *command = cli_usage_find(argv[0]);
    if (command == NULL)
        return cli_usage_unknown(argv[0]);
    cli_usage_command(command, stdout);
    return CLI_OK;
}

const struct cli_command cli_command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "Tell about a command.",
    .run = help_run,
};
