/* Help texts, all made from the commands' own tables. */
#include "cli/usage.h"

#include <stdarg.h>
#include <string.h>

#include "base/option.h"
#include "base/str.h"
#include "cli/command.h"

const struct cli_command *cli_usage_find(const char *name)
{
    for (int i = 0; cli_command_registry[i] != NULL; i++)
        if (strcmp(cli_command_registry[i]->name, name) == 0)
            return cli_command_registry[i];
    return NULL;
}

void cli_usage_overview(FILE *out)
{
    fputs("Mimeo: Replicate's HTTP API on your own machine.\n\nusage: mimeo COMMAND [OPTIONS]\n\n",
          out);
    for (int i = 0; cli_command_registry[i] != NULL; i++)
        fprintf(out, "  %-12s %s\n", cli_command_registry[i]->name,
                cli_command_registry[i]->summary);
    fputs("\n`mimeo help COMMAND` tells about one of them. Every option may also be given as an\n"
          "environment variable: --listen is MIMEO_LISTEN.\n",
          out);
}

void cli_usage_command(const struct cli_command *command, FILE *out)
{
    bool options = command->options != NULL && command->options[0].name != NULL;

    fprintf(out, "usage: mimeo %s%s%s%s\n\n%s\n", command->name, options ? " [OPTIONS]" : "",
            command->arguments[0] != 0 ? " " : "", command->arguments, command->summary);
    if (options) {
        fputs("\noptions:\n", out);
        option_print_help(command->options, out);
    }
}

static void complain(const char *fmt, va_list arguments) __attribute__((format(printf, 1, 0)));

static void complain(const char *fmt, va_list arguments)
{
    fputs("mimeo: ", stderr);
    vfprintf(stderr, fmt, arguments);
    fputc('\n', stderr);
}

int cli_fail(const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    complain(fmt, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_misuse(const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    complain(fmt, arguments);
    va_end(arguments);
    return CLI_MISUSED;
}

/* How many characters two names share at their starts and ends: enough for a dozen short names. */
static size_t likeness(const char *a, const char *b)
{
    size_t start = 0, end = 0, a_len = strlen(a), b_len = strlen(b);
    size_t shorter = a_len < b_len ? a_len : b_len;

    while (start < shorter && a[start] == b[start])
        start++;
    while (end < shorter - start && a[a_len - 1 - end] == b[b_len - 1 - end])
        end++;
    return start + end;
}

int cli_usage_unknown(const char *name)
{
    const char *nearest = NULL;
    size_t best = strlen(name) / 2;

    for (int i = 0; cli_command_registry[i] != NULL; i++) {
        const char *known = cli_command_registry[i]->name;
        if (likeness(name, known) > best && likeness(name, known) + 2 >= strlen(known)) {
            best = likeness(name, known);
            nearest = known;
        }
    }
    if (nearest != NULL)
        return cli_misuse("unknown command '%.40s'; did you mean '%s'?", name, nearest);
    return cli_misuse("unknown command '%.40s'; `mimeo help` lists them", name);
}
