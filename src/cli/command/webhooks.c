/* mimeo webhooks [list [PREDICTION] | replay ID | secret]: how a server's webhooks fared. It asks
 * the running server, for that is who sends. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/usage.h"

#define PATH_BYTES_MAX 256

static const struct option_row webhooks_options[] = {
    CONNECT_OPTIONS,
    { .name = "rotate",
      .type = OPTION_BOOLEAN,
      .help = "secret: make a new one; the old one signs, too, for another 24 hours." },
    { .name = "json", .type = OPTION_BOOLEAN, .help = "Print JSON, for programs." },
    { .name = NULL },
};

static const char *text_or(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_get_string(object, key);

    return text != NULL ? text : fallback;
}

static void delivery_print(const json_t *delivery)
{
    long long status = (long long)json_get_integer(delivery, "last_status", 0);
    const char *error = text_or(delivery, "last_error", "");
    char answer[24] = "";

    if (status != 0)
        snprintf(answer, sizeof(answer), "%lld", status);
    printf("%-31s  %-26s  %-9s  %8lld  %6s  %-24.24s  %s%s%s\n", text_or(delivery, "id", ""),
           text_or(delivery, "prediction", ""), text_or(delivery, "state", ""),
           (long long)json_get_integer(delivery, "attempts", 0), answer,
           text_or(delivery, "next_at", ""), text_or(delivery, "url", ""), *error ? "  " : "",
           error);
}

/* Letters and digits alone: what goes into a URL as it is. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!strchr("0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *text))
            return false;
    return true;
}

static int webhooks_list(struct mimeo_client *client, const char *prediction, bool as_json)
{
    char path[PATH_BYTES_MAX];
    struct mimeo_error error;
    json_t *page = NULL;

    snprintf(path, sizeof(path), "/webhooks/deliveries%s%.64s", prediction ? "?prediction=" : "",
             prediction ? prediction : "");
    if (!mimeo_request(client, "GET", path, NULL, &page, &error))
        return connect_fail(&error);
    json_t *results = json_object_get(page, "results");
    if (as_json) {
        connect_print_json(results);
    } else {
        printf("%-31s  %-26s  %-9s  %8s  %6s  %-24s  %s\n", "ID", "PREDICTION", "STATE", "ATTEMPTS",
               "ANSWER", "NEXT", "URL");
        for (size_t i = 0; i < json_array_size(results); i++)
            delivery_print(json_array_get(results, i));
    }
    json_decref(page);
    return CLI_OK;
}

static int webhooks_replay(struct mimeo_client *client, const char *id, bool as_json)
{
    char path[PATH_BYTES_MAX];
    struct mimeo_error error;
    json_t *delivery = NULL;

    snprintf(path, sizeof(path), "/webhooks/deliveries/%.64s/replay", id);
    if (!mimeo_request(client, "POST", path, NULL, &delivery, &error))
        return connect_fail(&error);
    if (as_json)
        connect_print_json(delivery);
    else
        printf("%s is sent again\n", id);
    json_decref(delivery);
    return CLI_OK;
}

static int webhooks_secret(struct mimeo_client *client, bool rotate, bool as_json)
{
    struct mimeo_error error;
    json_t *secret = NULL;

    if (!mimeo_request(client, rotate ? "POST" : "GET", "/webhooks/default/secret", NULL, &secret,
                       &error))
        return connect_fail(&error);
    if (as_json)
        connect_print_json(secret);
    else
        puts(text_or(secret, "key", ""));
    json_decref(secret);
    return CLI_OK;
}

static int webhooks_run(const struct option_values *values, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    bool list = strcmp(verb, "list") == 0, replay = strcmp(verb, "replay") == 0;
    bool as_json = option_boolean(values, "json"), rotate = option_boolean(values, "rotate");

    if (!list && !replay && strcmp(verb, "secret") != 0)
        return cli_misuse("unknown action '%.40s': list, replay or secret", verb);
    if (list ? argc > 2 : argc != (replay ? 2 : 1))
        return cli_misuse(list     ? "list takes at most one prediction's ID"
                          : replay ? "replay needs one delivery's ID, as list shows it"
                                   : "secret takes no argument");
    if (rotate && (list || replay))
        return cli_misuse("--rotate belongs to secret");
    if (argc == 2 && !is_plain(argv[1]))
        return cli_misuse("'%.40s' is no ID", argv[1]);
    struct mimeo_client *client = connect_open(values);
    if (client == NULL)
        return CLI_FAILED;
    int status = list     ? webhooks_list(client, argc > 1 ? argv[1] : NULL, as_json)
                 : replay ? webhooks_replay(client, argv[1], as_json)
                          : webhooks_secret(client, rotate, as_json);
    mimeo_client_free(client);
    return status;
}

const struct cli_command cli_command_webhooks = {
    .name = "webhooks",
    .arguments = "[list [PREDICTION] | replay ID | secret]",
    .summary = "Show and replay webhooks of ends; show or change the secret that signs them.",
    .options = webhooks_options,
    .run = webhooks_run,
};
