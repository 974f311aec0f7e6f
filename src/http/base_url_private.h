/* What the URLs in answers start with, and whose word about it counts. Pure; any thread.
 *
 * Everything a stranger can put into a URL (Host, X-Forwarded-*) is checked character by character
 * here, because it ends up in JSON bodies, headers and signed links. */
#ifndef MIMEO_HTTP_BASE_URL_PRIVATE_H
#define MIMEO_HTTP_BASE_URL_PRIVATE_H

#include "base/arena.h"
#include "base/str.h"

struct err;
struct sockaddr;

#define BASE_URL_NETS_MAX 32

struct base_url_net {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;                  /* of the 128 */
};

struct base_url_rules {
    struct base_url_net nets[BASE_URL_NETS_MAX]; /* trusted proxies */
    int net_count;
    const char *public_url; /* borrowed; NULL: from the request */
    bool tls;               /* this server's own scheme */
    char fallback[80];      /* host:port for a request without a usable Host */
};

struct base_url_request {
    const char *host, *forwarded_proto, *forwarded_host, *forwarded_prefix; /* headers or NULL */
    bool trusted;             /* do the forwarded_* count? */
    const char *route_prefix; /* "", "/replicate" */
};

/* ERR_INVALID: the list or the public URL is malformed. fallback is the caller's to fill. */
bool base_url_rules_init(struct base_url_rules *rules, const char *trusted_proxies,
                         const char *public_url, struct err *err);
bool base_url_trusts(const struct base_url_rules *rules, const struct sockaddr *client);

/* NULL when memory is short. */
const char *base_url_make(const struct base_url_rules *rules,
                          const struct base_url_request *request, struct arena *arena,
                          bool *ret_https);

/* A host name, IPv4 or bracketed IPv6 address, with or without a port, and nothing else? */
bool base_url_host_is_valid(struct str host);

#endif
