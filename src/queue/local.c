/* The queue within one process: lanes in memory, one lock over all of them.
 *
 * A lane exists while it has entries or reserved places. Lanes are few (one per model version or
 * deployment in use), so they are a plain list; entries of one lane are a linked list, and taking
 * one out of the middle (a cancel) walks it: a lane is bounded, so that walk is too. Not here:
 * which lane runs next (predict/), durability (the store is the truth). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/id.h"
#include "queue/queue.h"

struct entry { /* 39 bytes: one more, and malloc would use 64 for it, not 48 */
    struct entry *next;
    uint32_t turn; /* when it came, compared between lanes; requeued ones come before all others */
    char id[ID_PREDICTION_LEN + 1];
};

struct lane {
    struct lane *next;
    struct entry *first, *last;
    size_t length, reserved;
    char name[]; /* 0-terminated */
};

struct queue {
    pthread_mutex_t lock;
    size_t lane_max, total_max;
    struct lane *lanes;
    size_t length, reserved;        /* over all lanes */
    uint32_t next_turn, first_turn; /* they may wrap: only differences count */
};

bool queue_new(size_t lane_max, size_t total_max, struct queue **ret_queue, struct err *err)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the queue");
    queue->lane_max = lane_max;
    queue->total_max = total_max;
    pthread_mutex_init(&queue->lock, NULL);
    *ret_queue = queue;
    return true;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    while (queue->lanes) {
        struct lane *lane = queue->lanes;
        queue->lanes = lane->next;
        while (lane->first) {
            struct entry *entry = lane->first;
            lane->first = entry->next;
            free(entry);
        }
        free(lane);
    }
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* ---- Lanes and entries; the lock is held --------------------------------------------------- */

static struct lane *lane_find(const struct queue *queue, const char *name)
{
    for (struct lane *lane = queue->lanes; lane; lane = lane->next) {
        if (strcmp(lane->name, name) == 0)
            return lane;
    }
    return NULL;
}

static struct lane *lane_find_or_add(struct queue *queue, const char *name)
{
    struct lane *lane = lane_find(queue, name);
    if (lane)
        return lane;
    size_t size = strlen(name) + 1;
    lane = calloc(1, sizeof *lane + size);
    if (!lane)
        return NULL;
    memcpy(lane->name, name, size);
    lane->next = queue->lanes;
    queue->lanes = lane;
    return lane;
}

static void lane_drop_if_empty(struct queue *queue, struct lane *lane)
{
    if (lane->length > 0 || lane->reserved > 0)
        return;
    struct lane **at = &queue->lanes;
    while (*at != lane)
        at = &(*at)->next;
    *at = lane->next;
    free(lane);
}

static void lane_put(struct queue *queue, struct lane *lane, struct entry *entry, bool front)
{
    entry->turn = front ? --queue->first_turn : queue->next_turn++;
    entry->next = front ? lane->first : NULL;
    if (front || !lane->last)
        lane->first = entry;
    else
        lane->last->next = entry;
    if (!entry->next)
        lane->last = entry;
    lane->length++;
    queue->length++;
}

/* Take the entry after `previous` (NULL: the first) out and free it; the lane may go with it. */
static void lane_take(struct queue *queue, struct lane *lane, struct entry *previous)
{
    struct entry *entry = previous ? previous->next : lane->first;
    if (previous)
        previous->next = entry->next;
    else
        lane->first = entry->next;
    if (!entry->next)
        lane->last = previous;
    lane->length--;
    queue->length--;
    free(entry);
    lane_drop_if_empty(queue, lane);
}

static void lane_unreserve(struct queue *queue, struct lane *lane)
{
    if (lane->reserved == 0)
        return;
    lane->reserved--;
    queue->reserved--;
}

/* ---- The interface ------------------------------------------------------------------------- */

