/* What callers may do: the state of each account in memory, and the decisions.
 *
 *   admit    its plan -> the token's bucket                        every call
 *   reserve  day's quota, credit                                   a create that is valid
 *   charged  credit                                                a run that ended
 *
 * An account's first call reads the store; from then on a thread reads again every second the
 * accounts that were used, and all after a change by hand, so that what another process has set
 * counts within a second and no call waits for it. The store is the truth: what stands here may be
 * dropped at any time.
 *
 * Invariants
 *  (1) `lock` is never held across a call of the store.
 *  (2) A count of a day covers what was stored before the account was first seen, when its plan has
 *      a limit, and what was reserved since. */
#include "account/account.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/account_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"

#define ACCOUNTS_MAX 10000   /* known at once, about 2 MB; the one unused longest gives way */
#define ACCOUNTS_CHAINS 4096 /* of the hash table */
#define ACCOUNTS_REFRESH_MS 1000
#define ACCOUNTS_READ_BYTES (64u << 10)
#define ACCOUNTS_LOW_MICROUSD 5000000
#define ACCOUNTS_LOW_PER_MINUTE 6
#define DAY_US (INT64_C(86400) * 1000000)

struct entry {
    char *name; /* owned */
    struct entry *next;
    const struct account_plan *plan;
    bool metered;
    bool used;     /* since the thread last read */
    bool counted;  /* today covers what was stored earlier on that day */
    int64_t day;   /* since 1970-01-01, UTC */
    int64_t today; /* predictions of that day */
    int64_t credit_microusd;
    int64_t used_us; /* monotonic, of the last call */
};

struct accounts {
    struct store *store;
    struct buckets *buckets;
    struct token_days *days;
    pthread_t thread;
    bool has_thread;
    int64_t generation;   /* of the store's accounts, as last seen; the thread's own */
    pthread_cond_t wake;  /* of the thread */
    pthread_mutex_t lock; /* protects all below */
    struct plans *plans;
    int64_t low_credit_microusd;
    struct entry *chains[ACCOUNTS_CHAINS];
    int count;
    bool stopping;
};

/* What the store says of an account. */
struct known {
    char plan[sizeof(((struct account_plan *)0)->name)]; /* "": the default one */
    bool metered;
    int64_t credit_microusd;
    bool counted;
    int64_t day, today;
};

/* ---- The table: lock held --------------------------------------------------------------------
 */

static struct entry **chain_of(struct accounts *accounts, const char *account)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *account; account++)
        hash = (hash ^ (unsigned char)*account) * UINT64_C(1099511628211);
    return &accounts->chains[(hash >> 32) % ACCOUNTS_CHAINS];
}

static struct entry *find(struct accounts *accounts, const char *account)
{
    struct entry *entry = *chain_of(accounts, account);

    while (entry && strcmp(entry->name, account) != 0)
        entry = entry->next;
    return entry;
}

static void drop(struct accounts *accounts, const char *account)
{
    struct entry **link = chain_of(accounts, account);

    while (*link && strcmp((*link)->name, account) != 0)
        link = &(*link)->next;
    if (*link) {
        struct entry *entry = *link;

        *link = entry->next;
        free(entry->name);
        free(entry);
        accounts->count--;
    }
}

static void drop_oldest(struct accounts *accounts)
{
    const struct entry *oldest = NULL;

    for (size_t i = 0; i < ACCOUNTS_CHAINS; i++)
        for (const struct entry *entry = accounts->chains[i]; entry; entry = entry->next)
            if (!oldest || entry->used_us < oldest->used_us)
                oldest = entry;
    if (oldest)
        drop(accounts, oldest->name);
}

static struct entry *add(struct accounts *accounts, const char *account)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    struct entry **chain = chain_of(accounts, account);

    if (entry)
        entry->name = strdup(account);
    if (!entry || !entry->name) {
        free(entry);
        return NULL;
    }
    if (accounts->count >= ACCOUNTS_MAX)
        drop_oldest(accounts);
    entry->next = *chain;
    *chain = entry;
    accounts->count++;
    return entry;
}

