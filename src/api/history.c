/* Steps of what the server did: two rings of them, see history.h.
 *
 * Everything is added to the newest step of both rings under one lock, which is held for some tens
 * of nanoseconds; the bucket of a duration is found before. The thread begins new steps, at whole
 * multiples of their length; a machine that slept leaves a gap, not empty steps. */
#include "api/history.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#define STEPS_MAX 720 /* two hours of 10 s, a day of 120 s */
#define STEP_SHORT_S 10
#define STEP_LONG_S 120
#define BUCKETS 152           /* to 1.6e5 s: longer than any run may take */
#define BUCKET_FIRST_US 100.0 /* upper end of the first */
#define BUCKET_FACTOR 1.15
#define LOOK_S 1

struct durations {
    uint32_t counts[BUCKETS]; /* [i]: up to BUCKET_FIRST_US * BUCKET_FACTOR^i */
};

struct step {
    int64_t at_s; /* Unix time of its begin */
    int64_t created, succeeded, failed, canceled;
    int64_t requests, errors, throttled;
    int waiting;          /* the most */
    int64_t memory_bytes; /* the most */
    struct durations run, queue, request;
};

struct ring {
    int step_s;
    int64_t begun;                /* steps, ever: the newest is number begun - 1; at least 1 */
    struct step steps[STEPS_MAX]; /* number n at n % STEPS_MAX */
};

struct history {
    struct history_options options;
    int64_t started_us;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;          /* (locked) */
    int64_t created;      /* (locked) as last seen */
    struct ring rings[2]; /* (locked) */
    pthread_t thread;
    bool has_thread;
};

/* ---- Durations -------------------------------------------------------------------------------
 */

