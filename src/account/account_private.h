/* What the files of account/ share. */
#ifndef MIMEO_ACCOUNT_ACCOUNT_PRIVATE_H
#define MIMEO_ACCOUNT_ACCOUNT_PRIVATE_H

#include "account/account.h"

/* ---- Token buckets (buckets.c) --------------------------------------------------------------- */

/* A token has one bucket for each of them. */
enum bucket_kind { BUCKET_CREATE, BUCKET_CREATE_LOW, BUCKET_READ, BUCKET_OTHER, BUCKET_KIND_COUNT };

struct buckets;
bool buckets_new(struct buckets **ret_buckets, struct err *err);
void buckets_free(struct buckets *buckets); /* NULL is fine */

/* Take one from a token's bucket that gets per_minute drops a minute and holds `burst` of them.
 * *ret_remaining: whole ones left. False: it is empty, nothing was taken, and the next one comes in
 * *ret_wait_us. now_us: monotonic. Any thread; O(1), no memory. */
bool buckets_take(struct buckets *buckets, const char *token, enum bucket_kind kind, int per_minute,
                  int burst, int64_t now_us, int *ret_remaining, int64_t *ret_wait_us);

/* ---- Tokens' own days (token_days.c) --------------------------------------------------------- */

struct token_days;
bool token_days_new(struct token_days **ret_days, struct err *err);
void token_days_free(struct token_days *days); /* NULL is fine */

/* Take one of the token's own day; NULL and one without a limit always may. False: none is left,
 * and the decision says so. The first time it reads the store, then it is O(1). Any thread. */
bool token_days_reserve(struct token_days *days, struct store *store, const char *account,
                        const struct account_token *token, struct account_decision *decision);
void token_days_unreserve(struct token_days *days, const struct account_token *token);

/* "WHOSE allows LIMIT predictions a day", until midnight UTC. */
void account_over_quota(const char *whose, int limit, struct account_decision *decision);

/* ---- Plans (plans.c) ------------------------------------------------------------------------- */

/* All plans of some settings, with every rate filled in. */
struct plans {
    struct account_plan list[ACCOUNT_PLANS_MAX + 2]; /* those given, and the built-in ones */
    int count;
    const struct account_plan *fallback; /* the default one */
};
/* ERR_INVALID when the default plan is none of them. */
bool plans_fill(struct plans *plans, const struct accounts_options *options, struct err *err);
/* NULL: no name. A plan that is not there (any more) is the default one. */
const struct account_plan *plans_find(const struct plans *plans, const char *name);

#endif
