/* mimeo tokens create | list | revoke: works on the data folder's store, whether or not a server
 * runs on it (a running one notices within a moment). */
#include <stdio.h>
#include <string.h>

#include "account/tokens.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/option.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/place.h"
#include "cli/usage.h"
#include "store/store.h"

#define ARENA_BYTES_MAX (64u << 20)
#define LIFETIME_MAX_S INT64_C(315360000) /* ten years */

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
      .fallback = TOKENS_ACCOUNT_DEFAULT,
      .help = "create: whose it is; accounts do not see each other's predictions." },
    { .name = "scopes",
      .type = OPTION_STRING,
      .value = "LIST",
      .fallback = "read,run,manage,operate",
      .help = "create: what it may do." },
    { .name = "expires-in",
      .type = OPTION_STRING,
      .value = "TIME",
      .help = "create: how long it is valid, as 12h or 30d; for ever when not given." },
    { .name = "creates-per-minute",
      .type = OPTION_INTEGER,
      .value = "N",
      .fallback = "0",
      .min = 0,
      .max = TOKENS_LIMIT_MAX,
      .help = "create: predictions it may make a minute; 0: as many as its account." },
    { .name = "per-day",
      .type = OPTION_INTEGER,
      .value = "N",
      .fallback = "0",
      .min = 0,
      .max = TOKENS_LIMIT_MAX,
      .help = "create: predictions it may make a day (UTC); 0: as many as its account." },
    { .name = NULL },
};

/* "90", "90s", "15m", "12h", "30d": from a second to ten years, in seconds. */
static bool read_lifetime(struct str text, int64_t *ret_seconds)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    int64_t number, factor = 1;

    for (size_t i = 0; text.len > 0 && i < ARRAY_LEN(units); i++)
        if (text.ptr[text.len - 1] == units[i].unit) {
            factor = units[i].seconds;
            text.len--;
            break;
        }
    if (!str_to_int64(text, &number) || number < 1 || number > LIFETIME_MAX_S / factor)
        return false;
    *ret_seconds = number * factor;
    return true;
}

/* False: said on standard error. */
static bool read_wanted(const struct option_values *values, struct store_token *wanted)
{
    const char *lifetime = option_string(values, "expires-in");
    struct err err = { 0 };
    int64_t seconds;

    wanted->name = option_string(values, "name");
    wanted->account = option_string(values, "account");
    wanted->creates_per_minute = (int)option_integer(values, "creates-per-minute");
    wanted->predictions_per_day = (int)option_integer(values, "per-day");
    if (strlen(wanted->name) > TOKENS_NAME_MAX) {
        cli_misuse("--name may have %d characters", TOKENS_NAME_MAX);
        return false;
    }
    if (!tokens_scopes_parse(str_from(option_string(values, "scopes")), &wanted->scopes, &err)) {
        cli_misuse("%s", err.detail);
        return false;
    }
    if (lifetime == NULL)
        return true;
    if (!read_lifetime(str_from(lifetime), &seconds)) {
        cli_misuse("--expires-in must be a time like 45m, 12h or 30d, ten years at most");
        return false;
    }
    wanted->expires_us = clock_now_us() + seconds * INT64_C(1000000);
    return true;
}

