/* mimeo tokens create | list | revoke: works on the data folder's store, whether or not a server
 * runs on it (a running one notices within a moment). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/option.h"
#include "cli/command.h"
#include "cli/place.h"
#include "cli/token.h"
#include "cli/usage.h"
#include "store/store.h"

#define ARENA_BYTES_MAX (8u << 20)

static const struct option_row tokens_options[] = {
    { .name = "data",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The server's data folder; ~/.local/share/mimeo when not given." },
    { .name = "name",
      .type = OPTION_STRING,
      .value = "TEXT",
      .fallback = "",
      .help = "create: a label, to know it by later." },
    { .name = "account",
      .type = OPTION_STRING,
      .value = "NAME",
      .fallback = TOKEN_ACCOUNT_DEFAULT,
      .help = "create: whose it is; accounts do not see each other's predictions." },
    { .name = NULL },
};

static int tokens_create(struct store *store, const struct option_values *values)
{
    char text[TOKEN_TEXT_SIZE];
    struct err err = { 0 };

    if (!token_create(store, option_string(values, "name"), option_string(values, "account"), text,
                      &err))
        return cli_fail("%s%s", err.detail, err.cause);
    puts(text);
    fputs("This is the only time it is shown.\n", stderr);
    return CLI_OK;
}

static void token_print(const struct store_token *token)
{
    char created[CLOCK_TEXT_SIZE];

    clock_format(token->created_us, 0, false, created);
    printf("%-16s  %-9s  %-20s  %-12s  %-8s  %s\n", token->id, token->prefix, created,
           token->account, token->revoked_us != 0 ? "revoked" : "valid", token->name);
}

static int tokens_list(struct store *store)
{
    struct store_token *tokens;
    struct err err = { 0 };
    struct arena arena;
    int count = 0;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_token_list(store, &arena, &tokens, &count, &err);
    if (ok && count > 0)
        printf("%-16s  %-9s  %-20s  %-12s  %-8s  %s\n", "ID", "STARTS", "CREATED", "ACCOUNT",
               "STATE", "NAME");
    for (int i = 0; ok && i < count; i++)
        token_print(&tokens[i]);
    arena_done(&arena);
    return ok ? CLI_OK : cli_fail("%s%s", err.detail, err.cause);
}

static int tokens_revoke(struct store *store, const char *id)
{
    struct err err = { 0 };

    if (!token_revoke(store, id, &err))
        return cli_fail("%s", err.detail);
    printf("revoked %s\n", id);
    return CLI_OK;
}

static int tokens_run(const struct option_values *values, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    bool create = strcmp(verb, "create") == 0, list = strcmp(verb, "list") == 0;
    bool revoke = strcmp(verb, "revoke") == 0;
    char folder[PLACE_PATH_MAX];
    struct store *store = NULL;
    struct err err = { 0 };

    if (!create && !list && !revoke)
        return cli_misuse("unknown action '%.40s': create, list or revoke", verb);
    if (argc > (revoke ? 2 : 1))
        return cli_misuse("unexpected argument '%.40s'", argv[revoke ? 2 : 1]);
    if (revoke && argc < 2)
        return cli_misuse("revoke needs the token's ID, as `mimeo tokens list` shows it");
    if (!place_data_folder(option_string(values, "data"), folder, &err) ||
        !place_open_store(folder, &store, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    int status = create   ? tokens_create(store, values)
                 : revoke ? tokens_revoke(store, argv[1])
                          : tokens_list(store);
    store_close(store);
    return status;
}

const struct cli_command cli_command_tokens = {
    .name = "tokens",
    .arguments = "create | list | revoke ID",
    .summary = "Make, list and revoke the tokens a server takes.",
    .options = tokens_options,
    .run = tokens_run,
};
