/* Token buckets in a table of fixed size.
 *
 * A bucket is one time: when it will be full again. It holds what has flowed in since, so nothing
 * runs in the background, and a bucket that is full need not be kept. The table is a cache of sets
 * of eight: where a set is full, the one that is fuller for longer gives way. Whoever uses more
 * than BUCKETS_SLOTS tokens within a minute is limited a little less. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "account/account_private.h"

#define BUCKETS_SLOTS 16384 /* tokens, 1.1 MiB */
#define BUCKETS_WAYS 8
#define BUCKETS_LOCKS 64
#define BUCKETS_SETS (BUCKETS_SLOTS / BUCKETS_WAYS)
#define BUCKETS_TOKEN_SIZE 33 /* longer ids share a bucket with those that begin alike */
#define MINUTE_NS INT64_C(60000000000)

struct bucket {
    char token[BUCKETS_TOKEN_SIZE]; /* "": free */
    int64_t full_ns[BUCKET_KIND_COUNT];
};

struct buckets {
    pthread_mutex_t locks[BUCKETS_LOCKS]; /* set i is under lock i % BUCKETS_LOCKS */
    struct bucket slots[BUCKETS_SETS][BUCKETS_WAYS];
};

bool buckets_new(struct buckets **ret_buckets, struct err *err)
{
    struct buckets *buckets = calloc(1, sizeof(*buckets));

    if (!buckets)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the rates of tokens");
    for (int i = 0; i < BUCKETS_LOCKS; i++)
        pthread_mutex_init(&buckets->locks[i], NULL);
    *ret_buckets = buckets;
    return true;
}

void buckets_free(struct buckets *buckets)
{
    if (!buckets)
        return;
    for (int i = 0; i < BUCKETS_LOCKS; i++)
        pthread_mutex_destroy(&buckets->locks[i]);
    free(buckets);
}

/* FNV-1a; ids are random, so nobody can aim at a set. */
static size_t set_of(const char *token)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *token; token++)
        hash = (hash ^ (unsigned char)*token) * UINT64_C(1099511628211);
    return (size_t)(hash >> 32) % BUCKETS_SETS;
}

static int64_t fullest(const struct bucket *bucket)
{
    int64_t last = bucket->full_ns[0];

    for (int i = 1; i < BUCKET_KIND_COUNT; i++)
        if (bucket->full_ns[i] > last)
            last = bucket->full_ns[i];
    return last;
}

/* The token's slot, made when it has none. Lock held. */
static struct bucket *slot_of(struct bucket set[BUCKETS_WAYS], const char *token)
{
    struct bucket *victim = &set[0];

    for (int i = 0; i < BUCKETS_WAYS; i++) {
        if (strcmp(set[i].token, token) == 0)
            return &set[i];
        if (fullest(&set[i]) < fullest(victim))
            victim = &set[i];
    }
    memset(victim, 0, sizeof(*victim));
    memcpy(victim->token, token, strlen(token));
    return victim;
}

bool buckets_take(struct buckets *buckets, const char *token, enum bucket_kind kind, int per_minute,
                  int burst, int64_t now_us, int *ret_remaining, int64_t *ret_wait_us)
{
    int64_t drop_ns = MINUTE_NS / per_minute, now_ns = now_us * 1000;
    int64_t room_ns = drop_ns * burst; /* from empty to full */
    char name[BUCKETS_TOKEN_SIZE] = { 0 };
    struct bucket *bucket;
    int64_t full_ns;
    size_t set;
    bool taken;

    memcpy(name, token, strnlen(token, sizeof(name) - 1));
    set = set_of(name);
    pthread_mutex_lock(&buckets->locks[set % BUCKETS_LOCKS]);
    bucket = slot_of(buckets->slots[set], name);
    full_ns = bucket->full_ns[kind];
    if (full_ns > now_ns + room_ns)
        full_ns = now_ns + room_ns; /* its rate has changed */
    full_ns = (full_ns > now_ns ? full_ns : now_ns) + drop_ns;
    taken = full_ns <= now_ns + room_ns;
    if (taken)
        bucket->full_ns[kind] = full_ns;
    pthread_mutex_unlock(&buckets->locks[set % BUCKETS_LOCKS]);
    *ret_remaining = taken ? (int)((now_ns + room_ns - full_ns) / drop_ns) : 0;
    *ret_wait_us = taken ? 0 : (full_ns - now_ns - room_ns + 999) / 1000;
    return taken;
}
