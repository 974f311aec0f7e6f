/* Fetching over libcurl. The address rule is enforced twice: every address that the host's name
 * resolves to is checked before a transfer, which gives a clear error, and the address that is
 * really connected to is checked in the socket callback, which nothing gets around.
 *
 * With a rule, proxies of the environment are ignored: behind a proxy the name would be resolved by
 * the proxy, out of our sight. Without one (allow_private) they count, as operators expect.
 *
 * The file: a transfer that fails removes the file if this call made it. A file that was there
 * before the call stays, with what arrived, so a caller that wants to resume later makes an empty
 * one first. Not here: which URLs (fetch_url.c) and addresses (fetch_address.c) are taken. */
#include "http/fetch_private.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FETCH_STALL_MS 30000
#define FETCH_ADDRESSES_MAX 16

enum fetch_end { END_NONE, END_TOO_LARGE, END_STALLED, END_CANCELED, END_DISK, END_BAD_RANGE };

/* One fetch, with all its redirects. */
struct fetch {
    const struct fetch_options *options;
    fetch_address_rule *rule;
    CURLU *url;
    struct fetch_target at, first; /* of the present and the first URL */
    int fd;
    int64_t offset;      /* where the next byte goes */
    int64_t deadline_us; /* monotonic; 0: none */
    int64_t stall_us;
    struct fetch_result result;
    /* One transfer */
    CURL *curl;
    struct curl_slist *headers, *pins;
    int64_t resumed_from; /* what was asked for with Range; 0: all */
    int64_t range_start;  /* from Content-Range; -1: none */
    int64_t range_total;  /* from Content-Range; -1: unknown */
    int64_t last_byte_us, seen_bytes;
    bool body_started, address_refused;
    enum fetch_end end;
    int sys; /* errno of END_DISK */
};

/* ---- URLs and addresses ------------------------------------------------------------------- */

