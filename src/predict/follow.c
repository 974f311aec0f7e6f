/* Followers, by the id of what they follow; see follow.h.
 *
 * A watch being called stays in its list: `calling` counts the threads that do, and who removes it
 * waits until there is none. So a list may be walked although the lock is given back for each
 * callback. */
#include "predict/follow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/str.h"
#include "predict/table.h"

struct followed {             /* one prediction that somebody follows */
    struct table_entry entry; /* first, so that an entry is its followed */
    struct predict_watch *watches;
    json_t *kept; /* NULL: nothing is */
};

struct predict_watch {
    struct predict_watch *next, **link; /* in its list; link: what points here */
    struct followed *followed;
    void (*changed)(void *context);
    void *context;
    int calling;
    bool removed; /* is not called any more */
};

struct follow {
    pthread_mutex_t lock; /* guards all but the counter */
    pthread_cond_t called;
    struct table by_id;
    atomic_int count; /* of watches */
};

struct follow *follow_new(void)
{
    struct follow *follow = calloc(1, sizeof *follow);
    if (!follow)
        return NULL;
    pthread_mutex_init(&follow->lock, NULL);
    pthread_cond_init(&follow->called, NULL);
    atomic_init(&follow->count, 0);
    return follow;
}

void follow_free(struct follow *follow)
{
    if (!follow)
        return;
    table_done(&follow->by_id);
    pthread_cond_destroy(&follow->called);
    pthread_mutex_destroy(&follow->lock);
    free(follow);
}

/* Lock held. */
static struct followed *find_or_add(struct follow *follow, const char *id)
{
    struct followed *followed = (struct followed *)table_find(&follow->by_id, id);
    if (followed)
        return followed;
    followed = calloc(1, sizeof *followed);
    if (followed && str_copy(str_from(id), followed->entry.id, sizeof followed->entry.id) &&
        table_put(&follow->by_id, &followed->entry))
        return followed;
    free(followed);
    return NULL;
}

struct predict_watch *follow_add(struct follow *follow, const char *id,
                                 void (*changed)(void *context), void *context)
{
    struct predict_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->changed = changed;
    watch->context = context;
    pthread_mutex_lock(&follow->lock);
    struct followed *followed = find_or_add(follow, id);
    if (followed) {
        watch->followed = followed;
        watch->next = followed->watches;
        if (watch->next)
            watch->next->link = &watch->next;
        watch->link = &followed->watches;
        followed->watches = watch;
        atomic_fetch_add(&follow->count, 1);
    }
    pthread_mutex_unlock(&follow->lock);
    if (!followed) {
        free(watch);
        return NULL;
    }
    return watch;
}

void follow_remove(struct follow *follow, struct predict_watch *watch)
{
    if (!watch)
        return;
    struct followed *followed = watch->followed;
    pthread_mutex_lock(&follow->lock);
    watch->removed = true;
    while (watch->calling > 0)
        pthread_cond_wait(&follow->called, &follow->lock);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    atomic_fetch_sub(&follow->count, 1);
    if (!followed->watches) {
        table_remove(&follow->by_id, followed->entry.id);
        json_decref(followed->kept);
        free(followed);
    }
    pthread_mutex_unlock(&follow->lock);
    free(watch);
}

/* Lock held; given back for the callback. Returns the next in the list. */
static struct predict_watch *call(struct follow *follow, struct predict_watch *watch)
{
    watch->calling++;
    pthread_mutex_unlock(&follow->lock);
    watch->changed(watch->context);
    pthread_mutex_lock(&follow->lock);
    struct predict_watch *next = watch->next; /* now: it may be freed when it is given back */
    if (--watch->calling == 0 && watch->removed)
        pthread_cond_broadcast(&follow->called);
    return next;
}

void follow_tell(struct follow *follow, const char *id)
{
    /* Who adds itself now has to look afterwards anyway. */
    if (atomic_load(&follow->count) == 0)
        return;
    pthread_mutex_lock(&follow->lock);
    struct followed *followed = (struct followed *)table_find(&follow->by_id, id);
    struct predict_watch *watch = followed ? followed->watches : NULL;
    while (watch)
        watch = watch->removed ? watch->next : call(follow, watch);
    pthread_mutex_unlock(&follow->lock);
}

void follow_keep(struct follow *follow, const char *id, json_t *texts)
{
    if (atomic_load(&follow->count) == 0)
        return;
    pthread_mutex_lock(&follow->lock);
    struct followed *followed = (struct followed *)table_find(&follow->by_id, id);
    if (followed && !followed->kept)
        followed->kept = json_deep_copy(texts);
    pthread_mutex_unlock(&follow->lock);
}

json_t *follow_kept(struct follow *follow, const char *id)
{
    pthread_mutex_lock(&follow->lock);
    struct followed *followed = (struct followed *)table_find(&follow->by_id, id);
    json_t *kept = followed ? json_deep_copy(followed->kept) : NULL;
    pthread_mutex_unlock(&follow->lock);
    return kept;
}
