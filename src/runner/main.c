/* mimeo-runner: the process a model runs in. Started by the server, one per model version; people
 * start it to see what models it has. The test suite builds the same file with other models. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "runner/describe.h"
#include "runner/model.h"
#include "runner/sandbox.h"
#include "runner/worker.h"

static const char *const precisions[] = { "f32", "bf16", NULL };

static const struct option_row rows[] = {
    { .name = "describe",
      .type = OPTION_BOOLEAN,
      .help = "Print what models there are, with their schemas, as JSON." },
    { .name = "model",
      .type = OPTION_STRING,
      .value = "NAME",
      .help = "Serve this model over --socket." },
    { .name = "weights",
      .type = OPTION_STRING,
      .value = "DIR",
      .fallback = "",
      .help = "Where the model's weights are." },
    { .name = "work",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The only folder that may be written to." },
    { .name = "precision",
      .type = OPTION_CHOICE,
      .value = "NAME",
      .fallback = "f32",
      .choices = precisions,
      .help = "Number format to compute in." },
    { .name = "threads",
      .type = OPTION_INTEGER,
      .value = "N",
      .fallback = "0",
      .min = 0,
      .max = 1024,
      .help = "Threads to compute with; 0: one per core." },
    { .name = "socket",
      .type = OPTION_INTEGER,
      .value = "FD",
      .fallback = "-1",
      .min = -1,
      .max = 1 << 20,
      .help = "The open socket to the server." },
    { .name = "parent",
      .type = OPTION_INTEGER,
      .value = "PID",
      .fallback = "0",
      .min = 0,
      .max = 1 << 30,
      .help = "The server's process: the runner ends when it does." },
    { .name = "help", .letter = 'h', .type = OPTION_BOOLEAN, .help = "Print this." },
    { .name = "version", .type = OPTION_BOOLEAN, .help = "Print the version." },
    { 0 },
};

static int complain(const struct err *err)
{
    fprintf(stderr, "mimeo-runner: %s%s\n", err->detail, err->cause);
    return EXIT_FAILURE;
}

static int print_description(void)
{
    json_t *description = describe_models(model_registry);
    int failed = !description || json_dumpf(description, stdout, JSON_COMPACT) < 0 ||
                 putchar('\n') == EOF || fflush(stdout) != 0;
    json_decref(description);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static const struct model *find_model(const char *name)
{
    for (int i = 0; model_registry[i]; i++) {
        if (strcmp(model_registry[i]->name, name) == 0)
            return model_registry[i];
    }
    return NULL;
}

static int serve(const struct option_values *values)
{
    struct err err = { 0 };
    const char *name = option_string(values, "model");
    int socket = (int)option_integer(values, "socket");
    int64_t threads = option_integer(values, "threads");
    const struct model *model = name ? find_model(name) : NULL;
    if (!name || socket < 0 || fcntl(socket, F_SETFD, FD_CLOEXEC) < 0) {
        err_set(&err, ERR_INVALID, "--model and --socket (an open one) are needed; see --help.");
        return complain(&err);
    }
    if (!model) {
        err_set(&err, ERR_NOT_FOUND, "There is no model '%s'; see --describe.", name);
        return complain(&err);
    }
    const struct sandbox_options sandbox = {
        .weights_directory = option_string(values, "weights"),
        .work_directory = option_string(values, "work"),
        .parent = (pid_t)option_integer(values, "parent"),
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct model_context context = {
        .weights_directory = sandbox.weights_directory,
        .precision = option_string(values, "precision"),
        .threads = threads > 0 ? (int)threads
                   : cores > 0 ? (int)cores
                               : 1,
    };
    signal(SIGPIPE, SIG_IGN); /* a lost server is seen where the write fails */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!sandbox_enter(&sandbox, &err) ||
        !worker_serve(socket, model, &context, model_registry, &err))
        return complain(&err);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct option_values *values;
    int rest_count, status;
    char **rest;
    if (!option_parse(rows, argc, argv, NULL, &values, &rest_count, &rest, &err))
        return complain(&err);
    if (option_boolean(values, "help")) {
        puts("mimeo-runner: runs one native model for mimeo.\n");
        option_print_help(rows, stdout);
        status = EXIT_SUCCESS;
    } else if (option_boolean(values, "version")) {
        puts("mimeo-runner " MIMEO_VERSION);
        status = EXIT_SUCCESS;
    } else if (option_boolean(values, "describe")) {
        status = print_description();
    } else {
        status = serve(values);
    }
    option_values_free(values);
    return status;
}