static bool append_address(struct buf *pin, const struct addrinfo *found)
{
    char text[INET6_ADDRSTRLEN];
    bool v6 = found->ai_family == AF_INET6;
    const void *raw = v6 ? (const void *)&((struct sockaddr_in6 *)(void *)found->ai_addr)->sin6_addr
                         : (const void *)&((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr;
    return inet_ntop(found->ai_family, raw, text, sizeof text) &&
           buf_printf(pin, v6 ? "[%s]" : "%s", text);
}

/* Resolve the host, refuse it if any of its addresses is closed, and pin the transfer to them.
 * getaddrinfo blocks for as long as the system's resolver is set to try. */
static bool pin_host(struct fetch *fetch, struct err *err)
{
    if (!fetch->rule)
        return true;
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    struct str host = str_from(fetch->at.host);
    char name[256];
    if (str_starts(host, S("[")))
        host = (struct str){ host.ptr + 1, host.len - 2 };
    /* Always this machine, whatever a resolver would say (RFC 6761, 6.3). */
    if (str_equal_nocase(host, S("localhost")) ||
        (host.len > 10 && str_equal_nocase(str_skip(host, host.len - 10), S(".localhost"))))
        return err_set(err, ERR_FORBIDDEN, "The host '%.200s' is not on the public internet.",
                       fetch->at.host);
    if (!str_copy(host, name, sizeof name) || getaddrinfo(name, NULL, &hints, &found) != 0)
        return err_set(err, ERR_INVALID, "The host '%.200s' could not be found.", fetch->at.host);
    struct buf pin;
    buf_init(&pin, 4096);
    buf_printf(&pin, "%s:%s:", fetch->at.host, fetch->at.port);
    bool ok = true;
    int count = 0;
    for (struct addrinfo *each = found; each && ok; each = each->ai_next) {
        if (!fetch_address_allowed(fetch->rule, each->ai_addr))
            ok = err_set(err, ERR_FORBIDDEN, "The host '%.200s' is not on the public internet.",
                         fetch->at.host);
        else if (count++ < FETCH_ADDRESSES_MAX)
            ok = (count == 1 || buf_append_char(&pin, ',')) && append_address(&pin, each);
    }
    freeaddrinfo(found);
    /* An address stands for itself (and libcurl could not read "[::1]:80:..."). */
    if (ok && fetch->at.host[0] != '[') {
        fetch->pins = curl_slist_append(NULL, buf_str(&pin).ptr);
        ok = fetch->pins && !pin.failed;
        if (!ok)
            err_set(err, ERR_NO_MEMORY, "No memory to fetch the URL.");
    }
    buf_done(&pin);
    return ok;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = context;
    (void)purpose;
    if (!fetch_address_allowed(fetch->rule, &address->addr)) {
        fetch->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- One transfer ------------------------------------------------------------------------- */

static int stop(struct fetch *fetch, enum fetch_end end)
{
    if (fetch->end == END_NONE) {
        fetch->end = end;
        fetch->sys = end == END_DISK ? errno : 0;
    }
    return 1;
}

/* "bytes 100-199/200", "bytes 100-199/star", "bytes star/200" */
static void read_content_range(struct fetch *fetch, struct str value)
{
    struct str span, total, start, last;
    int64_t number;
    if (!str_starts(value, S("bytes ")) || !str_cut(str_skip(value, 6), '/', &span, &total))
        return;
    if (str_cut(span, '-', &start, &last) && str_to_int64(str_trim(start), &number) && number >= 0)
        fetch->range_start = number;
    if (str_to_int64(str_trim(total), &number) && number >= 0)
        fetch->range_total = number;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    struct str line = { bytes, size * count }, name, value;
    if (str_starts(line, S("HTTP/"))) { /* a new answer, after 100 Continue */
        fetch->range_start = fetch->range_total = -1;
        fetch->result.content_type[0] = '\0';
    } else if (str_cut(line, ':', &name, &value)) {
        value = str_trim(value);
        if (str_equal_nocase(name, S("Content-Range")))
            read_content_range(fetch, value);
        if (str_equal_nocase(name, S("Content-Type")))
            str_copy(value, fetch->result.content_type, sizeof fetch->result.content_type);
    }
    return size * count;
}

/* The first byte of a good answer: does it start where we asked, and how much will come? */
static bool start_body(struct fetch *fetch, long status)
{
    curl_off_t told = -1;
    fetch->body_started = true;
    if (status == 206 && fetch->resumed_from) {
        if (fetch->range_start != fetch->resumed_from)
            return !stop(fetch, END_BAD_RANGE);
    } else {
        fetch->offset = 0; /* the server sends all of it */
        if (ftruncate(fetch->fd, 0) != 0)
            return !stop(fetch, END_DISK);
    }
    curl_easy_getinfo(fetch->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &told);
    int64_t max = fetch->options->bytes_max;
    if (max && told > 0 && told > max - fetch->offset)
        return !stop(fetch, END_TOO_LARGE);
    fetch->range_total = told >= 0 ? fetch->offset + told : -1;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch *fetch = context;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299)
        return len; /* an error page or a redirect's text: not wanted */
    if (!fetch->body_started && !start_body(fetch, status))
        return 0;
    int64_t max = fetch->options->bytes_max;
    if (max && (int64_t)len > max - fetch->offset) {
        stop(fetch, END_TOO_LARGE);
        return 0;
    }
    for (size_t done = 0; done < len;) {
        ssize_t wrote = pwrite(fetch->fd, bytes + done, len - done, fetch->offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            stop(fetch, END_DISK);
            return 0;
        }
        done += (size_t)wrote;
        fetch->offset += wrote;
    }
    if (fetch->options->progress)
        fetch->options->progress(fetch->options->context, fetch->offset, fetch->range_total);
    return len;
}

/* Called by libcurl about once a second and whenever something moves. */
static int on_tick(void *context, curl_off_t total, curl_off_t now_bytes, curl_off_t up_total,
                   curl_off_t up_now)
{
    struct fetch *fetch = context;
    (void)total, (void)up_total, (void)up_now;
    if (fetch->options->canceled && atomic_load(fetch->options->canceled))
        return stop(fetch, END_CANCELED);
    int64_t now = clock_monotonic_us();
    if (now_bytes != fetch->seen_bytes) {
        fetch->seen_bytes = now_bytes;
        fetch->last_byte_us = now;
    }
    return now - fetch->last_byte_us > fetch->stall_us ? stop(fetch, END_STALLED) : 0;
}

static bool add_header(struct fetch *fetch, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line, 64u << 10);
    buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *longer =
        line.failed ? NULL : curl_slist_append(fetch->headers, buf_str(&line).ptr);
    if (longer)
        fetch->headers = longer;
    buf_done(&line);
    return longer != NULL;
}

static bool make_headers(struct fetch *fetch)
{
    const char *authorization = fetch->options->authorization;
    bool first = strcasecmp(fetch->at.host, fetch->first.host) == 0 &&
                 strcmp(fetch->at.port, fetch->first.port) == 0 &&
                 fetch->at.secure == fetch->first.secure;
    if (authorization && first && !add_header(fetch, "Authorization", authorization))
        return false;
    if (fetch->resumed_from) {
        char range[64];
        snprintf(range, sizeof range, "bytes=%lld-", (long long)fetch->resumed_from);
        return add_header(fetch, "Range", range);
    }
    return true;
}

static bool set_options(struct fetch *fetch)
{
    CURL *curl = fetch->curl;
    int64_t left_ms = 0;
    if (fetch->deadline_us) {
        left_ms = (fetch->deadline_us - clock_monotonic_us()) / 1000;
        left_ms = left_ms > 1 ? left_ms : 1;
    }
    bool ok = curl_easy_setopt(curl, CURLOPT_CURLU, fetch->url) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, fetch) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_RESOLVE, fetch->pins) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_tick) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch) == CURLE_OK &&
              curl_easy_setopt(curl, CURLOPT_USERAGENT, "mimeo/" MIMEO_VERSION) == CURLE_OK;
    if (fetch->rule)
        ok = ok && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(fetch->stall_us / 1000));
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 128L << 10);
    return ok;
}

