/* Fetching URLs over libcurl, with limits, and never from private addresses unless allowed:
 * the host is resolved once, every address it has is checked, the connection is pinned to a
 * checked one, and all this again at each redirect (redirects are followed by us, not by curl).
 * Only http and https. Blocking; any thread. */
#ifndef MIMEO_HTTP_FETCH_H
#define MIMEO_HTTP_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct fetch_options {
    int64_t
        bytes_max; /* ERR_TOO_LARGE beyond; by Content-Length when told, else as it comes; 0: any */
    int timeout_ms;       /* whole transfer; 0: none (then stall_timeout_ms bounds it) */
    int stall_timeout_ms; /* no byte for that long; 0: 30 s */
    int redirects_max;
    bool allow_private;        /* also loopback, private, link-local, metadata addresses */
    const char *authorization; /* header value sent to the first host only; NULL: none */
    int64_t resume_from;       /* append to path from this offset (Range); restarts when refused */
    void (*progress)(void *context, int64_t done,
                     int64_t total); /* total -1: unknown; may be NULL */
    void *context;
    const atomic_bool *canceled; /* may be NULL; ERR_CANCELED soon after it turns true */
};

struct fetch_result {
    int64_t bytes;          /* now in the file */
    char content_type[128]; /* "" when not told */
    char file_name[128];    /* last path segment of the final URL, cleaned; "" when none */
};

/* Get url into the file at `path` (made or, with resume_from, continued). A failure removes a file
 * that this call made; one that was there before stays, with what arrived (so make an empty one
 * first to be able to resume). The error's detail is one sentence a client may see and never holds
 * an address the name resolved to. Proxies of the environment count only with allow_private.
 * ERR_FORBIDDEN: not a public address, or 401/403; ERR_NOT_FOUND: 404; ERR_TOO_LARGE; ERR_TIMEOUT;
 * ERR_CANCELED; ERR_UNAVAILABLE: may work later; ERR_INVALID: it will not. */
bool fetch_file(const char *url, const char *path, const struct fetch_options *options,
                struct fetch_result *ret_result, struct err *err);

/* May this address be fetched from without allow_private? 4 bytes (IPv4) or 16 (IPv6, with mapped,
 * NAT64 and 6to4 forms seen through). Pure; for tests. */
bool fetch_address_is_public(const unsigned char *address, int len);

#endif
