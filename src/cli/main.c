/* The `mimeo` program: finds the command, reads its options, runs it. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/option.h"
#include "cli/command.h"
#include "cli/usage.h"

static const struct option_row no_options[] = { { .name = NULL } };

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static bool has_config(const struct option_row *rows)
{
    for (; rows->name != NULL; rows++)
        if (strcmp(rows->name, "config") == 0)
            return true;
    return false;
}

/* A table with a "config" row is read twice: to learn the file's name, then with the file. */
static bool options_read(const struct option_row *rows, int argc, char **argv,
                         struct option_values **ret_values, int *ret_argc, char ***ret_argv,
                         struct err *err)
{
    struct option_values *values;

    if (!option_parse(rows, argc, argv, NULL, &values, ret_argc, ret_argv, err))
        return false;
    const char *path = has_config(rows) ? option_string(values, "config") : NULL;
    if (path == NULL) {
        *ret_values = values;
        return true;
    }
    bool ok = option_parse(rows, argc, argv, path, ret_values, ret_argc, ret_argv, err);
    option_values_free(values);
    return ok;
}

static int command_run(const struct cli_command *command, int argc, char **argv)
{
    const struct option_row *rows = command->options != NULL ? command->options : no_options;
    struct option_values *values;
    struct err err = { 0 };
    char **rest;
    int rest_count;

    if (asks_for_help(argc, argv)) {
        cli_usage_command(command, stdout);
        return CLI_OK;
    }
    if (!options_read(rows, argc, argv, &values, &rest_count, &rest, &err))
        return cli_misuse("%s%s", err.detail, err.cause);
    int status = command->run(values, rest_count, rest);
    option_values_free(values);
    return status;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error to report, not an end */
    if (argc < 2) {
        cli_usage_overview(stderr);
        return CLI_MISUSED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_usage_overview(stdout);
        return CLI_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct cli_command *command = cli_usage_find(name);
    if (command == NULL)
        return cli_usage_unknown(argv[1]);
    return command_run(command, argc - 1, argv + 1);
}
