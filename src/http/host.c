#include "http/host_private.h"

#include "base/err.h"
#include "http/base_url_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* The name alone: no port, no brackets, and not the dot that may end it. */
static struct str name_of(struct str host)
{
    struct str name = host, rest;
    if (str_starts(host, S("["))) {
        str_cut(str_skip(host, 1), ']', &name, &rest);
        return name;
    }
    str_cut(host, ':', &name, &rest);
    if (name.len > 1 && str_ends(name, S(".")))
        name.len--;
    return name;
}

static bool is_address(struct str name)
{
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    return str_copy(name, text, sizeof text) &&
           (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1);
}

static bool is_localhost(struct str name)
{
    struct str end = S(".localhost");
    if (str_equal_nocase(name, S("localhost")))
        return true;
    return name.len > end.len &&
           str_equal_nocase((struct str){ name.ptr + name.len - end.len, end.len }, end);
}

static bool add_name(struct host_rules *rules, struct str host, struct err *err)
{
    if (rules->name_count == HOST_NAMES_MAX)
        return err_set(err, ERR_INVALID, "There may be at most %d host names.", HOST_NAMES_MAX);
    if (!base_url_host_is_valid(host))
        return err_set(err, ERR_INVALID, "'%.*s' is not a host name (mimeo.example).",
                       host.len > 80 ? 80 : (int)host.len, host.ptr ? host.ptr : "");
    rules->names[rules->name_count++] = name_of(host);
    return true;
}

bool host_rules_init(struct host_rules *rules, const char *list, const char *public_url,
                     struct err *err)
{
    struct str left = str_from(list), url = str_from(public_url), item, tail;
    struct host_rules made = { .any = false };
    while (left.len) {
        if (!str_cut(left, ',', &item, &tail)) {
            item = left;
            tail = (struct str){ NULL, 0 };
        }
        left = tail;
        item = str_trim(item);
        if (str_equal(item, S("*")))
            made.any = true;
        else if (item.len && !add_name(&made, item, err))
            return false;
    }
    if (url.len) {
        struct str host = str_skip(url, str_starts(url, S("https://")) ? 8 : 7), path;
        str_cut(host, '/', &host, &path);
        if (!add_name(&made, host, err))
            return false;
    }
    *rules = made;
    return true;
}

bool host_is_ours(const struct host_rules *rules, struct str host)
{
    if (rules->any)
        return true;
    if (!base_url_host_is_valid(host))
        return false;
    struct str name = name_of(host);
    if (is_localhost(name) || is_address(name))
        return true;
    for (int i = 0; i < rules->name_count; i++)
        if (str_equal_nocase(name, rules->names[i]))
            return true;
    return false;
}
