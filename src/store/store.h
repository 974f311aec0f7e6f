/* The store: records that must survive anything. This header is the contract of every back end;
 * tests/conformance/store_test.c checks it over each registered one.
 *
 * Reads block and may run on any thread. Writes go through one writer thread that puts whatever
 * is waiting into one transaction (group commit): a write's `done` is called after the commit is
 * on disk, never before, so an answer sent from `done` can be relied on after a power cut.
 * Not here: what a change means (predict/), files' bytes (blob/). */
#ifndef MIMEO_STORE_STORE_H
#define MIMEO_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "domain/prediction.h"
#include "store/record.h"

struct store;

/* Open (and create or migrate) the store. location: "sqlite:PATH" (other schemes: other back
 * ends). ERR_INVALID for an unknown scheme or a schema newer than this program knows. */
bool store_open(const char *location, struct store **ret_store, struct err *err);
void store_close(struct store *store); /* finishes queued writes first; NULL is fine */

/* ---- Writes ------------------------------------------------------------------------------- */

enum store_write_kind {
    STORE_PREDICTION_INSERT,
    STORE_PREDICTION_MOVE,
    STORE_PREDICTION_CANCEL_REQUEST,
    STORE_PREDICTION_REMOVE_DATA, /* of a terminal one: input, output and logs; sets data_removed */
    STORE_PREDICTION_DELETE,      /* of a terminal one: the row goes (its version was deleted) */
    STORE_FILE_INSERT,
    STORE_FILE_DELETE,
    STORE_TOKEN_INSERT,
    STORE_TOKEN_REVOKE,
    STORE_TOKEN_USED,     /* notes when a token was used last; no cache is dropped for it */
    STORE_TOKEN_EXCHANGE, /* a code is used up and a token inserted, or neither */
    STORE_SETTING_PUT,
    STORE_DOCUMENT_PUT,
    STORE_DOCUMENT_DELETE,
    STORE_DELIVERY_INSERT,
    STORE_DELIVERY_UPDATE,
    STORE_ACCOUNT_PUT,
    STORE_ACCOUNT_CREDIT_ADD,
    STORE_SWEEP, /* idempotency keys, deliveries, sessions and codes whose time is over */
    STORE_WRITE_KIND_COUNT
};

/* One write. The caller owns the struct and all it points to until `done` was called (once, on the
 * writer thread, in order of submission within one id). `done` must not block and may free it. */
struct store_write {
    enum store_write_kind kind;
    union {
        struct {
            const struct prediction *prediction; /* INSERT; ERR_CONFLICT when the id exists */
            /* NULL, or: when the account has used that key, nothing is inserted (ok, applied false)
             * and found_* below say by what. A key has expired when the new prediction's
             * created_us has reached its expires_us; it is then taken over. */
            const struct store_idempotency *idempotency;
        };
        struct store_prediction_move move; /* applied=false when the state did not match */
        const char *id; /* CANCEL_REQUEST, REMOVE_DATA, PREDICTION_DELETE, FILE_DELETE,
                           TOKEN_REVOKE */
        struct {
            const struct store_document *document; /* DELETE: kind and id count */
            enum store_condition condition;        /* PUT: else applied=false. Keeps created_us */
        };
        const struct store_delivery *delivery;   /* UPDATE: state, attempts, last_*, next_us and
                                                    completed_us of the one with that id */
        const struct store_account *account_row; /* CREDIT_ADD: credit_microusd is added, when the
                                                    account is metered (else applied=false) */
        struct {
            /* At most STORE_SWEEP_MAX of each; applied: there may be more, submit it again. */
            int64_t now_us;               /* keys with expires_us <= now_us go */
            int64_t deliveries_before_us; /* deliveries completed before that go */
            int64_t tokens_before_us;     /* sessions and codes that expired before that go */
        } sweep;
        struct {
            const char *id;
            int64_t used_us; /* applied=false when a later time is stored */
        } token_used;
        struct {
            const unsigned char *code_hash;  /* 32 bytes, of a STORE_TOKEN_CODE; applied=false when
                                                it is used, revoked, expired by now_us or unknown */
            const struct store_token *token; /* its account must be the code's (else the same) */
            int64_t now_us;
        } exchange;
        const struct store_file *file;
        const struct store_token *token; /* ERR_CONFLICT when the hash exists */
        struct {
            const char *name;
            struct str value;
            bool only_if_absent; /* applied=false when it was there */
        } setting;
    };
    const char *account; /* FILE_DELETE, TOKEN_REVOKE: only that account's (NULL: any) */
    void (*done)(struct store_write *write);
    void *context;

