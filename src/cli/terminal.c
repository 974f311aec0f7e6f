/* Bars of ASCII, so that they look the same in every font and log. */
#include "cli/terminal.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define DRAW_EVERY_US 100000
#define LINE_EVERY_PERCENT 10
#define BAR_WIDTH 24

static atomic_bool interrupted; /* written by the signal handler */

void terminal_bar_init(struct terminal_bar *bar, FILE *out)
{
    memset(bar, 0, sizeof(*bar));
    bar->out = out;
    bar->redraws = isatty(fileno(out)) == 1;
    bar->percent = -1;
}

void terminal_bar_clear(struct terminal_bar *bar)
{
    if (bar->open)
        fputs("\r\033[K", bar->out);
    bar->open = false;
    fflush(bar->out);
}

static void step_begin(struct terminal_bar *bar, const char *step, int64_t done)
{
    if (strcmp(bar->step, step) == 0)
        return;
    str_copy(str_from(step), bar->step, sizeof(bar->step));
    bar->step_us = clock_monotonic_us();
    bar->step_from = done;
    bar->drawn_us = 0;
    bar->percent = -1;
}

void terminal_format_bytes(int64_t bytes, char ret_text[TERMINAL_BYTES_SIZE])
{
    static const char *const units[] = { "kB", "MB", "GB", "TB" };
    double value = (double)bytes / 1000;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(ret_text, TERMINAL_BYTES_SIZE, "%.1f %s", value, units[unit]);
}

static void bar_draw(struct terminal_bar *bar, int percent, const char *text)
{
    char cells[BAR_WIDTH + 1];

    for (int i = 0; i < BAR_WIDTH; i++)
        cells[i] = i < percent * BAR_WIDTH / 100 ? '#' : '.';
    cells[BAR_WIDTH] = 0;
    fprintf(bar->out, "\r\033[K%s [%s] %3d%% %s", bar->step, cells, percent, text);
    bar->open = true;
    fflush(bar->out);
}

/* Is it time to draw, or to print the next line? */
static bool is_due(struct terminal_bar *bar, int percent)
{
    int64_t now_us = clock_monotonic_us();

    if (bar->redraws) {
        if (percent < 100 && now_us - bar->drawn_us < DRAW_EVERY_US)
            return false;
        bar->drawn_us = now_us;
        return true;
    }
    int tens = percent / LINE_EVERY_PERCENT * LINE_EVERY_PERCENT;
    if (tens == 0 || tens <= bar->percent)
        return false;
    bar->percent = tens;
    return true;
}

static void bytes_describe(const struct terminal_bar *bar, int64_t done, int64_t total, char *text,
                           size_t size)
{
    char have[TERMINAL_BYTES_SIZE], all[TERMINAL_BYTES_SIZE], rate[TERMINAL_BYTES_SIZE];
    double seconds = (double)(clock_monotonic_us() - bar->step_us) / 1e6;
    double per_second = seconds > 0 ? (double)(done - bar->step_from) / seconds : 0;

    terminal_format_bytes(done, have);
    terminal_format_bytes(total, all);
    terminal_format_bytes((int64_t)per_second, rate);
    if (per_second < 1)
        snprintf(text, size, "%s of %s", have, all);
    else
        snprintf(text, size, "%s of %s, %s/s, %.0f s left", have, all, rate,
                 (double)(total - done) / per_second);
}

static void waiting_show(struct terminal_bar *bar, int64_t seconds)
{
    if (bar->redraws) {
        fprintf(bar->out, "\r\033[K%s, %lld s", bar->step, (long long)seconds);
        bar->open = true;
        fflush(bar->out);
    } else if (bar->percent < 0) {
        fprintf(bar->out, "%s\n", bar->step);
        bar->percent = 0;
        fflush(bar->out);
    }
}

void terminal_bar_bytes(struct terminal_bar *bar, const char *step, int64_t done, int64_t total)
{
    char text[160];

    step_begin(bar, step, done);
    if (total <= 0) {
        waiting_show(bar, done);
        return;
    }
    int percent = (int)(done >= total ? 100 : done * 100 / total);
    if (!is_due(bar, percent))
        return;
    bytes_describe(bar, done, total, text, sizeof(text));
    if (bar->redraws)
        bar_draw(bar, percent, text);
    else
        fprintf(bar->out, "%s: %d%% (%s)\n", bar->step, percent, text);
    fflush(bar->out);
}

void terminal_bar_percent(struct terminal_bar *bar, const char *step, int percent)
{
    step_begin(bar, step, 0);
    if (!is_due(bar, percent))
        return;
    if (bar->redraws)
        bar_draw(bar, percent, "");
    else
        fprintf(bar->out, "%s: %d%%\n", bar->step, percent);
    fflush(bar->out);
}

static void on_interrupt(int signal_number)
{
    if (atomic_exchange(&interrupted, true))
        _exit(128 + signal_number);
}

const atomic_bool *terminal_catch_interrupt(void)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}

bool terminal_ask(const char *question)
{
    char answer[16] = "";

    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL)
        return false;
    struct str text = str_trim(str_from(answer));
    return str_equal_nocase(text, S("y")) || str_equal_nocase(text, S("yes"));
}
