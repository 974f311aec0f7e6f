/* Counting calls: by route, class of status and duration, from many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/metrics.h"
#include "http/server.h"

static const struct http_route routes[] = {
    { "GET", "/v1/things", NULL, 0, 0 },
    { "POST", "/v1/things", NULL, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
static const struct http_route *const tables[] = { routes, NULL };

static bool has_line(const struct buf *text, const char *line)
{
    const char *at = strstr(text->ptr, line);

    return at && (at == text->ptr || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static void calls_are_counted(void **state)
{
    struct metrics *metrics;
    struct buf text;

    (void)state;
    assert_true(metrics_new(tables, &metrics, NULL));
    metrics_count(metrics, &routes[0], 200, 400);
    metrics_count(metrics, &routes[0], 404, 70000000);
    metrics_count(metrics, &routes[1], 0, 1000);
    metrics_count(metrics, NULL, 404, 10);
    metrics_count(metrics, &routes[1], 99999, 10); /* no status at all */
    buf_init(&text, 1 << 20);
    metrics_write(metrics, &text);
#define ROUTE "route=\"/v1/things\",method=\"GET\""
    assert_true(has_line(&text, "mimeo_http_requests_total{" ROUTE ",status=\"2xx\"} 1"));
    assert_true(has_line(&text, "mimeo_http_requests_total{" ROUTE ",status=\"4xx\"} 1"));
    assert_true(has_line(&text, "mimeo_http_requests_total{route=\"/v1/things\",method=\"POST\","
                                "status=\"gone\"} 2"));
    assert_true(has_line(&text, "mimeo_http_requests_total{route=\"none\",method=\"any\","
                                "status=\"4xx\"} 1"));
    assert_true(
        has_line(&text, "mimeo_http_request_duration_seconds_bucket{" ROUTE ",le=\"0.0005\"} 1"));
    assert_true(
        has_line(&text, "mimeo_http_request_duration_seconds_bucket{" ROUTE ",le=\"60\"} 1"));
    assert_true(
        has_line(&text, "mimeo_http_request_duration_seconds_bucket{" ROUTE ",le=\"+Inf\"} 2"));
    assert_true(has_line(&text, "mimeo_http_request_duration_seconds_count{" ROUTE "} 2"));
    assert_true(has_line(&text, "mimeo_http_request_duration_seconds_sum{" ROUTE "} 70.000400"));
    buf_done(&text);
    metrics_free(metrics);
}

static void *count_many(void *metrics)
{
    for (int i = 0; i < 10000; i++)
        metrics_count(metrics, &routes[i % 2], 200, i);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct metrics *metrics;
    pthread_t threads[4];
    struct buf text;

    (void)state;
    assert_true(metrics_new(tables, &metrics, NULL));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, metrics), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    buf_init(&text, 1 << 20);
    metrics_write(metrics, &text);
    assert_true(has_line(&text, "mimeo_http_requests_total{" ROUTE ",status=\"2xx\"} 20000"));
    buf_done(&text);
    metrics_free(metrics);
}

static void labels_are_escaped(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, 100);
    metrics_write_label("a\"b\\c\nd", &text);
    assert_string_equal(text.ptr, "a\\\"b\\\\c\\nd");
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(threads_lose_nothing),
        cmocka_unit_test(labels_are_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
