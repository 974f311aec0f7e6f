/* The table of named tensors and what callers do with it. The formats are
 * safetensors.c, onnx.c, torch.c and ncnn.c.
 *
 * A mapped file that somebody shortens while it is open raises SIGBUS on use. Installed weights are
 * therefore only ever replaced by rename (pull/), never written in place. */
#include "weights/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "weights/weights_private.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weight files are read in place");

/* Names and unpacked values of one file; values held as varints can grow eightfold. */
#define WEIGHTS_ARENA_BYTES_MAX ((size_t)1 << 30)

/* Bytes of all tensors for each one of the file. Tensors may share bytes, as tied weights do, and
 * numbers may be packed (varints: eightfold); but networks copy every tensor, so that without a
 * limit a small file could ask for any amount of memory. */
#define WEIGHTS_BYTES_PER_BYTE 8

/* Elements of one tensor: a bound that no product of bytes per element can overflow. */
#define WEIGHTS_ELEMENTS_MAX ((int64_t)1 << 48)

static bool shape_count(const struct weight *weight, int64_t *ret_count)
{
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < weight->rank; i++) {
        int64_t size = weight->shape[i];
        if (size < 0)
            return false;
        if (size == 0) {
            empty = true;
            continue;
        }
        if (size > WEIGHTS_ELEMENTS_MAX / count)
            return false;
        count *= size;
    }
    *ret_count = empty ? 0 : count;
    return true;
}

static bool items_grow(struct weights *weights, struct err *err)
{
    if (weights->count < weights->capacity)
        return true;
    if (weights->count >= WEIGHTS_COUNT_MAX)
        return err_set(err, ERR_INVALID, "The weight file has more than %d tensors.",
                       WEIGHTS_COUNT_MAX);
    size_t capacity = weights->capacity ? weights->capacity * 2 : 256;
    struct weight *items = reallocarray(weights->items, capacity, sizeof *items);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the list of weights.");
    weights->items = items;
    weights->capacity = capacity;
    return true;
}

/* A name that can be kept, copied into the arena. */
static const char *name_copy(struct weights *weights, struct str name, struct err *err)
{
    if (name.len == 0 || name.len > WEIGHTS_NAME_LEN_MAX || memchr(name.ptr, '\0', name.len) ||
        !str_is_utf8(name)) {
        err_set(err, ERR_INVALID, "The weight file has a tensor with an unusable name.");
        return NULL;
    }
    const char *copy = arena_strdup(&weights->arena, name);
    if (!copy)
        err_set(err, ERR_NO_MEMORY, "There is no memory for the names of the weights.");
    return copy;
}

bool weights_add(struct weights *weights, struct str name, const struct weight *weight,
                 size_t element_bytes, struct err *err)
{
    const char *copy = name_copy(weights, name, err);
    if (!copy || !items_grow(weights, err))
        return false;

    struct weight item = *weight;
    if (item.rank < 0 || item.rank > WEIGHT_RANK_MAX || !shape_count(&item, &item.count))
        return err_set(err, ERR_INVALID, "The tensor \"%.*s\" has an impossible shape.",
                       STR_FMT(name));
    if (element_bytes && item.bytes != (size_t)item.count * element_bytes)
        return err_set(err, ERR_INVALID,
                       "The tensor \"%.*s\" has %zu bytes of data where its shape needs %zu.",
                       STR_FMT(name), item.bytes, (size_t)item.count * element_bytes);
    item.name = copy;
    weights->items[weights->count++] = item;
    return true;
}

