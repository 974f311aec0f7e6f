/* Ends of predictions: sent until a receiver says 2xx or the time is over.
 *
 *   due row -> loaded -> flies -> outcome on its way to disk -> forgotten
 *                 ^                         |      ^ | a second later, when the store
 *                 +---- when due again -----+      +-+ has failed
 *
 * Invariants
 *  (1) A row that is in memory is not loaded again: it stays in webhooks->ends until its outcome is
 *      on disk, so the ledger then no longer gives it as due.
 *  (2) What is in memory is bounded, in all and per host. Rows of a host that has too many there
 *      are put off in the ledger, so that those of others come into view behind them.
 * A crash loses nothing but outcomes that were not on disk: those ends are sent twice. */
#include "webhook/webhook_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define ENDS_MAX 2048              /* in memory: some 6 KiB each */
#define HOST_LOADED_MAX 256        /* of them of one host: a few seconds' worth for a quick one */
#define LOAD_BATCH 256             /* new rows per look */
#define LOAD_BYTES_MAX (64u << 20) /* the rows of a look */
#define END_BYTES_MAX (32u << 10)  /* one row's texts */
#define READ_AGAIN_US INT64_C(1000000) /* after the store failed; and to write again */
#define RETRY_MAX_MS INT64_C(3600000)
#define PUT_OFF_MIN_US INT64_C(1000000)
#define PUT_OFF_MAX_US INT64_C(60000000)
#define COUNT_MAX 1000 /* of totals.pending */

static void look_at(struct webhooks *webhooks, int64_t unix_us)
{
    if (webhooks->next_us == 0 || unix_us < webhooks->next_us)
        webhooks->next_us = unix_us;
}

static void unlink_end(struct end *end)
{
    if (!end->next)
        return;
    end->previous->next = end->next;
    end->next->previous = end->previous;
    end->next = end->previous = NULL;
}

static void link_end(struct end *head, struct end *end)
{
    end->next = head;
    end->previous = head->previous;
    end->previous->next = head->previous = end;
}

static void end_free(struct webhooks *webhooks, struct end *end)
{
    unlink_end(end);
    map_remove(&webhooks->ends, &end->entry);
    end->host->loaded--;
    webhooks_host_put(webhooks, end->host);
    arena_done(&end->arena);
    free(end);
}

