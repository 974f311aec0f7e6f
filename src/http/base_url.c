#include "http/base_url_private.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static const unsigned char v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* ---- Trusted proxies ---------------------------------------------------------------------- */

static bool parse_net(struct str text, struct base_url_net *ret_net)
{
    struct str host = text, bits_text = { NULL, 0 };
    char copy[INET6_ADDRSTRLEN];
    int64_t bits = -1;
    if (str_cut(text, '/', &host, &bits_text) && (!str_to_int64(bits_text, &bits) || bits < 0))
        return false;
    if (!str_copy(host, copy, sizeof copy))
        return false;
    if (inet_pton(AF_INET, copy, ret_net->address + 12) == 1) {
        memcpy(ret_net->address, v4_mapped, sizeof v4_mapped);
        ret_net->bits = bits < 0 ? 128 : (int)bits + 96;
        return bits <= 32;
    }
    if (inet_pton(AF_INET6, copy, ret_net->address) != 1)
        return false;
    ret_net->bits = bits < 0 ? 128 : (int)bits;
    return bits <= 128;
}

static bool parse_nets(struct base_url_rules *rules, const char *list, struct err *err)
{
    struct str left = str_from(list);
    while (left.len) {
        struct str item, tail;
        if (!str_cut(left, ',', &item, &tail)) {
            item = left;
            tail = (struct str){ NULL, 0 };
        }
        left = tail;
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (rules->net_count == BASE_URL_NETS_MAX)
            return err_set(err, ERR_INVALID, "There may be at most %d trusted proxies.",
                           BASE_URL_NETS_MAX);
        if (!parse_net(item, &rules->nets[rules->net_count]))
            return err_set(err, ERR_INVALID, "'%.*s' is not an address or a network (10.0.0.0/8).",
                           STR_FMT(item));
        rules->net_count++;
    }
    return true;
}

static bool in_net(const struct base_url_net *net, const unsigned char address[16])
{
    int whole = net->bits / 8, left = net->bits % 8;
    if (memcmp(net->address, address, (size_t)whole) != 0)
        return false;
    unsigned mask = left ? 0xffu << (8 - left) & 0xffu : 0;
    return left == 0 || ((unsigned)(net->address[whole] ^ address[whole]) & mask) == 0;
}

bool base_url_trusts(const struct base_url_rules *rules, const struct sockaddr *client)
{
    unsigned char address[16];
    if (rules->net_count == 0 || !client)
        return false;
    if (client->sa_family == AF_INET) {
        memcpy(address, v4_mapped, sizeof v4_mapped);
        memcpy(address + 12, &((const struct sockaddr_in *)(const void *)client)->sin_addr, 4);
    } else if (client->sa_family == AF_INET6) {
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr, 16);
    } else {
        return false;
    }
    for (int i = 0; i < rules->net_count; i++)
        if (in_net(&rules->nets[i], address))
            return true;
    return false;
}

/* ---- Checking what strangers send --------------------------------------------------------- */

static bool only_of(struct str text, const char *punctuation)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(punctuation, c)))
            return false;
    }
    return true;
}

bool base_url_host_is_valid(struct str host)
{
    struct str name = host, port = { "0", 1 };
    int64_t number;
    if (str_starts(host, S("["))) {
        if (!str_cut(str_skip(host, 1), ']', &name, &port) || !only_of(name, ":.") || !name.len)
            return false;
        if (port.len == 0)
            return true;
        if (!str_starts(port, S(":")))
            return false;
        port = str_skip(port, 1);
    } else {
        str_cut(host, ':', &name, &port);
        if (name.len == 0 || name.len > 253 || !only_of(name, "-._"))
            return false;
    }
    return port.len <= 5 && only_of(port, "") && str_to_int64(port, &number) && number <= 65535;
}

static bool prefix_is_valid(struct str prefix)
{
    return prefix.len > 1 && prefix.len < 200 && str_starts(prefix, S("/")) &&
           only_of(prefix, "-._~/") && str_find(prefix, S("//")) < 0 &&
           str_find(prefix, S("..")) < 0;
}

/* Proxies append: the last value is the one the trusted proxy itself wrote. */
static struct str last_value(const char *header)
{
    struct str left = str_from(header), head, tail;
    while (str_cut(left, ',', &head, &tail))
        left = tail;
    return str_trim(left);
}

/* ---- The base URL ------------------------------------------------------------------------- */

bool base_url_rules_init(struct base_url_rules *rules, const char *trusted_proxies,
                         const char *public_url, struct err *err)
{
    struct base_url_rules made = { .public_url = public_url };
    if (!parse_nets(&made, trusted_proxies, err))
        return false;
    if (public_url) {
        struct str url = str_from(public_url);
        bool http = str_starts(url, S("http://")), https = str_starts(url, S("https://"));
        struct str rest = str_skip(url, https ? 8 : 7), host = rest, path = { "", 0 };
        str_cut(rest, '/', &host, &path);
        if (!(http || https) || !base_url_host_is_valid(host) || !only_of(path, "-._~/"))
            return err_set(err, ERR_INVALID,
                           "The public URL '%s' must be http:// or https:// and a host.",
                           public_url);
    }
    *rules = made;
    return true;
}

const char *base_url_make(const struct base_url_rules *rules,
                          const struct base_url_request *request, struct arena *arena,
                          bool *ret_https)
{
    if (rules->public_url) {
        struct str url = str_from(rules->public_url);
        while (str_ends(url, S("/")))
            url.len--;
        *ret_https = str_starts(url, S("https:"));
        return arena_printf(arena, "%.*s%s", STR_FMT(url), request->route_prefix);
    }
    bool https = rules->tls;
    struct str host = str_from(request->host), prefix = { "", 0 };
    if (request->trusted) {
        struct str proto = last_value(request->forwarded_proto);
        struct str forwarded = last_value(request->forwarded_host);
        struct str path = last_value(request->forwarded_prefix);
        if (str_equal_nocase(proto, S("https")) || str_equal_nocase(proto, S("http")))
            https = proto.len == 5;
        if (base_url_host_is_valid(forwarded))
            host = forwarded;
        while (str_ends(path, S("/")))
            path.len--;
        if (prefix_is_valid(path))
            prefix = path;
    }
    if (!base_url_host_is_valid(host))
        host = str_from(rules->fallback);
    const char *url = arena_printf(arena, "%s://%.*s%.*s%s", https ? "https" : "http",
                                   STR_FMT(host), STR_FMT(prefix), request->route_prefix);
    if (url)
        *ret_https = https;
    return url;
}
