/* Plans as they are written in settings, and what a run costs. Pure. */
#include <string.h>

#include "account/account_private.h"
#include "registry/registry.h"

#define PLANS_CREATES 600 /* the public API's rates, a minute */
#define PLANS_CALLS 3000
#define PLANS_READS_FACTOR 20 /* polling: 60,000 a minute where others have 3,000 */
#define PLANS_FREE_PER_DAY 50
#define PLANS_NUMBER_MAX 100000000

/* ---- Reading ---------------------------------------------------------------------------------
 */

static bool name_is_good(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return name.len > 0;
}

static bool read_number(struct str key, struct str value, int *ret_number, struct err *err)
{
    int64_t number;

    if (!str_to_int64(value, &number) || number < 1 || number > PLANS_NUMBER_MAX)
        return err_set(err, ERR_INVALID, "a plan's %.*s must be a number from 1 to %d",
                       STR_FMT(key), PLANS_NUMBER_MAX);
    *ret_number = (int)number;
    return true;
}

static bool read_part(struct str part, struct account_plan *plan, struct err *err)
{
    struct str key, value;

    if (!str_cut(part, '=', &key, &value))
        return err_set(err, ERR_INVALID, "'%.*s' in a plan should be NAME=VALUE",
                       part.len > 40 ? 40 : (int)part.len, part.ptr);
    key = str_trim(key);
    value = str_trim(value);
    if (str_equal(key, S("per-day")))
        return read_number(key, value, &plan->predictions_per_day, err);
    if (str_equal(key, S("creates")))
        return read_number(key, value, &plan->creates_per_minute, err);
    if (str_equal(key, S("calls")))
        return read_number(key, value, &plan->calls_per_minute, err);
    if (str_equal(key, S("reads")))
        return read_number(key, value, &plan->reads_per_minute, err);
    if (!str_equal(key, S("credit")))
        return err_set(err, ERR_INVALID,
                       "a plan has per-day, creates, calls, reads and credit, not '%.*s'",
                       key.len > 40 ? 40 : (int)key.len, key.ptr ? key.ptr : "");
    plan->metered = str_equal(value, S("yes"));
    if (!plan->metered && !str_equal(value, S("no")))
        return err_set(err, ERR_INVALID, "a plan's credit must be yes or no");
    return true;
}

bool account_plan_parse(struct str text, struct account_plan *ret_plan, struct err *err)
{
    struct account_plan plan = { 0 };
    struct str name = text, rest = { NULL, 0 }, part;

    if (!str_cut(text, ':', &name, &rest))
        name = text;
    name = str_trim(name);
    if (!name_is_good(name) || !str_copy(name, plan.name, sizeof(plan.name)))
        return err_set(err, ERR_INVALID,
                       "a plan's name has 1 to %d letters, digits, '-' and '_' (as in "
                       "\"small:per-day=50,creates=60\")",
                       (int)sizeof(plan.name) - 1);
    while (str_trim(rest).len > 0) {
        if (!str_cut(rest, ',', &part, &rest)) {
            part = rest;
            rest.len = 0;
        }
        if (!read_part(str_trim(part), &plan, err))
            return false;
    }
    *ret_plan = plan;
    return true;
}

/* ---- All of them -----------------------------------------------------------------------------
 */

static struct account_plan *find(struct plans *plans, const char *name)
{
    for (int i = 0; i < plans->count; i++)
        if (strcmp(plans->list[i].name, name) == 0)
            return &plans->list[i];
    return NULL;
}

/* Add a plan, or put it in the place of the one with its name. */
static void put(struct plans *plans, const struct account_plan *plan)
{
    struct account_plan *place = find(plans, plan->name);

    if (!place)
        place = &plans->list[plans->count++];
    *place = *plan;
}

static void fill_rates(struct account_plan *plan, const struct accounts_options *options)
{
    int creates = options->creates_per_minute > 0 ? options->creates_per_minute : PLANS_CREATES;
    int calls = options->calls_per_minute > 0 ? options->calls_per_minute : PLANS_CALLS;

    if (plan->creates_per_minute <= 0)
        plan->creates_per_minute = creates;
    if (plan->calls_per_minute <= 0)
        plan->calls_per_minute = calls;
    if (plan->reads_per_minute <= 0)
        plan->reads_per_minute = plan->calls_per_minute > PLANS_NUMBER_MAX / PLANS_READS_FACTOR
                                     ? PLANS_NUMBER_MAX
                                     : plan->calls_per_minute * PLANS_READS_FACTOR;
}

bool plans_fill(struct plans *plans, const struct accounts_options *options, struct err *err)
{
    const char *wanted = options->default_plan ? options->default_plan : "unlimited";

    *plans = (struct plans){ 0 };
    put(plans, &(struct account_plan){ .name = "unlimited" });
    put(plans, &(struct account_plan){ .name = "free", .predictions_per_day = PLANS_FREE_PER_DAY });
    for (int i = 0; i < options->plan_count && i < ACCOUNT_PLANS_MAX; i++)
        put(plans, &options->plans[i]);
    for (int i = 0; i < plans->count; i++)
        fill_rates(&plans->list[i], options);
    plans->fallback = find(plans, wanted);
    return plans->fallback ||
           err_set(err, ERR_INVALID, "there is no plan '%.40s' to be the default one", wanted);
}

const struct account_plan *plans_find(const struct plans *plans, const char *name)
{
    for (int i = 0; name && i < plans->count; i++)
        if (strcmp(plans->list[i].name, name) == 0)
            return &plans->list[i];
    return plans->fallback;
}

/* ---- Cost ------------------------------------------------------------------------------------
 */

/* a * b, or the largest there is. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX / 4 : product;
}

int64_t account_cost_microusd(const struct registry_price *price, int64_t predict_us,
                              int64_t images, bool succeeded)
{
    int64_t time_us = predict_us > 0 ? predict_us : 0, images_made = images > 0 ? images : 0;
    /* Time is paid for however it ends: it was used. Rounded to the nearest. */
    int64_t cost = times(time_us, price->per_second_microusd) / 1000000;

    if (times(time_us, price->per_second_microusd) % 1000000 >= 500000)
        cost++;
    if (succeeded)
        cost += times(images_made, price->per_image_microusd) + price->per_run_microusd;
    return cost;
}
