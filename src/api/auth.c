/* Who calls: tokens to accounts, cached.
 *
 * Tokens are stored as SHA-256, which is also the cache's key, so neither the cache nor the store
 * holds a secret, and how long a comparison takes tells nothing about a token. The cache is dropped
 * when the store's token generation has changed; that is asked at most once a second, so a revoked
 * token ends within a second even when another process revoked it. */
#include "api/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_private.h"
#include "api/problem.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/store.h"

#define AUTH_SLOTS 4096       /* cached tokens at most, about 700 KiB */
#define AUTH_PROBES 8         /* slots one hash may be in */
#define AUTH_ACCOUNT_SIZE 128 /* longer names work but are not cached */
#define AUTH_CHECK_US 1000000 /* how old the cache's generation may be */
#define AUTH_READ_BYTES (64u << 10)

struct auth_slot {
    unsigned char hash[HASH_SHA256_BYTES];
    char account[AUTH_ACCOUNT_SIZE]; /* "": free */
};

struct auth {
    struct store *store;
    pthread_mutex_t lock; /* protects all below; never held across a call of the store */
    int64_t generation;
    int64_t checked_us; /* monotonic; when generation was read */
    struct auth_slot slots[AUTH_SLOTS];
};

bool auth_new(struct store *store, struct auth **ret_auth, struct err *err)
{
    struct auth *auth = calloc(1, sizeof(*auth));

    if (!auth)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the cache of tokens");
    auth->store = store;
    auth->generation = -1;
    pthread_mutex_init(&auth->lock, NULL);
    *ret_auth = auth;
    return true;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

static size_t first_slot(const unsigned char hash[HASH_SHA256_BYTES])
{
    return ((size_t)hash[0] | (size_t)hash[1] << 8) % AUTH_SLOTS;
}

/* Drop the cache when tokens have changed. Returns the generation the caller works with. */
static int64_t check_generation(struct auth *auth)
{
    int64_t now_us = clock_monotonic_us(), generation;
    bool due;

    pthread_mutex_lock(&auth->lock);
    due = auth->checked_us == 0 || now_us - auth->checked_us >= AUTH_CHECK_US;
    if (due)
        auth->checked_us = now_us; /* one thread asks, the others go on */
    generation = auth->generation;
    pthread_mutex_unlock(&auth->lock);
    if (!due)
        return generation;
    if (!store_token_generation(auth->store, &generation, NULL))
        generation = -1; /* not known: nothing cached counts */
    pthread_mutex_lock(&auth->lock);
    if (generation != auth->generation || generation < 0) {
        memset(auth->slots, 0, sizeof(auth->slots));
        auth->generation = generation;
    }
    pthread_mutex_unlock(&auth->lock);
    return generation;
}

static bool find_cached(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES],
                        char ret_account[AUTH_ACCOUNT_SIZE])
{
    size_t slot = first_slot(hash);
    bool found = false;

    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < AUTH_PROBES && !found; i++) {
        const struct auth_slot *entry = &auth->slots[(slot + i) % AUTH_SLOTS];
        struct str a = { (const char *)entry->hash, HASH_SHA256_BYTES };
        struct str b = { (const char *)hash, HASH_SHA256_BYTES };

        found = entry->account[0] && str_equal_constant_time(a, b);
        if (found)
            memcpy(ret_account, entry->account, AUTH_ACCOUNT_SIZE);
    }
    pthread_mutex_unlock(&auth->lock);
    return found;
}

/* Only when no token has changed since the store was asked. */
static void cache(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES],
                  const char *account, int64_t generation)
{
    size_t slot = first_slot(hash);
    struct auth_slot *entry = NULL;

    if (strlen(account) >= AUTH_ACCOUNT_SIZE || account[0] == '\0' || generation < 0)
        return;
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < AUTH_PROBES && !entry; i++)
        if (!auth->slots[(slot + i) % AUTH_SLOTS].account[0])
            entry = &auth->slots[(slot + i) % AUTH_SLOTS];
    if (!entry)
        entry = &auth->slots[(slot + hash[2] % AUTH_PROBES) % AUTH_SLOTS];
    if (generation == auth->generation) {
        memcpy(entry->hash, hash, HASH_SHA256_BYTES);
        str_copy(str_from(account), entry->account, AUTH_ACCOUNT_SIZE);
    }
    pthread_mutex_unlock(&auth->lock);
}

const char *auth_account(struct auth *auth, struct str token, struct arena *arena)
{
    unsigned char hash[HASH_SHA256_BYTES];
    char cached[AUTH_ACCOUNT_SIZE];
    const char *account = NULL;
    struct store_token found;
    struct arena memory;
    int64_t generation;

    hash_sha256(token, hash);
    generation = check_generation(auth);
    if (find_cached(auth, hash, cached))
        return arena_strdup(arena, str_from(cached));
    arena_init(&memory, AUTH_READ_BYTES);
    if (store_token_find(auth->store, hash, &memory, &found, NULL)) {
        account = arena_strdup(arena, str_from(found.account));
        cache(auth, hash, found.account, generation);
    }
    arena_done(&memory);
    return account;
}

struct str auth_header_token(const char *header)
{
    struct str scheme, token;

    if (!str_cut(str_trim(str_from(header)), ' ', &scheme, &token))
        return S("");
    if (!str_equal_nocase(scheme, S("bearer")) && !str_equal_nocase(scheme, S("token")))
        return S("");
    return str_trim(token);
}

bool auth_check(struct http_call *call, const char **ret_account)
{
    const char *header = http_header(call, "Authorization");
    struct str token = auth_header_token(header);
    const char *account;
    struct err err;

    if (!header || str_trim(str_from(header)).len == 0) {
        err_set(&err, ERR_UNAUTHENTICATED, "You did not pass an authentication token");
        problem_reply(call, &err);
        return false;
    }
    account = token.len > 0 ? auth_account(api_of(call)->auth, token, http_arena(call)) : NULL;
    if (!account) {
        err_set(&err, ERR_UNAUTHENTICATED, "You did not pass a valid authentication token");
        problem_reply(call, &err);
        return false;
    }
    *ret_account = account;
    return true;
}
