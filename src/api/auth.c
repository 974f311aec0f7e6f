/* Who calls, and may they: tokens to accounts, cached, then the rates of account/ and the scope
 * that the route needs.
 *
 * Tokens are stored as SHA-256, which is also the cache's key, so neither the cache nor the store
 * holds a secret, and how long a comparison takes tells nothing about a token. The cache is dropped
 * when the store's token generation has changed; that is asked at most once a second, so a revoked
 * token ends within a second even when another process revoked it, and at once when this one did
 * (auth_forget). When a token was used last is written at most once a minute, and no call waits for
 * that.
 * Not here: quotas and credit, which only valid creates take from (create.c). */
#include "api/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/tokens.h"
#include "api/api_private.h"
#include "api/problem.h"
#include "api/resource.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/store.h"

#define AUTH_SLOTS 4096       /* cached tokens at most, about 900 KiB */
#define AUTH_PROBES 8         /* slots one hash may be in */
#define AUTH_ACCOUNT_SIZE 128 /* longer names work but are not cached */
#define AUTH_CHECK_US 1000000 /* how old the cache's generation may be */
#define AUTH_USED_US 60000000 /* how old the time of the last use may be */
#define AUTH_READ_BYTES (64u << 10)
#define AUTH_TOKEN_SIZE sizeof(((struct store_token *)0)->id)

struct auth_slot {
    unsigned char hash[HASH_SHA256_BYTES];
    char account[AUTH_ACCOUNT_SIZE]; /* "": free */
    char token[AUTH_TOKEN_SIZE];     /* its id */
    int64_t expires_us;              /* Unix time; 0: never */
    int64_t last_used_us;            /* as stored, or on its way there */
    unsigned scopes;
    int creates_per_minute, predictions_per_day;
    bool session;
};

struct auth {
    struct store *store;
    pthread_mutex_t lock; /* protects all below; never held across a call of the store */
    int64_t generation;
    unsigned epoch;     /* grows with every auth_forget */
    int64_t checked_us; /* monotonic; when generation was read */
    struct auth_slot slots[AUTH_SLOTS];
};

/* What a caller took the cache to be when it asked the store. */
struct auth_view {
    int64_t generation;
    unsigned epoch;
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

/* ---- The cache ------------------------------------------------------------------------------- */

/* Lock held. */
static void drop_all(struct auth *auth, int64_t generation)
{
    memset(auth->slots, 0, sizeof(auth->slots));
    auth->generation = generation;
}

void auth_forget(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    drop_all(auth, -1);
    auth->epoch++; /* what is being read from the store now may be old */
    auth->checked_us = 0;
    pthread_mutex_unlock(&auth->lock);
}

/* Drop the cache when tokens have changed. Returns what the caller works with. */
static struct auth_view check_generation(struct auth *auth)
{
    int64_t now_us = clock_monotonic_us();
    struct auth_view view;
    bool due;

    pthread_mutex_lock(&auth->lock);
    due = auth->checked_us == 0 || now_us - auth->checked_us >= AUTH_CHECK_US;
    if (due)
        auth->checked_us = now_us; /* one thread asks, the others go on */
    view = (struct auth_view){ auth->generation, auth->epoch };
    pthread_mutex_unlock(&auth->lock);
    if (!due)
        return view;
    if (!store_token_generation(auth->store, &view.generation, NULL))
        view.generation = -1; /* not known: nothing cached counts */
    pthread_mutex_lock(&auth->lock);
    if (view.epoch == auth->epoch && (view.generation != auth->generation || view.generation < 0))
        drop_all(auth, view.generation);
    pthread_mutex_unlock(&auth->lock);
    return view;
}

/* Is the time of its last use to be written? Then that is noted. Lock held. */
static bool note_use(struct auth_slot *slot, int64_t now_us)
{
    bool due = now_us - slot->last_used_us >= AUTH_USED_US;

    if (due)
        slot->last_used_us = now_us;
    return due;
}

/* The slot of that hash, or NULL. Lock held. */
static struct auth_slot *slot_of(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES])
{
    size_t first = ((size_t)hash[0] | (size_t)hash[1] << 8) % AUTH_SLOTS;
    struct str wanted = { (const char *)hash, HASH_SHA256_BYTES };