bool queue_reserve(struct queue *queue, const char *name)
{
    bool room = false;
    pthread_mutex_lock(&queue->lock);
    if (queue->length + queue->reserved < queue->total_max && queue->lane_max > 0) {
        struct lane *lane = lane_find_or_add(queue, name);
        room = lane && lane->length + lane->reserved < queue->lane_max;
        if (room) {
            lane->reserved++;
            queue->reserved++;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return room;
}

void queue_release(struct queue *queue, const char *name)
{
    pthread_mutex_lock(&queue->lock);
    struct lane *lane = lane_find(queue, name);
    if (lane) {
        lane_unreserve(queue, lane);
        lane_drop_if_empty(queue, lane);
    }
    pthread_mutex_unlock(&queue->lock);
}

bool queue_push(struct queue *queue, const char *name, const char *id, bool front, bool reserved)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry || !str_copy(str_from(id), entry->id, sizeof entry->id)) {
        free(entry);
        return false;
    }
    pthread_mutex_lock(&queue->lock);
    struct lane *lane = lane_find_or_add(queue, name);
    if (lane) {
        lane_put(queue, lane, entry, front);
        if (reserved)
            lane_unreserve(queue, lane);
    }
    pthread_mutex_unlock(&queue->lock);
    if (!lane)
        free(entry);
    return lane != NULL;
}

bool queue_pop(struct queue *queue, const char *name, char *ret_id)
{
    pthread_mutex_lock(&queue->lock);
    struct lane *lane = lane_find(queue, name);
    bool found = lane && lane->first;
    if (found) {
        memcpy(ret_id, lane->first->id, sizeof lane->first->id);
        lane_take(queue, lane, NULL);
    }
    pthread_mutex_unlock(&queue->lock);
    return found;
}

bool queue_remove(struct queue *queue, const char *name, const char *id)
{
    pthread_mutex_lock(&queue->lock);
    struct lane *lane = lane_find(queue, name);
    struct entry *entry = lane ? lane->first : NULL, *previous = NULL;
    while (entry && strcmp(entry->id, id) != 0) {
        previous = entry;
        entry = entry->next;
    }
    if (entry)
        lane_take(queue, lane, previous);
    pthread_mutex_unlock(&queue->lock);
    return entry != NULL;
}

size_t queue_position(struct queue *queue, const char *name, const char *id)
{
    size_t position = 1;
    pthread_mutex_lock(&queue->lock);
    const struct lane *lane = lane_find(queue, name);
    const struct entry *entry = lane ? lane->first : NULL;
    for (; entry && strcmp(entry->id, id) != 0; entry = entry->next)
        position++;
    pthread_mutex_unlock(&queue->lock);
    return entry ? position : 0;
}

size_t queue_length(struct queue *queue, const char *name)
{
    pthread_mutex_lock(&queue->lock);
    const struct lane *lane = name ? lane_find(queue, name) : NULL;
    size_t length = name ? (lane ? lane->length : 0) : queue->length;
    pthread_mutex_unlock(&queue->lock);
    return length;
}

/* A lane as it was when queue_each_lane looked: the callback runs without the lock. */
struct lane_view {
    uint32_t turn;
    size_t length;
    char *name;
};

static int view_compare(const void *a, const void *b)
{
    const struct lane_view *left = a, *right = b;
    int32_t ahead = (int32_t)(left->turn - right->turn);
    return (ahead > 0) - (ahead < 0);
}

static struct lane_view *queue_look(struct queue *queue, size_t *ret_count)
{
    size_t count = 0;
    pthread_mutex_lock(&queue->lock);
    for (const struct lane *lane = queue->lanes; lane; lane = lane->next)
        count += lane->length > 0;
    struct lane_view *views = count ? calloc(count, sizeof *views) : NULL;
    count = 0;
    for (const struct lane *lane = queue->lanes; lane && views; lane = lane->next) {
        char *name = lane->length > 0 ? strdup(lane->name) : NULL;
        if (name)
            views[count++] = (struct lane_view){ lane->first->turn, lane->length, name };
    }
    pthread_mutex_unlock(&queue->lock);
    *ret_count = count;
    return views;
}

void queue_each_lane(struct queue *queue,
                     void (*each)(void *context, const char *name, size_t length), void *context)
{
    size_t count = 0;
    struct lane_view *views = queue_look(queue, &count);
    if (count > 1)
        qsort(views, count, sizeof *views, view_compare);
    for (size_t i = 0; i < count; i++) {
        each(context, views[i].name, views[i].length);
        free(views[i].name);
    }
    free(views);
}
