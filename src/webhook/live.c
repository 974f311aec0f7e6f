/* What predictions tell before their end: start, output and logs. Sent once, or not at all.
 *
 * A prediction has at most one request under way, so its events arrive in order. What comes
 * meanwhile, or within the throttle's interval, is one bit: the request made later shows the latest
 * state. After its end only its start may still be told, and its end waits for that and for what is
 * under way, but no longer than a receiver may take to answer. Not here: the end (end.c). */
#include "webhook/webhook_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#define BIT(event) (1u << (event))

static struct live *find(const struct webhooks *webhooks, const char *id)
{
    return (struct live *)map_find(&webhooks->lives, str_from(id));
}

static void unlist(struct live *live)
{
    if (!live->listed)
        return;
    live->previous->next = live->next;
    live->next->previous = live->previous;
    live->listed = false;
}

static void list(struct webhooks *webhooks, struct live *live)
{
    if (live->listed || live->flying || !live->waiting)
        return;
    live->next = &webhooks->waiting_lives;
    live->previous = webhooks->waiting_lives.previous;
    live->previous->next = live->next->previous = live;
    live->listed = true;
}

static void live_free(struct webhooks *webhooks, struct live *live)
{
    unlist(live);
    map_remove(&webhooks->lives, &live->entry);
    webhooks_host_put(webhooks, live->host);
    free(live);
}

static char *put_text(char **at, const char *text)
{
    char *copy = *at;
    size_t size = text ? strlen(text) + 1 : 1;

    memcpy(copy, text ? text : "", size);
    *at += size;
    return copy;
}

static struct live *live_new(struct webhooks *webhooks, const char *id,
                             const struct prediction *record)
{
    const char *texts[] = { record->webhook, record->account, record->base_url };
    size_t size = sizeof(struct live);
    struct live *live;

    if (webhooks->lives.count >= WEBHOOK_LIVES_MAX)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 1;
    live = calloc(1, size);
    if (!live)
        return NULL;
    live->host = webhooks_host_get(webhooks, str_from(record->webhook));
    if (!live->host) {
        free(live);
        return NULL;
    }
    char *at = (char *)(live + 1);
    live->url = put_text(&at, texts[0]);
    live->account = put_text(&at, texts[1]);
    live->base_url = put_text(&at, texts[2]);
    str_copy(str_from(id), live->id, sizeof(live->id));
    live->entry.key = str_from(live->id);
    map_add(&webhooks->lives, &live->entry);
    return live;
}

void live_told(struct webhooks *webhooks, const char *id, const struct prediction *record,
               enum predict_event event)
{
    struct live *live = find(webhooks, id);

    if (!live)
        live = live_new(webhooks, id, record);
    if (!live) {
        webhooks->totals.dropped++;
        return;
    }
    if (live->ended)
        return;
    live->waiting |= BIT(event);
    list(webhooks, live);
}

static void mark_ended(struct webhooks *webhooks, struct live *live)
{
    if (!live->ended)
        live->hold_us = clock_monotonic_us() + webhooks->options.timeout_ms * INT64_C(1000);
    live->ended = true;
    live->waiting &= BIT(PREDICT_STARTED);
    if (!live->waiting && !live->flying)
        live_free(webhooks, live);
    else
        list(webhooks, live);
}

void live_end(struct webhooks *webhooks, const char *id)
{
    struct live *live = find(webhooks, id);

    if (live)
        mark_ended(webhooks, live);
}

bool live_holds(struct webhooks *webhooks, const char *id, int64_t now_us, int64_t *next_us)
{
    const struct live *live = find(webhooks, id);

    if (!live || now_us >= live->hold_us)
        return false;
    if (live->hold_us < *next_us)
        *next_us = live->hold_us;
    return true;
}

static void launch_one(struct webhooks *webhooks, struct live *live, int64_t now_us,
                       int64_t *next_us)
{
    for (int event = PREDICT_STARTED; event < PREDICT_COMPLETED; event++) {
        if (!(live->waiting & BIT(event)))
            continue;
        if (live->free_us[event] > now_us) {
            if (live->free_us[event] < *next_us)
                *next_us = live->free_us[event];
            continue;
        }
        if (!flight_begin(webhooks, live, NULL, (enum predict_event)event))
            return;
        live->waiting &= ~BIT(event);
        live->flying = true;
        unlist(live);
        return;
    }
}

void live_launch(struct webhooks *webhooks, int64_t now_us, int64_t *next_us)
{
    struct live *next;

    for (struct live *live = webhooks->waiting_lives.next; live != &webhooks->waiting_lives;
         live = next) {
        next = live->next;
        launch_one(webhooks, live, now_us, next_us);
    }
}

void live_landed(struct webhooks *webhooks, struct flight *flight)
{
    struct live *live = flight->live;

    live->flying = false;
    /* From its landing on: so no receiver sees two within the interval. */
    if (flight->event != PREDICT_STARTED)
        live->free_us[flight->event] =
            clock_monotonic_us() + webhooks->options.throttle_ms * INT64_C(1000);
    if (flight->status >= 200 && flight->status < 300) {
        webhooks->totals.delivered++;
    } else if (flight->status != 0 || flight->err.kind != ERR_NONE) {
        webhooks->totals.failed_attempts++;
        log_event(LOG_DEBUG, "webhook_failed", "prediction=%s status=%d detail=\"%s\"", live->id,
                  flight->status, flight->err.detail);
    }
    if (flight->over || live->ended)
        mark_ended(webhooks, live); /* may free it */
    else
        list(webhooks, live);
}

void live_free_all(struct webhooks *webhooks)
{
    struct map_entry *entry;

    while ((entry = map_any(&webhooks->lives)))
        live_free(webhooks, (struct live *)entry);
}
