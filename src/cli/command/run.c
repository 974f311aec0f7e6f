/* mimeo run OWNER/NAME[:VERSION] -i key=value ...: one prediction, from inputs to files.
 *
 * The prediction is created without `Prefer: wait` and polled: so its id is known at once, Ctrl-C
 * can cancel it, and its progress can be shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/usage.h"

#define POLL_INTERVAL_MS 200

static const struct option_row run_options[] = {
    CONNECT_OPTIONS,
    { .name = "input",
      .letter = 'i',
      .type = OPTION_LIST,
      .value = "KEY=VALUE",
      .help = "An input; @FILE as the value sends a file." },
    { .name = "output",
      .letter = 'o',
      .type = OPTION_STRING,
      .value = "FILE",
      .help = "Where the output goes; several become FILE-0, FILE-1, ..." },
    { .name = "json",
      .type = OPTION_BOOLEAN,
      .help = "Print the whole prediction as JSON; files are not fetched without -o." },
    { .name = NULL },
};

struct progress {
    struct terminal_bar bar;
    size_t shown; /* bytes of the logs already printed */
    char status[16];
};

/* New whole lines of the logs, without the progress bars in them, when output is not a terminal. */
static void logs_print(struct progress *progress, const char *logs)
{
    size_t len = strlen(logs);
    struct str rest, line;

    if (progress->bar.redraws || len <= progress->shown)
        return;
    rest = (struct str){ logs + progress->shown, len - progress->shown };
    while (str_cut(rest, '\n', &line, &rest))
        if (str_find(line, S("%|")) < 0)
            fprintf(stderr, "%.*s\n", STR_FMT(line));
    progress->shown = len - rest.len;
}

static void on_poll(void *context, const json_t *prediction)
{
    struct progress *progress = context;
    const char *status = json_get_string(prediction, "status");
    const char *logs = json_get_string(prediction, "logs");
    int percent = logs != NULL ? output_progress_percent(logs) : -1;

    if (status != NULL && strcmp(status, progress->status) != 0) {
        str_copy(str_from(status), progress->status, sizeof(progress->status));
        if (progress->bar.redraws && !mimeo_prediction_is_over(prediction))
            terminal_bar_bytes(&progress->bar, status, 0, -1);
    }
    if (percent >= 0)
        terminal_bar_percent(&progress->bar, "running", percent);
    if (logs != NULL)
        logs_print(progress, logs);
}

/* The version object of "owner/name" or "owner/name:version". */
static bool version_find(struct mimeo_client *client, const char *model_text, json_t **ret_version,
                         struct mimeo_error *error)
{
    char owner[128], name[128];
    struct str owner_part, name_part, version_part = { NULL, 0 };
    json_t *model = NULL;

    *error = (struct mimeo_error){ .detail = "a model is written OWNER/NAME or OWNER/NAME:VERSION",
                                   .status = -1 };
    if (!str_cut(str_from(model_text), '/', &owner_part, &name_part))
        return false;
    str_cut(name_part, ':', &name_part, &version_part);
    if (!str_copy(owner_part, owner, sizeof(owner)) || !str_copy(name_part, name, sizeof(name)))
        return false;
    if (version_part.ptr != NULL)
        return mimeo_version_get(client, owner, name, version_part.ptr, ret_version, error);
    if (!mimeo_model_get(client, owner, name, &model, error))
        return false;
    json_t *version = json_incref(json_object_get(model, "latest_version"));
    json_decref(model);
    if (!json_is_object(version)) {
        *error = (struct mimeo_error){ .detail = "the model has no version", .status = 404 };
        json_decref(version);
        return false;
    }
    *ret_version = version;
    return true;
}

/* Ctrl-C: the server is told, too. */
static int prediction_give_up(struct mimeo_client *client, const char *id,
                              struct progress *progress)
{
    struct mimeo_error error;
    json_t *prediction = NULL;

