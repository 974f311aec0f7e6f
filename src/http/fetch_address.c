/* Which addresses are public: the tables of special-purpose addresses (RFC 6890 and its registry)
 * and the forms in which an IPv6 address carries an IPv4 one. */
#include "http/fetch.h"

#include <string.h>

struct net {
    unsigned char address[16];
    int bits;
};

static const struct net closed_v4[] = {
    { { 0 }, 8 },             /* "this network" */
    { { 10 }, 8 },            /* private */
    { { 100, 64 }, 10 },      /* carrier-grade NAT; clouds put metadata there too */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link-local, with the clouds' metadata at 169.254.169.254 */
    { { 172, 16 }, 12 },      /* private */
    { { 192, 0, 0 }, 24 },    /* protocol assignments */
    { { 192, 0, 2 }, 24 },    /* documentation */
    { { 192, 31, 196 }, 24 }, /* AS112 */
    { { 192, 52, 193 }, 24 }, /* AMT */
    { { 192, 88, 99 }, 24 },  /* 6to4 relays, withdrawn */
    { { 192, 168 }, 16 },     /* private */
    { { 192, 175, 48 }, 24 }, /* AS112 */
    { { 198, 18 }, 15 },      /* benchmarks */
    { { 198, 51, 100 }, 24 }, /* documentation */
    { { 203, 0, 113 }, 24 },  /* documentation */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, and broadcast */
};

/* Only 2000::/3 is global unicast; these are its exceptions. 64:ff9b::/96 is handled apart. */
static const struct net closed_v6[] = {
    { { 0x20, 0x01, 0x00 }, 23 },             /* protocol assignments: Teredo, ORCHID, ... */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },       /* documentation */
    { { 0x26, 0x20, 0x00, 0x4f, 0x80 }, 48 }, /* AS112 */
    { { 0x3f, 0xff, 0x00 }, 20 },             /* documentation */
    { { 0x3f, 0xfe }, 16 },                   /* 6bone, withdrawn */
};

static bool in_net(const struct net *net, const unsigned char *address)
{
    int whole = net->bits / 8, left = net->bits % 8;
    if (memcmp(net->address, address, (size_t)whole) != 0)
        return false;
    return left == 0 || (net->address[whole] ^ address[whole]) >> (8 - left) == 0;
}

static bool v4_is_public(const unsigned char *address)
{
    for (size_t i = 0; i < sizeof closed_v4 / sizeof *closed_v4; i++)
        if (in_net(&closed_v4[i], address))
            return false;
    return true;
}

static bool v6_is_public(const unsigned char *address)
{
    static const unsigned char zeros[12] = { 0 };
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };
    /* Mapped, NAT64 and 6to4 addresses end up at the IPv4 address inside them. */
    if (memcmp(address, mapped, 12) == 0 || memcmp(address, nat64, 12) == 0)
        return v4_is_public(address + 12);
    if (address[0] == 0x20 && address[1] == 0x02)
        return v4_is_public(address + 2);
    /* IPv4-compatible ::a.b.c.d, with :: and ::1, is no longer used by anyone honest. */
    if (memcmp(address, zeros, 12) == 0 || (address[0] & 0xe0) != 0x20)
        return false;
    /* ISATAP (::0:5efe:a.b.c.d, ::200:5efe:...) carries IPv4 in its lower half. */
    if ((address[8] & 0xfc) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe &&
        !v4_is_public(address + 12))
        return false;
    for (size_t i = 0; i < sizeof closed_v6 / sizeof *closed_v6; i++)
        if (in_net(&closed_v6[i], address))
            return false;
    return true;
}

bool fetch_address_is_public(const unsigned char *address, int len)
{
    if (len == 4)
        return v4_is_public(address);
    return len == 16 && v6_is_public(address);
}