    for (size_t i = 0; i < AUTH_PROBES; i++) {
        struct auth_slot *slot = &auth->slots[(first + i) % AUTH_SLOTS];
        struct str has = { (const char *)slot->hash, HASH_SHA256_BYTES };

        if (slot->account[0] && str_equal_constant_time(has, wanted))
            return slot;
    }
    return NULL;
}

static struct auth_slot *free_slot(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES])
{
    size_t first = ((size_t)hash[0] | (size_t)hash[1] << 8) % AUTH_SLOTS;

    for (size_t i = 0; i < AUTH_PROBES; i++)
        if (!auth->slots[(first + i) % AUTH_SLOTS].account[0])
            return &auth->slots[(first + i) % AUTH_SLOTS];
    return &auth->slots[(first + hash[2] % AUTH_PROBES) % AUTH_SLOTS];
}

static bool find_cached(struct auth *auth, const unsigned char hash[HASH_SHA256_BYTES],
                        int64_t now_us, struct auth_slot *ret_slot, bool *ret_write_use)
{
    struct auth_slot *slot;

    pthread_mutex_lock(&auth->lock);
    slot = slot_of(auth, hash);
    if (slot) {
        *ret_write_use = note_use(slot, now_us);
        *ret_slot = *slot;
    }
    pthread_mutex_unlock(&auth->lock);
    return slot != NULL;
}

/* Keep a token that was read, when none has changed since the store was asked. */
static void cache(struct auth *auth, const struct auth_slot *read, const struct auth_view *view,
                  int64_t now_us, bool *ret_write_use)
{
    struct auth_slot own = *read, *slot = &own;

    pthread_mutex_lock(&auth->lock);
    if (view->generation >= 0 && view->generation == auth->generation &&
        view->epoch == auth->epoch) {
        slot = slot_of(auth, read->hash); /* another thread was quicker */
        if (!slot) {
            slot = free_slot(auth, read->hash);
            *slot = *read;
        }
    }
    *ret_write_use = note_use(slot, now_us);
    pthread_mutex_unlock(&auth->lock);
}

/* ---- Finding who it is ----------------------------------------------------------------------- */

struct use_write {
    struct store_write write;
    char token[AUTH_TOKEN_SIZE];
};

static void use_written(struct store_write *write)
{
    free(write->context);
}

/* On its way to the store; nobody waits, and when memory is short it is left out. */
static void write_use(struct auth *auth, const char *token, int64_t now_us)
{
    struct use_write *use = calloc(1, sizeof(*use));

    if (!use)
        return;
    str_copy(str_from(token), use->token, sizeof(use->token));
    use->write = (struct store_write){ .kind = STORE_TOKEN_USED,
                                       .token_used = { .id = use->token, .used_us = now_us },
                                       .done = use_written,
                                       .context = use };
    store_submit(auth->store, &use->write);
}

static const struct auth_caller *caller_new(struct arena *arena, const struct auth_slot *slot,
                                            const char *account)
{
    struct auth_caller *caller = arena_alloc(arena, sizeof(*caller));

    if (!caller)
        return NULL;
    *caller = (struct auth_caller){
        .account = arena_strdup(arena, str_from(account)),
        .token = arena_strdup(arena, str_from(slot->token)),
        .scopes = slot->scopes,
        .expires_us = slot->expires_us,
        .session = slot->session,
    };
    caller->limits = (struct account_token){ .id = caller->token,
                                             .creates_per_minute = slot->creates_per_minute,
                                             .predictions_per_day = slot->predictions_per_day };
    return caller->account && caller->token ? caller : NULL;
}