    terminal_bar_clear(&progress->bar);
    mimeo_client_set_canceled(client, NULL);
    if (!mimeo_prediction_cancel(client, id, &prediction, &error))
        return cli_fail("interrupted, and the prediction %s could not be canceled: %s", id,
                        error.detail);
    json_decref(prediction);
    return cli_fail("canceled prediction %s", id);
}

static int prediction_finish(struct mimeo_client *client, const json_t *prediction,
                             const struct option_values *values)
{
    const char *status = json_get_string(prediction, "status");
    const char *reason = json_get_string(prediction, "error");
    const char *path = option_string(values, "output");
    bool as_json = option_boolean(values, "json");
    struct mimeo_error error = { 0 };

    if (as_json)
        connect_print_json(prediction);
    if (status == NULL || strcmp(status, "succeeded") != 0)
        return cli_fail("the prediction %s: %s", status != NULL ? status : "has no status",
                        reason != NULL ? reason : "no reason was given");
    if (as_json && path == NULL)
        return CLI_OK;
    if (!output_save(client, json_object_get(prediction, "output"), path, &error))
        return cli_fail("%s", error.detail);
    return CLI_OK;
}

static int prediction_watch(struct mimeo_client *client, json_t *created,
                            const struct option_values *values)
{
    struct progress progress = { .shown = 0 };
    struct mimeo_error error;
    json_t *prediction = NULL;
    const char *id = json_get_string(created, "id");

    if (id == NULL)
        return cli_fail("the server's answer holds no prediction");
    terminal_bar_init(&progress.bar, stderr);
    if (!mimeo_prediction_wait(client, id, POLL_INTERVAL_MS, on_poll, &progress, &prediction,
                               &error)) {
        if (error.canceled)
            return prediction_give_up(client, id, &progress);
        terminal_bar_clear(&progress.bar);
        return connect_fail(&error);
    }
    terminal_bar_clear(&progress.bar);
    int status = prediction_finish(client, prediction, values);
    json_decref(prediction);
    return status;
}

static int model_run(struct mimeo_client *client, const json_t *version,
                     const struct option_values *values)
{
    int count = option_list_count(values, "input");
    const char **words = calloc((size_t)count + 1, sizeof(words[0]));
    struct mimeo_error error;
    struct err err = { 0 };
    json_t *input = NULL, *created = NULL;

    for (int i = 0; words != NULL && i < count; i++)
        words[i] = option_list_at(values, "input", i);
    bool ok = words != NULL && input_build(client, version, words, count, &input, &err);
    free(words);
    if (!ok)
        return cli_fail("%s%s", err.detail, err.cause);
    struct mimeo_prediction_options options = { .version = json_get_string(version, "id"),
                                                .input = input };
    ok = mimeo_prediction_create(client, &options, &created, &error);
    json_decref(input);
    if (!ok)
        return connect_fail(&error);
    int status = prediction_watch(client, created, values);
    json_decref(created);
    return status;
}

static int run_run(const struct option_values *values, int argc, char **argv)
{
    struct mimeo_error error;
    json_t *version = NULL;

    if (argc != 1)
        return cli_misuse("run needs one OWNER/NAME; inputs are given with -i KEY=VALUE");
    struct mimeo_client *client = connect_open(values);
    if (client == NULL)
        return CLI_FAILED;
    mimeo_client_set_canceled(client, terminal_catch_interrupt());
    int status;
    if (version_find(client, argv[0], &version, &error))
        status = model_run(client, version, values);
    else if (error.status == -1)
        status = cli_misuse("%s", error.detail);
    else
        status = connect_fail(&error);
    json_decref(version);
    mimeo_client_free(client);
    return status;
}

const struct cli_command cli_command_run = {
    .name = "run",
    .arguments = "OWNER/NAME[:VERSION]",
    .summary = "Run a model on a server and fetch what it makes.",
    .options = run_options,
    .run = run_run,
};