/* On the store's writer thread. */
static void on_written(struct store_write *write)
{
    struct end *end = write->context;
    struct webhooks *webhooks = end->webhooks;

    if (!write->ok)
        log_error(LOG_WARN, "webhook_outcome_not_stored", &write->err, "webhook=%s", end->row.id);
    pthread_mutex_lock(&webhooks->lock);
    webhooks->writing--;
    if (write->ok) {
        if (end->row.state == DELIVERY_PENDING)
            look_at(webhooks, end->row.next_us);
        end_free(webhooks, end);
    } else { /* what a receiver has taken is not sent again for want of room on the disk */
        webhooks->rewrite_us = clock_monotonic_us() + READ_AGAIN_US;
        link_end(&webhooks->unwritten_ends, end);
    }
    if (webhooks->more && webhooks->ends.count <= ENDS_MAX - LOAD_BATCH)
        webhooks->look = true;
    webhooks_poke(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
}

static void write_outcome(struct webhooks *webhooks, struct end *end)
{
    end->write = (struct store_write){
        .kind = STORE_DELIVERY_UPDATE, .delivery = &end->row, .done = on_written, .context = end
    };
    webhooks->writing++;
    store_submit(webhooks->options.store, &end->write);
}

void end_rewrite(struct webhooks *webhooks, int64_t now_us, int64_t *next_us)
{
    struct end *head = &webhooks->unwritten_ends;

    if (head->next != head && now_us < webhooks->rewrite_us && webhooks->rewrite_us < *next_us)
        *next_us = webhooks->rewrite_us;
    while (head->next != head && now_us >= webhooks->rewrite_us) {
        struct end *end = head->next;

        unlink_end(end);
        write_outcome(webhooks, end);
    }
}

/* ---- Loading ----------------------------------------------------------------------------------
 */

static struct end *end_new(struct webhooks *webhooks, const struct store_delivery *row)
{
    struct end *end = calloc(1, sizeof(*end));

    if (!end)
        return NULL;
    arena_init(&end->arena, END_BYTES_MAX);
    end->webhooks = webhooks;
    end->row = *row;
    end->row.prediction = arena_strdup(&end->arena, str_from(row->prediction));
    end->row.account = arena_strdup(&end->arena, str_from(row->account));
    end->row.url = arena_strdup(&end->arena, str_from(row->url));
    end->row.base_url = arena_strdup(&end->arena, str_from(row->base_url));
    end->row.last_error =
        row->last_error ? arena_strdup(&end->arena, str_from(row->last_error)) : NULL;
    if (end->row.prediction && end->row.account && end->row.url && end->row.base_url)
        end->host = webhooks_host_get(webhooks, str_from(end->row.url));
    if (!end->host) {
        arena_done(&end->arena);
        free(end);
        return NULL;
    }
    end->host->loaded++;
    end->entry.key = str_from(end->row.id);
    map_add(&webhooks->ends, &end->entry);
    return end;
}

/* How long a host will have to do with what is in memory. */
static int64_t put_off_us(const struct host *host)
{
    int64_t us = host->answer_us * host->loaded / WEBHOOK_HOST_FLIGHTS_MAX;

    return us < PUT_OFF_MIN_US ? PUT_OFF_MIN_US : us > PUT_OFF_MAX_US ? PUT_OFF_MAX_US : us;
}

static void take_row(struct webhooks *webhooks, const struct store_delivery *row)
{
    struct end *end;

    if (map_find(&webhooks->ends, str_from(row->id)) || !(end = end_new(webhooks, row)))
        return;
    live_end(webhooks, end->row.prediction);
    if (end->host->loaded > HOST_LOADED_MAX) {
        end->row.next_us = clock_now_us() + put_off_us(end->host);
        write_outcome(webhooks, end);
        return;
    }
    link_end(&webhooks->waiting_ends, end);
}

void end_load(struct webhooks *webhooks)
{
    struct store_delivery *rows;
    int64_t next_us = 0;
    struct arena arena;
    struct err err = { 0 };
    int count = 0, limit;
    bool ok;

    pthread_mutex_lock(&webhooks->lock);
    limit = webhooks->ends.count + LOAD_BATCH;
    pthread_mutex_unlock(&webhooks->lock);
    arena_init(&arena, LOAD_BYTES_MAX);
    ok = store_delivery_due(webhooks->options.store, clock_now_us(), limit, &arena, &rows, &count,
                            &next_us, &err);
    if (!ok)
        log_error(LOG_WARN, "webhooks_not_read", &err, "limit=%d", limit);
    pthread_mutex_lock(&webhooks->lock);
    for (int i = 0; ok && i < count && webhooks->ends.count < ENDS_MAX; i++)
        take_row(webhooks, &rows[i]);
    webhooks->more = ok && count >= limit;
    if (!ok)
        webhooks->next_us = clock_now_us() + READ_AGAIN_US;
    else if (!webhooks->more && next_us != 0)
        look_at(webhooks, next_us);
    if (webhooks->more && webhooks->ends.count <= ENDS_MAX - LOAD_BATCH)
        webhooks->look = true;
    pthread_mutex_unlock(&webhooks->lock);
    arena_done(&arena);
}

void end_count(struct webhooks *webhooks)
{
    struct store_delivery *rows;
    struct arena arena;
    int64_t next_us;
    int count;

    arena_init(&arena, LOAD_BYTES_MAX);
    if (store_delivery_due(webhooks->options.store, INT64_MAX, COUNT_MAX, &arena, &rows, &count,
                           &next_us, NULL)) {
        pthread_mutex_lock(&webhooks->lock);
        webhooks->totals.pending = count;
        pthread_mutex_unlock(&webhooks->lock);
    }
    arena_done(&arena);
}

/* ---- Sending ----------------------------------------------------------------------------------
 */

void end_launch(struct webhooks *webhooks, int64_t now_us, int64_t *next_us)
{
    struct end *next;

    for (struct end *end = webhooks->waiting_ends.next; end != &webhooks->waiting_ends;
         end = next) {
        next = end->next;
        if (flight_room(webhooks, end->host) &&
            !live_holds(webhooks, end->row.prediction, now_us, next_us) &&
            flight_begin(webhooks, NULL, end, PREDICT_COMPLETED))
            unlink_end(end);
    }
}

/* 5 s, 10 s, ... an hour, and up to a quarter more, so that what failed together does not come
 * again together. */
static int64_t retry_after_us(const struct webhook_options *options, int attempts)
{
    int64_t ms = options->first_retry_ms;
    uint32_t random;

    for (int i = 1; i < attempts && ms < RETRY_MAX_MS; i++)
        ms *= 2;
    if (ms > RETRY_MAX_MS)
        ms = RETRY_MAX_MS;
    id_random_bytes(&random, sizeof(random));
    return (ms + ms / 4 * (random % 1024) / 1024) * 1000;
}

static void judge(struct webhooks *webhooks, struct end *end, const struct flight *flight)
{
    int64_t now_us = clock_now_us();
    /* Its prediction is gone, or its address is none that may be called: another time is no better.
     */
    bool hopeless = flight->status == 0 &&
                    (flight->err.kind == ERR_NOT_FOUND || flight->err.kind == ERR_FORBIDDEN);

    end->err = flight->err;
    end->row.attempts++;
    end->row.last_status = flight->status;
    end->row.last_error = flight->status == 0 ? end->err.detail : NULL;
    end->row.completed_us = now_us;
    end->row.next_us = 0;
    if (flight->status >= 200 && flight->status < 300) {
        end->row.state = DELIVERY_DELIVERED;
        webhooks->totals.delivered++;
        return;
    }
    webhooks->totals.failed_attempts++;
    if (hopeless || now_us - end->row.created_us >= webhooks->options.give_up_s * 1000000) {
        end->row.state = DELIVERY_FAILED;
        webhooks->totals.given_up++;
        log_event(LOG_WARN, "webhook_given_up", "webhook=%s prediction=%s attempts=%d status=%d",
                  end->row.id, end->row.prediction, end->row.attempts, flight->status);
        return;
    }
    end->row.state = DELIVERY_PENDING;
    end->row.completed_us = 0;
    end->row.next_us = now_us + retry_after_us(&webhooks->options, end->row.attempts);
}

void end_landed(struct webhooks *webhooks, struct flight *flight)
{
    struct end *end = flight->end;

    if (flight->status == 0 && flight->err.kind == ERR_CANCELED) {
        end_free(webhooks, end); /* the server ends: it stays in the ledger as it is */
        return;
    }
    judge(webhooks, end, flight);
    write_outcome(webhooks, end);
}

void end_free_all(struct webhooks *webhooks)
{
    struct map_entry *entry;

    while ((entry = map_any(&webhooks->ends)))
        end_free(webhooks, (struct end *)entry);
}
