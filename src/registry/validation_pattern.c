/* The keyword `pattern`, over PCRE2.
 *
 * The public API's dialect is RE2's, in which PCRE2 reads nearly all patterns the same (`$` is set
 * to be the text's end alone, as there; \d and \w are ASCII in both). Unlike RE2, PCRE2 can take
 * exponential time, and its own limits hold for one starting place only: so a callout before every
 * item looks at the clock, and between two callouts lies at most one pass over a text of bounded
 * length. Pattern and text may both be hostile. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "registry/validation_pattern.h"

#include <pcre2.h>

#include "base/clock.h"

#define PATTERN_BYTES_MAX 2000 /* longer ones are not checked: compiling takes time, too */
#define PATTERN_TEXT_BYTES_MAX (64u << 10) /* the longest pass between two looks at the clock */
#define PATTERN_TIME_US 50000              /* for one validation: what a caller does not notice */
#define PATTERN_HEAP_KIB 4096              /* for one match's places to come back to */
#define PATTERN_OPTIONS                                                                            \
    (PCRE2_UTF | PCRE2_AUTO_CALLOUT | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |             \
     PCRE2_NO_AUTO_CAPTURE)

static int look_at_clock(pcre2_callout_block *block, void *context)
{
    const struct validation_budget *budget = context;

    (void)block;
    return clock_monotonic_us() > budget->deadline_us ? PCRE2_ERROR_CALLOUT : 0;
}

/* True also when it is not known. */
static bool run(const pcre2_code *code, struct str text, struct validation_budget *budget)
{
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    int result = PCRE2_ERROR_NOMEMORY;

    if (match && context) {
        pcre2_set_heap_limit(context, PATTERN_HEAP_KIB);
        pcre2_set_callout(context, look_at_clock, budget);
        result = pcre2_match(code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, 0, match,
                             context);
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(match);
    return result != PCRE2_ERROR_NOMATCH;
}

bool validation_pattern_matches(struct str pattern, struct str text,
                                struct validation_budget *budget)
{
    pcre2_code *code;
    PCRE2_SIZE place;
    int error;
    bool matches;

    if (pattern.len > PATTERN_BYTES_MAX || text.len > PATTERN_TEXT_BYTES_MAX)
        return true;
    if (budget->deadline_us == 0)
        budget->deadline_us = clock_monotonic_us() + PATTERN_TIME_US;
    if (clock_monotonic_us() > budget->deadline_us)
        return true;
    code = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len, PATTERN_OPTIONS,
                         &error, &place, NULL);
    if (!code)
        return true;
    matches = run(code, text, budget);
    pcre2_code_free(code);
    return matches;
}
