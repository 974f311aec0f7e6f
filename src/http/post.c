/* The pool that POSTs: one thread, libcurl's multi interface, and a queue for each host.
 *
 * Requests wait in their host's queue. A host that has some waiting and fewer than its share under
 * way stands in the list of ready hosts; a free place goes to the first of them, which then goes to
 * the end. So hosts take turns, and one that hangs holds its own share of places and no more.
 *
 * Nothing on the thread blocks: names are resolved by libcurl's own threads (which are left behind,
 * not waited for, when a request ends before them), and the address that is really connected to is
 * checked in the socket callback, which nothing gets around. Not here: what is sent, and whether it
 * is sent again (webhook/). */
#include "http/post.h"

#include "base/buf.h"
#include "base/str.h"
#include "http/fetch_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define POST_ANSWER_BYTES_MAX (64u << 10) /* read for the sake of the connection; then cut */
#define POST_HEADER_BYTES_MAX (8u << 10)
#define POST_STACK_BYTES (256u << 10)
#define POST_POLL_MS 60000 /* it is woken when there is something to do */
#define POST_BUCKETS 1024u
#define POST_TIMEOUT_MS 30000 /* when the request does not say */

struct post_host;

struct post {
    struct post *next, *prev; /* in its host's queue, or among those under way */
    struct post_host *host;
    struct post_pool *pool;
    CURLU *url;
    struct curl_slist *headers;
    char *body;
    size_t body_len;
    int timeout_ms;
    post_done *done;
    void *context;
    CURL *curl; /* while under way */
    size_t answer_len;
    bool address_refused;
};

struct post_host {
    struct post_host *next_in_bucket;
    struct post_host *next_ready;
    bool ready;
    int under_way;
    struct post *first, *last; /* waiting */
    char name[256];
};

struct post_pool {
    struct post_pool_options options;
    char user_agent[128];
    fetch_address_rule *rule;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t mutex; /* all below but under_way: that list is the thread's own */
    bool ending;
    size_t waiting;
    int under_way_count;
    struct post_host *ready_first, *ready_last;
    struct post_host *buckets[POST_BUCKETS];
    struct post *under_way;
};

/* ---- Hosts; all under the mutex ----------------------------------------------------------- */

static struct post_host **bucket_of(struct post_pool *pool, const char *name)
{
    unsigned hash = 5381;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)(*c | 0x20);
    return &pool->buckets[hash % POST_BUCKETS];
}

static struct post_host *find_host(struct post_pool *pool, const char *name)
{
    struct post_host **bucket = bucket_of(pool, name), *host;
    for (host = *bucket; host; host = host->next_in_bucket)
        if (strcasecmp(host->name, name) == 0)
            return host;
    host = calloc(1, sizeof *host);
    if (!host || !str_copy(str_from(name), host->name, sizeof host->name)) {
        free(host);
        return NULL;
    }
    host->next_in_bucket = *bucket;
    *bucket = host;
    return host;
}

static void drop_host_if_idle(struct post_pool *pool, struct post_host *host)
{
    if (host->under_way || host->first)
        return;
    struct post_host **link = bucket_of(pool, host->name);
    while (*link != host)
        link = &(*link)->next_in_bucket;
    *link = host->next_in_bucket;
    free(host);
}

static void make_ready(struct post_pool *pool, struct post_host *host)
{
    if (host->ready || !host->first || host->under_way >= pool->options.per_host_max)
        return;
    host->ready = true;
    host->next_ready = NULL;
    if (pool->ready_last)
        pool->ready_last->next_ready = host;
    else
        pool->ready_first = host;
    pool->ready_last = host;
}

/* The next request whose turn it is, counted as under way; NULL: none, or no place is free. */
static struct post *take_next(struct post_pool *pool)
{
    struct post_host *host = pool->ready_first;
    if (!host || pool->under_way_count >= pool->options.connections_max)
        return NULL;
    pool->ready_first = host->next_ready;
    if (!pool->ready_first)
        pool->ready_last = NULL;
    host->ready = false;
    struct post *post = host->first;
    host->first = post->next;
    if (!host->first)
        host->last = NULL;
    pool->waiting--;
    pool->under_way_count++;
    host->under_way++;
    make_ready(pool, host);
    return post;
}

/* ---- One request -------------------------------------------------------------------------- */

