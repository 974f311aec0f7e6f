/* The webhooks' thread: it looks at what landed, at the ledger and at the clock, and sends what may
 * be sent. Hosts are counted here. Not here: what is sent when (live.c, end.c), how (flight.c). */
#include "webhook/webhook_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/work.h"
#include "http/post.h"

#define RENDER_THREADS 2
#define LOOK_INTERVAL_US INT64_C(60000000) /* at the ledger, when nothing else calls for it */
#define TIMEOUT_MS 10000
#define FIRST_RETRY_MS 5000
#define GIVE_UP_S (72 * INT64_C(3600))
#define THROTTLE_MS 500
#define HOST_BYTES_MAX 300 /* name and port */

/* ---- Hosts ------------------------------------------------------------------------------------
 */

struct host *webhooks_host_get(struct webhooks *webhooks, struct str url)
{
    struct str authority = { NULL, 0 };
    char name[HOST_BYTES_MAX];
    struct host *host;

    /* What has no host is refused when it is sent, and shares a place until then. */
    if (!url_authority(url, &authority) || !str_copy(authority, name, sizeof(name)))
        name[0] = '\0';
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    host = (struct host *)map_find(&webhooks->hosts, str_from(name));
    if (!host) {
        size_t size = strlen(name) + 1;

        host = calloc(1, sizeof(*host) + size);
        if (!host)
            return NULL;
        memcpy(host->name, name, size);
        host->entry.key = str_from(host->name);
        map_add(&webhooks->hosts, &host->entry);
    }
    host->users++;
    return host;
}

void webhooks_host_put(struct webhooks *webhooks, struct host *host)
{
    if (--host->users > 0)
        return;
    map_remove(&webhooks->hosts, &host->entry);
    free(host);
}

/* ---- The thread -------------------------------------------------------------------------------
 */

void webhooks_poke(struct webhooks *webhooks)
{
    webhooks->woken = true;
    pthread_cond_broadcast(&webhooks->changed);
}

static void take_landed(struct webhooks *webhooks)
{
    struct flight *flight;

    while ((flight = webhooks->landed)) {
        int64_t took_us = clock_monotonic_us() - flight->began_us;

        webhooks->landed = flight->next;
        webhooks->flights--;
        webhooks->flying_bytes -= flight->body_len;
        flight->host->flying--;
        flight->host->answer_us += (took_us - flight->host->answer_us) / 4;
        if (flight->end)
            end_landed(webhooks, flight);
        else
            live_landed(webhooks, flight);
        free(flight);
    }
}

/* The ledger, when it may have something that is due. Gives the lock away meanwhile. */
static void look(struct webhooks *webhooks, int64_t *look_us)
{
    bool time = clock_monotonic_us() >= *look_us;

    if (!time && !webhooks->look && (webhooks->next_us == 0 || clock_now_us() < webhooks->next_us))
        return;
    webhooks->look = false;
    webhooks->next_us = 0;
    pthread_mutex_unlock(&webhooks->lock);
    end_load(webhooks);
    if (time) {
        end_count(webhooks);
        *look_us = clock_monotonic_us() + LOOK_INTERVAL_US;
    }
    pthread_mutex_lock(&webhooks->lock);
}

static void wait_until(struct webhooks *webhooks, int64_t until_us)
{
    int64_t now_us = clock_monotonic_us();
    struct timespec until;

    if (webhooks->next_us != 0) {
        int64_t due_us = now_us + webhooks->next_us - clock_now_us();

        until_us = due_us < until_us ? due_us : until_us;
    }
    until.tv_sec = (time_t)(until_us / 1000000);
    until.tv_nsec = (long)(until_us % 1000000) * 1000;
    if (until_us > now_us)
        pthread_cond_timedwait(&webhooks->changed, &webhooks->lock, &until);
}

static void *run(void *context)
{
    struct webhooks *webhooks = context;
    int64_t look_us = 0;

    pthread_mutex_lock(&webhooks->lock);
    while (!webhooks->stopping) {
        webhooks->woken = false;
        take_landed(webhooks);
        look(webhooks, &look_us);
        int64_t now_us = clock_monotonic_us(), next_us = look_us;
        end_rewrite(webhooks, now_us, &next_us);
        end_launch(webhooks, now_us, &next_us);
        live_launch(webhooks, now_us, &next_us);
        if (!webhooks->woken && !webhooks->look && !webhooks->stopping)
            wait_until(webhooks, next_us);
    }
    pthread_mutex_unlock(&webhooks->lock);
    return NULL;
}

