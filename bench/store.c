/* bench: server
 * Durable inserts of small predictions per second with 1, 8 and 64 of them in flight, and whole
 * lives (an insert, then an end that owes a webhook and adds to the books) with 64, beside what
 * the disk does alone: 4 KiB appended to a file, fdatasync, again. The ratio says how many
 * durable inserts one sync of this disk buys.
 *     bench-store [seconds per row, default 2] [folder, default $TMPDIR or /tmp] */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"

#define FLIGHT_MAX 64

struct load {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int64_t end_us;
    int64_t inserted, failed;
    int in_flight;
    bool whole_lives;
    struct prediction predictions[FLIGHT_MAX];
    struct store_usage usage[FLIGHT_MAX];
    struct store_delivery deliveries[FLIGHT_MAX];
    struct store_write writes[FLIGHT_MAX];
};

static void load_submit(struct load *load, int slot);
static void load_done(struct store_write *write);

/* The prediction of that slot ends. */
static void load_end(struct load *load, int slot)
{
    const struct prediction *p = &load->predictions[slot];
    load->usage[slot] = (struct store_usage){ .account = p->account,
                                              .token = "0123456789abcdef",
                                              .model = p->model,
                                              .day = p->created_us / 86400000000,
                                              .runs = 1,
                                              .succeeded = 1,
                                              .predict_us = 800000,
                                              .images = 1,
                                              .cost_microusd = 3000 };
    struct store_delivery *delivery = &load->deliveries[slot];
    *delivery = (struct store_delivery){ .prediction = p->id,
                                         .account = p->account,
                                         .url = "https://example.com/webhooks/replicate",
                                         .created_us = p->created_us,
                                         .next_us = p->created_us };
    memcpy(delivery->id, "msg_", 4);
    id_random_text(delivery->id + 4, 27);
    load->writes[slot] =
        (struct store_write){ .kind = STORE_PREDICTION_MOVE,
                              .move = { .id = p->id,
                                        .from = 1u << PREDICTION_STARTING,
                                        .to = PREDICTION_SUCCEEDED,
                                        .started_us = p->created_us,
                                        .completed_us = p->created_us + 1,
                                        .output =
                                            S("[\"blob:0123456789abcdefghjkmnpqrs/out-0.webp\"]"),
                                        .metrics = S("{\"predict_time\":0.8,\"total_time\":0.9}"),
                                        .usage = &load->usage[slot],
                                        .delivery = delivery },
                              .done = load_done,
                              .context = load };
    store_submit(load->store, &load->writes[slot]);
}

/* On the writer thread: one landed, send the next. */
static void load_done(struct store_write *write)
{
    struct load *load = write->context;
    if (load->whole_lives && write->ok && write->kind == STORE_PREDICTION_INSERT) {
        load_end(load, (int)(write - load->writes));
        return;
    }
    bool more = clock_monotonic_us() < load->end_us;
    pthread_mutex_lock(&load->lock);
    load->inserted += write->ok;
    load->failed += !write->ok;
    if (!more && --load->in_flight == 0)
        pthread_cond_signal(&load->wake);
    pthread_mutex_unlock(&load->lock);
    if (more)
        load_submit(load, (int)(write - load->writes));
}

static void load_submit(struct load *load, int slot)
{
    struct prediction *p = &load->predictions[slot];
    int64_t now_us = clock_now_us();
    *p =
        (struct prediction){ .account = "local",
                             .model = "black-forest-labs/flux-schnell",
                             .version =
                                 "5599ed30703defd1d160a25a63321b4dec97101d98b4674bcc56e41f62f35637",
                             .input = S("{\"num_inference_steps\":4,\"prompt\":\"a small red house "
                                        "by a lake, early morning\",\"seed\":42}"),
                             .source = "api",
                             .created_us = now_us };
    id_prediction(now_us / 1000, p->id);
    load->writes[slot] = (struct store_write){
        .kind = STORE_PREDICTION_INSERT, .prediction = p, .done = load_done, .context = load
    };
    store_submit(load->store, &load->writes[slot]);
}

/* Inserts per second, or a negative number. */
static double measure_inserts(const char *folder, int in_flight, bool whole_lives, double seconds)
{
    static struct load load; /* too large for a stack */
    char location[4200];
    struct err err;
    memset(&load, 0, sizeof load);
    snprintf(location, sizeof location, "sqlite:%s/store-%d-%d.db", folder, in_flight, whole_lives);
    if (!store_open(location, &load.store, &err)) {
        fprintf(stderr, "bench-store: %s\n", err.detail);
        return -1;
    }
    pthread_mutex_init(&load.lock, NULL);
    pthread_cond_init(&load.wake, NULL);
    int64_t start_us = clock_monotonic_us();
    load.end_us = start_us + (int64_t)(seconds * 1e6);
    load.in_flight = in_flight;
    load.whole_lives = whole_lives;
    for (int i = 0; i < in_flight; i++)
        load_submit(&load, i);
    pthread_mutex_lock(&load.lock);
    while (load.in_flight > 0)
        pthread_cond_wait(&load.wake, &load.lock);
    pthread_mutex_unlock(&load.lock);
    double took_s = (double)(clock_monotonic_us() - start_us) / 1e6;
    store_close(load.store);
    pthread_cond_destroy(&load.wake);
    pthread_mutex_destroy(&load.lock);
    if (load.failed > 0) {
        fprintf(stderr, "bench-store: %" PRId64 " inserts failed\n", load.failed);
        return -1;
    }
    return (double)load.inserted / took_s;
}

static double measure_syncs(const char *folder, double seconds)
{
    char path[4200], block[4096];
    snprintf(path, sizeof path, "%s/raw", folder);
    memset(block, 'x', sizeof block);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int64_t start_us = clock_monotonic_us(), syncs = 0, now_us = start_us;
    while (now_us - start_us < (int64_t)(seconds * 1e6)) {
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
            break;
        syncs++;
        now_us = clock_monotonic_us();
    }
    close(fd);
    return (double)syncs * 1e6 / (double)(now_us - start_us);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    const char *temporary = getenv("TMPDIR");
    if (argc > 2)
        temporary = argv[2];
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/mimeo-bench-XXXXXX", temporary ? temporary : "/tmp");
    if (seconds <= 0 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench-store [seconds per row] [folder]\n");
        return 2;
    }
    double syncs = measure_syncs(folder, seconds);
    printf("%-28s %12s %8s\n", "what", "per second", "ratio");
    printf("%-28s %12.0f %8.2f\n", "fdatasync of 4 KiB alone", syncs, 1.0);
    static const struct {
        int in_flight;
        bool whole_lives;
    } rows[] = { { 1, false }, { 8, false }, { 64, false }, { 64, true } };
    int status = syncs > 0 ? 0 : 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double inserts = measure_inserts(folder, rows[i].in_flight, rows[i].whole_lives, seconds);
        char label[64];
        snprintf(label, sizeof label, "%s, %d in flight",
                 rows[i].whole_lives ? "whole lives" : "inserts", rows[i].in_flight);
        printf("%-28s %12.0f %8.2f\n", label, inserts, inserts / syncs);
        if (inserts < 0)
            status = 1;
    }
    file_remove_tree(folder, NULL);
    return status;
}