static bool explain_end(const struct fetch *fetch, CURLcode code, struct err *err)
{
    switch (fetch->end) {
    case END_TOO_LARGE:
        return err_set(err, ERR_TOO_LARGE, "The file at the URL is larger than %lld bytes.",
                       (long long)fetch->options->bytes_max);
    case END_STALLED:
        return err_set(err, ERR_TIMEOUT, "The host '%.200s' stopped sending.", fetch->at.host);
    case END_CANCELED:
        return err_set(err, ERR_CANCELED, "Fetching the URL was canceled.");
    case END_DISK:
        return err_sys(err, ERR_UNAVAILABLE, fetch->sys, "The file could not be stored.");
    case END_BAD_RANGE:
    case END_NONE:
        break;
    }
    if (fetch->address_refused)
        return err_set(err, ERR_FORBIDDEN, "The host '%.200s' is not on the public internet.",
                       fetch->at.host);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "Fetching from '%.200s' took too long.", fetch->at.host);
    if (code == CURLE_PARTIAL_FILE)
        return err_set(err, ERR_UNAVAILABLE, "The host '%.200s' sent only a part of the file.",
                       fetch->at.host);
    if (code == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_NO_MEMORY, "No memory to fetch the URL.");
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, ERR_INVALID, "The certificate of '%.200s' is not valid.",
                       fetch->at.host);
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return err_set(err, ERR_INVALID, "The host '%.200s' could not be found.", fetch->at.host);
    err_set(err, ERR_UNAVAILABLE, "Fetching from '%.200s' failed.", fetch->at.host);
    return err_while(err, "libcurl said %d: %s", (int)code, curl_easy_strerror(code));
}

/* Fetch fetch->url. *ret_status is what the server said; a redirect's target is then the present
 * URL. False: err says why, except END_BAD_RANGE, which the caller handles. */
static bool transfer(struct fetch *fetch, long *ret_status, struct err *err)
{
    bool ok = false;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    fetch->end = END_NONE;
    fetch->body_started = fetch->address_refused = false;
    fetch->range_start = fetch->range_total = -1;
    fetch->seen_bytes = 0;
    fetch->last_byte_us = clock_monotonic_us();
    fetch->result.content_type[0] = '\0';
    if (!pin_host(fetch, err))
        goto done;
    fetch->curl = curl_easy_init();
    if (fetch->curl && make_headers(fetch) && set_options(fetch))
        code = curl_easy_perform(fetch->curl);
    if (code != CURLE_OK) {
        explain_end(fetch, code, err);
        goto done;
    }
    curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, ret_status);
    char *next = NULL;
    if (*ret_status >= 300 && *ret_status < 400)
        curl_easy_getinfo(fetch->curl, CURLINFO_REDIRECT_URL, &next);
    if (next && !fetch_url_read(fetch->url, next, &fetch->at, err)) {
        err_while(err, "following a redirect");
        goto done;
    }
    /* An empty file has no first byte. */
    ok = fetch->body_started || *ret_status < 200 || *ret_status > 299 ||
         start_body(fetch, *ret_status);
    if (!ok)
        explain_end(fetch, CURLE_OK, err);