static void turn_day(struct entry *entry)
{
    int64_t day = clock_now_us() / DAY_US;

    if (entry->day != day) {
        entry->day = day;
        entry->today = 0;
        entry->counted = true;
    }
}

static void apply(struct accounts *accounts, struct entry *entry, const struct known *known)
{
    entry->plan = plans_find(accounts->plans, known->plan[0] ? known->plan : NULL);
    entry->metered = known->metered || entry->plan->metered;
    entry->credit_microusd = known->credit_microusd;
    turn_day(entry);
    if (!known->counted || known->day != entry->day)
        return;
    if (known->today > entry->today)
        entry->today = known->today; /* else: more is on its way to the store */
    entry->counted = true;
}

/* ---- Reading the store -----------------------------------------------------------------------
 */

static bool has_daily_limit(struct accounts *accounts, const char *plan)
{
    bool has;

    pthread_mutex_lock(&accounts->lock);
    has = plans_find(accounts->plans, plan[0] ? plan : NULL)->predictions_per_day > 0;
    pthread_mutex_unlock(&accounts->lock);
    return has;
}

/* counted: today's number is known already. */
static bool read_known(struct accounts *accounts, const char *account, bool counted,
                       struct known *ret_known, struct err *err)
{
    struct known known = { .day = clock_now_us() / DAY_US };
    struct store_account row;
    struct err missing;
    struct arena arena;
    bool ok = true;

    arena_init(&arena, ACCOUNTS_READ_BYTES);
    if (store_account_get(accounts->store, account, &arena, &row, &missing)) {
        str_copy(str_from(row.plan), known.plan, sizeof(known.plan));
        known.metered = row.metered;
        known.credit_microusd = row.credit_microusd;
    } else if (missing.kind != ERR_NOT_FOUND) {
        *err = missing;
        ok = false;
    }
    arena_done(&arena);
    if (ok && !counted && has_daily_limit(accounts, known.plan)) {
        ok = store_prediction_count(accounts->store, account, NULL, known.day * DAY_US,
                                    &known.today, err);
        known.counted = ok;
    }
    if (ok)
        *ret_known = known;
    return ok;
}

/* The account's entry, with the lock held; NULL, without it, when it cannot be read: then the
 * caller goes by the default plan. */
static struct entry *lock_entry(struct accounts *accounts, const char *account)
{
    struct known known;
    struct entry *entry;
    struct err err;

    pthread_mutex_lock(&accounts->lock);
    entry = find(accounts, account);
    if (!entry) {
        pthread_mutex_unlock(&accounts->lock);
        if (!read_known(accounts, account, false, &known, &err)) {
            log_error(LOG_WARN, "account_not_read", &err, "account=%.64s", account);
            return NULL;
        }
        pthread_mutex_lock(&accounts->lock);
        entry = find(accounts, account); /* another call was quicker */
        if (!entry) {
            entry = add(accounts, account);
            if (!entry) {
                pthread_mutex_unlock(&accounts->lock);
                return NULL;
            }
            apply(accounts, entry, &known);
        }
    }
    entry->used = true;
    entry->used_us = clock_monotonic_us();
    return entry;
}

/* ---- Keeping up with other processes ---------------------------------------------------------
 */

struct due {
    char *name; /* owned */
    bool counted;
};

/* The accounts that were used since the last time, or all; the lock is held. NULL: none, or no
 * memory. */
static struct due *take_due(struct accounts *accounts, bool all, int *ret_count)
{
    struct due *due = calloc((size_t)accounts->count + 1, sizeof(*due));
    int count = 0;

    for (size_t i = 0; due && i < ACCOUNTS_CHAINS; i++)
        for (struct entry *entry = accounts->chains[i]; entry; entry = entry->next)
            if ((entry->used || all) && (due[count].name = strdup(entry->name))) {
                due[count++].counted = entry->counted;
                entry->used = false;
            }
    *ret_count = count;
    return due;
}

