/* By which names a server on loopback may be called. Pure; any thread.
 *
 * Any web page can have its own host name resolve to 127.0.0.1 and then talk to what listens there
 * as if it were the page's own server (DNS rebinding). Its requests have that name as their Host:
 * names that no stranger can own are let pass, and those the operator has named. An address cannot
 * be rebound. Not here: when to ask (call.c). */
#ifndef MIMEO_HTTP_HOST_PRIVATE_H
#define MIMEO_HTTP_HOST_PRIVATE_H

#include "base/str.h"

struct err;

#define HOST_NAMES_MAX 32

struct host_rules {
    struct str names[HOST_NAMES_MAX]; /* borrowed from the options; without a port */
    int name_count;
    bool any;
};

/* list: names, separated by commas; "*": any; NULL: none. public_url: its host counts, too; valid
 * or NULL. ERR_INVALID: something in the list is no host name. */
bool host_rules_init(struct host_rules *rules, const char *list, const char *public_url,
                     struct err *err);

/* host: a Host header, with or without a port. */
bool host_is_ours(const struct host_rules *rules, struct str host);

#endif
