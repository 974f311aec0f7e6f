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
    STORE_FILE_INSERT,
    STORE_FILE_DELETE,
    STORE_TOKEN_INSERT,
    STORE_TOKEN_REVOKE,
    STORE_SETTING_PUT,
    STORE_WRITE_KIND_COUNT
};

/* A conditional change of one prediction: done only when its state is in `from` (bits 1 <<
 * status). Fields that are 0/NULL/empty keep what is stored. */
struct store_prediction_move {
    const char *id;
    unsigned from;
    enum prediction_status to;
    int64_t started_us, completed_us;
    bool clear_started; /* requeue: forget started_us */
    struct str output, logs, metrics;
    const char *error;
    int attempts_add;
};

struct store_file {
    char id[ID_FILE_LEN + 1];
    const char *account, *name, *content_type;
    struct str metadata; /* JSON object text */
    int64_t size, created_us, expires_us;
    char sha256[65], md5[33]; /* hex */
    const char *blob;         /* "<key>/<name>" in the blob store */
};

struct store_token {
    char id[17];      /* what `tokens list` shows and `tokens revoke` takes */
    const char *name; /* a label; may be "" */
    const char *account;
    const char *prefix;             /* first characters, for recognising it */
    unsigned char hash[32];         /* SHA-256 of the token */
    int64_t created_us, revoked_us; /* revoked_us 0: valid */
};

/* One write. The caller owns the struct and all it points to until `done` was called (once, on the
 * writer thread, in order of submission within one id). `done` must not block and may free it. */
struct store_write {
    enum store_write_kind kind;
    union {
        const struct prediction *prediction; /* INSERT; ERR_CONFLICT when the id exists */
        struct store_prediction_move move;   /* applied=false when the state did not match */
        const char *id; /* CANCEL_REQUEST, REMOVE_DATA, FILE_DELETE, TOKEN_REVOKE */
        const struct store_file *file;
        const struct store_token *token; /* ERR_CONFLICT when the hash exists */
        struct {
            const char *name;
            struct str value;
            bool only_if_absent; /* applied=false when it was there */
        } setting;
    };
    const char *account; /* FILE_DELETE: only that account's (NULL: any) */
    void (*done)(struct store_write *write);
    void *context;

    /* Results, valid in `done`: */
    bool ok;      /* committed; else err says why, and nothing of it is stored */
    bool applied; /* the row was there / the condition held */
    enum prediction_status
        status; /* MOVE, CANCEL_REQUEST not applied: the state found (COUNT: no such id) */
    struct err err;

    struct store_write *next; /* the store's own */
};

/* Hand over a write; returns at once. Any thread. Never refuses: callers bound what they submit. */
void store_submit(struct store *store, struct store_write *write);

/* Submit and block until committed (write->done is set by this call). Returns write->ok and copies
 * the error. Not on the writer thread. */
bool store_write_wait(struct store *store, struct store_write *write, struct err *err);

/* ---- Reads: strings live in `arena` -------------------------------------------------------- */

/* account NULL: any. ERR_NOT_FOUND when there is none (or it is another account's). */
bool store_prediction_get(struct store *store, const char *account, const char *id,
                          struct arena *arena, struct prediction *ret_prediction, struct err *err);

/* A page, newest first (by created_us, then id). With before: strictly older than that position.
 * With after: strictly newer, still given newest first, nearest to the position. */
struct store_position {
    int64_t created_us; /* 0: no position */
    char id[ID_FILE_LEN + 1];
};
struct store_prediction_query {
    const char *account; /* NULL: any */
    struct store_position before, after;
    int64_t created_after_us, created_before_us; /* inclusive; 0: open */
    const char *source;                          /* NULL: any */
    int limit;                                   /* 1..1000 */
};
bool store_prediction_list(struct store *store, const struct store_prediction_query *query,
                           struct arena *arena, struct prediction **ret_predictions, int *ret_count,
                           struct err *err);

/* Every prediction that is not terminal, oldest first; only id, version, status, attempts,
 * cancel_requested, created_us are filled. For the start of the server. */
bool store_prediction_unfinished(struct store *store,
                                 bool (*each)(void *context, const struct prediction *prediction),
                                 void *context, struct err *err);

/* Up to `limit` terminal predictions with source "api" and completed_us <= completed_by_us whose
 * data is still there, oldest first, for retention: only id, account and output (for its blobs)
 * are filled. */
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

/* The valid token with that hash, or ERR_NOT_FOUND. Fast (an index), still meant to be cached. */
bool store_token_find(struct store *store, const unsigned char hash[32], struct arena *arena,
                      struct store_token *ret_token, struct err *err);
bool store_token_list(struct store *store, struct arena *arena, struct store_token **ret_tokens,
                      int *ret_count, struct err *err);

/* Grows with every committed token change by any process: caches are dropped when it differs. */
bool store_token_generation(struct store *store, int64_t *ret_generation, struct err *err);

bool store_setting_get(struct store *store, const char *name, struct arena *arena,
                       struct str *ret_value, struct err *err); /* ERR_NOT_FOUND */

/* How many predictions were ever created per model, for run_count. */
bool store_run_count(struct store *store, const char *model, int64_t *ret_count, struct err *err);

#endif