static void refresh_one(struct accounts *accounts, const struct due *due)
{
    struct known known;
    struct entry *entry;
    struct err err;

    if (!read_known(accounts, due->name, due->counted, &known, &err))
        return; /* what is known stays; the next call marks it again */
    pthread_mutex_lock(&accounts->lock);
    entry = find(accounts, due->name);
    if (entry)
        apply(accounts, entry, &known);
    pthread_mutex_unlock(&accounts->lock);
}

static void refresh(struct accounts *accounts)
{
    int64_t generation = accounts->generation;
    struct due *due;
    int count;

    /* A change by hand counts for everyone at once, also for who has not called for long. */
    if (!store_token_generation(accounts->store, &generation, NULL))
        generation = accounts->generation;
    pthread_mutex_lock(&accounts->lock);
    due = take_due(accounts, generation != accounts->generation, &count);
    accounts->generation = generation;
    pthread_mutex_unlock(&accounts->lock);
    for (int i = 0; i < count; i++) {
        refresh_one(accounts, &due[i]);
        free(due[i].name);
    }
    free(due);
}

static void *run(void *context)
{
    struct accounts *accounts = context;
    struct timespec until;
    bool stopping = false;

    while (!stopping) {
        pthread_mutex_lock(&accounts->lock);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ACCOUNTS_REFRESH_MS / 1000;
        while (!accounts->stopping &&
               pthread_cond_timedwait(&accounts->wake, &accounts->lock, &until) != ETIMEDOUT)
            ;
        stopping = accounts->stopping;
        pthread_mutex_unlock(&accounts->lock);
        if (!stopping)
            refresh(accounts);
    }
    return NULL;
}

/* ---- Start, settings, end --------------------------------------------------------------------
 */

static bool plans_make(const struct accounts_options *options, struct plans **ret_plans,
                       struct err *err)
{
    struct plans *plans = calloc(1, sizeof(*plans));

    if (!plans)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for plans");
    if (!plans_fill(plans, options, err)) {
        free(plans);
        return false;
    }
    *ret_plans = plans;
    return true;
}

static int64_t low_credit(const struct accounts_options *options)
{
    return options->low_credit_microusd > 0 ? options->low_credit_microusd : ACCOUNTS_LOW_MICROUSD;
}

bool accounts_new(const struct accounts_options *options, struct accounts **ret_accounts,
                  struct err *err)
{
    struct accounts *accounts = calloc(1, sizeof(*accounts));

    if (!accounts)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for accounts");
    accounts->store = options->store;
    accounts->low_credit_microusd = low_credit(options);
    pthread_mutex_init(&accounts->lock, NULL);
    pthread_cond_init(&accounts->wake, NULL);
    if (!plans_make(options, &accounts->plans, err) || !buckets_new(&accounts->buckets, err) ||
        !token_days_new(&accounts->days, err)) {
        accounts_free(accounts);
        return false;
    }
    int failed = pthread_create(&accounts->thread, NULL, run, accounts);
    if (failed) {
        accounts_free(accounts);
        return err_sys(err, ERR_INTERNAL, failed, "the thread for accounts could not be started");
    }
    accounts->has_thread = true;
    *ret_accounts = accounts;
    return true;
}

void accounts_free(struct accounts *accounts)
{
    if (!accounts)
        return;
    pthread_mutex_lock(&accounts->lock);
    accounts->stopping = true;
    pthread_cond_signal(&accounts->wake);
    pthread_mutex_unlock(&accounts->lock);
    if (accounts->has_thread)
        pthread_join(accounts->thread, NULL);
    for (size_t i = 0; i < ACCOUNTS_CHAINS; i++)
        while (accounts->chains[i])
            drop(accounts, accounts->chains[i]->name);
    buckets_free(accounts->buckets);
    token_days_free(accounts->days);
    pthread_cond_destroy(&accounts->wake);
    pthread_mutex_destroy(&accounts->lock);
    free(accounts->plans);
    free(accounts);
}

