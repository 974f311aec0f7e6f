/* Which URLs are fetched from and posted to, and which addresses connected to: what fetch.c and
 * post.c have in common. Not here: which addresses are public (fetch_address.c). */
#include "http/fetch_private.h"

#include "base/err.h"
#include "base/str.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#define FETCH_URL_BYTES_MAX 8192

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void fetch_curl_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
}

static bool get_part(CURLU *url, CURLUPart part, char *ret_text, size_t size)
{
    char *text = NULL;
    ret_text[0] = '\0';
    if (curl_url_get(url, part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) !=
        CURLUE_OK)
        return false;
    bool ok = str_copy(str_from(text), ret_text, size);
    curl_free(text);
    return ok;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

bool fetch_url_read(CURLU *url, const char *text, struct fetch_target *ret_target, struct err *err)
{
    struct fetch_target target;
    char scheme[8];
    if (strlen(text) > FETCH_URL_BYTES_MAX)
        return err_set(err, ERR_INVALID, "The URL is too long.");
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        return err_set(err, ERR_INVALID, "The URL is malformed or neither http nor https.");
    get_part(url, CURLUPART_SCHEME, scheme, sizeof scheme);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return err_set(err, ERR_INVALID, "Only http and https URLs can be fetched.");
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        return err_set(err, ERR_INVALID, "The URL must not hold a user name or a password.");
    if (!get_part(url, CURLUPART_HOST, target.host, sizeof target.host) ||
        !get_part(url, CURLUPART_PORT, target.port, sizeof target.port))
        return err_set(err, ERR_INVALID, "The URL has no usable host.");
    for (const char *c = target.host; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[]:", *c))
            return err_set(err, ERR_INVALID, "The URL's host name is not valid.");
    target.secure = scheme[4] == 's';
    *ret_target = target;
    return true;
}

bool fetch_address_allowed(fetch_address_rule *rule, const struct sockaddr *address)
{
    if (!rule)
        return true;
    if (address->sa_family == AF_INET)
        return rule(
            (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr,
            4);
    if (address->sa_family == AF_INET6)
        return rule(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr, 16);
    return false;
}
