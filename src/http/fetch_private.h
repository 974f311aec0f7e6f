/* For tests: fetch_file with another rule of which addresses may be connected to, so that a test
 * on loopback can have "public" and "private" hosts. NULL: no rule (allow_private). */
#ifndef MIMEO_HTTP_FETCH_PRIVATE_H
#define MIMEO_HTTP_FETCH_PRIVATE_H

#include "http/fetch.h"

typedef bool fetch_address_rule(const unsigned char *address, int len);

bool fetch_file_ruled(const char *url, const char *path, const struct fetch_options *options,
                      fetch_address_rule *rule, struct fetch_result *ret_result, struct err *err);

#endif
