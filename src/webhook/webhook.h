/* Webhooks: telling a prediction's receiver of its start, outputs, logs and end.
 *
 *   predict's events -> throttle (output and logs: one per 500 ms each) -> POST, never again
 *   the store's ledger (ends) -> POST -> delivered | again later, up to 72 hours | failed
 *
 * Each body is the prediction as GET shows it, signed by the account's secret (Standard Webhooks:
 * webhook-id, webhook-timestamp, webhook-signature). Events of one prediction are sent in order; a
 * slow receiver delays nobody else. Not here: what a body looks like (a callback), the ledger's
 * rows (store/), HTTP (http/post.h). */
#ifndef MIMEO_WEBHOOK_WEBHOOK_H
#define MIMEO_WEBHOOK_WEBHOOK_H

#include "base/arena.h"
#include "base/buf.h"
#include "predict/predict.h"

struct store;
struct webhooks;

struct webhook_options {
    struct store *store; /* borrowed */
    bool allow_private_urls;
    int timeout_ms;     /* for a receiver's answer; 0: 10 s */
    int first_retry_ms; /* then twice as long each time, at most an hour, with jitter; 0: 5 s */
    int64_t give_up_s;  /* from the end it tells of; 0: 72 hours */
    int throttle_ms;    /* between two outputs, and between two logs; 0: 500 */
    /* Append the prediction (or training) as JSON. as_started: as it was when it began, whatever
     * came since. *ret_over: has it ended? May block; on a thread of the webhooks. */
    bool (*render)(void *context, const char *id, const char *base_url, bool as_started,
                   struct buf *out, bool *ret_over, struct err *err);
    void *context;
};

bool webhooks_start(const struct webhook_options *options, struct webhooks **ret_webhooks,
                    struct err *err);
void webhooks_stop(
    struct webhooks *webhooks); /* unfinished ends stay in the ledger; NULL is fine */

/* predict's listener (context: the webhooks). Never blocks. */
void webhooks_listener(void *webhooks, const char *id, const struct prediction *record,
                       enum predict_event event);

/* Look at the ledger now: something was added to it from outside (a replay). Any thread. */
void webhooks_wake(struct webhooks *webhooks);

/* Numbers since the start, for /metrics. */
struct webhook_totals {
    int64_t delivered, failed_attempts, given_up, dropped; /* dropped: intermediate ones */
    int64_t pending; /* in the ledger, as last seen (once a minute); at most 1,000 are counted */
};
void webhooks_totals(struct webhooks *webhooks, struct webhook_totals *ret_totals);

/* ---- Secrets and signatures (Standard Webhooks 1.0) ------------------------------------------ */

#define WEBHOOK_SECRET_SIZE 48 /* "whsec_", 32 characters of base64, and the final 0 */

/* The account's secret, made when it has none. rotate: make a new one; the old one signs, too, for
 * another 24 hours. May block on the store. */
bool webhook_secret(struct store *store, const char *account, bool rotate,
                    char ret_secret[WEBHOOK_SECRET_SIZE], struct err *err);

/* Append "v1,<base64>" for one secret. False when the secret is malformed. Pure. */
bool webhook_sign(struct str secret, struct str id, struct str timestamp, struct str body,
                  struct buf *out);

/* Is this a URL a prediction may have as its webhook? ERR_INVALID with one sentence. Pure. */
bool webhook_url_check(struct str url, struct err *err);

#endif
