/* What fetch.c and post.c share, and for tests: fetch_file with another rule of which addresses may
 * be connected to, so that a test on loopback can have "public" and "private" hosts. NULL: no rule
 * (allow_private). */
#ifndef MIMEO_HTTP_FETCH_PRIVATE_H
#define MIMEO_HTTP_FETCH_PRIVATE_H

#include "http/fetch.h"

#include <curl/curl.h>
#include <sys/socket.h>

typedef bool fetch_address_rule(const unsigned char *address, int len);

bool fetch_file_ruled(const char *url, const char *path, const struct fetch_options *options,
                      fetch_address_rule *rule, struct fetch_result *ret_result, struct err *err);

struct fetch_target {
    char host[256], port[8]; /* an IPv6 address in brackets */
    bool secure;
};

/* Take the URL (absolute, or relative to the present one) into `url`. libcurl's own parser, so that
 * what is checked is what is fetched. ERR_INVALID: not one to fetch from. Pure. */
bool fetch_url_read(CURLU *url, const char *text, struct fetch_target *ret_target, struct err *err);

/* May the address be connected to? Without a rule: any. Pure. */
bool fetch_address_allowed(fetch_address_rule *rule, const struct sockaddr *address);

void fetch_curl_init(void); /* before any use of libcurl; again is fine; any thread */

#endif
