/* What the program says about itself: the overview, a command's usage, and mistakes. */
#ifndef MIMEO_CLI_USAGE_H
#define MIMEO_CLI_USAGE_H

#include <stdio.h>

struct cli_command;

#define CLI_OK 0
#define CLI_FAILED 1  /* it was tried and did not work */
#define CLI_MISUSED 2 /* the command line is wrong */

const struct cli_command *cli_usage_find(const char *name); /* or NULL */
void cli_usage_overview(FILE *out);
void cli_usage_command(const struct cli_command *command, FILE *out);

/* Print "mimeo: ..." on standard error; both return their status. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "unknown command 'x'; did you mean ...?" */
int cli_usage_unknown(const char *name);

#endif
