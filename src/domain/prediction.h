/* What a prediction is: its record, its states, and the only list of legal moves between them.
 * Pure data and rules, no input or output. */
#ifndef MIMEO_DOMAIN_PREDICTION_H
#define MIMEO_DOMAIN_PREDICTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/str.h"

enum prediction_status {
    PREDICTION_STARTING,   /* queued, or its runner is starting */
    PREDICTION_PROCESSING, /* the model runs */
    PREDICTION_SUCCEEDED,
    PREDICTION_FAILED,
    PREDICTION_CANCELED,
    PREDICTION_ABORTED, /* ended before it began; only where configured */
    PREDICTION_STATUS_COUNT
};

/* All text is borrowed from whoever filled the struct (an arena, mostly). */
struct prediction {
    char id[ID_PREDICTION_LEN + 1];
    const char *account; /* whose it is */
    const char *token;   /* id of the token that made it; NULL: not known */
    const char *model;   /* "owner/name" */
    const char *version; /* the resolved version id */
    struct str input;    /* JSON object text, keys sorted */
    struct str output;   /* JSON text; empty: null. Files in it stand as "blob:<key>/<name>" */
    struct str logs;
    const char *error; /* NULL unless failed */
    enum prediction_status status;
    const char *source; /* "api" or "web" */
    int64_t created_us; /* Unix time; 0 below means none */
    int64_t started_us;
    int64_t completed_us;
    struct str metrics;   /* JSON object text; empty: none */
    struct str timeline;  /* likewise; only an outline has it (store.h) */
    const char *webhook;  /* NULL: none */
    const char *base_url; /* what links in its webhooks' bodies start with; NULL: none */
    struct str webhook_events_filter; /* JSON array text; empty: none */
    const char *deployment;           /* "owner/name"; NULL: none */
    bool is_training;
    const char *destination; /* a training's: "owner/name" of the model it makes */
    int64_t deadline_us;     /* 0: none */
    int attempts;            /* how often a runner was given it */
    bool cancel_requested;
    bool data_removed;
};

const char *prediction_status_name(enum prediction_status status); /* "starting", ... */
bool prediction_status_from_name(struct str name, enum prediction_status *ret_status);
bool prediction_status_is_terminal(enum prediction_status status);

/* May a prediction go from one state to the other? processing -> starting is the requeue after a
 * crash; terminal states are final. */
bool prediction_may_move(enum prediction_status from, enum prediction_status to);

#endif