bool accounts_reload(struct accounts *accounts, const struct accounts_options *options,
                     struct err *err)
{
    struct plans *plans = NULL, *old;

    if (!plans_make(options, &plans, err))
        return false;
    pthread_mutex_lock(&accounts->lock);
    old = accounts->plans;
    accounts->plans = plans;
    accounts->low_credit_microusd = low_credit(options);
    /* Their plans' names are the store's: all are read anew when they are next seen. */
    for (size_t i = 0; i < ACCOUNTS_CHAINS; i++)
        while (accounts->chains[i])
            drop(accounts, accounts->chains[i]->name);
    pthread_mutex_unlock(&accounts->lock);
    free(old);
    return true;
}

bool accounts_known(struct accounts *accounts, const char *account)
{
    bool known;

    pthread_mutex_lock(&accounts->lock);
    known = find(accounts, account) != NULL;
    pthread_mutex_unlock(&accounts->lock);
    return known;
}

void accounts_forget(struct accounts *accounts, const char *account)
{
    pthread_mutex_lock(&accounts->lock);
    drop(accounts, account);
    pthread_mutex_unlock(&accounts->lock);
}

/* ---- Decisions -------------------------------------------------------------------------------
 */

/* What a call is measured by. */
struct rate {
    enum bucket_kind kind;
    int per_minute, burst;
    int64_t low_credit_microusd; /* of the low rate: why it is so low */
};

static struct rate rate_of(const struct accounts *accounts, const struct entry *entry,
                           const struct account_token *token, enum account_call call)
{
    const struct account_plan *plan = entry ? entry->plan : accounts->plans->fallback;
    struct rate rate = { .kind = BUCKET_OTHER, .per_minute = plan->calls_per_minute };

    if (call == ACCOUNT_READ) {
        rate.kind = BUCKET_READ;
        rate.per_minute = plan->reads_per_minute;
    } else if (call == ACCOUNT_CREATE) {
        rate.kind = BUCKET_CREATE;
        rate.per_minute = plan->creates_per_minute;
        if (token->creates_per_minute > 0 && token->creates_per_minute < rate.per_minute)
            rate.per_minute = token->creates_per_minute;
    }
    rate.burst = rate.per_minute;
    if (call == ACCOUNT_CREATE && entry && entry->metered &&
        entry->credit_microusd < accounts->low_credit_microusd &&
        rate.per_minute > ACCOUNTS_LOW_PER_MINUTE) {
        rate.kind = BUCKET_CREATE_LOW;
        rate.per_minute = ACCOUNTS_LOW_PER_MINUTE;
        rate.burst = 1;
        rate.low_credit_microusd = accounts->low_credit_microusd;
    }
    return rate;
}

static void throttled(const struct rate *rate, int64_t wait_us, struct account_decision *decision)
{
    double dollars = (double)rate->low_credit_microusd / 1e6;
    int wait_s = (int)((wait_us + 999999) / 1000000);

    decision->verdict = ACCOUNT_THROTTLED;
    decision->retry_after_s = wait_s < 1 ? 1 : wait_s;
    if (rate->kind == BUCKET_CREATE_LOW)
        snprintf(decision->detail, sizeof(decision->detail),
                 "Request was throttled. Your rate limit for creating predictions is reduced to %d "
                 "requests per minute with a burst of 1 requests while you have less than $%.*f in "
                 "credit. Your rate limit resets in ~%ds.",
                 rate->per_minute, rate->low_credit_microusd % 100000 ? 2 : 1, dollars,
                 decision->retry_after_s);
    else
        snprintf(decision->detail, sizeof(decision->detail),
                 "Request was throttled. Your rate limit resets in ~%ds.", decision->retry_after_s);
}

