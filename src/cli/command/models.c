/* mimeo models [list | get OWNER/NAME]: what a server has. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/connect.h"
#include "cli/usage.h"

#define PAGES_MAX 1000 /* a server that always names a next page is not followed for ever */

static const struct option_row models_options[] = {
    CONNECT_OPTIONS,
    { .name = "json", .type = OPTION_BOOLEAN, .help = "Print JSON, for programs." },
    { .name = NULL },
};

static void name_of(const json_t *model, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "%s/%s", json_get_string(model, "owner"),
             json_get_string(model, "name"));
}

/* "ready", "33.5 MB" that `mimeo pull` would fetch, ...; weights: what the server says of them. */
static void weights_describe(const json_t *weights, char *ret_text, size_t size)
{
    const char *state = json_get_string(weights, "state");
    int64_t bytes = json_get_integer(weights, "download_bytes", 0);

    if (state == NULL)
        snprintf(ret_text, size, "-");
    else if (strcmp(state, "needs_weights") == 0)
        snprintf(ret_text, size, "needs %.*f MB", bytes < 100000000 ? 1 : 0, (double)bytes / 1e6);
    else
        snprintf(ret_text, size, "%s", strcmp(state, "unsupported") == 0 ? "no network" : state);
}

static void model_print(const json_t *model, const json_t *weights)
{
    const char *description = json_get_string(model, "description");
    char name[200], state[40];

    name_of(model, name, sizeof(name));
    weights_describe(weights, state, sizeof(state));
    printf("%-36s %8lld  %-14s %.80s\n", name, (long long)json_get_integer(model, "run_count", 0),
           state, description != NULL ? description : "");
}

/* All pages into one array; NULL after printing why not. */
static json_t *models_collect(struct mimeo_client *client, int *ret_status)
{
    json_t *all = json_array(), *page = NULL;
    struct mimeo_error error;
    char next[2048] = "";

    for (int i = 0; i < PAGES_MAX; i++) {
        if (!mimeo_model_list(client, next[0] != 0 ? next : NULL, &page, &error)) {
            *ret_status = connect_fail(&error);
            json_decref(all);
            return NULL;
        }
        json_array_extend(all, json_object_get(page, "results"));
        const char *link = json_get_string(page, "next");
        snprintf(next, sizeof(next), "%s", link != NULL ? link : "");
        json_decref(page);
        if (next[0] == 0)
            break;
    }
    return all;
}

/* Of that model, among the server's list of weights; NULL: not told. */
static const json_t *weights_of(const json_t *list, const json_t *model)
{
    const json_t *all = json_object_get(list, "results");
    char name[200];

    name_of(model, name, sizeof(name));
    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *other = json_get_string(json_array_get(all, i), "model");
        if (other != NULL && strcmp(other, name) == 0)
            return json_array_get(all, i);
    }
    return NULL;
}

/* Servers that are not Mimeo have no such list: then nothing is said of weights. */
static void models_print(struct mimeo_client *client, const json_t *models)
{
    struct mimeo_error error;
    json_t *list = NULL;

    if (!mimeo_request(client, "GET", "/weights", NULL, &list, &error))
        list = NULL;
    printf("%-36s %8s  %-14s %s\n", "MODEL", "RUNS", "WEIGHTS", "DESCRIPTION");
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        model_print(model, weights_of(list, model));
    }
    json_decref(list);
}

static int models_list(struct mimeo_client *client, bool as_json)
{
    int status = CLI_OK;
    json_t *models = models_collect(client, &status);

    if (models == NULL)
        return status;
    if (as_json)
        connect_print_json(models);
    else
        models_print(client, models);
    json_decref(models);
    return CLI_OK;
}

static void input_print(const char *name, const json_t *property)
{
    const char *type = json_get_string(property, "type");
    const char *format = json_get_string(property, "format");
    const char *description = json_get_string(property, "description");

    printf("  -i %-24s %-10s %s\n", name,
           format != NULL && strcmp(format, "uri") == 0 ? "file or URL"
           : type != NULL                               ? type
                                                        : "choice",
           description != NULL ? description : "");
}

static void model_describe(const json_t *model, const json_t *weights)
{
    const json_t *version = json_object_get(model, "latest_version");
    json_t *inputs = NULL, *property;
    const char *name;
    const char *id = json_get_string(version, "id");

    model_print(model, weights);
    printf("version: %s\n", id != NULL ? id : "none");
    json_unpack((json_t *)version, "{s:{s:{s:{s:{s:o}}}}}", "openapi_schema", "components",
                "schemas", "Input", "properties", &inputs);
    if (inputs == NULL)
        return;
    puts("inputs:");
    json_object_foreach(inputs, name, property) input_print(name, property);
}

static int models_get(struct mimeo_client *client, const char *full_name, bool as_json)
{
    struct mimeo_error error;
    struct str owner, name;
    char owner_text[128], path[400];
    json_t *model = NULL, *weights = NULL;

    if (!str_cut(str_from(full_name), '/', &owner, &name) ||
        !str_copy(owner, owner_text, sizeof(owner_text)))
        return cli_misuse("a model is written OWNER/NAME, not '%.80s'", full_name);
    if (!mimeo_model_get(client, owner_text, name.ptr, &model, &error))
        return connect_fail(&error);
    snprintf(path, sizeof(path), "/weights/%.300s", full_name);
    if (as_json) {
        connect_print_json(model);
    } else {
        if (!mimeo_request(client, "GET", path, NULL, &weights, &error))
            weights = NULL;
        model_describe(model, weights);
    }
    json_decref(weights);
    json_decref(model);
    return CLI_OK;
}

static int models_run(const struct option_values *values, int argc, char **argv)
{
    bool get = argc > 0 && strcmp(argv[0], "get") == 0;
    bool as_json = option_boolean(values, "json");

    if (argc > 0 && !get && strcmp(argv[0], "list") != 0)
        return cli_misuse("unknown action '%.40s': list or get", argv[0]);
    if (argc != (get ? 2 : argc > 0))
        return cli_misuse(get ? "get needs one OWNER/NAME" : "unexpected argument");
    struct mimeo_client *client = connect_open(values);
    if (client == NULL)
        return CLI_FAILED;
    int status = get ? models_get(client, argv[1], as_json) : models_list(client, as_json);
    mimeo_client_free(client);
    return status;
}

const struct cli_command cli_command_models = {
    .name = "models",
    .arguments = "[list | get OWNER/NAME]",
    .summary = "Show a server's models and their inputs.",
    .options = models_options,
    .run = models_run,
};