static int tokens_make(struct store *store, const struct store_token *wanted)
{
    struct tokens_made made;
    struct err err = { 0 };

    if (!tokens_create(store, wanted, &made, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    puts(made.text);
    fputs("This is the only time it is shown.\n", stderr);
    return CLI_OK;
}

/* ---- List ------------------------------------------------------------------------------------ */

#define TIME_TEXT_SIZE 21 /* 2026-11-21T12:00:00Z */

static void write_time(int64_t unix_us, char ret_text[TIME_TEXT_SIZE])
{
    char text[CLOCK_TEXT_SIZE] = "-";

    if (unix_us != 0)
        clock_format(unix_us, 0, false, text);
    snprintf(ret_text, TIME_TEXT_SIZE, "%.20s", text);
}

static void write_scopes(unsigned scopes, char *text, size_t size)
{
    size_t len = 0;

    snprintf(text, size, "%s", scopes == STORE_SCOPE_ALL ? "all" : "-");
    for (int i = 0; scopes != STORE_SCOPE_ALL && i < TOKENS_SCOPE_COUNT; i++)
        if (scopes & 1u << i && len < size)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len > 0 ? "," : "",
                                    tokens_scope_name(i));
}

/* "60/min 500/day"; "-": none of its own. */
static void write_limits(const struct store_token *token, char *text, size_t size)
{
    size_t len = 0;

    snprintf(text, size, "-");
    if (token->creates_per_minute > 0)
        len += (size_t)snprintf(text, size, "%d/min", token->creates_per_minute);
    if (token->predictions_per_day > 0 && len < size)
        snprintf(text + len, size - len, "%s%d/day", len > 0 ? " " : "",
                 token->predictions_per_day);
}

/* Whoever may make tokens over HTTP chose the text: nothing in it may rule the terminal or begin a
 * line of its own. */
static void print_plainly(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    for (; *at; at++) {
        const bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080..U+009F */

        putchar(at[0] < 0x20 || at[0] == 0x7f || is_c1 ? '?' : at[0]);
        at += is_c1;
    }
}

static void token_print(const struct store_token *token)
{
    char created[TIME_TEXT_SIZE], expires[TIME_TEXT_SIZE], used[TIME_TEXT_SIZE];
    const char *state = "valid";
    char scopes[40], limits[40];

    if (token->revoked_us != 0)
        state = "revoked";
    else if (!tokens_is_valid(token, clock_now_us()))
        state = "expired";
    write_time(token->created_us, created);
    write_time(token->expires_us, expires);
    write_time(token->last_used_us, used);
    write_scopes(token->scopes, scopes, sizeof(scopes));
    write_limits(token, limits, sizeof(limits));
    printf("%-16s  %-9s  %-20s  %-12s  %-8s  %-15s  %-18s  %-20s  %-20s  ", token->id,
           token->prefix, created, token->account, state, scopes, limits, expires, used);
    print_plainly(token->name);
    puts(token->kind == STORE_TOKEN_SESSION ? " (session)" : "");
}

static int tokens_list(struct store *store)
{
    struct store_token *tokens;
    struct err err = { 0 };
    struct arena arena;
    int count = 0;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_token_list(store, NULL, 0, &arena, &tokens, &count, &err);
    if (ok && count > 0)
        printf("%-16s  %-9s  %-20s  %-12s  %-8s  %-15s  %-18s  %-20s  %-20s  %s\n", "ID", "STARTS",
               "CREATED", "ACCOUNT", "STATE", "SCOPES", "LIMITS", "EXPIRES", "LAST USED", "NAME");
    for (int i = 0; ok && i < count; i++)
        token_print(&tokens[i]);
    arena_done(&arena);
    return ok ? CLI_OK : cli_fail("%s%s", err.detail, err.cause);
}

/* ---- Revoke, and which it is ------------------------------------------------------------------
 */

static int tokens_end(struct store *store, const char *id)
{
    struct err err = { 0 };

    if (!tokens_revoke(store, NULL, id, &err))
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
    struct store_token wanted = { .kind = STORE_TOKEN_KEY };
    struct store *store = NULL;
    struct err err = { 0 };

    if (!create && !list && !revoke)
        return cli_misuse("unknown action '%.40s': create, list or revoke", verb);
    if (argc > (revoke ? 2 : 1))
        return cli_misuse("unexpected argument '%.40s'", argv[revoke ? 2 : 1]);
    if (revoke && argc < 2)
        return cli_misuse("revoke needs the token's ID, as `mimeo tokens list` shows it");
    if (create && !read_wanted(values, &wanted))
        return CLI_MISUSED;
    if (!place_data_folder(option_string(values, "data"), folder, &err) ||
        !place_open_store(folder, &store, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    int status = create   ? tokens_make(store, &wanted)
                 : revoke ? tokens_end(store, argv[1])
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
