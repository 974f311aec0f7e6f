/* What callers may do and what it costs: rates per token, plans, prices and credit.
 *
 * Token buckets refill continuously: 600 creates and 3,000 other calls a minute by default, and a
 * larger one for reading a prediction, which clients poll. A rejected call takes nothing from a
 * quota. Decisions are made in memory (no store on the way of a call): daily counts and credit are
 * read when an account is first seen and then kept up to date. Thread safe.
 * Not here: who the caller is (api/auth.c), adding up usage (predict/). */
#ifndef MIMEO_ACCOUNT_ACCOUNT_H
#define MIMEO_ACCOUNT_ACCOUNT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct accounts;
struct registry_price;
struct store;

/* One plan. In settings: "NAME:per-day=50,creates=600,calls=3000,credit=yes"; built in: `unlimited`
 * (the default) and `free` (50 predictions a day). */
struct account_plan {
    char name[32];
    int creates_per_minute, calls_per_minute, reads_per_minute;
    int predictions_per_day; /* 0: any number; days are UTC's */
    bool metered;            /* accounts on it pay from credit */
};
#define ACCOUNT_PLANS_MAX 32

struct accounts_options {
    struct store *store;
    struct account_plan plans[ACCOUNT_PLANS_MAX]; /* built-in ones may be replaced by name */
    int plan_count;
    const char *default_plan;
    int creates_per_minute, calls_per_minute; /* where a plan says 0; 0: 600 and 3,000 */
    int64_t low_credit_microusd; /* below it: 6 creates a minute, one at a time; 0: $5 */
};

bool account_plan_parse(struct str text, struct account_plan *ret_plan, struct err *err);

bool accounts_new(const struct accounts_options *options, struct accounts **ret_accounts,
                  struct err *err);
void accounts_free(struct accounts *accounts);
/* New settings for running ones (SIGHUP); buckets keep what they hold. */
bool accounts_reload(struct accounts *accounts, const struct accounts_options *options,
                     struct err *err);

enum account_call { ACCOUNT_CREATE, ACCOUNT_READ, ACCOUNT_OTHER };

enum account_verdict {
    ACCOUNT_ADMITTED,
    ACCOUNT_THROTTLED,    /* 429 */
    ACCOUNT_OVER_QUOTA,   /* 429, until the next day */
    ACCOUNT_OUT_OF_CREDIT /* 402 */
};

struct account_decision {
    enum account_verdict verdict;
    int remaining;     /* whole calls left in the bucket */
    int retry_after_s; /* at least 1 when not admitted; 0 for 402 */
    char detail[256];  /* the sentence of the 429 body */
};

/* The token a call comes with. Its own limits count beside its account's: the smaller one holds. */
struct account_token {
    const char *id;
    int creates_per_minute, predictions_per_day; /* 0: none of its own */
};

/* May this call pass? Takes one from the token's bucket when it may. The first call of an account
 * reads the store and may block; `known` below tells. */
void accounts_admit(struct accounts *accounts, const char *account,
                    const struct account_token *token, enum account_call call,
                    struct account_decision *ret_decision);
bool accounts_known(struct accounts *accounts, const char *account);

/* Creates only, after the request was found valid and before it is stored: quotas of the token and
 * of the account, and credit. charges: does the model cost anything? token may be NULL. The first
 * create of a token with a daily limit reads the store. accounts_unreserve gives back a create that
 * was refused or failed after all. */
void accounts_reserve(struct accounts *accounts, const char *account,
                      const struct account_token *token, bool charges,
                      struct account_decision *ret_decision);
void accounts_unreserve(struct accounts *accounts, const char *account,
                        const struct account_token *token);

/* A run has been charged (the store has it already): keeps the credit in memory true. Never blocks.
 */
void accounts_charged(struct accounts *accounts, const char *account, int64_t cost_microusd);

/* Forget what is known of an account (its plan or credit was changed by another process). */
void accounts_forget(struct accounts *accounts, const char *account);

/* What a run costs. Pure. */
int64_t account_cost_microusd(const struct registry_price *price, int64_t predict_us,
                              int64_t images, bool succeeded);

struct account_info { /* for GET /account and `mimeo accounts` */
    char plan[32];
    int predictions_per_day, predictions_today;
    bool metered;
    int64_t credit_microusd;
};
bool accounts_info(struct accounts *accounts, const char *account, struct account_info *ret_info,
                   struct err *err); /* may block on the store */

#endif
