/* Digests, message codes and hexadecimal, over OpenSSL's libcrypto. Not here: base64. */
#ifndef MIMEO_BASE_HASH_H
#define MIMEO_BASE_HASH_H

#include "base/buf.h"

#define HASH_SHA256_BYTES 32
#define HASH_MD5_BYTES 16

void hash_sha256(struct str bytes, unsigned char ret_digest[HASH_SHA256_BYTES]);
void hash_hmac_sha256(struct str key, struct str bytes, unsigned char ret_code[HASH_SHA256_BYTES]);

/* SHA-256 and MD5 of a stream in one pass. hash_stream_new gives NULL when memory is short. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_update(struct hash_stream *stream, struct str bytes);
void hash_stream_finish(
    struct hash_stream *stream, unsigned char ret_sha256[HASH_SHA256_BYTES],
    unsigned char ret_md5[HASH_MD5_BYTES]); /* frees the stream; either may be NULL */

/* ret_text has room for 2 * len + 1. */
void hash_hex(const unsigned char *bytes, size_t len, char *ret_text);
bool hash_from_hex(struct str text, unsigned char *ret_bytes,
                   size_t len); /* exactly 2 * len digits */

#endif