static void post_free(struct post *post)
{
    if (!post)
        return;
    curl_url_cleanup(post->url);
    curl_slist_free_all(post->headers);
    free(post->body);
    free(post);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct post *post = context;
    (void)purpose;
    if (!fetch_address_allowed(post->pool->rule, &address->addr)) {
        post->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct post *post = context;
    (void)bytes;
    post->answer_len += size * count;
    return post->answer_len > POST_ANSWER_BYTES_MAX ? 0 : size * count;
}

static bool set_options(struct post *post)
{
    CURL *curl = post->curl;
    const struct post_pool *pool = post->pool;
    bool ok =
        curl_easy_setopt(curl, CURLOPT_CURLU, post->url) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, post) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, post->headers) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_len) ==
            CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body ? post->body : "") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, post) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, pool->user_agent) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PRIVATE, post) == CURLE_OK;
    if (pool->rule)
        ok = ok && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)post->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* a slow resolver is not waited for */
    return ok;
}

/* Why there is no answer, in words that hold no address the name resolved to. */
static void explain(const struct post *post, CURLcode code, struct err *err)
{
    const char *host = post->host->name;
    if (post->address_refused)
        err_set(err, ERR_FORBIDDEN, "The host '%.200s' is not on the public internet.", host);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        err_set(err, ERR_TIMEOUT, "The host '%.200s' took too long to answer.", host);
    else if (code == CURLE_COULDNT_RESOLVE_HOST)
        err_set(err, ERR_INVALID, "The host '%.200s' could not be found.", host);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        err_set(err, ERR_INVALID, "The certificate of '%.200s' is not valid.", host);
    else if (code == CURLE_OUT_OF_MEMORY)
        err_set(err, ERR_NO_MEMORY, "No memory to post to the URL.");
    else
        err_set(err, ERR_UNAVAILABLE, "The host '%.200s' could not be reached or gave no answer.",
                host);
    err_while(err, "libcurl said %d: %s", (int)code, curl_easy_strerror(code));
}

/* ---- The thread --------------------------------------------------------------------------- */

/* Tell the caller, give the place back, free. The request is out of every list. */
static void finish(struct post *post, int status, const struct err *why)
{
    struct post_pool *pool = post->pool;
    if (post->curl) {
        curl_multi_remove_handle(pool->multi, post->curl);
        curl_easy_cleanup(post->curl);
    }
    post->done(post->context, status, why);
    pthread_mutex_lock(&pool->mutex);
    pool->under_way_count--;
    post->host->under_way--;
    make_ready(pool, post->host);
    drop_host_if_idle(pool, post->host);
    pthread_mutex_unlock(&pool->mutex);
    post_free(post);
}

static void start(struct post_pool *pool, struct post *post)
{
    post->curl = curl_easy_init();
    if (!post->curl || !set_options(post) ||
        curl_multi_add_handle(pool->multi, post->curl) != CURLM_OK) {
        struct err why = { .kind = ERR_NONE };
        explain(post, CURLE_OUT_OF_MEMORY, &why);
        finish(post, 0, &why);
        return;
    }
    post->prev = NULL;
    post->next = pool->under_way;
    if (post->next)
        post->next->prev = post;
    pool->under_way = post;
}

static void unlink_under_way(struct post_pool *pool, struct post *post)
{
    if (post->next)
        post->next->prev = post->prev;
    if (post->prev)
        post->prev->next = post->next;
    else
        pool->under_way = post->next;
}

/* True when there was something, so that places are free. */
static bool reap(struct post_pool *pool)
{
    bool any = false;
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(pool->multi, &left));) {
        struct post *post = NULL;
        long status = 0;
        CURLcode code = message->data.result;
        struct err why = { .kind = ERR_NONE };
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&post);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        unlink_under_way(pool, post);
        /* An answer whose body is too long or never ends is an answer: its status came. */
        if (status < 200) {
            status = 0;
            explain(post, code, &why);
        }
        finish(post, (int)status, &why);
        any = true;
    }
    return any;
}

static void start_waiting(struct post_pool *pool)
{
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        struct post *post = take_next(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (!post)
            return;
        start(pool, post);
    }
}

static void give_up_all(struct post_pool *pool)
{
    struct err why = { .kind = ERR_NONE };
    err_set(&why, ERR_CANCELED, "The server is stopping.");
    while (pool->under_way) {
        struct post *post = pool->under_way;
        unlink_under_way(pool, post);
        finish(post, 0, &why);
    }
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        struct post *post = take_next(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (!post)
            return;
        finish(post, 0, &why);
    }
}

static void *run_pool(void *context)
{
    struct post_pool *pool = context;
    for (;;) {
        int running;
        pthread_mutex_lock(&pool->mutex);
        bool ending = pool->ending;
        pthread_mutex_unlock(&pool->mutex);
        if (ending)
            break;
        start_waiting(pool);
        curl_multi_perform(pool->multi, &running);
        if (!reap(pool))
            curl_multi_poll(pool->multi, NULL, 0, POST_POLL_MS, NULL);
    }
    give_up_all(pool);
    return NULL;
}

