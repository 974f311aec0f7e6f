/* Borrowed strings: a pointer and a length, to read. Writing is base/buf.h.
 * Every parser of hostile bytes takes a struct str, so that each can be fuzzed. */
#ifndef MIMEO_BASE_STR_H
#define MIMEO_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr; /* not 0-terminated; may be NULL when len is 0 */
    size_t len;
};

#define S(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_FMT(s) (int)(s).len, (s).ptr ? (s).ptr : "" /* for printf "%.*s" */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct str str_from(const char *c_string); /* NULL gives the empty string */
bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b); /* ASCII only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_skip(struct str s, size_t n);         /* s without its first n bytes */
struct str str_trim(struct str s);                   /* without ASCII white space at both ends */
ptrdiff_t str_find(struct str s, struct str needle); /* offset, or -1 */

/* Cut s at the first `separator`: *ret_head is what stands before it, *ret_tail what stands after.
 * Returns false (and sets nothing) when there is none. */
bool str_cut(struct str s, char separator, struct str *ret_head, struct str *ret_tail);

/* Copy into a fixed array, 0-terminated. False when it does not fit (then the array is ""). */
bool str_copy(struct str s, char *array, size_t size);

/* The whole of s as a decimal integer. False on anything else or out of range. */
bool str_to_int64(struct str s, int64_t *ret_value);

/* What a hexadecimal digit (either case) stands for, or -1. */
int str_hex_value(char c);

/* Compare n bytes in time that depends only on n. For secrets. */
bool str_equal_constant_time(struct str a, struct str b);

/* Is s well-formed UTF-8 (no surrogates, no overlong forms)? */
bool str_is_utf8(struct str s);

#endif