    /* Results, valid in `done`: */
    bool ok;      /* committed; else err says why, and nothing of it is stored */
    bool applied; /* the row was there / the condition held */
    enum prediction_status
        status; /* MOVE, CANCEL_REQUEST not applied: the state found (COUNT: no such id) */
    char found_id[ID_PREDICTION_LEN + 1]; /* INSERT with a used key: the prediction it made */
    bool found_same;                      /* ... and is the request_hash the same? */
    struct err err;

    struct store_write *next; /* the store's own */
};

#define STORE_SWEEP_MAX 1000 /* rows of each sort: the transaction stays short for who waits */

/* Hand over a write; returns at once. Any thread. Never refuses: callers bound what they submit. */
void store_submit(struct store *store, struct store_write *write);

/* Submit and block until committed (write->done is set by this call). Returns write->ok and copies
 * the error. Not on the writer thread. */
bool store_write_wait(struct store *store, struct store_write *write, struct err *err);

/* Numbers since it was opened, for /metrics. Any thread. */
struct store_totals {
    int64_t commits, commit_us; /* transactions on disk, and the time they took */
    int64_t writes;             /* what was in them */
    int waiting;                /* writes not yet taken */
};
void store_totals(struct store *store, struct store_totals *ret_totals);

/* ---- Reads: strings live in `arena` -------------------------------------------------------- */

/* account NULL: any. ERR_NOT_FOUND when there is none (or it is another account's). */
bool store_prediction_get(struct store *store, const char *account, const char *id,
                          struct arena *arena, struct prediction *ret_prediction, struct err *err);

/* What is needed to say how far it is: only id, account, status, is_training, the times, and of a
 * terminal one logs and timeline are filled. Cheap for others, whatever the size of their input. */
bool store_prediction_outline(struct store *store, const char *account, const char *id,
                              struct arena *arena, struct prediction *ret_outline, struct err *err);

/* A page, newest first (by created_us, then id). With before: strictly older than that position.
 * With after: strictly newer, still given newest first, nearest to the position. */
struct store_position {
    int64_t created_us; /* 0: no position */
    char id[ID_FILE_LEN + 1];
};
enum store_kind { STORE_KIND_PREDICTIONS, STORE_KIND_TRAININGS, STORE_KIND_BOTH };
struct store_prediction_query {
    const char *account; /* NULL: any */
    struct store_position before, after;
    int64_t created_after_us, created_before_us; /* inclusive; 0: open */
    const char *source;                          /* NULL: any */
    const char *version;                         /* NULL: any; not indexed: for rare questions */
    const char *deployment;                      /* likewise: "owner/name" */
    const char *model;                           /* likewise: "owner/name" */
    unsigned statuses;                           /* bits 1 << status; 0: any */
    const char *token;                           /* id of the token that made it; NULL: any */
    enum store_kind kind;
    int limit; /* 1..1000 */
};
bool store_prediction_list(struct store *store, const struct store_prediction_query *query,
                           struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                           struct err *err);

/* Every prediction and training that is not terminal, oldest first; only id, account, version,
 * deployment, is_training, status, attempts, cancel_requested, created_us and deadline_us are
 * filled. For the start of the server. */
bool store_prediction_unfinished(struct store *store,
                                 bool (*each)(void *context, const struct prediction *prediction),
                                 void *context, struct err *err);

/* Up to `limit` terminal predictions and trainings with source "api" and completed_us <=
 * completed_by_us whose data is still there, oldest first, for retention: only id, account and
 * output (for its blobs) are filled. */
bool store_prediction_removable(struct store *store, int64_t completed_by_us, int limit,
                                struct arena *arena, struct prediction **ret_predictions,
                                int *ret_count, struct err *err);

