/* What the files of webhook/ share. Everything in struct webhooks and below is protected by its
 * lock unless said otherwise.
 *
 *   live  a prediction that has (or had) something to tell before its end      live.c
 *   end   a row of the ledger that is due, in memory until its outcome is on disk   end.c
 *   flight  one request: made of one of both, rendered, sent, landed           flight.c
 *   host  what flies to one receiver, and how fast it answers                  webhook.c */
#ifndef MIMEO_WEBHOOK_WEBHOOK_PRIVATE_H
#define MIMEO_WEBHOOK_WEBHOOK_PRIVATE_H

#include <pthread.h>

#include "store/store.h"
#include "webhook/map.h"
#include "webhook/webhook.h"

#define WEBHOOK_FLIGHTS_MAX 64                /* requests under way; each holds a body */
#define WEBHOOK_HOST_FLIGHTS_MAX 8            /* of them to one host */
#define WEBHOOK_BODY_BYTES_MAX (128u << 20)   /* an input of 64 MiB and what came out */
#define WEBHOOK_FLYING_BYTES_MAX (256u << 20) /* beyond it nothing more is sent meanwhile */
#define WEBHOOK_LIVES_MAX 10000 /* predictions with something to tell; of others only ends */

struct host {
    struct map_entry entry;
    int users; /* lives and ends that point here */
    int flying;
    int loaded;        /* ends in memory */
    int64_t answer_us; /* how long answers take, smoothed */
    char name[];
};

struct live {
    struct map_entry entry;       /* by the prediction's id */
    struct live *previous, *next; /* in webhooks->waiting_lives, while `listed` */
    bool listed;                  /* has something to send and nothing flying */
    struct host *host;
    unsigned waiting;                   /* bits 1 << event */
    int64_t free_us[PREDICT_COMPLETED]; /* monotonic: when the next of a kind may be sent */
    bool flying;
    bool ended;
    int64_t hold_us; /* ended: its end waits for what comes before it until then; monotonic */
    char id[ID_PREDICTION_LEN + 1];
    const char *url, *account, *base_url; /* behind the struct, in its memory */
};

struct end {
    struct map_entry entry;      /* by the delivery's id */
    struct end *previous, *next; /* in waiting_ends, until it flies; in unwritten_ends */
    struct webhooks *webhooks;
    struct host *host;
    struct store_delivery row; /* texts are in `arena` */
    struct store_write write;  /* of its outcome */
    struct err err;            /* the last attempt's */
    struct arena arena;
};

struct flight {
    struct webhooks *webhooks;
    struct live *live; /* one of both; lives at least as long as the flight */
    struct end *end;
    struct host *host;
    enum predict_event event;
    int64_t began_us; /* monotonic */
    size_t body_len;
    bool over; /* not sent: it has ended, and its end tells of that */
    int status;
    struct err err;
    struct flight *next; /* in webhooks->landed */
};

struct webhooks {
    struct webhook_options options;
    struct post_pool *posts;
    struct work_pool *renders;
    pthread_t thread;
    bool thread_runs; /* only start and stop */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    bool woken;      /* something happened since the thread last looked */
    bool look;       /* the ledger has something new */
    bool more;       /* it held more than was loaded */
    int64_t next_us; /* Unix time: when something in the ledger is due; 0: never */
    struct map hosts, lives, ends;
    struct live waiting_lives; /* list heads */
    struct end waiting_ends;
    struct end unwritten_ends; /* their outcomes could not be stored ... */
    int64_t rewrite_us;        /* ... and are submitted again then; monotonic */
    struct flight *landed;
    int flights;
    size_t flying_bytes;
    int writing; /* outcomes on their way to disk */
    struct webhook_totals totals;
};

/* webhooks.c: NULL when memory is short. Every webhooks_host_get is undone by one
 * webhooks_host_put. */
struct host *webhooks_host_get(struct webhooks *webhooks, struct str url);
void webhooks_host_put(struct webhooks *webhooks, struct host *host);
void webhooks_poke(struct webhooks *webhooks); /* the thread looks again */

/* url.c: "host:port" of an http URL. */
bool url_authority(struct str url, struct str *ret_authority);

/* secret.c: the value of webhook-signature. May block on the store. No lock. */
bool secret_sign(struct store *store, const char *account, struct str id, struct str timestamp,
                 struct str body, struct buf *out, struct err *err);

/* live.c */
void live_told(struct webhooks *webhooks, const char *id, const struct prediction *record,
               enum predict_event event);
void live_end(struct webhooks *webhooks, const char *id); /* no more of it but its start */
/* Send what may be sent now. *next_us becomes the time something else may be, when earlier. */
void live_launch(struct webhooks *webhooks, int64_t now_us, int64_t *next_us);
void live_landed(struct webhooks *webhooks, struct flight *flight);
/* Must an end wait for what comes before it? Then *next_us as above. */
bool live_holds(struct webhooks *webhooks, const char *id, int64_t now_us, int64_t *next_us);
void live_free_all(struct webhooks *webhooks);

/* end.c */
void end_load(struct webhooks *webhooks);  /* from the ledger; without the lock: reads the store */
void end_count(struct webhooks *webhooks); /* likewise: totals.pending */
void end_launch(struct webhooks *webhooks, int64_t now_us, int64_t *next_us);
void end_landed(struct webhooks *webhooks, struct flight *flight);
/* Submit outcomes again that could not be stored, when it is time. *next_us as above. */
void end_rewrite(struct webhooks *webhooks, int64_t now_us, int64_t *next_us);
void end_free_all(struct webhooks *webhooks);

/* flight.c: begin one. False: there is no room now, or no memory. */
bool flight_room(const struct webhooks *webhooks, const struct host *host);
bool flight_begin(struct webhooks *webhooks, struct live *live, struct end *end,
                  enum predict_event event);

#endif