static int compare_items(const void *a, const void *b)
{
    const struct weight *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* Into weights->sorted, which has room. */
static void items_sort(struct weights *weights)
{
    for (size_t i = 0; i < weights->count; i++)
        weights->sorted[i] = &weights->items[i];
    qsort(weights->sorted, weights->count, sizeof *weights->sorted, compare_items);
}

bool weights_index(struct weights *weights, struct err *err)
{
    /* Tensors are only added before the first sorting. */
    if (!weights->sorted)
        weights->sorted = calloc(weights->count + 1, sizeof *weights->sorted);
    if (!weights->sorted)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the list of weights.");
    items_sort(weights);
    for (size_t i = 1; i < weights->count; i++)
        if (compare_items(&weights->sorted[i - 1], &weights->sorted[i]) == 0)
            return err_set(err, ERR_INVALID, "The weight file has two tensors named \"%s\".",
                           weights->sorted[i]->name);
    return true;
}

static bool bytes_check(const struct weights *weights, size_t file_bytes, struct err *err)
{
    size_t bytes = 0, bytes_max = 0;
    bool fits = !__builtin_mul_overflow(file_bytes, (size_t)WEIGHTS_BYTES_PER_BYTE, &bytes_max);
    for (size_t i = 0; fits && i < weights->count; i++)
        fits =
            !__builtin_add_overflow(bytes, weights->items[i].bytes, &bytes) && bytes <= bytes_max;
    return fits || err_set(err, ERR_INVALID,
                           "The tensors of the weight file share its bytes more than %d times.",
                           WEIGHTS_BYTES_PER_BYTE);
}

static bool weights_read(struct weights *weights, struct str file, struct str beside,
                         struct err *err)
{
    if (safetensors_matches(file)) {
        weights->format = WEIGHTS_SAFETENSORS;
        if (!safetensors_read(file, weights, err))
            return err_while(err, "reading safetensors");
    } else if (torch_matches(file)) {
        weights->format = WEIGHTS_TORCH;
        if (!torch_read(file, weights, err))
            return err_while(err, "reading torch");
    } else if (ncnn_matches(file)) {
        weights->format = WEIGHTS_NCNN;
        if (!ncnn_read(file, beside, weights, err))
            return err_while(err, "reading ncnn");
    } else if (onnx_matches(file)) {
        weights->format = WEIGHTS_ONNX;
        if (!onnx_read(file, weights, err))
            return err_while(err, "reading ONNX");
    } else {
        return err_set(err, ERR_INVALID,
                       "The weight file is neither safetensors nor ONNX, torch or ncnn.");
    }
    return bytes_check(weights, file.len + beside.len, err) && weights_index(weights, err);
}

bool weights_open_two(struct str file, struct str beside, struct weights **ret_weights,
                      struct err *err)
{
    struct weights *weights = calloc(1, sizeof *weights);
    if (!weights)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the list of weights.");
    arena_init(&weights->arena, WEIGHTS_ARENA_BYTES_MAX);
    if (!weights_read(weights, file, beside, err)) {
        weights_close(weights);
        return false;
    }
    *ret_weights = weights;
    return true;
}

bool weights_open_memory(const void *bytes, size_t len, struct weights **ret_weights,
                         struct err *err)
{
    return weights_open_two((struct str){ bytes, len }, (struct str){ NULL, 0 }, ret_weights, err);
}

static bool file_map(const char *path, struct weights_map *ret_map, struct err *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, errno,
                       "The weight file cannot be opened.");
    if (fstat(fd, &status) != 0) {
        int sys = errno;
        close(fd);
        return err_sys(err, ERR_INTERNAL, sys, "The weight file cannot be read.");
    }
    if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
        close(fd);
        return err_set(err, ERR_INVALID, "The weight file is empty or not a file.");
    }
    size_t bytes = (size_t)status.st_size;
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    int sys = errno;
    close(fd);
    if (map == MAP_FAILED)
        return err_sys(err, ERR_NO_MEMORY, sys, "The weight file cannot be mapped.");
    ret_map->bytes = map;
    ret_map->len = bytes;
    return true;
}

static void file_unmap(struct weights_map *map)
{
    if (map->bytes)
        munmap(map->bytes, map->len);
}

/* The .bin of a .param file. */
static bool file_map_beside(const char *path, struct weights_map *ret_map, struct err *err)
{
    char bin_path[PATH_MAX];
    struct str stem = str_from(path), end = S(".param");
    if (!str_ends(stem, end))
        return err_set(err, ERR_INVALID, "The ncnn file's name does not end in .param.");
    stem.len -= end.len;
    int len = snprintf(bin_path, sizeof bin_path, "%.*s.bin", STR_FMT(stem));
    if (len < 0 || (size_t)len >= sizeof bin_path)
        return err_set(err, ERR_INVALID, "The ncnn file's path is too long.");
    return file_map(bin_path, ret_map, err) || err_while(err, "opening %s", bin_path);
}