void accounts_admit(struct accounts *accounts, const char *account,
                    const struct account_token *token, enum account_call call,
                    struct account_decision *ret_decision)
{
    struct entry *entry = lock_entry(accounts, account);
    struct rate rate;
    int64_t wait_us;

    if (!entry)
        pthread_mutex_lock(&accounts->lock);
    rate = rate_of(accounts, entry, token, call);
    pthread_mutex_unlock(&accounts->lock);
    ret_decision->verdict = ACCOUNT_ADMITTED;
    ret_decision->retry_after_s = 0;
    ret_decision->detail[0] = '\0';
    if (!buckets_take(accounts->buckets, token->id, rate.kind, rate.per_minute, rate.burst,
                      clock_monotonic_us(), &ret_decision->remaining, &wait_us))
        throttled(&rate, wait_us, ret_decision);
}

/* Lock held. */
static void decide(struct entry *entry, bool charges, struct account_decision *decision)
{
    char whose[sizeof(entry->plan->name) + 16];

    turn_day(entry);
    if (entry->plan->predictions_per_day > 0 && entry->today >= entry->plan->predictions_per_day) {
        snprintf(whose, sizeof(whose), "The plan \"%s\"", entry->plan->name);
        account_over_quota(whose, entry->plan->predictions_per_day, decision);
    } else if (charges && entry->metered && entry->credit_microusd <= 0) {
        decision->verdict = ACCOUNT_OUT_OF_CREDIT;
    } else {
        entry->today++;
    }
}

void accounts_reserve(struct accounts *accounts, const char *account,
                      const struct account_token *token, bool charges,
                      struct account_decision *ret_decision)
{
    struct entry *entry;

    *ret_decision = (struct account_decision){ .verdict = ACCOUNT_ADMITTED };
    if (!token_days_reserve(accounts->days, accounts->store, account, token, ret_decision))
        return;
    entry = lock_entry(accounts, account);
    if (!entry)
        return; /* its rate was judged; who cannot be read is not locked out */
    decide(entry, charges, ret_decision);
    pthread_mutex_unlock(&accounts->lock);
    if (ret_decision->verdict != ACCOUNT_ADMITTED)
        token_days_unreserve(accounts->days, token);
}

void accounts_unreserve(struct accounts *accounts, const char *account,
                        const struct account_token *token)
{
    struct entry *entry;

    token_days_unreserve(accounts->days, token);
    pthread_mutex_lock(&accounts->lock);
    entry = find(accounts, account);
    if (entry && entry->today > 0)
        entry->today--;
    pthread_mutex_unlock(&accounts->lock);
}

void accounts_charged(struct accounts *accounts, const char *account, int64_t cost_microusd)
{
    struct entry *entry;

    pthread_mutex_lock(&accounts->lock);
    entry = find(accounts, account);
    if (entry)
        entry->credit_microusd -= cost_microusd;
    pthread_mutex_unlock(&accounts->lock);
}

/* ---- Telling ---------------------------------------------------------------------------------
 */

bool accounts_info(struct accounts *accounts, const char *account, struct account_info *ret_info,
                   struct err *err)
{
    struct account_info info = { 0 };
    const struct account_plan *plan;
    struct known known;
    int64_t today;

    if (!read_known(accounts, account, true, &known, err) ||
        !store_prediction_count(accounts->store, account, NULL, known.day * DAY_US, &today, err))
        return false;
    pthread_mutex_lock(&accounts->lock);
    plan = plans_find(accounts->plans, known.plan[0] ? known.plan : NULL);
    str_copy(str_from(plan->name), info.plan, sizeof(info.plan));
    info.predictions_per_day = plan->predictions_per_day;
    info.metered = known.metered || plan->metered;
    pthread_mutex_unlock(&accounts->lock);
    info.predictions_today = (int)today;
    info.credit_microusd = known.credit_microusd;
    *ret_info = info;
    return true;
}
