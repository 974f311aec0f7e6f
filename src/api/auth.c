/* Who calls, and may they: tokens to accounts, cached, then the rates of account/.
 *
 * Tokens are stored as SHA-256, which is also the cache's key, so neither the cache nor the store
 * holds a secret, and how long a comparison takes tells nothing about a token. The cache is dropped
 * when the store's token generation has changed; that is asked at most once a second, so a revoked
 * token ends within a second even when another process revoked it.
 * Not here: quotas and credit, which only valid creates take from (create.c). */
#include "api/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "api/api_private.h"
#include "api/problem.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/store.h"

#define AUTH_SLOTS 4096       /* cached tokens at most, about 750 KiB */
#define AUTH_PROBES 8         /* slots one hash may be in */
#define AUTH_ACCOUNT_SIZE 128 /* longer names work but are not cached */
#define AUTH_CHECK_US 1000000 /* how old the cache's generation may be */
#define AUTH_READ_BYTES (64u << 10)
#define AUTH_TOKEN_SIZE sizeof(((struct store_token *)0)->id)

struct auth_slot {
    unsigned char hash[HASH_SHA256_BYTES];
    char account[AUTH_ACCOUNT_SIZE]; /* "": free */
    char token[AUTH_TOKEN_SIZE];     /* its id */
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
                        struct auth_slot *ret_slot)
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
            *ret_slot = *entry;
    }
    pthread_mutex_unlock(&auth->lock);
    return found;
}

/* Only when no token has changed since the store was asked. */
static void cache(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES],
                  const struct store_token *token, int64_t generation)
{
    const char *account = token->account;
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
        memcpy(entry->token, token->id, AUTH_TOKEN_SIZE);
    }
    pthread_mutex_unlock(&auth->lock);
}

static const struct auth_caller *caller_new(struct arena *arena, const char *account,
                                            const char *token)
{
    struct auth_caller *caller = arena_alloc(arena, sizeof(*caller));

    if (!caller)
        return NULL;
    caller->account = arena_strdup(arena, str_from(account));
    caller->token = arena_strdup(arena, str_from(token));
    return caller->account && caller->token ? caller : NULL;
}

const struct auth_caller *auth_find(struct auth *auth, struct str token, struct arena *arena)
{
    unsigned char hash[HASH_SHA256_BYTES];
    const struct auth_caller *caller = NULL;
    struct auth_slot cached;
    struct store_token found;
    struct arena memory;
    int64_t generation;

    hash_sha256(token, hash);
    generation = check_generation(auth);
    if (find_cached(auth, hash, &cached))
        return caller_new(arena, cached.account, cached.token);
    arena_init(&memory, AUTH_READ_BYTES);
    if (store_token_find(auth->store, hash, &memory, &found, NULL)) {
        caller = caller_new(arena, found.account, found.id);
        cache(auth, hash, &found, generation);
    }
    arena_done(&memory);
    return caller;
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

/* Which of a token's rates the call counts for. */
static enum account_call kind_of(const struct http_call *call)
{
    const char *method = http_method(call);
    struct str path = http_path(call);

    if (strcmp(method, "POST") == 0) {
        /* An escape could hide a letter of the words below; no client writes any. */
        if (str_ends(path, S("/predictions")) || str_ends(path, S("/trainings")) ||
            str_find(path, S("/api/")) >= 0 || str_find(path, S("%")) >= 0)
            return ACCOUNT_CREATE;
    } else if (str_find(path, S("/v1/predictions/")) >= 0 ||
               str_find(path, S("/v1/trainings/")) >= 0) {
        return ACCOUNT_READ;
    }
    return ACCOUNT_OTHER;
}

/* Files' answers have no such headers on the public API. */
static void set_rate_headers(struct http_call *call, int remaining)
{
    char text[16];

    if (str_find(http_path(call), S("/v1/files")) >= 0)
        return;
    snprintf(text, sizeof(text), "%d", remaining);
    http_set_header(call, "ratelimit-remaining", text);
    http_set_header(call, "ratelimit-reset", "1");
}

static bool admit(struct http_call *call, const struct auth_caller *caller)
{
    struct accounts *accounts = api_of(call)->accounts;
    struct account_decision decision;

    if (!accounts)
        return true;
    accounts_admit(accounts, caller->account, caller->token, kind_of(call), &decision);
    if (decision.verdict == ACCOUNT_ADMITTED)
        set_rate_headers(call, decision.remaining);
    else
        problem_reply_throttled(call, decision.detail, decision.retry_after_s);
    return decision.verdict == ACCOUNT_ADMITTED;
}

bool auth_check(struct http_call *call, const char **ret_account)
{
    const char *header = http_header(call, "Authorization");
    struct str token = auth_header_token(header);
    const struct auth_caller *caller;
    struct err err;

    if (!header || str_trim(str_from(header)).len == 0) {
        err_set(&err, ERR_UNAUTHENTICATED, "You did not pass an authentication token");
        problem_reply(call, &err);
        return false;
    }
    caller = token.len > 0 ? auth_find(api_of(call)->auth, token, http_arena(call)) : NULL;
    if (!caller) {
        err_set(&err, ERR_UNAUTHENTICATED, "You did not pass a valid authentication token");
        problem_reply(call, &err);
        return false;
    }
    if (!admit(call, caller))
        return false;
    http_set_caller(call, caller);
    *ret_account = caller->account;
    return true;
}
