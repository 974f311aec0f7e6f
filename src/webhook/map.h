/* A table from short texts to structs that begin with a map_entry. Private to webhook/. Not thread
 * safe; the caller locks. */
#ifndef MIMEO_WEBHOOK_MAP_H
#define MIMEO_WEBHOOK_MAP_H

#include "base/str.h"

#define MAP_BUCKETS 4096 /* some entries per bucket when all tables are full */

struct map_entry {
    struct map_entry *next;
    struct str key; /* borrowed; stays as long as the entry is in the table */
};

struct map {
    struct map_entry *buckets[MAP_BUCKETS];
    uint64_t seed; /* strangers choose keys: they must not know which share a bucket */
    int count;
};

void map_init(struct map *map);
struct map_entry *map_find(const struct map *map, struct str key); /* NULL: none */
void map_add(struct map *map, struct map_entry *entry);            /* its key is not there yet */
void map_remove(struct map *map, struct map_entry *entry);         /* is there */
struct map_entry *map_any(const struct map *map);                  /* NULL: empty. For the end */

#endif
