/* The last run times of each model, see speeds.h.
 *
 * What is read at the start is older than what ends meanwhile: it fills a model's ring from its old
 * end, and only what had ended before the start counts, so nothing counts twice. Records are read a
 * few at a time, because each may carry an input and output of megabytes. */
#include "api/speeds.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/store.h"

#define KEPT_MAX 100            /* run times of one model */
#define READ_MAX 2000           /* records looked at at the start */
#define READ_AT_ONCE 20         /* of them in memory at a time */
#define READ_BYTES (256u << 20) /* what these may take; beyond, reading ends */

struct times {
    struct times *next;
    int first, count; /* us[(first + i) % KEPT_MAX], oldest first */
    int64_t us[KEPT_MAX];
    char model[];
};

struct speeds {
    struct store *store;
    int64_t started_us;
    pthread_mutex_t lock;
    struct times *times; /* (locked) as many as there are models that have run */
    atomic_bool ending;
    pthread_t reader;
    bool has_reader;
};

/* Lock held. NULL: no memory, or (not make) none. */
static struct times *times_of(struct speeds *speeds, const char *model, bool make)
{
    struct times *times = speeds->times;

    while (times && strcmp(times->model, model) != 0)
        times = times->next;
    size_t size = strlen(model) + 1;
    if (times || !make || !(times = calloc(1, sizeof(*times) + size)))
        return times;
    memcpy(times->model, model, size);
    times->next = speeds->times;
    speeds->times = times;
    return times;
}

void speeds_add(struct speeds *speeds, const char *model, int64_t predict_us)
{
    pthread_mutex_lock(&speeds->lock);
    struct times *times = times_of(speeds, model, true);
    if (times) {
        times->us[(times->first + times->count) % KEPT_MAX] = predict_us;
        if (times->count < KEPT_MAX)
            times->count++;
        else
            times->first = (times->first + 1) % KEPT_MAX;
    }
    pthread_mutex_unlock(&speeds->lock);
}

static void add_older(struct speeds *speeds, const char *model, int64_t predict_us)
{
    pthread_mutex_lock(&speeds->lock);
    struct times *times = times_of(speeds, model, true);
    if (times && times->count < KEPT_MAX) {
        times->first = (times->first + KEPT_MAX - 1) % KEPT_MAX;
        times->us[times->first] = predict_us;
        times->count++;
    }
    pthread_mutex_unlock(&speeds->lock);
}

/* ---- Reading at the start --------------------------------------------------------------------
 */

static void take_record(struct speeds *speeds, const struct prediction *record)
{
    json_t *metrics = NULL;

    if (record->status != PREDICTION_SUCCEEDED || record->completed_us >= speeds->started_us ||
        record->metrics.len == 0 || !json_parse(record->metrics, &metrics, NULL))
        return;
    double seconds = json_get_number(metrics, "predict_time", -1);
    if (seconds >= 0 && seconds < 1e9)
        add_older(speeds, record->model, (int64_t)(seconds * 1e6));
    json_decref(metrics);
}

/* One page; false when there is nothing more to read. */
static bool read_page(struct speeds *speeds, struct store_position *before)
{
    const struct store_prediction_query query = { .before = *before,
                                                  .kind = STORE_KIND_PREDICTIONS,
                                                  .limit = READ_AT_ONCE };
    struct prediction *records;
    struct arena arena;
    struct err err = { 0 };
    int count = 0;

    arena_init(&arena, READ_BYTES);
    bool ok = store_prediction_list(speeds->store, &query, &arena, &records, &count, &err);
    for (int i = 0; i < count; i++)
        take_record(speeds, &records[i]);
    if (count > 0) {
        before->created_us = records[count - 1].created_us;
        str_copy(str_from(records[count - 1].id), before->id, sizeof(before->id));
    }
    arena_done(&arena);
    if (!ok)
        log_error(LOG_WARN, "speeds_not_read", &err, "limit=%d", READ_AT_ONCE);
    return ok && count == READ_AT_ONCE;
}

static void *read_records(void *context)
{
    struct speeds *speeds = context;
    struct store_position before = { 0 };

    for (int i = 0; i < READ_MAX / READ_AT_ONCE && !atomic_load(&speeds->ending); i++)
        if (!read_page(speeds, &before))
            break;
    return NULL;
}

bool speeds_new(struct store *store, struct speeds **ret_speeds, struct err *err)
{
    struct speeds *speeds = calloc(1, sizeof(*speeds));

    if (!speeds)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the models' speeds");
    speeds->store = store;
    speeds->started_us = clock_now_us();
    atomic_init(&speeds->ending, false);
    pthread_mutex_init(&speeds->lock, NULL);
    int failed = pthread_create(&speeds->reader, NULL, read_records, speeds);
    speeds->has_reader = failed == 0;
    if (failed) {
        speeds_free(speeds);
        return err_sys(err, ERR_INTERNAL, failed, "the reader of speeds could not be started");
    }
    *ret_speeds = speeds;
    return true;
}

void speeds_free(struct speeds *speeds)
{
    if (!speeds)
        return;
    atomic_store(&speeds->ending, true);
    if (speeds->has_reader)
        pthread_join(speeds->reader, NULL);
    for (struct times *times = speeds->times, *next; times; times = next) {
        next = times->next;
        free(times);
    }
    pthread_mutex_destroy(&speeds->lock);
    free(speeds);
}

/* ---- Asking ----------------------------------------------------------------------------------
 */

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* The smallest of them that the share `percent` of all are not above. */
static double quantile_s(const int64_t *sorted_us, int count, int percent)
{
    return (double)sorted_us[(count * percent + 99) / 100 - 1] / 1e6;
}

bool speeds_get(struct speeds *speeds, const char *model, struct speed *ret_speed)
{
    int64_t us[KEPT_MAX];
    int count = 0;

    pthread_mutex_lock(&speeds->lock);
    const struct times *times = times_of(speeds, model, false);
    for (count = 0; times && count < times->count; count++)
        us[count] = times->us[(times->first + count) % KEPT_MAX];
    pthread_mutex_unlock(&speeds->lock);
    if (count == 0)
        return false;
    qsort(us, (size_t)count, sizeof(us[0]), compare);
    *ret_speed = (struct speed){ count, quantile_s(us, count, 50), quantile_s(us, count, 95) };
    return true;
}
