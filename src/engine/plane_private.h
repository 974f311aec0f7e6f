/* What the files of the plane operators share. Private to engine/plane*.c and engine/sample.c. */
#ifndef MIMEO_ENGINE_PLANE_PRIVATE_H
#define MIMEO_ENGINE_PLANE_PRIVATE_H

#include "base/err.h"
#include "engine/engine_private.h"
#include "engine/parallel.h"
#include "engine/plane.h"

#include <stdint.h>
#include <string.h>

/* ERR_INVALID that names both shapes, unless `fits`. */
bool plane_fits(bool fits, const char *what, const struct tensor *src, const struct tensor *dst,
                struct err *err);

static inline bool plane_same_layout(const struct tensor *a, const struct tensor *b)
{
    return a->type == b->type && a->block == b->block;
}

/* Is the tensor one that kernels can take: blocked by their width? */
static inline bool plane_blocked(const struct engine *engine, const struct tensor *tensor)
{
    return tensor->block == engine->kernels->width;
}

/* Or else plain f32? */
static inline bool plane_blocked_or_plain(const struct engine *engine, const struct tensor *tensor)
{
    return plane_blocked(engine, tensor) || (tensor->block == 1 && tensor->type == TENSOR_F32);
}

static inline size_t plane_pixel_bytes(const struct tensor *tensor)
{
    return (size_t)tensor->block * tensor_type_bytes(tensor->type);
}

/* Pixel (y, x) of a channel block. */
static inline char *plane_at(const struct tensor *tensor, int block, int y, int x)
{
    size_t pixel = ((size_t)block * (size_t)tensor->height + (size_t)y) * (size_t)tensor->width;
    return (char *)tensor->data + (pixel + (size_t)x) * plane_pixel_bytes(tensor);
}

/* How many lanes of a channel block are channels. */
static inline int plane_lanes(const struct tensor *tensor, int block)
{
    int left = tensor->channels - block * tensor->block;
    return left < tensor->block ? left : tensor->block;
}

/* Copy one pixel; the sizes are constants so that each is a few moves. */
static inline void plane_copy_pixel(char *to, const char *from, size_t bytes)
{
    if (bytes == 64)
        memcpy(to, from, 64);
    else if (bytes == 32)
        memcpy(to, from, 32);
    else if (bytes == 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, 4);
}

/* Element `index` of the tensor as it is stored. */
static inline float plane_get(const struct tensor *tensor, size_t index)
{
    if (tensor->type == TENSOR_F32)
        return ((const float *)tensor->data)[index];
    uint32_t bits = (uint32_t)((const uint16_t *)tensor->data)[index] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void plane_set(const struct tensor *tensor, size_t index, float value)
{
    if (tensor->type == TENSOR_F32) {
        ((float *)tensor->data)[index] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == value) /* round to nearest even; a NaN would overflow into an infinity */
        bits += 0x7fff + ((bits >> 16) & 1);
    ((uint16_t *)tensor->data)[index] = (uint16_t)(bits >> 16);
}

#endif
