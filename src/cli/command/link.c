/* mimeo link: a link that signs in to the page of a server, once. Works on the data folder's store,
 * whose owner may do anything there anyway; the server that runs on it takes the code at once. */
#include <stdio.h>
#include <string.h>

#include "account/tokens.h"
#include "base/err.h"
#include "base/option.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/place.h"
#include "cli/usage.h"
#include "store/store.h"

static const struct option_row link_options[] = {
    { .name = "data",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The server's data folder; ~/.local/share/mimeo when not given." },
    { .name = "url",
      .type = OPTION_STRING,
      .value = "URL",
      .fallback = "http://127.0.0.1:8080",
      .help = "How the browser reaches the server." },
    { .name = "account",
      .type = OPTION_STRING,
      .value = "NAME",
      .fallback = TOKENS_ACCOUNT_DEFAULT,
      .help = "Whose page it is." },
    { .name = NULL },
};

static int link_run(const struct option_values *values, int argc, char **argv)
{
    struct str url = str_from(option_string(values, "url"));
    char folder[PLACE_PATH_MAX], code[TOKENS_TEXT_SIZE];
    struct store *store = NULL;
    struct err err = { 0 };

    if (argc > 0)
        return cli_misuse("link takes no argument '%.40s'", argv[0]);
    if (!str_starts(url, S("http://")) && !str_starts(url, S("https://")))
        return cli_misuse("--url must begin with http:// or https://");
    while (str_ends(url, S("/")))
        url.len--;
    if (!place_data_folder(option_string(values, "data"), folder, &err) ||
        !place_open_store(folder, &store, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    bool ok = tokens_create_code(store, option_string(values, "account"), code, &err);
    store_close(store);
    if (!ok)
        return cli_fail("%s%s", err.detail, err.cause);
    printf("%.*s/sign-in#code=%s\n", STR_FMT(url), code);
    fputs("It works once, within an hour.\n", stderr);
    return CLI_OK;
}

const struct cli_command cli_command_link = {
    .name = "link",
    .arguments = "",
    .summary = "Make a link that signs in to the page, once.",
    .options = link_options,
    .run = link_run,
};
