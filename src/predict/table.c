/* Chained hash table that doubles; see table.h. */
#include "predict/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 64

static size_t chain_of(const struct table *table, const char *id)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32) & (table->chain_count - 1);
}

void table_done(struct table *table)
{
    free(table->chains);
    *table = (struct table){ 0 };
}

static bool grow(struct table *table)
{
    struct table bigger = { .chain_count =
                                table->chain_count ? table->chain_count * 2 : CHAINS_MIN };
    bigger.chains = calloc(bigger.chain_count, sizeof *bigger.chains);
    if (!bigger.chains)
        return table->chain_count > 0; /* longer chains will do */
    bigger.count = table->count;
    for (size_t i = 0; i < table->chain_count; i++) {
        for (struct table_entry *entry = table->chains[i], *next; entry; entry = next) {
            struct table_entry **chain = &bigger.chains[chain_of(&bigger, entry->id)];
            next = entry->next;
            entry->next = *chain;
            *chain = entry;
        }
    }
    free(table->chains);
    *table = bigger;
    return true;
}

bool table_put(struct table *table, struct table_entry *entry)
{
    if (table->count >= table->chain_count && !grow(table))
        return false;
    struct table_entry **chain = &table->chains[chain_of(table, entry->id)];
    entry->next = *chain;
    *chain = entry;
    table->count++;
    return true;
}

struct table_entry *table_find(const struct table *table, const char *id)
{
    if (table->count == 0)
        return NULL;
    struct table_entry *entry = table->chains[chain_of(table, id)];
    while (entry && strcmp(entry->id, id) != 0)
        entry = entry->next;
    return entry;
}

struct table_entry *table_remove(struct table *table, const char *id)
{
    if (table->count == 0)
        return NULL;
    struct table_entry **at = &table->chains[chain_of(table, id)];
    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    struct table_entry *found = *at;
    if (found) {
        *at = found->next;
        table->count--;
    }
    return found;
}

struct table_entry *table_any(const struct table *table)
{
    for (size_t i = 0; table->count > 0 && i < table->chain_count; i++) {
        if (table->chains[i])
            return table->chains[i];
    }
    return NULL;
}

void table_each(const struct table *table,
                void (*each)(void *context, const struct table_entry *entry), void *context)
{
    for (size_t i = 0; table->count > 0 && i < table->chain_count; i++) {
        for (const struct table_entry *entry = table->chains[i]; entry; entry = entry->next)
            each(context, entry);
    }
}
