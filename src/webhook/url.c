/* What may be a webhook's URL: its form alone. Which addresses may be called is judged when it is
 * called (http/post.h), for a name may by then lead elsewhere. */
#include "webhook/webhook_private.h"

#include <string.h>

#include "base/err.h"

#define URL_BYTES_MAX 4096 /* proxies and receivers take no longer ones */
#define HOST_BYTES_MAX 253 /* DNS */

/* Printable, no spaces, none of what parsers disagree about; bytes of UTF-8 may be in it. */
static bool characters_hold(struct str url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];

        if (c <= ' ' || c == 0x7f || strchr("\"<>\\^`{|}", c))
            return false;
    }
    return str_is_utf8(url);
}

/* "host", "host:80", "[::1]:80" */
static bool authority_holds(struct str authority)
{
    struct str host = authority, rest, port = { NULL, 0 };
    int64_t number;

    if (authority.len > 0 && authority.ptr[0] == '[') {
        if (!str_cut(authority, ']', &host, &rest) || host.len < 3 ||
            (rest.len > 0 && rest.ptr[0] != ':'))
            return false;
        port = str_skip(rest, 1);
    } else if (str_cut(authority, ':', &host, &rest)) {
        port = rest;
    }
    if (host.len == 0 || host.len > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.ptr[i] >= 0x80) /* an international name is written as xn--... */
            return false;
    return port.len == 0 || (port.len <= 5 && port.ptr[0] >= '0' && port.ptr[0] <= '9' &&
                             str_to_int64(port, &number) && number > 0 && number <= 65535);
}

bool url_authority(struct str url, struct str *ret_authority)
{
    struct str scheme, rest;

    if (!str_cut(url, ':', &scheme, &rest) ||
        (!str_equal_nocase(scheme, S("http")) && !str_equal_nocase(scheme, S("https"))) ||
        !str_starts(rest, S("//")))
        return false;
    rest = str_skip(rest, 2);
    size_t len = 0;
    while (len < rest.len && !strchr("/?#", rest.ptr[len]))
        len++;
    *ret_authority = (struct str){ rest.ptr, len };
    return true;
}

bool webhook_url_check(struct str url, struct err *err)
{
    struct str authority;

    if (url.len > URL_BYTES_MAX)
        return err_set(err, ERR_INVALID, "The webhook URL is longer than %d bytes.", URL_BYTES_MAX);
    if (!characters_hold(url) || !url_authority(url, &authority))
        return err_set(err, ERR_INVALID, "The webhook must be an http or https URL.");
    if (str_find(authority, S("@")) >= 0)
        return err_set(err, ERR_INVALID,
                       "The webhook URL must not hold a user name or a password.");
    if (!authority_holds(authority))
        return err_set(err, ERR_INVALID, "The webhook URL has no valid host.");
    return true;
}
