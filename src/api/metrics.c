/* Counters of calls: by route, by class of status, and by duration.
 *
 * A route has one row, found by its address in a table that is built once; its counters are atomic.
 * A scrape reads them one by one, so sums may differ by calls that end meanwhile. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "http/server.h"

#define CLASSES 6 /* 0: the client had gone; 1xx to 5xx */
#define SLOTS_FACTOR 4

/* Upper bounds in microseconds; a create with Prefer: wait lasts up to a minute. */
static const int64_t bounds_us[] = { 500,    1000,    2500,    5000,     10000,    25000,   100000,
                                     250000, 1000000, 2500000, 10000000, 30000000, 60000000 };

struct row {
    const struct http_route *route; /* NULL: free, or (the last row) calls without a route */
    atomic_int_fast64_t classes[CLASSES];
    atomic_int_fast64_t buckets[ARRAY_LEN(bounds_us) + 1];
    atomic_int_fast64_t duration_us;
};

struct metrics {
    size_t slots;     /* a power of two */
    struct row *rows; /* slots of them, and one more */
};

static size_t first_slot(const struct metrics *metrics, const struct http_route *route)
{
    return (uintptr_t)route / sizeof(*route) & (metrics->slots - 1);
}

static struct row *find_row(const struct metrics *metrics, const struct http_route *route)
{
    size_t slot = first_slot(metrics, route);

    if (!route)
        return &metrics->rows[metrics->slots];
    while (metrics->rows[slot].route && metrics->rows[slot].route != route)
        slot = (slot + 1) & (metrics->slots - 1);
    return &metrics->rows[slot];
}

bool metrics_new(const struct http_route *const *tables, struct metrics **ret_metrics,
                 struct err *err)
{
    struct metrics *metrics = calloc(1, sizeof(*metrics));
    size_t count = 0;

    for (const struct http_route *const *table = tables; *table; table++)
        for (const struct http_route *route = *table; route->method; route++)
            count++;
    if (metrics) {
        metrics->slots = 16;
        while (metrics->slots < count * SLOTS_FACTOR)
            metrics->slots *= 2;
        metrics->rows = calloc(metrics->slots + 1, sizeof(*metrics->rows));
    }
    if (!metrics || !metrics->rows) {
        metrics_free(metrics);
        return err_set(err, ERR_NO_MEMORY, "not enough memory to start the API");
    }
    for (const struct http_route *const *table = tables; *table; table++)
        for (const struct http_route *route = *table; route->method; route++)
            find_row(metrics, route)->route = route;
    *ret_metrics = metrics;
    return true;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    free(metrics->rows);
    free(metrics);
}

void metrics_count(struct metrics *metrics, const struct http_route *route, int status,
                   int64_t duration_us)
{
    struct row *row = find_row(metrics, route);
    int class = status / 100;
    size_t bucket = 0;

    while (bucket < ARRAY_LEN(bounds_us) && duration_us > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&row->classes[class >= 0 && class < CLASSES ? class : 0], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&row->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->duration_us, duration_us, memory_order_relaxed);
}

/* ---- Text -------------------------------------------------------------------------------------
 */

void metrics_write_label(const char *value, struct buf *out)
{
    for (; *value; value++) {
        if (*value == '\n')
            buf_append_str(out, S("\\n"));
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else
            buf_append_char(out, *value);
    }
}

static void write_route(const struct row *row, struct buf *out)
{
    buf_append_str(out, S("route=\""));
    metrics_write_label(row->route ? row->route->pattern : "none", out);
    buf_printf(out, "\",method=\"%s\"", row->route ? row->route->method : "any");
}

static void write_requests(const struct row *row, struct buf *out)
{
    static const char *const names[CLASSES] = { "gone", "1xx", "2xx", "3xx", "4xx", "5xx" };

    for (int i = 0; i < CLASSES; i++) {
        int64_t count = atomic_load_explicit(&row->classes[i], memory_order_relaxed);

        if (count == 0)
            continue;
        buf_append_str(out, S("mimeo_http_requests_total{"));
        write_route(row, out);
        buf_printf(out, ",status=\"%s\"} %" PRId64 "\n", names[i], count);
    }
}

static void write_durations(const struct row *row, struct buf *out)
{
    int64_t total = 0, sum_us = atomic_load_explicit(&row->duration_us, memory_order_relaxed);

    for (size_t i = 0; i <= ARRAY_LEN(bounds_us); i++)
        total += atomic_load_explicit(&row->buckets[i], memory_order_relaxed);
    if (total == 0)
        return;
    total = 0;
    for (size_t i = 0; i <= ARRAY_LEN(bounds_us); i++) {
        total += atomic_load_explicit(&row->buckets[i], memory_order_relaxed);
        buf_append_str(out, S("mimeo_http_request_duration_seconds_bucket{"));
        write_route(row, out);
        if (i < ARRAY_LEN(bounds_us))
            buf_printf(out, ",le=\"%g\"} %" PRId64 "\n", (double)bounds_us[i] / 1e6, total);
        else
            buf_printf(out, ",le=\"+Inf\"} %" PRId64 "\n", total);
    }
    buf_append_str(out, S("mimeo_http_request_duration_seconds_sum{"));
    write_route(row, out);
    buf_printf(out, "} %.6f\nmimeo_http_request_duration_seconds_count{", (double)sum_us / 1e6);
    write_route(row, out);
    buf_printf(out, "} %" PRId64 "\n", total);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    buf_append_str(out, S("# HELP mimeo_http_requests_total Calls by route and class of status.\n"
                          "# TYPE mimeo_http_requests_total counter\n"));
    for (size_t i = 0; i <= metrics->slots; i++)
        write_requests(&metrics->rows[i], out);
    buf_append_str(out, S("# HELP mimeo_http_request_duration_seconds From the headers to the end "
                          "of the answer.\n"
                          "# TYPE mimeo_http_request_duration_seconds histogram\n"));
    for (size_t i = 0; i <= metrics->slots; i++)
        write_durations(&metrics->rows[i], out);
}
