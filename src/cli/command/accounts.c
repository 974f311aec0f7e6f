/* mimeo accounts [list] | set NAME: plans and credit, in the data folder's store, whether or not a
 * server runs on it (a running one notices within a second). */
#include <stdio.h>
#include <string.h>

#include "account/account.h"
#include "base/err.h"
#include "base/option.h"
#include "cli/command.h"
#include "cli/place.h"
#include "cli/usage.h"
#include "store/store.h"

#define ARENA_BYTES_MAX (64u << 20)
#define DOLLARS_MAX 1000000000

static const struct option_row accounts_options[] = {
    { .name = "data",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The server's data folder; ~/.local/share/mimeo when not given." },
    { .name = "plan",
      .type = OPTION_STRING,
      .value = "NAME",
      .help = "set: the account's plan; `default` for the server's default one." },
    { .name = "credit",
      .type = OPTION_STRING,
      .value = "DOLLARS",
      .help = "set: what it may spend from now on; its runs are then paid from that." },
    { .name = "no-credit",
      .type = OPTION_BOOLEAN,
      .help = "set: its runs are not paid for any more." },
    { .name = NULL },
};

/* ---- List ------------------------------------------------------------------------------------ */

static void account_print(const struct store_account *account)
{
    char credit[32] = "-";

    if (account->metered)
        snprintf(credit, sizeof(credit), "$%.2f", (double)account->credit_microusd / 1e6);
    printf("%-24s  %-16s  %12s\n", account->account, account->plan ? account->plan : "(default)",
           credit);
}

static bool is_listed(const struct store_account *accounts, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(accounts[i].account, name) == 0)
            return true;
    return false;
}

/* Accounts that have tokens but no row, each once. */
static void print_others(const struct store_account *accounts, int count,
                         const struct store_token *tokens, int token_count)
{
    for (int i = 0; i < token_count; i++) {
        struct store_account other = { .account = tokens[i].account };
        bool printed = is_listed(accounts, count, other.account);

        for (int j = 0; j < i && !printed; j++)
            printed = strcmp(tokens[j].account, other.account) == 0;
        if (!printed)
            account_print(&other);
    }
}

static int accounts_list(struct store *store)
{
    struct store_account *accounts;
    struct store_token *tokens;
    struct err err = { 0 };
    struct arena arena;
    int count = 0, token_count = 0;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_account_list(store, &arena, &accounts, &count, &err) &&
              store_token_list(store, NULL, 0, &arena, &tokens, &token_count, &err);
    if (ok && count + token_count > 0)
        printf("%-24s  %-16s  %12s\n", "ACCOUNT", "PLAN", "CREDIT");
    for (int i = 0; ok && i < count; i++)
        account_print(&accounts[i]);
    if (ok)
        print_others(accounts, count, tokens, token_count);
    arena_done(&arena);
    return ok ? CLI_OK : cli_fail("%s%s", err.detail, err.cause);
}

/* ---- Set ------------------------------------------------------------------------------------- */

/* "12" or "12.5": whole millionths, so that nothing is lost to rounding. */
static bool dollars_read(struct str text, int64_t *ret_microusd)
{
    struct str whole = text, part = { NULL, 0 };
    int64_t dollars, millionths = 0;

    if (!str_cut(text, '.', &whole, &part))
        whole = text;
    if (whole.len == 0 || whole.ptr[0] < '0' || whole.ptr[0] > '9' ||
        !str_to_int64(whole, &dollars) || dollars > DOLLARS_MAX || part.len > 6)
        return false;
    for (size_t i = 0; i < 6; i++) {
        char digit = i < part.len ? part.ptr[i] : '0';

        if (digit < '0' || digit > '9')
            return false;
        millionths = millionths * 10 + (digit - '0');
    }
    *ret_microusd = dollars * 1000000 + millionths;
    return true;
}

static bool plan_is_name(const char *text)
{
    struct account_plan plan;

    return account_plan_parse(str_from(text), &plan, NULL) && strcmp(plan.name, text) == 0;
}

static int accounts_set(struct store *store, const char *name, const struct option_values *values)
{
    const char *plan = option_string(values, "plan"), *credit = option_string(values, "credit");
    struct store_account account = { .account = name };
    struct store_write write = { .kind = STORE_ACCOUNT_PUT, .account_row = &account };
    struct err err = { 0 };
    struct arena arena;

    if (plan && !plan_is_name(plan))
        return cli_misuse("--plan needs a plan's name: letters, digits, '-' and '_'");
    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_account_get(store, name, &arena, &account, &err);
    if (!ok && err.kind == ERR_NOT_FOUND) {
        account = (struct store_account){ .account = name };
        ok = true;
    }
    if (plan)
        account.plan = strcmp(plan, "default") == 0 ? NULL : plan;
    if (credit) {
        account.metered = true;
        if (!dollars_read(str_from(credit), &account.credit_microusd)) {
            arena_done(&arena);
            return cli_misuse("--credit needs an amount in dollars, as 12 or 12.50");
        }
    }
    if (option_boolean(values, "no-credit")) {
        account.metered = false;
        account.credit_microusd = 0;
    }
    ok = ok && store_write_wait(store, &write, &err);
    if (ok)
        account_print(&account);
    arena_done(&arena);
    return ok ? CLI_OK : cli_fail("%s%s", err.detail, err.cause);
}

static int accounts_run(const struct option_values *values, int argc, char **argv)
{
    const char *verb = argc > 0 ? argv[0] : "list";
    bool set = strcmp(verb, "set") == 0;
    bool changes = option_given(values, "plan") || option_given(values, "credit") ||
                   option_boolean(values, "no-credit");
    char folder[PLACE_PATH_MAX];
    struct store *store = NULL;
    struct err err = { 0 };

    if (!set && strcmp(verb, "list") != 0)
        return cli_misuse("unknown action '%.40s': list or set", verb);
    if (argc > (set ? 2 : 1))
        return cli_misuse("unexpected argument '%.40s'", argv[set ? 2 : 1]);
    if (set && argc < 2)
        return cli_misuse("set needs the account's name");
    if (set && !changes)
        return cli_misuse("set needs --plan, --credit or --no-credit");
    if (option_given(values, "credit") && option_boolean(values, "no-credit"))
        return cli_misuse("--credit and --no-credit exclude each other");
    if (!place_data_folder(option_string(values, "data"), folder, &err) ||
        !place_open_store(folder, &store, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    int status = set ? accounts_set(store, argv[1], values) : accounts_list(store);
    store_close(store);
    return status;
}

const struct cli_command cli_command_accounts = {
    .name = "accounts",
    .arguments = "[list] | set NAME",
    .summary = "Show and set accounts' plans and credit.",
    .options = accounts_options,
    .run = accounts_run,
};