/* account NULL: any. */
bool store_file_get(struct store *store, const char *account, const char *id, struct arena *arena,
                    struct store_file *ret_file, struct err *err);
/* Newest first; expired files (expires_us <= now_us) are left out. Position as above. */
bool store_file_list(struct store *store, const char *account, struct store_position before,
                     int limit, int64_t now_us, struct arena *arena, struct store_file **ret_files,
                     int *ret_count, struct err *err);

/* Up to `limit` files with expires_us <= now_us, for the sweeper. */
bool store_file_expired(struct store *store, int64_t now_us, int limit, struct arena *arena,
                        struct store_file **ret_files, int *ret_count, struct err *err);

/* The token (or code) with that hash that was not revoked, also when it has expired, or
 * ERR_NOT_FOUND. Fast (an index), still meant to be cached. */
bool store_token_find(struct store *store, const unsigned char hash[32], struct arena *arena,
                      struct store_token *ret_token, struct err *err);
/* Oldest first, without codes. account NULL: any. valid_at_us 0: also those that were revoked or
 * have expired. */
bool store_token_list(struct store *store, const char *account, int64_t valid_at_us,
                      struct arena *arena, struct store_token **ret_tokens, int *ret_count,
                      struct err *err);

/* Grows with every committed change of a token or an account's plan or credit (not of what runs
 * cost) by any process: caches are dropped when it differs. */
bool store_token_generation(struct store *store, int64_t *ret_generation, struct err *err);

bool store_setting_get(struct store *store, const char *name, struct arena *arena,
                       struct str *ret_value, struct err *err); /* ERR_NOT_FOUND */

bool store_document_get(struct store *store, const char *kind, const char *id, struct arena *arena,
                        struct store_document *ret_document, struct err *err); /* ERR_NOT_FOUND */
/* All of a kind (account NULL: any account's), newest first; ERR_TOO_LARGE beyond `limit`. */
bool store_document_list(struct store *store, const char *kind, const char *account, int limit,
                         struct arena *arena, struct store_document **ret_documents, int *ret_count,
                         struct err *err);

bool store_delivery_get(struct store *store, const char *account, const char *id,
                        struct arena *arena, struct store_delivery *ret_delivery, struct err *err);
/* Pending ones with next_us <= now_us, the longest due first. *ret_next_us: when the first one that
 * is not in the answer is due; 0: never. */
bool store_delivery_due(struct store *store, int64_t now_us, int limit, struct arena *arena,
                        struct store_delivery **ret_deliveries, int *ret_count,
                        int64_t *ret_next_us, struct err *err);
/* Newest first. account, prediction NULL: any. */
bool store_delivery_list(struct store *store, const char *account, const char *prediction,
                         int limit, struct arena *arena, struct store_delivery **ret_deliveries,
                         int *ret_count, struct err *err);

/* Rows of the books of days first..last (inclusive), newest day first. account NULL: any. */
bool store_usage_list(struct store *store, const char *account, int64_t first_day, int64_t last_day,
                      struct arena *arena, struct store_usage **ret_rows, int *ret_count,
                      struct err *err);

bool store_account_get(struct store *store, const char *account, struct arena *arena,
                       struct store_account *ret_account, struct err *err); /* ERR_NOT_FOUND */
bool store_account_list(struct store *store, struct arena *arena,
                        struct store_account **ret_accounts, int *ret_count, struct err *err);

/* How many predictions an account has created since then (trainings too). token: with the token of
 * that id, which reads each of them; NULL: with any. */
bool store_prediction_count(struct store *store, const char *account, const char *token,
                            int64_t since_us, int64_t *ret_count, struct err *err);

/* The prediction that an account has made with a key that holds at now_us. ERR_NOT_FOUND;
 * ERR_CONFLICT when the key was used for another request. A point read. */
bool store_idempotency_find(struct store *store, const char *account,
                            const struct store_idempotency *idempotency, int64_t now_us,
                            char ret_id[ID_PREDICTION_LEN + 1], struct err *err);

/* How many predictions were ever created per model, for run_count. */
bool store_run_count(struct store *store, const char *model, int64_t *ret_count, struct err *err);

#endif
