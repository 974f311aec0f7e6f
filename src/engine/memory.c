#include "engine/memory.h"

#include <sys/mman.h>

#define MEMORY_HUGE_BYTES                                                                          \
    ((size_t)2 << 20) /* of a huge page on x86; below it none is asked for                         \
                       */

void *memory_new(size_t bytes)
{
    if (bytes == 0)
        bytes = 1;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (bytes >= MEMORY_HUGE_BYTES)
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: kernels without it say EINVAL */
    return memory;
}

void memory_free(void *memory, size_t bytes)
{
    if (memory)
        (void)munmap(memory, bytes ? bytes : 1);
}
