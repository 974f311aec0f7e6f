/* The route table: which handler a method and a path mean. Built once, then read by any thread.
 *
 * A tree of path segments. At each step a literal is tried before a {name}, and a {name} before a
 * {rest...}, so the most specific pattern wins whatever the order of the tables. Paths are hostile:
 * they are percent-decoded here, once, segment by segment, so an encoded slash never makes a
 * segment of its own. Not here: what is answered when nothing matches (call.c). */
#ifndef MIMEO_HTTP_ROUTE_PRIVATE_H
#define MIMEO_HTTP_ROUTE_PRIVATE_H

#include "http/server.h"

#define ROUTE_PARAMS_MAX 8
#define ROUTE_ALLOW_SIZE 128

struct route_table;

enum route_result {
    ROUTE_FOUND,
    ROUTE_NOT_FOUND,
    ROUTE_WRONG_METHOD, /* allow says which there are */
    ROUTE_OPTIONS,      /* OPTIONS that no route handles itself; allow is set */
    ROUTE_BAD_PATH,     /* a bad escape, a NUL, or ".." where a file name may be made of it */
    ROUTE_NO_MEMORY,
};

struct route_match {
    const struct http_route *route;
    const char *prefix; /* the prefix the path came by, "" when none; lives as long as the table */
    int param_count;
    const char *param_names[ROUTE_PARAMS_MAX];  /* live as long as the table */
    const char *param_values[ROUTE_PARAMS_MAX]; /* live as long as the arena */
    char allow[ROUTE_ALLOW_SIZE];
};

/* ERR_INVALID: a pattern is malformed or declared twice. Free with route_table_free. */
bool route_table_new(const struct http_route *const *tables, const char *const *prefixes,
                     struct route_table **ret_table, struct err *err);
void route_table_free(struct route_table *table);

/* path: as sent, without query. HEAD finds GET routes. Pure. */
enum route_result route_find(const struct route_table *table, const char *method, struct str path,
                             struct arena *arena, struct route_match *ret_match);

/* Percent-decode into the arena, 0-terminated ('+' is a space when plus_is_space). NULL: a bad
 * escape, a NUL, or no memory. */
char *route_percent_decode(struct arena *arena, struct str text, bool plus_is_space);

/* Is every % followed by two hexadecimal digits that are not 00? */
bool route_escapes_are_valid(struct str text);

#endif
