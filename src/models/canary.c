/* replicate/canary: greets a text word by word, with a little pause before each, so that whatever
 * follows an output while it grows has something to follow. No weights, no state.
 *
 * A word comes with the white space behind it, so that the parts put together are the whole:
 * "hello ", "there, ", "Betty ", "Browser". */
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

#define PAUSE_MS 50        /* before a word: enough to be seen as separate */
#define PAUSES_MAX_MS 5000 /* all pauses of one prediction; later words come without */

static const struct model_input inputs[] = {
    { .name = "text",
      .type = INPUT_STRING,
      .has_default = true,
      .default_string = "world",
      .help = "Text to greet, word by word." },
    { 0 },
};

static bool canary_load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context;
    (void)err;
    *ret_state = NULL;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Cut the first word off, with the white space before (at the start of a text) and behind it. */
static struct str word_cut(struct str *rest)
{
    size_t len = 0;
    while (len < rest->len && is_space(rest->ptr[len]))
        len++;
    while (len < rest->len && !is_space(rest->ptr[len]))
        len++;
    while (len < rest->len && is_space(rest->ptr[len]))
        len++;
    struct str word = { rest->ptr, len };
    *rest = str_skip(*rest, len);
    return word;
}

static void pause_briefly(void)
{
    struct timespec left = { .tv_nsec = PAUSE_MS * 1000000L };
    nanosleep(&left, NULL); /* woken early by a signal: a shorter pause does no harm */
}

static bool canary_predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    const char *text = arena_printf(job_arena(job), "hello there, %s", job_string(job, "text"));
    struct str rest = str_from(text);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the text.");
    for (int paused_ms = 0; rest.len > 0;) {
        if (paused_ms < PAUSES_MAX_MS) {
            pause_briefly();
            paused_ms += PAUSE_MS;
        }
        if (job_canceled(job))
            return err_set(err, ERR_CANCELED, "The prediction was canceled.");
        job_output_text(job, word_cut(&rest));
    }
    return true;
}

const struct model model_canary = {
    .name = "canary",
    .inputs = inputs,
    .output = OUTPUT_TEXT_LIST,
    .load = canary_load,
    .predict = canary_predict,
};
