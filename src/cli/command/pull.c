/* mimeo pull OWNER/NAME: published weights, after a look at their licence. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/place.h"
#include "cli/terminal.h"
#include "cli/usage.h"
#include "pull/pull.h"
#include "registry/registry.h"
#include "registry/weights.h"

#define PARTS_MAX 64 /* that may be named in one call; no model has as many */

static const struct option_row pull_command_options[] = {
    { .name = "data",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The server's data folder; ~/.local/share/mimeo when not given." },
    { .name = "weights",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "Where weights go; DATA/weights." },
    { .name = "manifests",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "Your own models' manifests; DATA/models." },
    { .name = "part",
      .type = OPTION_LIST,
      .value = "NAME",
      .help = "An optional part of the weights, to pull, too." },
    { .name = "all", .type = OPTION_BOOLEAN, .help = "Every part of the weights." },
    { .name = "accept-licenses",
      .type = OPTION_BOOLEAN,
      .help = "Take the weights' licences without asking; needed where there is no terminal." },
    { .name = "yes", .letter = 'y', .type = OPTION_BOOLEAN, .help = "The same, shorter." },
    { .name = NULL },
};

static void on_progress(void *context, const char *step, int64_t done, int64_t total)
{
    terminal_bar_bytes(context, step, done, total);
}

static void on_note(void *context, const char *line)
{
    terminal_bar_clear(context);
    fprintf(stderr, "%s\n", line);
}

/* ---- Licences -------------------------------------------------------------------------------- */

static void licence_print(const json_t *licence)
{
    const char *name = json_get_string(licence, "name");
    const char *url = json_get_string(licence, "url");
    const char *text = json_get_string(licence, "text");

    if (name != NULL)
        fprintf(stderr, "  %s\n", name);
    if (text != NULL)
        fprintf(stderr, "    %s\n", text);
    if (url != NULL)
        fprintf(stderr, "    %s\n", url);
}

/* Which source gives which: one of them is fetched, the first that works. */
static void sources_print(const struct registry_weights_part *part)
{
    for (int i = 0; i < part->variant_count; i++) {
        const struct registry_weights_variant *variant = &part->variants[i];
        fprintf(stderr, "  %s%s%s %s: %s\n", part->name != NULL ? part->name : "",
                part->name != NULL ? ": " : "", i == 0 ? "from" : "or else from", variant->source,
                variant->license != NULL ? variant->license : "licence not stated");
    }
}

static void licences_show(const struct registry_model *model, const struct registry_weights *parts,
                          const struct pull_options *options)
{
    const json_t *weights = json_object_get(model->manifest, "weights");
    const json_t *licences = json_object_get(weights, "licenses");

    fprintf(stderr, "Licences of the weights of %s:\n", model->full_name);
    for (size_t i = 0; i < json_array_size(licences); i++)
        licence_print(json_array_get(licences, i));
    if (json_array_size(licences) == 0 && model->license_url != NULL)
        fprintf(stderr, "  %s\n", model->license_url);
    for (int i = 0; i < parts->part_count; i++)
        if (pull_wants(options, &parts->parts[i]))
            sources_print(&parts->parts[i]);
}

/* What there is beside what was asked for. */
static void others_show(const struct registry_weights *parts, const struct pull_options *options)
{
    for (int i = 0; i < parts->part_count; i++) {
        const struct registry_weights_part *part = &parts->parts[i];
        if (!pull_wants(options, part))
            fprintf(stderr, "not pulled: --part %s%s%s\n", part->name,
                    part->description != NULL ? ": " : "",
                    part->description != NULL ? part->description : "");
    }
}

static bool licences_accepted(const struct option_values *values)
{
    if (option_boolean(values, "accept-licenses") || option_boolean(values, "yes"))
        return true;
    if (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
        return terminal_ask("Do you accept them?");
    fputs("There is no terminal to ask on: say --accept-licenses if you do.\n", stderr);
    return false;
}

/* `weights: none`, as tiny models have it. */
static bool needs_no_weights(const struct registry_model *model)
{
    const char *weights = json_get_string(model->manifest, "weights");

    return weights != NULL && strcmp(weights, "none") == 0;
}

/* ---- The pull -------------------------------------------------------------------------------- */

static void on_installed(void *context, const char *path)
{
    terminal_bar_clear(context);
    printf("%s\n", path);
}

/* An environment variable, or NULL when it is empty, too. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != 0 ? value : NULL;
}

static int weights_pull(const struct registry_model *model, const struct registry_weights *weights,
                        struct pull_options *options, const struct option_values *values)
{
    struct err err = { 0 };
    bool installed = false;

    if (!pull_look(options, &installed, &err))
        return cli_fail("%s: %s", model->full_name, err.detail);
    if (!installed) {
        licences_show(model, weights, options);
        if (!licences_accepted(values))
            return cli_fail("not pulled: the licences were not accepted");
        options->canceled = terminal_catch_interrupt();
    }
    bool ok = pull_weights(options, &err);
    terminal_bar_clear(options->context);
    if (!ok)
        return cli_fail("%s: %s", model->full_name, err.detail);
    others_show(weights, options);
    return CLI_OK;
}

static int model_pull(const struct registry_model *model, const char *weights_folder,
                      const struct option_values *values)
{
    const char *parts[PARTS_MAX];
    int part_count = option_list_count(values, "part");
    struct registry_weights *weights = NULL;
    struct terminal_bar bar;
    struct err err = { 0 };

    if (part_count > PARTS_MAX)
        return cli_misuse("--part was given more than %d times", PARTS_MAX);
    for (int i = 0; i < part_count; i++)
        parts[i] = option_list_at(values, "part", i);
    struct pull_options options = {
        .manifest = model->manifest,
        .owner = model->owner,
        .name = model->name,
        .weights_folder = weights_folder,
        .parts = parts,
        .part_count = part_count,
        .all = option_boolean(values, "all"),
        .hf_endpoint = environment("HF_ENDPOINT"),
        .github_endpoint = environment("GITHUB_ENDPOINT"),
        .hf_token = environment("HF_TOKEN"),
        .progress = on_progress,
        .note = on_note,
        .installed = on_installed,
        .context = &bar,
    };
    if (needs_no_weights(model)) {
        printf("%s needs no weights: there is nothing to fetch\n", model->full_name);
        return CLI_OK;
    }
    terminal_bar_init(&bar, stderr);
    if (!registry_weights_read(model->manifest, &weights, &err))
        return cli_fail("%s: %s", model->full_name, err.detail);
    int status = weights_pull(model, weights, &options, values);
    free(weights);
    return status;
}

static void names_print(const struct registry *registry)
{
    const struct registry_model **models;
    int count;

    if (!registry_list(registry, &models, &count, NULL))
        return;
    for (int i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", models[i]->full_name);
    free(models);
}

static int named_model_pull(const struct registry *registry, const char *full_name,
                            const char *weights_folder, const struct option_values *values)
{
    struct str owner, name;

    if (!str_cut(str_from(full_name), '/', &owner, &name))
        return cli_misuse("a model is written OWNER/NAME, not '%.80s'", full_name);
    const struct registry_model *model = registry_model_find(registry, owner, name);
    if (model != NULL)
        return model_pull(model, weights_folder, values);
    cli_fail("there is no model '%.80s'; these have manifests:", full_name);
    names_print(registry);
    return CLI_FAILED;
}

static int pull_run(const struct option_values *values, int argc, char **argv)
{
    char data[PLACE_PATH_MAX], weights[PLACE_PATH_MAX], manifests[PLACE_PATH_MAX];
    struct registry_options options = { .folder = manifests };
    struct registry *registry = NULL;
    struct err err = { 0 };

    if (argc != 1)
        return cli_misuse("pull needs one OWNER/NAME");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!place_data_folder(option_string(values, "data"), data, &err) ||
        !place_in_data(option_string(values, "weights"), data, "weights", weights, &err) ||
        !place_in_data(option_string(values, "manifests"), data, "models", manifests, &err) ||
        !registry_open(&options, &registry, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    int status = named_model_pull(registry, argv[0], weights, values);
    registry_close(registry);
    return status;
}

const struct cli_command cli_command_pull = {
    .name = "pull",
    .arguments = "OWNER/NAME",
    .summary = "Fetch a model's published weights.",
    .options = pull_command_options,
    .run = pull_run,
};