bool weights_open(const char *path, struct weights **ret_weights, struct err *err)
{
    struct weights_map map = { NULL, 0 }, beside = { NULL, 0 };
    struct weights *weights = NULL;
    if (!file_map(path, &map, err))
        return err_while(err, "opening %s", path);
    struct str file = { map.bytes, map.len };
    bool ok = !ncnn_matches(file) || file_map_beside(path, &beside, err);
    ok = ok && weights_open_two(file, (struct str){ beside.bytes, beside.len }, &weights, err);
    if (!ok) {
        file_unmap(&beside);
        file_unmap(&map);
        return err_while(err, "opening %s", path);
    }
    weights->map = map;
    weights->beside_map = beside;
    *ret_weights = weights;
    return true;
}

void weights_close(struct weights *weights)
{
    if (!weights)
        return;
    file_unmap(&weights->map);
    file_unmap(&weights->beside_map);
    free(weights->items);
    free(weights->sorted);
    arena_done(&weights->arena);
    free(weights);
}

size_t weights_count(const struct weights *weights)
{
    return weights->count;
}

const struct weight *weights_at(const struct weights *weights, size_t index)
{
    return index < weights->count ? &weights->items[index] : NULL;
}

const struct weight *weights_find(const struct weights *weights, const char *name)
{
    struct weight wanted = { .name = name };
    const struct weight *key = &wanted;
    const struct weight **hit =
        bsearch(&key, weights->sorted, weights->count, sizeof *weights->sorted, compare_items);
    return hit ? *hit : NULL;
}

bool weights_enter(struct weights *weights, const char *prefix)
{
    size_t len = strlen(prefix), kept = 0;
    for (size_t i = 0; i < weights->count; i++) {
        struct weight item = weights->items[i];
        if (strncmp(item.name, prefix, len) != 0 || item.name[len] != '.' || !item.name[len + 1])
            continue;
        item.name += len + 1;
        weights->items[kept++] = item;
    }
    if (kept == 0)
        return false;
    weights->count = kept;
    items_sort(weights); /* still no two of one name: they had the same prefix */
    return true;
}

bool weights_rename(struct weights *weights, size_t index, const char *name, struct err *err)
{
    if (index >= weights->count)
        return err_set(err, ERR_INVALID, "The weight file has no tensor of number %zu.", index);
    const char *copy = name_copy(weights, str_from(name), err);
    if (copy)
        weights->items[index].name = copy;
    return copy != NULL;
}

bool weights_renamed(struct weights *weights, struct err *err)
{
    return weights_index(weights, err);
}

enum weights_format weights_format(const struct weights *weights)
{
    return weights->format;
}

/* Half to single precision by integer steps, exact for every value; no branch, so that the compiler
 * can do many at once. Subnormal halves become normal floats by a subtraction, which stays right
 * when the thread flushes subnormals to zero. */
static float half_to_float(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    uint32_t exponent = bits & 0x0f800000u;
    uint32_t normal = bits + ((127u - 15u) << 23) + (exponent == 0x0f800000u ? 112u << 23 : 0);
    uint32_t shifted = bits + (113u << 23), magic_bits = 113u << 23;
    float subnormal, magic, value;
    memcpy(&subnormal, &shifted, sizeof subnormal);
    memcpy(&magic, &magic_bits, sizeof magic);
    subnormal -= magic;
    memcpy(&shifted, &subnormal, sizeof shifted);
    uint32_t result = (exponent == 0 ? shifted : normal) | (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &result, sizeof value);
    return value;
}

bool weight_to_f32(const struct weight *weight, float *ret_values, struct err *err)
{
    const unsigned char *bytes = weight->data;
    size_t count = (size_t)weight->count;
    if (weight->type == WEIGHT_F32) {
        if (count)
            memcpy(ret_values, bytes, count * sizeof *ret_values);
        return true;
    }
    if (weight->type != WEIGHT_F16 && weight->type != WEIGHT_BF16)
        return err_set(err, ERR_INVALID, "The tensor \"%s\" holds no floating-point numbers.",
                       weight->name);
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        if (weight->type == WEIGHT_F16) {
            ret_values[i] = half_to_float(half);
        } else {
            uint32_t bits = (uint32_t)half << 16;
            memcpy(&ret_values[i], &bits, sizeof bits);
        }
    }
    return true;
}
