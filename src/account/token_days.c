/* How many predictions each token with a daily limit of its own has made today.
 *
 * A table of fixed size, as tokens with such a limit are few: of more than TOKEN_DAYS_SLOTS the one
 * unused longest gives way, and is counted anew from the store when it comes back.
 * Not here: any decision about accounts (accounts.c). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"

#define TOKEN_DAYS_SLOTS 2048 /* about 130 KiB */
#define TOKEN_DAYS_PROBES 8   /* slots one token may be in */
#define TOKEN_DAYS_ID_SIZE 33
#define DAY_US (INT64_C(86400) * 1000000)

struct token_day {
    char token[TOKEN_DAYS_ID_SIZE]; /* "": free */
    int64_t day, count;
    uint64_t used; /* a clock of its own: the larger, the later */
};

struct token_days {
    pthread_mutex_t lock; /* protects all below */
    uint64_t clock;
    struct token_day slots[TOKEN_DAYS_SLOTS];
};

bool token_days_new(struct token_days **ret_days, struct err *err)
{
    struct token_days *days = calloc(1, sizeof(*days));

    if (!days)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the limits of tokens");
    pthread_mutex_init(&days->lock, NULL);
    *ret_days = days;
    return true;
}

void token_days_free(struct token_days *days)
{
    if (!days)
        return;
    pthread_mutex_destroy(&days->lock);
    free(days);
}

static struct token_day *slot_at(struct token_days *days, const char *token, size_t probe)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a; ids are random */

    for (; *token; token++)
        hash = (hash ^ (unsigned char)*token) * UINT64_C(1099511628211);
    return &days->slots[((size_t)(hash >> 32) + probe) % TOKEN_DAYS_SLOTS];
}

/* The token's slot of that day, or NULL. Lock held. */
static struct token_day *find(struct token_days *days, const char *token, int64_t day)
{
    for (size_t i = 0; i < TOKEN_DAYS_PROBES; i++) {
        struct token_day *slot = slot_at(days, token, i);

        if (strcmp(slot->token, token) != 0)
            continue;
        if (slot->day != day) { /* the day has turned while it was known: nothing was made yet */
            slot->day = day;
            slot->count = 0;
        }
        slot->used = ++days->clock;
        return slot;
    }
    return NULL;
}

/* False: the token is not known, and what it has made today is to be put first. */
static bool take(struct token_days *days, const char *token, int64_t day, int limit,
                 bool *ret_taken)
{
    struct token_day *slot;

    pthread_mutex_lock(&days->lock);
    slot = find(days, token, day);
    if (slot) {
        *ret_taken = slot->count < limit;
        slot->count += *ret_taken;
    }
    pthread_mutex_unlock(&days->lock);
    return slot != NULL;
}

static void put(struct token_days *days, const char *token, int64_t day, int64_t count)
{
    struct token_day *slot;

    if (strlen(token) >= TOKEN_DAYS_ID_SIZE)
        return;
    pthread_mutex_lock(&days->lock);
    slot = find(days, token, day);
    if (!slot) { /* else another call was quicker, and has perhaps taken already */
        slot = slot_at(days, token, 0);
        for (size_t i = 1; i < TOKEN_DAYS_PROBES && slot->token[0]; i++) {
            struct token_day *other = slot_at(days, token, i);

            if (!other->token[0] || other->used < slot->used)
                slot = other;
        }
        memset(slot, 0, sizeof(*slot));
        memcpy(slot->token, token, strlen(token));
        slot->day = day;
        slot->count = count;
        slot->used = ++days->clock;
    }
    pthread_mutex_unlock(&days->lock);
}

void account_over_quota(const char *whose, int limit, struct account_decision *decision)
{
    int64_t now_us = clock_now_us(), left_us = DAY_US - now_us % DAY_US;

    decision->verdict = ACCOUNT_OVER_QUOTA;
    decision->retry_after_s = (int)((left_us + 999999) / 1000000);
    snprintf(decision->detail, sizeof(decision->detail),
             "Request was throttled. %s allows %d predictions a day. Your rate limit resets in "
             "~%ds.",
             whose, limit, decision->retry_after_s);
}

bool token_days_reserve(struct token_days *days, struct store *store, const char *account,
                        const struct account_token *token, struct account_decision *decision)
{
    int64_t day = clock_now_us() / DAY_US, count = 0;
    bool taken = true;
    struct err err;

    if (!token || token->predictions_per_day <= 0)
        return true;
    if (!take(days, token->id, day, token->predictions_per_day, &taken)) {
        if (!store_prediction_count(store, account, token->id, day * DAY_US, &count, &err)) {
            log_error(LOG_WARN, "token_not_counted", &err, "token=%.32s", token->id);
            return true; /* as an account that cannot be read */
        }
        put(days, token->id, day, count);
        take(days, token->id, day, token->predictions_per_day, &taken);
    }
    if (!taken)
        account_over_quota("This token", token->predictions_per_day, decision);
    return taken;
}

void token_days_unreserve(struct token_days *days, const struct account_token *token)
{
    int64_t day = clock_now_us() / DAY_US;
    struct token_day *slot;

    if (!token || token->predictions_per_day <= 0)
        return;
    pthread_mutex_lock(&days->lock);
    slot = find(days, token->id, day);
    if (slot && slot->count > 0)
        slot->count--;
    pthread_mutex_unlock(&days->lock);
}
