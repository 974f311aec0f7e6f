/* Weights from names: what tests/reference/seeded.py says, in C. See there for why and how.
 * For tests and benchmarks. */
#ifndef MIMEO_TESTS_SEEDED_H
#define MIMEO_TESTS_SEEDED_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/keys.h"
#include "weights/weights.h"

static inline bool seeded_ends(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);
    return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static inline void seeded_rule(const struct key *key, float *ret_centre, float *ret_spread)
{
    static const struct {
        const char *end;
        float centre, spread;
    } rules[] = {
        { "running_var", 1.0f, 0.5f },     { "running_mean", 0.0f, 0.1f },
        { "modulation.bias", 1.0f, 0.1f }, { ".bias", 0.0f, 0.1f },
        { "in_proj_bias", 0.0f, 0.1f },    { ".gamma", 0.2f, 0.1f },
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (seeded_ends(key->name, rules[i].end)) {
            *ret_centre = rules[i].centre;
            *ret_spread = rules[i].spread;
            return;
        }
    double inputs = 1;
    for (int i = key->rank == 5 ? 2 : 1; i < key->rank; i++)
        inputs *= (double)key->shape[i];
    if (seeded_ends(key->name, ".weight_u") || seeded_ends(key->name, ".weight_v")) {
        *ret_centre = (float)(1.0 / sqrt((double)key->shape[0]));
        *ret_spread = (float)(0.1 / sqrt((double)key->shape[0]));
        return;
    }
    if (seeded_ends(key->name, ".weight_orig")) {
        *ret_centre = (float)(0.7 / sqrt(inputs * (double)key->shape[0]));
        *ret_spread = (float)sqrt(3.0 / inputs);
        return;
    }
    *ret_centre = key->rank < 2 ? 1.0f : 0.0f;
    *ret_spread = key->rank < 2 ? 0.1f : (float)sqrt(3.0 / inputs);
}

static inline void seeded_values(const struct key *key, float *ret_values, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    float centre, spread;
    for (const char *c = key->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    seeded_rule(key, &centre, &spread);
    for (size_t i = 0; i < count; i++) {
        uint64_t z = hash + (i + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        float u = (float)((int64_t)(z >> 40) - (1 << 23)) * 0x1p-23f;
        ret_values[i] = centre + spread * u;
    }
}

static inline size_t seeded_count(const struct key *key)
{
    size_t count = 1;
    for (int i = 0; i < key->rank; i++)
        count *= (size_t)key->shape[i];
    return count;
}

/* A safetensors file in memory with all keys but those whose rank is 0 (counters). Free with free,
 * after the weights opened from it. Ends the process when there is no memory. */
static inline void *seeded_file(const struct keys *keys, size_t *ret_bytes)
{
    size_t header_size = 16, data = 0;
    for (size_t i = 0; i < keys_count(keys); i++)
        header_size += KEYS_NAME_BYTES + 200;
    char *header = malloc(header_size);
    if (!header)
        abort();
    size_t len = (size_t)sprintf(header, "{");
    for (size_t i = 0; i < keys_count(keys); i++) {
        const struct key *key = keys_at(keys, i);
        size_t bytes = seeded_count(key) * sizeof(float);
        if (key->rank == 0)
            continue;
        len += (size_t)sprintf(header + len, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                               len > 1 ? "," : "", key->name);
        for (int d = 0; d < key->rank; d++)
            len += (size_t)sprintf(header + len, "%s%lld", d ? "," : "", (long long)key->shape[d]);
        len += (size_t)sprintf(header + len, "],\"data_offsets\":[%zu,%zu]}", data, data + bytes);
        data += bytes;
    }
    len += (size_t)sprintf(header + len, "}");
    while (len % 8)
        header[len++] = ' ';
    char *file = malloc(8 + len + data);
    if (!file)
        abort();
    uint64_t header_len = len;
    memcpy(file, &header_len, 8);
    memcpy(file + 8, header, len);
    free(header);
    char *at = file + 8 + len;
    for (size_t i = 0; i < keys_count(keys); i++) {
        const struct key *key = keys_at(keys, i);
        if (key->rank == 0)
            continue;
        seeded_values(key, (float *)(void *)at, seeded_count(key));
        at += seeded_count(key) * sizeof(float);
    }
    *ret_bytes = 8 + len + data;
    return file;
}

#endif