/* ---- The pool ----------------------------------------------------------------------------- */

static bool start_thread(struct post_pool *pool, struct err *err)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, POST_STACK_BYTES);
    int failed = pthread_create(&pool->thread, &attributes, run_pool, pool);
    pthread_attr_destroy(&attributes);
    return !failed || err_sys(err, ERR_INTERNAL, failed, "The server cannot start its senders.");
}

bool post_pool_new(const struct post_pool_options *options, struct post_pool **ret_pool,
                   struct err *err)
{
    fetch_curl_init();
    struct post_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return err_set(err, ERR_NO_MEMORY, "No memory for the server's senders.");
    pool->options = *options;
    if (pool->options.connections_max < 1)
        pool->options.connections_max = 1;
    if (pool->options.per_host_max < 1)
        pool->options.per_host_max = 1;
    pool->options.user_agent = NULL; /* copied */
    pool->rule = options->allow_private ? NULL : fetch_address_is_public;
    const char *agent = options->user_agent ? options->user_agent : "mimeo/" MIMEO_VERSION;
    str_copy(str_from(agent), pool->user_agent, sizeof pool->user_agent);
    pthread_mutex_init(&pool->mutex, NULL);
    pool->multi = curl_multi_init();
    bool ok = pool->multi || err_set(err, ERR_NO_MEMORY, "No memory for the server's senders.");
    if (ok) /* connections that are kept for the next request to the same host */
        curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)pool->options.connections_max);
    if (!ok || !start_thread(pool, err)) {
        curl_multi_cleanup(pool->multi);
        pthread_mutex_destroy(&pool->mutex);
        free(pool);
        return false;
    }
    *ret_pool = pool;
    return true;
}

void post_pool_free(struct post_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->ending = true;
    pthread_mutex_unlock(&pool->mutex);
    curl_multi_wakeup(pool->multi);
    pthread_join(pool->thread, NULL);
    curl_multi_cleanup(pool->multi);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

static bool add_header(struct post *post, const char *name, const char *value, struct err *err)
{
    struct buf line;
    bool ok = !strpbrk(name, "\r\n:") && !strpbrk(value, "\r\n");
    if (!ok)
        return err_set(err, ERR_INVALID, "The header '%.40s' is not valid.", name);
    buf_init(&line, POST_HEADER_BYTES_MAX);
    buf_printf(&line, value[0] ? "%s: %s" : "%s:%s", name, value);
    struct curl_slist *longer =
        line.failed ? NULL : curl_slist_append(post->headers, buf_str(&line).ptr);
    buf_done(&line);
    if (!longer)
        return err_set(err, ERR_NO_MEMORY, "No memory to post to the URL.");
    post->headers = longer;
    return true;
}

static struct post *post_new(struct post_pool *pool, const struct post_request *request,
                             struct fetch_target *ret_target, struct err *err)
{
    struct post *post = calloc(1, sizeof *post);
    bool ok = post && (post->url = curl_url());
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "No memory to post to the URL.");
    ok = ok && fetch_url_read(post->url, request->url, ret_target, err);
    /* libcurl would wait for "100 Continue" before a large body. */
    ok = ok && add_header(post, "Expect", "", err);
    for (int i = 0; ok && i < request->header_count; i++)
        ok = add_header(post, request->headers[i].name, request->headers[i].value, err);
    if (!ok) {
        post_free(post);
        return NULL;
    }
    post->pool = pool;
    post->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : POST_TIMEOUT_MS;
    post->done = request->done;
    post->context = request->context;
    return post;
}

bool post_submit(struct post_pool *pool, const struct post_request *request, struct err *err)
{
    struct fetch_target target;
    struct post *post = post_new(pool, request, &target, err);
    if (!post)
        return false;
    pthread_mutex_lock(&pool->mutex);
    bool room = pool->waiting < pool->options.waiting_max;
    post->host = room ? find_host(pool, target.host) : NULL;
    if (post->host) {
        post->body = request->body;
        post->body_len = request->body_len;
        if (post->host->last)
            post->host->last->next = post;
        else
            post->host->first = post;
        post->host->last = post;
        pool->waiting++;
        make_ready(pool, post->host);
    }
    pthread_mutex_unlock(&pool->mutex);
    if (!post->host) {
        post_free(post);
        return room ? err_set(err, ERR_NO_MEMORY, "No memory to post to the URL.")
                    : err_set(err, ERR_UNAVAILABLE, "Too many requests wait to be sent.");
    }
    curl_multi_wakeup(pool->multi);
    return true;
}