static bool has_expired(const struct auth_slot *slot, int64_t now_us)
{
    return slot->expires_us != 0 && slot->expires_us <= now_us;
}

/* As find below, for a token that is not cached. */
static const struct auth_caller *find_stored(struct auth *auth,
                                             const unsigned char hash[HASH_SHA256_BYTES],
                                             const struct auth_view *view, int64_t now_us,
                                             struct arena *arena)
{
    const struct auth_caller *caller = NULL;
    struct auth_slot slot = { 0 };
    struct store_token found;
    struct arena memory;
    bool use;

    arena_init(&memory, AUTH_READ_BYTES);
    if (store_token_find(auth->store, hash, &memory, &found, NULL) &&
        tokens_is_valid(&found, now_us)) {
        memcpy(slot.hash, hash, HASH_SHA256_BYTES);
        memcpy(slot.token, found.id, AUTH_TOKEN_SIZE);
        slot.expires_us = found.expires_us;
        slot.last_used_us = found.last_used_us;
        slot.scopes = found.scopes;
        slot.creates_per_minute = found.creates_per_minute;
        slot.predictions_per_day = found.predictions_per_day;
        slot.session = found.kind == STORE_TOKEN_SESSION;
        caller = caller_new(arena, &slot, found.account);
        if (str_copy(str_from(found.account), slot.account, AUTH_ACCOUNT_SIZE) && slot.account[0])
            cache(auth, &slot, view, now_us, &use);
        else
            use = note_use(&slot, now_us);
        if (use)
            write_use(auth, found.id, now_us);
    }
    arena_done(&memory);
    return caller;
}

const struct auth_caller *auth_find(struct auth *auth, struct str token, struct arena *arena)
{
    unsigned char hash[HASH_SHA256_BYTES];
    int64_t now_us = clock_now_us();
    struct auth_slot cached;
    struct auth_view view;
    bool use;

    hash_sha256(token, hash);
    view = check_generation(auth);
    if (!find_cached(auth, hash, now_us, &cached, &use))
        return find_stored(auth, hash, &view, now_us, arena);
    if (has_expired(&cached, now_us))
        return NULL;
    if (use)
        write_use(auth, cached.token, now_us);
    return caller_new(arena, &cached, cached.account);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

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
    accounts_admit(accounts, caller->account, &caller->limits, kind_of(call), &decision);
    if (decision.verdict == ACCOUNT_ADMITTED)
        set_rate_headers(call, decision.remaining);
    else
        problem_reply_throttled(call, decision.detail, decision.retry_after_s);
    return decision.verdict == ACCOUNT_ADMITTED;
}

/* The scope a call needs; 0: none. */
static unsigned scope_of(const struct http_call *call)
{
    const struct http_route *route = http_call_route(call);
    const char *method = http_method(call);
    unsigned flags = route ? route->flags : 0;

    if (flags & API_SCOPE_NONE)
        return 0;
    if (flags & API_SCOPE_OPERATE)
        return STORE_SCOPE_OPERATE;
    if (flags & API_SCOPE_MANAGE)
        return STORE_SCOPE_MANAGE;
    /* QUERY is a GET with a body. */
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "QUERY") == 0)
        return STORE_SCOPE_READ;
    return STORE_SCOPE_RUN;
}

bool auth_has_scope(struct http_call *call, const struct auth_caller *caller, unsigned scope)
{
    struct err err;
    int index = 0;

    if ((caller->scopes & scope) == scope)
        return true;
    while (index < TOKENS_SCOPE_COUNT - 1 && !(scope & 1u << index))
        index++;
    err_set(&err, ERR_FORBIDDEN, "This token may not do that: it needs the scope \"%s\".",
            tokens_scope_name(index));
    problem_reply(call, &err);
    return false;
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
    if (!admit(call, caller) || !auth_has_scope(call, caller, scope_of(call)))
        return false;
    http_set_caller(call, caller);
    *ret_account = caller->account;
    return true;
}
