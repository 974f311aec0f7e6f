/* Compressing answers, where the client asks for it and it is worth it. Pure; any thread. */
#ifndef MIMEO_HTTP_GZIP_PRIVATE_H
#define MIMEO_HTTP_GZIP_PRIVATE_H

#include "base/str.h"

/* Does this Accept-Encoding allow a coding, in lower case (RFC 9110, 12.5.3)? NULL: no. */
bool gzip_accepts(const char *accept_encoding, struct str coding);
bool gzip_is_accepted(const char *accept_encoding); /* gzip */

/* JSON and text; not event streams, whose pieces are to arrive one by one. */
bool gzip_suits_type(const char *content_type);

/* The gzip form in heap memory; NULL when it is not smaller or there is no memory. */
char *gzip_compress(struct str bytes, size_t *ret_len);

#endif
