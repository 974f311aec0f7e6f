/* Names of machines (SKUs): what this machine has, and which names are taken. Private to api/. */
#ifndef MIMEO_API_HARDWARE_H
#define MIMEO_API_HARDWARE_H

#include "base/buf.h"

/* A JSON array of every SKU that models and deployments may name: those of the public API, which
 * all mean this machine. For schemas: string literals join. */
#define HARDWARE_SKUS                                                                              \
    "[\"cpu\",\"cpu-small\",\"gpu\",\"gpu-t4\",\"gpu-a40-small\",\"gpu-a40-large\","               \
    "\"gpu-a40-large-2x\",\"gpu-a40-large-4x\",\"gpu-a40-large-8x\",\"gpu-l40s\","                 \
    "\"gpu-l40s-2x\",\"gpu-a100-large\",\"gpu-a100-large-2x\",\"gpu-a100-large-4x\","              \
    "\"gpu-a100-large-8x\",\"gpu-h100\",\"gpu-h100-2x\",\"gpu-h100-4x\",\"gpu-h100-8x\","          \
    "\"gpu-h200\",\"gpu-h200-2x\",\"gpu-h200-4x\",\"gpu-h200-8x\"]"

/* Append [{"sku":...,"name":...}]: the processor, and each kind of GPU that the machine has. Reads
 * small files of /proc. */
void hardware_list(struct buf *out);

#endif
