/* Showing progress: a bar that is redrawn on a terminal, a line now and then elsewhere. And
 * catching Ctrl-C. One thread only, but for the flag. */
#ifndef MIMEO_CLI_TERMINAL_H
#define MIMEO_CLI_TERMINAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct terminal_bar {
    FILE *out;
    bool redraws;      /* a terminal */
    bool open;         /* something stands on the line */
    char step[32];     /* the step being shown */
    int64_t step_us;   /* when it began (monotonic) */
    int64_t step_from; /* its first `done`: a resumed part does not count for the rate */
    int64_t drawn_us;
    int percent; /* last shown where lines are printed; -1: none */
};

void terminal_bar_init(struct terminal_bar *bar, FILE *out);

/* Bytes of a step; total -1: `done` is seconds spent waiting. */
void terminal_bar_bytes(struct terminal_bar *bar, const char *step, int64_t done, int64_t total);

/* Percent with a label. */
void terminal_bar_percent(struct terminal_bar *bar, const char *step, int percent);

/* Take the bar off the line, so that text can be printed. */
void terminal_bar_clear(struct terminal_bar *bar);

/* From now on SIGINT and SIGTERM set the flag (the second one ends the program). */
const atomic_bool *terminal_catch_interrupt(void);

/* "12.3 MB" into ret_text. */
#define TERMINAL_BYTES_SIZE 32
void terminal_format_bytes(int64_t bytes, char ret_text[TERMINAL_BYTES_SIZE]);

/* Ask on the terminal; anything but y or yes is no. */
bool terminal_ask(const char *question);

#endif
