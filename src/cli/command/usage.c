/* mimeo usage: what accounts have run and what it cost, by day, token and model, from the data
 * folder's store. Not here: texts about how to use the program (cli/usage.c). */
#include "cli/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "cli/command.h"
#include "cli/place.h"
#include "store/store.h"

#define ARENA_BYTES_MAX (512u << 20)
#define LINE_BYTES_MAX (64u << 10)
#define DAYS_DEFAULT 30
#define DAY_US (INT64_C(86400) * 1000000)

static const char *const formats[] = { "table", "csv", "json", NULL };

static const struct option_row usage_options[] = {
    { .name = "data",
      .type = OPTION_STRING,
      .value = "DIR",
      .help = "The server's data folder; ~/.local/share/mimeo when not given." },
    { .name = "from",
      .type = OPTION_STRING,
      .value = "DATE",
      .help = "The first day (UTC), as 2026-08-01; 30 days ago when not given." },
    { .name = "to", .type = OPTION_STRING, .value = "DATE", .help = "The last day; today." },
    { .name = "account", .type = OPTION_STRING, .value = "NAME", .help = "Only this account." },
    { .name = "format",
      .type = OPTION_CHOICE,
      .value = "WHICH",
      .fallback = "table",
      .choices = formats,
      .help = "json: one object a line." },
    { .name = NULL },
};

/* How one row is written; NULL: the head of the table. */
typedef void usage_writer(const struct store_usage *row, struct buf *out);

static const char *day_text(const struct store_usage *row, char text[CLOCK_TEXT_SIZE])
{
    clock_format(row->day * DAY_US, 0, false, text);
    text[10] = 0; /* the date alone */
    return text;
}

static void write_table(const struct store_usage *row, struct buf *out)
{
    char day[CLOCK_TEXT_SIZE];

    if (row == NULL) {
        buf_printf(out, "%-10s  %-16s  %-16s  %-32s %9s %9s %7s %12s %8s %12s\n", "DAY", "ACCOUNT",
                   "TOKEN", "MODEL", "RUNS", "SUCCEEDED", "FAILED", "SECONDS", "IMAGES", "COST");
        return;
    }
    buf_printf(out,
               "%-10s  %-16s  %-16s  %-32s %9" PRId64 " %9" PRId64 " %7" PRId64 " %12.3f %8" PRId64
               " %12.6f\n",
               day_text(row, day), row->account, row->token, row->model, row->runs, row->succeeded,
               row->failed, (double)row->predict_us / 1e6, row->images,
               (double)row->cost_microusd / 1e6);
}

/* A field in quotes where it needs them (RFC 4180). */
static void write_field(const char *text, struct buf *out)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buf_append_str(out, str_from(text));
        return;
    }
    buf_append_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_append_char(out, '"');
        buf_append_char(out, *text);
    }
    buf_append_char(out, '"');
}

static void write_csv(const struct store_usage *row, struct buf *out)
{
    char day[CLOCK_TEXT_SIZE];

    if (row == NULL) {
        buf_append_str(out, S("day,account,token,model,runs,succeeded,failed,predict_time,images,"
                              "cost\n"));
        return;
    }
    buf_printf(out, "%s,", day_text(row, day));
    write_field(row->account, out);
    buf_append_char(out, ',');
    write_field(row->token, out);
    buf_append_char(out, ',');
    write_field(row->model, out);
    buf_printf(out, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.6f,%" PRId64 ",%.6f\n", row->runs,
               row->succeeded, row->failed, (double)row->predict_us / 1e6, row->images,
               (double)row->cost_microusd / 1e6);
}

static void write_json(const struct store_usage *row, struct buf *out)
{
    char day[CLOCK_TEXT_SIZE];

    if (row == NULL)
        return;
    buf_printf(out, "{\"day\":\"%s\",\"account\":", day_text(row, day));
    json_write_string(str_from(row->account), out);
    buf_append_str(out, S(",\"token\":"));
    json_write_string(str_from(row->token), out);
    buf_append_str(out, S(",\"model\":"));
    json_write_string(str_from(row->model), out);
    buf_printf(out,
               ",\"runs\":%" PRId64 ",\"succeeded\":%" PRId64 ",\"failed\":%" PRId64
               ",\"predict_time\":%.6f,\"images\":%" PRId64 ",\"cost\":%.6f}\n",
               row->runs, row->succeeded, row->failed, (double)row->predict_us / 1e6, row->images,
               (double)row->cost_microusd / 1e6);
}

static void print_row(const struct store_usage *row, usage_writer *writer)
{
    struct buf line;

    buf_init(&line, LINE_BYTES_MAX);
    writer(row, &line);
    if (line.ptr != NULL)
        fputs(line.ptr, stdout);
    buf_done(&line);
}

static bool read_day(const struct option_values *values, const char *name, int64_t *day)
{
    const char *text = option_string(values, name);
    int64_t us;

    if (text == NULL)
        return true;
    if (!clock_parse(str_from(text), &us))
        return false;
    *day = us / DAY_US;
    return true;
}

static int print_usage(struct store *store, const struct option_values *values, int64_t first_day,
                       int64_t last_day)
{
    const char *format = option_string(values, "format");
    usage_writer *writer = strcmp(format, "csv") == 0    ? write_csv
                           : strcmp(format, "json") == 0 ? write_json
                                                         : write_table;
    struct store_usage *rows;
    struct err err = { 0 };
    struct arena arena;
    int count = 0;

    arena_init(&arena, ARENA_BYTES_MAX);
    bool ok = store_usage_list(store, option_string(values, "account"), first_day, last_day, &arena,
                               &rows, &count, &err);
    if (ok)
        print_row(NULL, writer);
    for (int i = 0; ok && i < count; i++)
        print_row(&rows[i], writer);
    arena_done(&arena);
    return ok ? CLI_OK : cli_fail("%s%s", err.detail, err.cause);
}

static int usage_run(const struct option_values *values, int argc, char **argv)
{
    int64_t last_day = clock_now_us() / DAY_US, first_day = last_day - (DAYS_DEFAULT - 1);
    char folder[PLACE_PATH_MAX];
    struct store *store = NULL;
    struct err err = { 0 };

    if (argc > 0)
        return cli_misuse("unexpected argument '%.40s'", argv[0]);
    if (!read_day(values, "from", &first_day) || !read_day(values, "to", &last_day))
        return cli_misuse("--from and --to need a date, as 2026-08-01");
    if (!place_data_folder(option_string(values, "data"), folder, &err) ||
        !place_open_store(folder, &store, &err))
        return cli_fail("%s%s", err.detail, err.cause);
    int status = print_usage(store, values, first_day, last_day);
    store_close(store);
    return status;
}

const struct cli_command cli_command_usage = {
    .name = "usage",
    .arguments = "",
    .summary = "Show what accounts have run and what it cost.",
    .options = usage_options,
    .run = usage_run,
};
