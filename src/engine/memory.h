/* Large memory: page mappings that ask for huge pages and go back to the system when freed.
 *
 * malloc would do, but a mapping of its own is returned at once on free (the weights of a network
 * are replaced, layer by layer, by packed ones) and huge pages are worth a third of the run time.
 * Not here: the arena (engine.c). */
#ifndef MIMEO_ENGINE_MEMORY_H
#define MIMEO_ENGINE_MEMORY_H

#include <stddef.h>

/* Zeroed, 64-byte aligned, or NULL. Memory is taken from the system only where it is touched. */
void *memory_new(size_t bytes);
void memory_free(void *memory, size_t bytes); /* bytes as given to memory_new; NULL is fine */

#endif
