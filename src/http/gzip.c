#include "http/gzip_private.h"

#include <stdlib.h>
#include <zlib.h>

#define GZIP_LEVEL 1          /* level 6 takes three times as long for some percent less */
#define GZIP_WINDOW (15 + 16) /* 32 KiB, with gzip's header */
#define GZIP_MEMORY_LEVEL 8
#define GZIP_BYTES_MAX (8u << 20) /* some 80 ms; what is larger is mostly data anyway */

/* "q=0.5" and the like, in thousandths; what is malformed counts as 0. */
static int read_weight(struct str text)
{
    int64_t whole, part = 0;
    struct str head, tail;
    bool dot = str_cut(text, '.', &head, &tail);
    if (!dot)
        head = text;
    if (!str_to_int64(head, &whole) || whole < 0 || whole > 1)
        return 0;
    if (dot && tail.len && (tail.len > 3 || !str_to_int64(tail, &part) || part < 0))
        return 0;
    for (size_t digits = dot ? tail.len : 3; dot && digits < 3; digits++)
        part *= 10;
    return whole == 1 ? 1000 : (int)part;
}

bool gzip_accepts(const char *accept_encoding, struct str coding)
{
    struct str list = str_from(accept_encoding), each, name, parameter;
    int named = -1, any = -1;
    while (list.len) {
        int weight = 1000;
        if (!str_cut(list, ',', &each, &list)) {
            each = list;
            list.len = 0;
        }
        if (str_cut(each, ';', &name, &parameter)) {
            parameter = str_trim(parameter);
            if (parameter.len > 2 && (parameter.ptr[0] | 0x20) == 'q' && parameter.ptr[1] == '=')
                weight = read_weight(str_trim(str_skip(parameter, 2)));
        } else {
            name = each;
        }
        name = str_trim(name);
        if (str_equal_nocase(name, coding) ||
            (str_equal(coding, S("gzip")) && str_equal_nocase(name, S("x-gzip"))))
            named = weight;
        else if (str_equal(name, S("*")))
            any = weight;
    }
    return (named >= 0 ? named : any) > 0;
}

bool gzip_is_accepted(const char *accept_encoding)
{
    return gzip_accepts(accept_encoding, S("gzip"));
}

bool gzip_suits_type(const char *content_type)
{
    struct str type = str_from(content_type), parameters;
    str_cut(type, ';', &type, &parameters);
    type = str_trim(type);
    if (str_equal_nocase(type, S("text/event-stream")))
        return false;
    return str_starts(type, S("text/")) || str_equal_nocase(type, S("application/json")) ||
           str_ends(type, S("+json"));
}

char *gzip_compress(struct str bytes, size_t *ret_len)
{
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)bytes.ptr, .avail_in = (uInt)bytes.len };
    if (bytes.len > GZIP_BYTES_MAX || bytes.len < 2)
        return NULL;
    char *out = malloc(bytes.len);
    if (!out)
        return NULL;
    if (deflateInit2(&stream, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        return NULL;
    }
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)(bytes.len - 1); /* one that does not get smaller does not fit */
    bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *ret_len = stream.total_out;
    deflateEnd(&stream);
    if (done)
        return out;
    free(out);
    return NULL;
}
