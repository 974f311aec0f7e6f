/* mimeo predictions [list | get ID | cancel ID]: what a server did and does. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/usage.h"

static const struct option_row predictions_options[] = {
    CONNECT_OPTIONS,
    { .name = "json", .type = OPTION_BOOLEAN, .help = "Print JSON, for programs." },
    { .name = NULL },
};

static const char *text_or(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_get_string(object, key);

    return text != NULL ? text : fallback;
}

static void prediction_print(const json_t *prediction)
{
    double seconds = json_get_number(json_object_get(prediction, "metrics"), "predict_time", -1);
    char time[32] = "";

    if (seconds >= 0)
        snprintf(time, sizeof(time), "%.2f s", seconds);
    printf("%-26s  %-10s  %-24.24s  %8s  %s\n", text_or(prediction, "id", ""),
           text_or(prediction, "status", ""), text_or(prediction, "created_at", ""), time,
           text_or(prediction, "model", ""));
}

static void prediction_describe(const json_t *prediction)
{
    const char *error = json_get_string(prediction, "error");
    const char *logs = json_get_string(prediction, "logs");
    json_t *output = json_object_get(prediction, "output");

    prediction_print(prediction);
    if (error != NULL)
        printf("error: %s\n", error);
    if (output != NULL && !json_is_null(output)) {
        fputs("output: ", stdout);
        connect_print_json(output);
    }
    if (logs != NULL && logs[0] != 0)
        printf("logs:\n%s\n", logs);
}

static int predictions_list(struct mimeo_client *client, bool as_json)
{
    struct mimeo_error error;
    json_t *page = NULL;

    if (!mimeo_prediction_list(client, NULL, &page, &error))
        return connect_fail(&error);
    json_t *results = json_object_get(page, "results");
    if (as_json) {
        connect_print_json(results);
    } else {
        printf("%-26s  %-10s  %-24s  %8s  %s\n", "ID", "STATUS", "CREATED", "TIME", "MODEL");
        for (size_t i = 0; i < json_array_size(results); i++)
            prediction_print(json_array_get(results, i));
    }
    json_decref(page);
    return CLI_OK;
}

static int predictions_one(struct mimeo_client *client, const char *id, bool cancel, bool as_json)
{
    struct mimeo_error error;
    json_t *prediction = NULL;
    bool ok = cancel ? mimeo_prediction_cancel(client, id, &prediction, &error)
                     : mimeo_prediction_get(client, id, &prediction, &error);

    if (!ok)
        return connect_fail(&error);
    if (as_json)
        connect_print_json(prediction);
    else
        prediction_describe(prediction);
    json_decref(prediction);
    return CLI_OK;
}

static int predictions_run(const struct option_values *values, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    bool list = strcmp(verb, "list") == 0, cancel = strcmp(verb, "cancel") == 0;
    bool as_json = option_boolean(values, "json");

    if (!list && !cancel && strcmp(verb, "get") != 0)
        return cli_misuse("unknown action '%.40s': list, get or cancel", verb);
    if (list ? argc > 1 : argc != 2)
        return cli_misuse(list ? "list takes no argument" : "%s needs one prediction's ID", verb);
    struct mimeo_client *client = connect_open(values);
    if (client == NULL)
        return CLI_FAILED;
    int status = list ? predictions_list(client, as_json)
                      : predictions_one(client, argv[1], cancel, as_json);
    mimeo_client_free(client);
    return status;
}

const struct cli_command cli_command_predictions = {
    .name = "predictions",
    .arguments = "[list | get ID | cancel ID]",
    .summary = "Show and cancel a server's predictions.",
    .options = predictions_options,
    .run = predictions_run,
};
