/* The records of the store that are not predictions, and the change of one: plain data that writes
 * carry in and reads fill. Text is borrowed: from the writer of a record, or from a read's arena.
 * Not here: what is done with them (store.h). */
#ifndef MIMEO_STORE_RECORD_H
#define MIMEO_STORE_RECORD_H

#include "domain/prediction.h"

/* A key a client sent with a create, so that the same create sent again makes nothing new. */
struct store_idempotency {
    const char *key;                /* the client's, together with the account unique */
    unsigned char request_hash[32]; /* SHA-256 of what was asked */
    int64_t expires_us;             /* an expired key counts as absent */
};

/* What a finished run adds to the books, and what the books say: one row per account, token, model
 * and day. */
struct store_usage {
    const char *account, *token, *model; /* token: its id; "" when not known */
    int64_t day;                         /* since 1970-01-01, UTC, by completed_us */
    int64_t runs, succeeded, failed;     /* canceled ones are in runs only */
    int64_t predict_us;                  /* compute time */
    int64_t images;
    int64_t cost_microusd;
};

/* A webhook delivery that must not be lost: of an end. Its body is made from the record when it is
 * sent. */
enum store_delivery_state { DELIVERY_PENDING, DELIVERY_DELIVERED, DELIVERY_FAILED };
struct store_delivery {
    char id[40];            /* the webhook-id: "msg_" and 27 letters and digits */
    const char *prediction; /* its id */
    const char *account, *url;
    const char *base_url; /* what links in the body start with */
    enum store_delivery_state state;
    int attempts;
    int last_status;        /* HTTP, of the last attempt; 0: none came */
    const char *last_error; /* one sentence; NULL: none */
    int64_t created_us;
    int64_t next_us;      /* when it is due; 0 when it is not pending */
    int64_t completed_us; /* 0: pending */
};

/* A small JSON object that is read and written as a whole: user-made models ("model"), their
 * versions ("version"), deployments ("deployment"). */
#define STORE_DOCUMENT_BYTES_MAX (4u << 20)
struct store_document {
    const char *kind, *id, *account;
    int64_t created_us, updated_us;
    struct str json;
};
enum store_condition { STORE_ANY, STORE_IF_ABSENT, STORE_IF_PRESENT };

/* What an account may spend. An account without a row has the default plan and is not metered. */
struct store_account {
    const char *account;
    const char *plan; /* NULL: the default one */
    bool metered;     /* runs are paid from credit; else credit means nothing */
    int64_t credit_microusd;
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
    struct str
        timeline; /* JSON object text: names of moments, and when they were (Unix time, us) */
    const char *error;
    int attempts_add;
    const struct store_usage *usage;       /* added in the same transaction when it applies; NULL */
    const struct store_delivery *delivery; /* inserted likewise; NULL */
};

struct store_file {
    char id[ID_FILE_LEN + 1];
    const char *account, *name, *content_type;
    struct str metadata; /* JSON object text */
    int64_t size, created_us, expires_us;
    char sha256[65], md5[33]; /* hex */
    const char *blob;         /* "<key>/<name>" in the blob store */
};

/* What a token may do, as bits: what is asked and shown; predictions, files and functions; models,
 * deployments, webhooks and tokens; weights and runners. */
enum store_scope {
    STORE_SCOPE_READ = 1,
    STORE_SCOPE_RUN = 2,
    STORE_SCOPE_MANAGE = 4,
    STORE_SCOPE_OPERATE = 8,
    STORE_SCOPE_ALL = 15,
};

/* Stored as numbers: add at the end only. */
enum store_token_kind {
    STORE_TOKEN_KEY,     /* made for a program */
    STORE_TOKEN_SESSION, /* made by signing in */
    STORE_TOKEN_CODE,    /* of a link that signs in, once; it calls nothing */
};

struct store_token {
    char id[17];      /* what `tokens list` shows and `tokens revoke` takes */
    const char *name; /* a label; may be "" */
    const char *account;
    const char *prefix;             /* first characters, for recognising it */
    unsigned char hash[32];         /* SHA-256 of the token */
    int64_t created_us, revoked_us; /* revoked_us 0: not revoked */
    int64_t expires_us;             /* 0: never */
    int64_t last_used_us;           /* to the minute; 0: never */
    unsigned scopes;                /* of enum store_scope */
    enum store_token_kind kind;
    int creates_per_minute, predictions_per_day; /* 0: as its account's plan says */
};

#endif