/* ---- Start and stop ---------------------------------------------------------------------------
 */

static void init(struct webhooks *webhooks, const struct webhook_options *options)
{
    pthread_condattr_t attributes;

    webhooks->options = *options;
    if (webhooks->options.timeout_ms <= 0)
        webhooks->options.timeout_ms = TIMEOUT_MS;
    if (webhooks->options.first_retry_ms <= 0)
        webhooks->options.first_retry_ms = FIRST_RETRY_MS;
    if (webhooks->options.give_up_s <= 0)
        webhooks->options.give_up_s = GIVE_UP_S;
    if (webhooks->options.throttle_ms <= 0)
        webhooks->options.throttle_ms = THROTTLE_MS;
    map_init(&webhooks->hosts);
    map_init(&webhooks->lives);
    map_init(&webhooks->ends);
    webhooks->waiting_lives.next = webhooks->waiting_lives.previous = &webhooks->waiting_lives;
    webhooks->waiting_ends.next = webhooks->waiting_ends.previous = &webhooks->waiting_ends;
    webhooks->unwritten_ends.next = webhooks->unwritten_ends.previous = &webhooks->unwritten_ends;
    pthread_mutex_init(&webhooks->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&webhooks->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool webhooks_start(const struct webhook_options *options, struct webhooks **ret_webhooks,
                    struct err *err)
{
    struct post_pool_options posts = { .connections_max = WEBHOOK_FLIGHTS_MAX,
                                       /* The limit per host is kept here, by name and port. */
                                       .per_host_max = WEBHOOK_FLIGHTS_MAX,
                                       .waiting_max = WEBHOOK_FLIGHTS_MAX,
                                       .allow_private = options->allow_private_urls,
                                       .user_agent = "Mimeo/" MIMEO_VERSION };
    struct webhooks *webhooks = calloc(1, sizeof(*webhooks));
    int failed;

    if (!webhooks)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for webhooks");
    init(webhooks, options);
    if (!post_pool_new(&posts, &webhooks->posts, err) ||
        !work_pool_new("webhooks", RENDER_THREADS, WEBHOOK_FLIGHTS_MAX, &webhooks->renders, err)) {
        webhooks_stop(webhooks);
        return false;
    }
    failed = pthread_create(&webhooks->thread, NULL, run, webhooks);
    if (failed) {
        webhooks_stop(webhooks);
        return err_sys(err, ERR_INTERNAL, failed, "cannot start a thread");
    }
    webhooks->thread_runs = true;
    *ret_webhooks = webhooks;
    return true;
}

void webhooks_stop(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    pthread_mutex_lock(&webhooks->lock);
    webhooks->stopping = true;
    webhooks_poke(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
    if (webhooks->thread_runs)
        pthread_join(webhooks->thread, NULL);
    work_pool_free(webhooks->renders); /* before the posts: it may still give them something */
    post_pool_free(webhooks->posts);
    pthread_mutex_lock(&webhooks->lock);
    take_landed(webhooks); /* outcomes that are known are kept */
    while (webhooks->writing > 0)
        pthread_cond_wait(&webhooks->changed, &webhooks->lock);
    end_free_all(webhooks);
    live_free_all(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
    pthread_cond_destroy(&webhooks->changed);
    pthread_mutex_destroy(&webhooks->lock);
    free(webhooks);
}

/* ---- What others call -------------------------------------------------------------------------
 */

void webhooks_listener(void *context, const char *id, const struct prediction *record,
                       enum predict_event event)
{
    struct webhooks *webhooks = context;

    if (!record->webhook ||
        (event != PREDICT_COMPLETED && !predict_wants(record->webhook_events_filter, event)))
        return;
    pthread_mutex_lock(&webhooks->lock);
    if (event == PREDICT_COMPLETED) {
        live_end(webhooks, id);
        webhooks->look = true;
    } else {
        live_told(webhooks, id, record, event);
    }
    webhooks_poke(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
}

void webhooks_wake(struct webhooks *webhooks)
{
    pthread_mutex_lock(&webhooks->lock);
    webhooks->look = true;
    webhooks_poke(webhooks);
    pthread_mutex_unlock(&webhooks->lock);
}

void webhooks_totals(struct webhooks *webhooks, struct webhook_totals *ret_totals)
{
    pthread_mutex_lock(&webhooks->lock);
    *ret_totals = webhooks->totals;
    pthread_mutex_unlock(&webhooks->lock);
}