static int bucket_of(int64_t us)
{
    if (us <= (int64_t)BUCKET_FIRST_US)
        return 0;
    int bucket = (int)ceil(log((double)us / BUCKET_FIRST_US) / log(BUCKET_FACTOR));

    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* Microseconds below which the share `part` of them is, by the middle of its bucket; below 0: there
 * are none. */
static double quantile_us(const struct durations *durations, double part)
{
    uint64_t total = 0, seen = 0;
    int bucket = 0;

    for (int i = 0; i < BUCKETS; i++)
        total += durations->counts[i];
    if (total == 0)
        return -1;
    uint64_t wanted = (uint64_t)ceil(part * (double)total);
    while (bucket < BUCKETS - 1 && (seen += durations->counts[bucket]) < wanted)
        bucket++;
    return BUCKET_FIRST_US * pow(BUCKET_FACTOR, bucket - 0.5);
}

static void count(struct durations *durations, int bucket)
{
    if (bucket >= 0 && durations->counts[bucket] < UINT32_MAX)
        durations->counts[bucket]++;
}

/* ---- Steps -----------------------------------------------------------------------------------
 */

static struct step *newest(struct ring *ring)
{
    return &ring->steps[(ring->begun - 1) % STEPS_MAX];
}

static int64_t now_us(const struct history *history)
{
    return history->options.now_us ? history->options.now_us() : clock_now_us();
}

/* Begin the step that the moment is in, unless it has begun. A clock that was set back goes on with
 * the newest. Lock held. */
static void begin(struct ring *ring, int64_t us)
{
    int64_t at_s = us / 1000000 / ring->step_s * ring->step_s;

    if (ring->begun > 0 && at_s <= newest(ring)->at_s)
        return;
    ring->begun++;
    memset(newest(ring), 0, sizeof(struct step));
    newest(ring)->at_s = at_s;
}

void history_tick(struct history *history)
{
    struct history_level level = { 0 };

    history->options.look(history->options.context, &level);
    int64_t us = now_us(history);
    pthread_mutex_lock(&history->lock);
    for (int i = 0; i < 2; i++) {
        struct ring *ring = &history->rings[i];
        newest(ring)->created += level.created - history->created;
        begin(ring, us);
        struct step *step = newest(ring);
        if (level.waiting > step->waiting)
            step->waiting = level.waiting;
        if (level.memory_bytes > step->memory_bytes)
            step->memory_bytes = level.memory_bytes;
    }
    history->created = level.created;
    pthread_mutex_unlock(&history->lock);
}

void history_request(struct history *history, int status, int64_t duration_us)
{
    int bucket = bucket_of(duration_us);

    pthread_mutex_lock(&history->lock);
    for (int i = 0; i < 2; i++) {
        struct step *step = newest(&history->rings[i]);
        step->requests++;
        step->errors += status >= 500;
        step->throttled += status == 429;
        count(&step->request, bucket);
    }
    pthread_mutex_unlock(&history->lock);
}

void history_end(struct history *history, enum history_outcome outcome, int64_t run_us,
                 int64_t queue_us)
{
    int run = run_us >= 0 ? bucket_of(run_us) : -1;
    int queue = queue_us >= 0 ? bucket_of(queue_us) : -1;

    pthread_mutex_lock(&history->lock);
    for (int i = 0; i < 2; i++) {
        struct step *step = newest(&history->rings[i]);
        step->succeeded += outcome == HISTORY_SUCCEEDED;
        step->failed += outcome == HISTORY_FAILED;
        step->canceled += outcome == HISTORY_CANCELED;
        count(&step->run, run);
        count(&step->queue, queue);
    }
    pthread_mutex_unlock(&history->lock);
}

/* ---- Start and end ---------------------------------------------------------------------------
 */

static void *run(void *context)
{
    struct history *history = context;
    struct timespec at;

    pthread_mutex_lock(&history->lock);
    clock_gettime(CLOCK_MONOTONIC, &at);
    while (!history->ending) {
        pthread_mutex_unlock(&history->lock);
        history_tick(history);
        pthread_mutex_lock(&history->lock);
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += LOOK_S;
        while (!history->ending &&
               pthread_cond_timedwait(&history->wake, &history->lock, &at) == 0) {
        }
    }
    pthread_mutex_unlock(&history->lock);
    return NULL;
}

bool history_new(const struct history_options *options, struct history **ret_history,
                 struct err *err)
{
    struct history *history = calloc(1, sizeof(*history));
    pthread_condattr_t monotonic;

    if (!history)
        return err_set(err, ERR_NO_MEMORY, "not enough memory for the history of this server");
    history->options = *options;
    history->started_us = now_us(history);
    history->rings[0].step_s = STEP_SHORT_S;
    history->rings[1].step_s = STEP_LONG_S;
    for (int i = 0; i < 2; i++)
        begin(&history->rings[i], history->started_us);
    pthread_mutex_init(&history->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&history->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!options->now_us) {
        int failed = pthread_create(&history->thread, NULL, run, history);
        history->has_thread = failed == 0;
        if (failed) {
            history_free(history);
            return err_sys(err, ERR_INTERNAL, failed, "the history's thread could not be started");
        }
    }
    *ret_history = history;
    return true;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    if (history->has_thread) {
        pthread_mutex_lock(&history->lock);
        history->ending = true;
        pthread_cond_signal(&history->wake);
        pthread_mutex_unlock(&history->lock);
        pthread_join(history->thread, NULL);
    }
    pthread_cond_destroy(&history->wake);
    pthread_mutex_destroy(&history->lock);
    free(history);
}

int64_t history_started_us(const struct history *history)
{
    return history->started_us;
}

/* ---- Text ------------------------------------------------------------------------------------
 */

static void write_quantile(const char *name, const struct durations *durations, double part,
                           double unit_us, struct buf *out)
{
    double us = quantile_us(durations, part);

    if (us < 0)
        buf_printf(out, ",\"%s\":null", name);
    else
        buf_printf(out, ",\"%s\":%.4g", name, us / unit_us);
}

static void write_step(const struct step *step, struct buf *out)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format(step->at_s * 1000000, 0, false, at);
    buf_printf(out,
               "{\"at\":\"%s\",\"created\":%lld,\"succeeded\":%lld,\"failed\":%lld,"
               "\"canceled\":%lld,\"waiting\":%d",
               at, (long long)step->created, (long long)step->succeeded, (long long)step->failed,
               (long long)step->canceled, step->waiting);
    write_quantile("run_p50_s", &step->run, 0.5, 1e6, out);
    write_quantile("run_p95_s", &step->run, 0.95, 1e6, out);
    write_quantile("queue_p50_s", &step->queue, 0.5, 1e6, out);
    write_quantile("queue_p95_s", &step->queue, 0.95, 1e6, out);
    buf_printf(out, ",\"requests\":%lld,\"errors\":%lld,\"throttled\":%lld",
               (long long)step->requests, (long long)step->errors, (long long)step->throttled);
    write_quantile("request_p50_ms", &step->request, 0.5, 1e3, out);
    write_quantile("request_p99_ms", &step->request, 0.99, 1e3, out);
    buf_printf(out, ",\"memory_bytes\":%lld}", (long long)step->memory_bytes);
}

/* A copy of a step. False: it is no longer kept. */
static bool take_step(struct history *history, const struct ring *ring, int64_t number,
                      struct step *ret_step)
{
    pthread_mutex_lock(&history->lock);
    bool kept = number >= ring->begun - STEPS_MAX;
    if (kept)
        *ret_step = ring->steps[number % STEPS_MAX];
    pthread_mutex_unlock(&history->lock);
    return kept;
}

void history_write(struct history *history, bool day, struct buf *out)
{
    const struct ring *ring = &history->rings[day];
    struct step step;
    const char *comma = "";

    pthread_mutex_lock(&history->lock);
    int64_t end = ring->begun;
    pthread_mutex_unlock(&history->lock);
    buf_printf(out, "{\"step_s\":%d,\"points\":[", ring->step_s);
    for (int64_t number = end > STEPS_MAX ? end - STEPS_MAX : 0; number < end; number++) {
        if (!take_step(history, ring, number, &step))
            continue;
        buf_append_str(out, str_from(comma));
        write_step(&step, out);
        comma = ",";
    }
    buf_append_str(out, S("]}"));
}
