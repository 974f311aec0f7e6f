/* Options declared once, in tables: the command line, MIMEO_... variables, a YAML file, --help and
 * the manual are all made from the same rows. Order of precedence: command line, environment,
 * file, default. Unknown names are errors everywhere, with the nearest known name as a hint. */
#ifndef MIMEO_BASE_OPTION_H
#define MIMEO_BASE_OPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct option_values;

enum option_type { OPTION_STRING, OPTION_INTEGER, OPTION_BOOLEAN, OPTION_CHOICE, OPTION_LIST };

struct option_row {
    const char *name; /* "listen" is --listen, MIMEO_LISTEN and `listen:`; NULL ends a table */
    char letter;      /* "-o"; 0: none */
    enum option_type type;
    const char *value;    /* what stands for the value in help: "HOST:PORT"; NULL for booleans */
    const char *fallback; /* default as text; NULL: none */
    int64_t min, max;     /* OPTION_INTEGER, inclusive (both 0: any) */
    const char *const *choices; /* OPTION_CHOICE; NULL-ended */
    const char *help;
    bool secret; /* never printed back */
};

/* Parse argv[1..] against the table (--name value, --name=value, -o value, --no-name for booleans,
 * "--" ends options; options and arguments may mix). `config_path` NULL: none. *ret_argc and
 * *ret_argv get what is left. ERR_INVALID names what is wrong. Free with option_values_free. */
bool option_parse(const struct option_row *rows, int argc, char **argv, const char *config_path,
                  struct option_values **ret_values, int *ret_argc, char ***ret_argv,
                  struct err *err);
/* Read the same places again (the file and the environment may have changed), for a reload. The
 * argv of the first reading must still be there. */
bool option_parse_again(const struct option_values *values, struct option_values **ret_values,
                        struct err *err);
void option_values_free(struct option_values *values);

/* Asserts that the name stands in the table with that type. */
const char *option_string(const struct option_values *values, const char *name); /* or NULL */
int64_t option_integer(const struct option_values *values, const char *name);
bool option_boolean(const struct option_values *values, const char *name);
int option_list_count(const struct option_values *values, const char *name); /* a repeated option */
const char *option_list_at(const struct option_values *values, const char *name, int index);
bool option_given(const struct option_values *values, const char *name); /* not the default? */

void option_print_help(const struct option_row *rows, FILE *out);

#endif
