/* Digests over OpenSSL, and hexadecimal. Not here: what is signed or why; base64 (base64.c). */
#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL looks an algorithm up by name for every digest unless it is given one it has found. */
static EVP_MD *found_sha256;

static void find_sha256(void)
{
    found_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void hash_sha256(struct str bytes, unsigned char ret_digest[HASH_SHA256_BYTES])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_sha256);
    if (!EVP_Digest(bytes.len ? bytes.ptr : "", bytes.len, ret_digest, NULL,
                    found_sha256 ? found_sha256 : EVP_sha256(), NULL))
        abort(); /* only without memory; a wrong digest must not let anyone in */
}

void hash_hmac_sha256(struct str key, struct str bytes, unsigned char ret_code[HASH_SHA256_BYTES])
{
    unsigned len = 0;
    if (!HMAC(EVP_sha256(), key.len ? key.ptr : "", (int)key.len,
              (const unsigned char *)(bytes.len ? bytes.ptr : ""), bytes.len, ret_code, &len))
        abort(); /* only without memory; an unsigned link or webhook must not get out */
}

struct hash_stream {
    EVP_MD_CTX *sha256;
    EVP_MD_CTX *md5; /* NULL where policy forbids MD5 (FIPS): its digest is then all zeros */
};

struct hash_stream *hash_stream_new(void)
{
    struct hash_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->sha256 = EVP_MD_CTX_new();
    stream->md5 = EVP_MD_CTX_new();
    if (!stream->sha256 || !stream->md5 || !EVP_DigestInit_ex(stream->sha256, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(stream->sha256);
        EVP_MD_CTX_free(stream->md5);
        free(stream);
        return NULL;
    }
    if (!EVP_DigestInit_ex(stream->md5, EVP_md5(), NULL)) {
        EVP_MD_CTX_free(stream->md5);
        stream->md5 = NULL;
    }
    return stream;
}

void hash_stream_update(struct hash_stream *stream, struct str bytes)
{
    if (!bytes.len)
        return;
    EVP_DigestUpdate(stream->sha256, bytes.ptr, bytes.len);
    if (stream->md5)
        EVP_DigestUpdate(stream->md5, bytes.ptr, bytes.len);
}

void hash_stream_finish(struct hash_stream *stream, unsigned char ret_sha256[HASH_SHA256_BYTES],
                        unsigned char ret_md5[HASH_MD5_BYTES])
{
    if (!stream)
        return;
    if (ret_md5)
        memset(ret_md5, 0, HASH_MD5_BYTES);
    if (ret_sha256)
        EVP_DigestFinal_ex(stream->sha256, ret_sha256, NULL);
    if (ret_md5 && stream->md5)
        EVP_DigestFinal_ex(stream->md5, ret_md5, NULL);
    EVP_MD_CTX_free(stream->sha256);
    EVP_MD_CTX_free(stream->md5);
    free(stream);
}

void hash_hex(const unsigned char *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

bool hash_from_hex(struct str text, unsigned char *ret_bytes, size_t len)
{
    if (text.len % 2 || text.len / 2 != len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (str_hex_value(text.ptr[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < len; i++)
        ret_bytes[i] = (unsigned char)(str_hex_value(text.ptr[2 * i]) << 4 |
                                       str_hex_value(text.ptr[2 * i + 1]));
    return true;
}
