#include "http/route_private.h"

#include "base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 32 /* deeper than any pattern; what is left belongs to the last segment */
#define TABLE_BYTES_MAX (1u << 20)

struct leaf {
    const struct http_route *route;
    struct leaf *next;
    int param_count;
    const char *param_names[ROUTE_PARAMS_MAX];
};

struct node {
    struct str literal; /* borrowed from the pattern; empty in the root and below {name} */
    struct node *next;  /* sibling */
    struct node *children;
    struct node *param;
    struct leaf *leaves; /* patterns that end here, one per method */
    struct leaf *rest;   /* patterns that take everything from here on */
};

struct route_table {
    struct arena arena;
    struct node *prefixed, *rooted; /* the second: HTTP_ROOT_ONLY routes */
    const char **prefixes;          /* longest first */
    int prefix_count;
};

/* ---- Text --------------------------------------------------------------------------------- */

/* The byte that the escape at text[at] stands for, or -1. */
static int escape_value(struct str text, size_t at)
{
    if (text.len - at < 3)
        return -1;
    int high = str_hex_value(text.ptr[at + 1]), low = str_hex_value(text.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool route_escapes_are_valid(struct str text)
{
    const char *hit;
    for (size_t at = 0; at < text.len && (hit = memchr(text.ptr + at, '%', text.len - at));) {
        at = (size_t)(hit - text.ptr);
        if (escape_value(text, at) <= 0)
            return false;
        at += 3;
    }
    return true;
}

char *route_percent_decode(struct arena *arena, struct str text, bool plus_is_space)
{
    char *copy = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    if (!copy)
        return NULL;
    for (size_t i = 0; i < text.len; i++) {
        int value = (unsigned char)text.ptr[i];
        if (value == '%') {
            value = escape_value(text, i);
            i += 2;
        } else if (value == '+' && plus_is_space) {
            value = ' ';
        }
        if (value <= 0)
            return NULL;
        copy[len++] = (char)value;
    }
    copy[len] = '\0';
    return copy;
}

/* ---- Building ----------------------------------------------------------------------------- */

static struct node *child_for(struct arena *arena, struct node *node, struct str segment)
{
    for (struct node *child = node->children; child; child = child->next)
        if (str_equal(child->literal, segment))
            return child;
    struct node *child = arena_alloc(arena, sizeof *child);
    if (!child)
        return NULL;
    child->literal = segment;
    child->next = node->children;
    node->children = child;
    return child;
}

/* Take one segment off the front of *path (which has no leading slash). */
static struct str next_segment(struct str *path)
{
    struct str head, tail;
    if (str_cut(*path, '/', &head, &tail)) {
        *path = tail;
        return head;
    }
    head = *path;
    *path = (struct str){ NULL, 0 };
    return head;
}

static bool add_leaf(struct leaf **list, struct leaf *leaf, struct err *err)
{
    for (struct leaf *other = *list; other; other = other->next)
        if (strcmp(other->route->method, leaf->route->method) == 0)
            return err_set(err, ERR_INVALID, "The route %s %s is declared twice.",
                           leaf->route->method, leaf->route->pattern);
    leaf->next = *list;
    *list = leaf;
    return true;
}

static bool add_route(struct route_table *table, const struct http_route *route, struct err *err)
{
    struct node *node = route->flags & HTTP_ROOT_ONLY ? table->rooted : table->prefixed;
    struct leaf *leaf = arena_alloc(&table->arena, sizeof *leaf);
    struct str path = str_from(route->pattern);
    if (!leaf)
        return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    if (!str_starts(path, S("/")))
        return err_set(err, ERR_INVALID, "The route %s does not start with a slash.",
                       route->pattern);
    leaf->route = route;
    path = str_skip(path, 1);
    while (path.len) {
        struct str segment = next_segment(&path);
        if (!str_starts(segment, S("{"))) {
            node = child_for(&table->arena, node, segment);
        } else {
            bool rest = str_ends(segment, S("...}"));
            size_t extra = rest ? 5 : 2;
            if (!str_ends(segment, S("}")) || segment.len <= extra || (rest && path.len) ||
                leaf->param_count == ROUTE_PARAMS_MAX)
                return err_set(err, ERR_INVALID, "The route %s is malformed.", route->pattern);
            struct str name = { segment.ptr + 1, segment.len - extra };
            leaf->param_names[leaf->param_count] = arena_strdup(&table->arena, name);
            if (!leaf->param_names[leaf->param_count++])
                return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
            if (rest)
                return add_leaf(&node->rest, leaf, err);
            if (!node->param)
                node->param = arena_alloc(&table->arena, sizeof *node);
            node = node->param;
        }
        if (!node)
            return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    }
    return add_leaf(&node->leaves, leaf, err);
}

static int longer_first(const void *a, const void *b)
{
    size_t a_len = strlen(*(const char *const *)a), b_len = strlen(*(const char *const *)b);
    return a_len < b_len ? 1 : a_len > b_len ? -1 : 0;
}

static bool add_prefixes(struct route_table *table, const char *const *prefixes, struct err *err)
{
    static const char *const none[] = { "", NULL };
    int count = 0;
    if (!prefixes || !prefixes[0])
        prefixes = none;
    while (prefixes[count])
        count++;
    table->prefixes = arena_alloc(&table->arena, (size_t)count * sizeof *table->prefixes);
    if (!table->prefixes)
        return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    for (int i = 0; i < count; i++) {
        struct str prefix = str_from(prefixes[i]);
        if (prefix.len && (!str_starts(prefix, S("/")) || str_ends(prefix, S("/"))))
            return err_set(err, ERR_INVALID,
                           "The prefix '%s' must start with a slash and not end "
                           "with one.",
                           prefixes[i]);
        table->prefixes[i] = arena_strdup(&table->arena, prefix);
        if (!table->prefixes[i])
            return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    }
    table->prefix_count = count;
    qsort(table->prefixes, (size_t)count, sizeof *table->prefixes, longer_first);
    return true;
}

bool route_table_new(const struct http_route *const *tables, const char *const *prefixes,
                     struct route_table **ret_table, struct err *err)
{
    struct route_table *table = calloc(1, sizeof *table);
    if (!table)
        return err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    arena_init(&table->arena, TABLE_BYTES_MAX);
    table->prefixed = arena_alloc(&table->arena, sizeof *table->prefixed);
    table->rooted = arena_alloc(&table->arena, sizeof *table->rooted);
    bool ok = table->prefixed && table->rooted;
    if (!ok)
        err_set(err, ERR_NO_MEMORY, "No memory for routes.");
    ok = ok && add_prefixes(table, prefixes, err);
    for (; ok && tables && *tables; tables++)
        for (const struct http_route *route = *tables; ok && route->method; route++)
            ok = add_route(table, route, err);
    if (!ok) {
        route_table_free(table);
        return false;
    }
    *ret_table = table;
    return true;
}

void route_table_free(struct route_table *table)
{
    if (!table)
        return;
    arena_done(&table->arena);
    free(table);
}

/* ---- Finding ------------------------------------------------------------------------------ */

/* One request being matched. A path has one way through each node at most, so the walk visits no
 * node twice and needs no other bound than the size of the tree. */
struct search {
    const char *method;
    const struct leaf *found;
    const struct str *segments;    /* decoded */
    struct str rest[SEGMENTS_MAX]; /* raw text from each segment on, for {rest...} */
    int count;
    int taken[ROUTE_PARAMS_MAX]; /* which segment each parameter is */
    int taken_count;
    bool found_rest;
    char *allow;
    size_t allow_len;
};

static void allow_add(struct search *search, const char *method)
{
    size_t len = strlen(method);
    for (struct str list = { search->allow, search->allow_len }, name; list.len;) {
        if (!str_cut(list, ',', &name, &list)) {
            name = list;
            list.len = 0;
        }
        if (str_equal(str_trim(name), (struct str){ method, len }))
            return;
    }
    if (search->allow_len + len + 3 > ROUTE_ALLOW_SIZE)
        return;
    if (search->allow_len) {
        memcpy(search->allow + search->allow_len, ", ", 2);
        search->allow_len += 2;
    }
    memcpy(search->allow + search->allow_len, method, len + 1);
    search->allow_len += len;
}

static bool pick_method(struct search *search, const struct leaf *list, bool rest)
{
    bool head = strcmp(search->method, "HEAD") == 0;
    const struct leaf *get = NULL;
    for (const struct leaf *leaf = list; leaf; leaf = leaf->next) {
        if (strcmp(leaf->route->method, search->method) == 0) {
            search->found = leaf;
            search->found_rest = rest;
            return true;
        }
        if (strcmp(leaf->route->method, "GET") == 0)
            get = leaf;
    }
    if (head && get) {
        search->found = get;
        search->found_rest = rest;
        return true;
    }
    for (const struct leaf *leaf = list; leaf; leaf = leaf->next) {
        allow_add(search, leaf->route->method);
        if (leaf == get)
            allow_add(search, "HEAD");
    }
    return false;
}

static bool walk(struct search *search, const struct node *node, int at)
{
    if (at == search->count) {
        if (pick_method(search, node->leaves, false))
            return true;
        /* "/ui/{rest...}" also means "/ui": the rest is empty. */
        return pick_method(search, node->rest, true);
    }
    for (const struct node *child = node->children; child; child = child->next)
        if (str_equal(child->literal, search->segments[at])) {
            if (walk(search, child, at + 1))
                return true;
            break;
        }
    if (node->param && search->segments[at].len && search->taken_count < ROUTE_PARAMS_MAX) {
        search->taken[search->taken_count++] = at;
        if (walk(search, node->param, at + 1))
            return true;
        search->taken_count--;
    }
    if (node->rest && pick_method(search, node->rest, true)) {
        search->taken[search->taken_count++] = at;
        return true;
    }
    return false;
}

/* Cut the path into decoded segments. -1: a bad path; -2: no memory. */
static int split(struct str path, struct arena *arena, struct str *segments, struct str *rest)
{
    int count = 0;
    if (!str_starts(path, S("/")))
        return 0;
    path = str_skip(path, 1);
    while (path.len && count < SEGMENTS_MAX) {
        rest[count] = path;
        struct str segment = count == SEGMENTS_MAX - 1 ? path : next_segment(&path);
        bool slash_at_end = !path.len && segment.len < rest[count].len;
        if (segment.len && memchr(segment.ptr, '%', segment.len)) {
            if (!route_escapes_are_valid(segment))
                return -1;
            char *decoded = route_percent_decode(arena, segment, false);
            if (!decoded)
                return -2;
            segment = str_from(decoded);
        }
        segments[count++] = segment;
        if (slash_at_end && count < SEGMENTS_MAX) {
            /* "/a/" has an empty last segment, unlike "/a". */
            rest[count] = (struct str){ "", 0 };
            segments[count++] = (struct str){ "", 0 };
        }
        if (count == SEGMENTS_MAX)
            break;
    }
    return count;
}

static bool has_dot_segment(const char *text)
{
    struct str left = str_from(text);
    while (left.len) {
        struct str segment = next_segment(&left);
        if (str_equal(segment, S("..")) || str_equal(segment, S(".")))
            return true;
    }
    return false;
}

static enum route_result fill_params(struct search *search, struct arena *arena,
                                     struct route_match *ret_match)
{
    const struct leaf *leaf = search->found;
    ret_match->route = leaf->route;
    ret_match->param_count = leaf->param_count;
    for (int i = 0; i < leaf->param_count; i++) {
        ret_match->param_names[i] = leaf->param_names[i];
        bool is_rest = search->found_rest && i == leaf->param_count - 1;
        char *value;
        if (is_rest && i >= search->taken_count)
            value = arena_strdup(arena, S(""));
        else if (is_rest)
            value = route_percent_decode(arena, search->rest[search->taken[i]], false);
        else
            value = arena_strdup(arena, search->segments[search->taken[i]]);
        if (!value)
            return is_rest ? ROUTE_BAD_PATH : ROUTE_NO_MEMORY;
        if (is_rest && has_dot_segment(value))
            return ROUTE_BAD_PATH;
        ret_match->param_values[i] = value;
    }
    return ROUTE_FOUND;
}

/* How many leading segments the prefix takes, or -1. */
static int prefix_len(const char *prefix, const struct str *segments, int count)
{
    struct str left = str_skip(str_from(prefix), 1);
    int used = 0;
    while (left.len) {
        struct str part = next_segment(&left);
        if (used == count || !str_equal(part, segments[used]))
            return -1;
        used++;
    }
    return used;
}

static bool search_from(struct search *search, const struct node *root, const struct str *segments,
                        const struct str *rest, int count)
{
    /* "/replicate/" is the prefix's own "/". */
    if (count == 1 && segments[0].len == 0)
        count = 0;
    search->segments = segments;
    search->count = count;
    search->taken_count = 0;
    memcpy(search->rest, rest, (size_t)count * sizeof *rest);
    return walk(search, root, 0);
}

enum route_result route_find(const struct route_table *table, const char *method, struct str path,
                             struct arena *arena, struct route_match *ret_match)
{
    struct str segments[SEGMENTS_MAX], rest[SEGMENTS_MAX];
    struct search search = { .method = method, .allow = ret_match->allow };
    ret_match->allow[0] = '\0';
    ret_match->prefix = "";
    int count = split(path, arena, segments, rest);
    if (count < 0)
        return count == -1 ? ROUTE_BAD_PATH : ROUTE_NO_MEMORY;
    if (search_from(&search, table->rooted, segments, rest, count))
        return fill_params(&search, arena, ret_match);
    for (int i = 0; i < table->prefix_count; i++) {
        int used = prefix_len(table->prefixes[i], segments, count);
        if (used < 0)
            continue;
        ret_match->prefix = table->prefixes[i];
        /* A base URL that already ends in /v1 in a client that adds its own gives /v1/v1/. */
        if (count - used > 2 && str_equal(segments[used], S("v1")) &&
            str_equal(segments[used + 1], S("v1")))
            used++;
        if (search_from(&search, table->prefixed, segments + used, rest + used, count - used))
            return fill_params(&search, arena, ret_match);
    }
    if (!search.allow_len) {
        ret_match->prefix = "";
        return ROUTE_NOT_FOUND;
    }
    allow_add(&search, "OPTIONS");
    return strcmp(method, "OPTIONS") == 0 ? ROUTE_OPTIONS : ROUTE_WRONG_METHOD;
}
