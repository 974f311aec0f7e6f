/* A table from short texts to structs: chains from a fixed number of buckets. */
#include "webhook/map.h"

#include <string.h>

#include "base/id.h"

void map_init(struct map *map)
{
    memset(map, 0, sizeof(*map));
    id_random_bytes(&map->seed, sizeof(map->seed));
}

/* FNV-1a from a secret start, and the high bits folded in. */
static size_t bucket_of(const struct map *map, struct str key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ map->seed;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * UINT64_C(0x100000001b3);
    return (size_t)((hash ^ hash >> 32) % MAP_BUCKETS);
}

struct map_entry *map_find(const struct map *map, struct str key)
{
    struct map_entry *entry = map->buckets[bucket_of(map, key)];

    while (entry && !str_equal(entry->key, key))
        entry = entry->next;
    return entry;
}

void map_add(struct map *map, struct map_entry *entry)
{
    struct map_entry **bucket = &map->buckets[bucket_of(map, entry->key)];

    entry->next = *bucket;
    *bucket = entry;
    map->count++;
}

void map_remove(struct map *map, struct map_entry *entry)
{
    struct map_entry **link = &map->buckets[bucket_of(map, entry->key)];

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    map->count--;
}

struct map_entry *map_any(const struct map *map)
{
    for (size_t i = 0; map->count > 0 && i < MAP_BUCKETS; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}