done:
    curl_easy_cleanup(fetch->curl);
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->pins);
    fetch->curl = NULL;
    fetch->headers = fetch->pins = NULL;
    return ok;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static bool explain_status(const struct fetch *fetch, long status, struct err *err)
{
    enum err_kind kind = status == 404 || status == 410   ? ERR_NOT_FOUND
                         : status == 401 || status == 403 ? ERR_FORBIDDEN
                         : status >= 500 || status == 429 ? ERR_UNAVAILABLE
                                                          : ERR_INVALID;
    return err_set(err, kind, "The host '%.200s' answered %ld instead of the file.", fetch->at.host,
                   status);
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool run(struct fetch *fetch, struct err *err)
{
    for (int redirects = 0;;) {
        long status = 0;
        struct err why = { .kind = ERR_NONE };
        if (!transfer(fetch, &status, &why)) {
            if (fetch->end == END_BAD_RANGE) { /* a server that muddles ranges: take all of it */
                fetch->resumed_from = 0;
                continue;
            }
            if (err)
                *err = why;
            return false;
        }
        if (status >= 200 && status < 300)
            return true;
        if (status == 416 && fetch->resumed_from) {
            if (fetch->range_total == fetch->resumed_from)
                return true; /* there is nothing after what we have */
            fetch->resumed_from = 0;
            continue;
        }
        if (!is_redirect(status))
            return explain_status(fetch, status, err);
        if (redirects++ >= fetch->options->redirects_max)
            return err_set(err, ERR_INVALID, "The URL redirects too often.");
        if (fetch->deadline_us && clock_monotonic_us() > fetch->deadline_us)
            return err_set(err, ERR_TIMEOUT, "Fetching the URL took too long.");
    }
}

/* The last segment of the path, with only characters that are safe in any file name. */
static void name_file(struct fetch *fetch)
{
    char *path = NULL;
    char *name = fetch->result.file_name;
    size_t len = 0, size = sizeof fetch->result.file_name;
    name[0] = '\0';
    if (curl_url_get(fetch->url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
        return;
    const char *last = strrchr(path, '/');
    for (const char *c = last ? last + 1 : path; *c && len < size - 1; c++) {
        if (*c == '%' && c[1] && c[2]) {
            name[len++] = '_';
            c += 2;
        } else {
            bool dot_first = *c == '.' && len == 0;
            bool safe = *c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_.",
                                     *c);
            name[len++] = dot_first || !safe ? '_' : *c;
        }
    }
    name[len] = '\0';
    curl_free(path);
}

/* Open the file; *ret_made says that it was not there before. */
static bool open_file(struct fetch *fetch, const char *path, bool *ret_made, struct err *err)
{
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW;
    *ret_made = false;
    fetch->fd = open(path, flags);
    if (fetch->fd < 0 && errno == ENOENT) {
        *ret_made = true;
        fetch->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
    }
    struct stat now;
    if (fetch->fd < 0 || fstat(fetch->fd, &now) != 0)
        return err_sys(err, ERR_INTERNAL, errno, "The file could not be stored.");
    /* What is not there cannot be continued; what is past the offset is not to be kept. */
    fetch->offset = fetch->options->resume_from;
    if (now.st_size < fetch->offset)
        fetch->offset = 0;
    if (ftruncate(fetch->fd, fetch->offset) != 0)
        return err_sys(err, ERR_UNAVAILABLE, errno, "The file could not be stored.");
    fetch->resumed_from = fetch->offset;
    return true;
}

bool fetch_file_ruled(const char *url, const char *path, const struct fetch_options *options,
                      fetch_address_rule *rule, struct fetch_result *ret_result, struct err *err)
{
    fetch_curl_init();
    struct fetch fetch = { .options = options, .rule = rule, .fd = -1 };
    int stall_ms = options->stall_timeout_ms > 0 ? options->stall_timeout_ms : FETCH_STALL_MS;
    bool made = false;
    fetch.stall_us = stall_ms * (int64_t)1000;
    if (options->timeout_ms > 0)
        fetch.deadline_us = clock_monotonic_us() + options->timeout_ms * (int64_t)1000;
    fetch.url = curl_url();
    bool ok = fetch.url || err_set(err, ERR_NO_MEMORY, "No memory to fetch the URL.");
    ok = ok && fetch_url_read(fetch.url, url, &fetch.at, err);
    if (ok) {
        fetch.first = fetch.at;
        ok = open_file(&fetch, path, &made, err) && run(&fetch, err);
    }
    if (ok) {
        fetch.result.bytes = fetch.offset;
        name_file(&fetch);
    }
    curl_url_cleanup(fetch.url);
    if (fetch.fd >= 0 && close(fetch.fd) != 0 && ok)
        ok = err_sys(err, ERR_UNAVAILABLE, errno, "The file could not be stored.");
    if (ok)
        *ret_result = fetch.result;
    else if (made)
        unlink(path);
    return ok;
}

bool fetch_file(const char *url, const char *path, const struct fetch_options *options,
                struct fetch_result *ret_result, struct err *err)
{
    fetch_address_rule *rule = options->allow_private ? NULL : fetch_address_is_public;
    return fetch_file_ruled(url, path, options, rule, ret_result, err);
}
