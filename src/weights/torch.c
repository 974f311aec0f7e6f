/* torch's checkpoints (.pth, .pt, .ckpt, pytorch_model.bin): pickled dictionaries of tensors.
 *
 * Today's form is a zip of stored members: X/data.pkl, the pickle, and X/data/KEY, the numbers of
 * each storage. The form before torch 1.6 is pickles in a row - a magic number, a protocol, facts
 * about the machine, the object, the keys of the storages - and then the storages in that order, a
 * 64-bit count before each. A tensor is a view (offset, sizes, strides) of a storage. Tensors that
 * are not contiguous are copied; the others stay in the file.
 *
 * What is no tensor and no dictionary is passed over: checkpoints hold optimisers' counters,
 * configurations, objects of any class. So are tensors in lists, and sparse or quantised ones.
 * Not here: TorchScript, tar files (before torch 0.1.10), big-endian files, _rebuild_tensor_v3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "weights/pickle.h"
#include "weights/weights_private.h"
#include "weights/zip.h"

/* What the pickle's values and the zip's directory may take while the file is read: the most
 * values a pickle may have (pickle.h), their lists and the directory, with room. */
#define TORCH_SCRATCH_BYTES_MAX ((size_t)512 << 20)

/* Dictionaries in dictionaries; an optimiser's state is four deep. */
#define TORCH_DEPTH_MAX 16

/* Entries looked at: dictionaries may share dictionaries, so a small file could hold very many. */
#define TORCH_ENTRIES_MAX ((size_t)1 << 20)

/* torch calls in calls around one tensor: a parameter of a subclass of a tensor. */
#define TORCH_WRAPPERS_MAX 4

struct torch_type {
    const char *storage;
    enum weight_type type;
    size_t bytes;
};

/* The numbers of one or more tensors. */
struct torch_storage {
    struct str key;
    const struct torch_type *type;
    uint64_t count; /* elements, as the pickle says */
    struct str bytes;
};

struct torch_reader {
    struct weights *weights;
    struct err *err;
    struct arena scratch;
    struct torch_storage *storages; /* by key */
    size_t storages_count;
    size_t entries;   /* seen so far */
    size_t copy_left; /* bytes that copies of tensors may still take */
};

static bool broken(struct torch_reader *reader, const char *what)
{
    return err_set(reader->err, ERR_INVALID, "The torch file %s.", what);
}

static bool no_memory(struct torch_reader *reader)
{
    return err_set(reader->err, ERR_NO_MEMORY, "There is no memory for the list of tensors.");
}

/* Storages. */

static const struct torch_type *type_of(const struct pickle_value *class)
{
    static const struct torch_type types[] = {
        { "FloatStorage", WEIGHT_F32, 4 },
        { "HalfStorage", WEIGHT_F16, 2 },
        { "BFloat16Storage", WEIGHT_BF16, 2 },
        { "LongStorage", WEIGHT_I64, 8 },
        { "ByteStorage", WEIGHT_U8, 1 },
        { "DoubleStorage", WEIGHT_OTHER, 8 },
        { "IntStorage", WEIGHT_OTHER, 4 },
        { "ShortStorage", WEIGHT_OTHER, 2 },
        { "CharStorage", WEIGHT_OTHER, 1 },
        { "BoolStorage", WEIGHT_OTHER, 1 },
        { "ComplexFloatStorage", WEIGHT_OTHER, 8 },
        { "ComplexDoubleStorage", WEIGHT_OTHER, 16 },
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (pickle_is_global(class, "torch", types[i].storage) ||
            pickle_is_global(class, "torch.cuda", types[i].storage))
            return &types[i];
    return NULL;
}

/* Item `index` of a tuple (or list) when there is one of that kind. */
static const struct pickle_value *item(const struct pickle_value *value, uint32_t index,
                                       enum pickle_kind kind)
{
    bool sequence = value && (value->kind == PICKLE_TUPLE || value->kind == PICKLE_LIST);
    return sequence && index < value->count && value->items[index]->kind == kind
               ? value->items[index]
               : NULL;
}

/* ("storage", class, key, device, count): true also for what is no storage, with *ret_known false,
 * and for storages of unknown numbers. */
static bool storage_parse(const struct pickle_value *persistent, struct torch_storage *ret_storage)
{
    const struct pickle_value *id = persistent->arguments;
    const struct pickle_value *word = item(id, 0, PICKLE_TEXT);
    const struct pickle_value *class = item(id, 1, PICKLE_GLOBAL);
    const struct pickle_value *key = item(id, 2, PICKLE_TEXT);
    const struct pickle_value *count = item(id, 4, PICKLE_INTEGER);
    if (!word || !str_equal(word->text, S("storage")) || !class || !key || !count ||
        count->integer < 0 || !type_of(class))
        return false;
    *ret_storage = (struct torch_storage){ .key = key->text,
                                           .type = type_of(class),
                                           .count = (uint64_t)count->integer };
    return true;
}

static int compare_storages(const void *a, const void *b)
{
    const struct torch_storage *left = a, *right = b;
    size_t len = left->key.len < right->key.len ? left->key.len : right->key.len;
    int order = len ? memcmp(left->key.ptr, right->key.ptr, len) : 0;
    return order ? order : (left->key.len > right->key.len) - (left->key.len < right->key.len);
}

/* The storages that the pickle names, each once. */
static bool storages_collect(struct torch_reader *reader, const struct pickle *pickle)
{
    size_t count = 0, kept = 0;
    struct torch_storage *storages =
        arena_alloc(&reader->scratch, (pickle->persistent_count + 1) * sizeof *storages);
    if (!storages)
        return no_memory(reader);
    for (size_t i = 0; i < pickle->persistent_count; i++)
        count += storage_parse(pickle->persistent[i], &storages[count]);
    qsort(storages, count, sizeof *storages, compare_storages);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_storages(&storages[kept - 1], &storages[i]) != 0)
            storages[kept++] = storages[i];
        else if (storages[kept - 1].type != storages[i].type ||
                 storages[kept - 1].count != storages[i].count)
            return broken(reader, "describes one storage in two ways");
    }
    reader->storages = storages;
    reader->storages_count = kept;
    return true;
}

static struct torch_storage *storage_find(struct torch_reader *reader, struct str key)
{
    const struct torch_storage wanted = { .key = key };
    return bsearch(&wanted, reader->storages, reader->storages_count, sizeof wanted,
                   compare_storages);
}

/* The storage of a tensor, with the part of it that an old file's view names. */
static bool storage_resolve(struct torch_reader *reader, const struct pickle_value *value,
                            struct torch_storage *ret_storage)
{
    struct torch_storage wanted = { 0 };
    if (value->kind != PICKLE_PERSISTENT || !storage_parse(value, &wanted))
        return broken(reader, "has a tensor of a kind that is not supported");
    struct torch_storage storage = *storage_find(reader, wanted.key);
    const struct pickle_value *view = item(value->arguments, 5, PICKLE_TUPLE);
    if (view) {
        const struct pickle_value *offset = item(view, 1, PICKLE_INTEGER);
        const struct pickle_value *count = item(view, 2, PICKLE_INTEGER);
        if (!offset || !count || offset->integer < 0 || count->integer < 0 ||
            (uint64_t)offset->integer > storage.count ||
            (uint64_t)count->integer > storage.count - (uint64_t)offset->integer)
            return broken(reader, "has a view of a storage beyond its end");
        size_t element_bytes = storage.type->bytes;
        storage.count = (uint64_t)count->integer;
        storage.bytes = (struct str){ storage.bytes.ptr + (size_t)offset->integer * element_bytes,
                                      (size_t)storage.count * element_bytes };
    }
    *ret_storage = storage;
    return true;
}

/* Tensors. */

struct torch_view {
    uint64_t offset;
    int rank;
    uint64_t sizes[WEIGHT_RANK_MAX], strides[WEIGHT_RANK_MAX];
    uint64_t count;  /* of elements */
    bool contiguous; /* as C lays out arrays */
};

/* Do all elements lie in a storage of `storage_count`? Fills count and contiguous. */
static bool view_check(struct torch_view *view, uint64_t storage_count)
{
    uint64_t last = view->offset, expected = 1;
    view->count = 1;
    view->contiguous = true;
    for (int i = 0; i < view->rank; i++)
        if (view->sizes[i] == 0)
            view->count = 0;
    if (view->count == 0)
        return true; /* of nothing; the shape is judged with all others' */
    for (int i = view->rank - 1; i >= 0; i--) {
        uint64_t size = view->sizes[i], stride = view->strides[i], reach = 0;
        if (__builtin_mul_overflow(size - 1, stride, &reach) ||
            __builtin_add_overflow(last, reach, &last) ||
            __builtin_mul_overflow(view->count, size, &view->count))
            return false;
        if (size != 1 && stride != expected)
            view->contiguous = false;
        expected = view->count;
    }
    return last < storage_count;
}

static bool view_parse(const struct pickle_value *arguments, struct torch_view *ret_view)
{
    const struct pickle_value *offset = item(arguments, 1, PICKLE_INTEGER);
    const struct pickle_value *sizes = item(arguments, 2, PICKLE_TUPLE);
    const struct pickle_value *strides = item(arguments, 3, PICKLE_TUPLE);
    if (!offset || !sizes || !strides || offset->integer < 0 || sizes->count > WEIGHT_RANK_MAX ||
        strides->count != sizes->count)
        return false;
    ret_view->offset = (uint64_t)offset->integer;
    ret_view->rank = (int)sizes->count;
    for (uint32_t i = 0; i < sizes->count; i++) {
        const struct pickle_value *size = item(sizes, i, PICKLE_INTEGER);
        const struct pickle_value *stride = item(strides, i, PICKLE_INTEGER);
        if (!size || !stride || size->integer < 0 || stride->integer < 0)
            return false;
        ret_view->sizes[i] = (uint64_t)size->integer;
        ret_view->strides[i] = (uint64_t)stride->integer;
    }
    return true;
}

/* The elements one after the other, in the weights' arena. */
static bool view_copy(struct torch_reader *reader, const struct torch_view *view, const char *from,
                      size_t element_bytes, const void **ret_data)
{
    uint64_t index[WEIGHT_RANK_MAX] = { 0 }, at = view->offset;
    if (view->count > reader->copy_left / element_bytes)
        return broken(reader, "has tensors that are larger than their storages");
    reader->copy_left -= (size_t)view->count * element_bytes;
    char *data = arena_alloc(&reader->weights->arena, (size_t)view->count * element_bytes);
    if (!data)
        return no_memory(reader);
    for (uint64_t i = 0; i < view->count; i++) {
        memcpy(data + i * element_bytes, from + at * element_bytes, element_bytes);
        for (int d = view->rank - 1; d >= 0; d--) {
            at += view->strides[d];
            if (++index[d] < view->sizes[d])
                break;
            at -= view->strides[d] * view->sizes[d];
            index[d] = 0;
        }
    }
    *ret_data = data;
    return true;
}

/* The arguments of the _rebuild_tensor call that `value` is, perhaps inside a parameter's; NULL
 * when it is none. */
static const struct pickle_value *tensor_arguments(const struct pickle_value *value)
{
    for (int i = 0; i < TORCH_WRAPPERS_MAX && value && value->kind == PICKLE_CALL; i++) {
        const struct pickle_value *callee = value->callee, *arguments = value->arguments;
        if (pickle_is_global(callee, "torch._tensor", "_rebuild_from_type_v2") &&
            arguments->count >= 3) {
            /* (the call that makes it, its type, that call's arguments, its state) */
            callee = arguments->items[0];
            arguments = arguments->items[2];
            if (arguments->kind != PICKLE_TUPLE)
                return NULL;
        }
        if (pickle_is_global(callee, "torch._utils", "_rebuild_tensor_v2") ||
            pickle_is_global(callee, "torch._utils", "_rebuild_tensor"))
            return arguments;
        if (!pickle_is_global(callee, "torch._utils", "_rebuild_parameter") &&
            !pickle_is_global(callee, "torch._utils", "_rebuild_parameter_with_state"))
            return NULL;
        value = arguments->count ? arguments->items[0] : NULL;
    }
    return NULL;
}

static bool tensor_add(struct torch_reader *reader, struct str name,
                       const struct pickle_value *arguments)
{
    struct torch_storage storage = { 0 };
    struct torch_view view = { 0 };
    if (arguments->count == 0 || !view_parse(arguments, &view))
        return broken(reader, "has a tensor without a usable shape");
    if (!storage_resolve(reader, arguments->items[0], &storage))
        return false;
    if (!view_check(&view, storage.count))
        return broken(reader, "has a tensor beyond the end of its storage");
    size_t element_bytes = storage.type->bytes;
    struct weight weight = { .type = storage.type->type, .rank = view.rank };
    for (int i = 0; i < view.rank; i++)
        weight.shape[i] = (int64_t)view.sizes[i];
    weight.bytes = (size_t)view.count * element_bytes;
    if (view.contiguous)
        weight.data = view.count ? storage.bytes.ptr + view.offset * element_bytes : NULL;
    else if (!view_copy(reader, &view, storage.bytes.ptr, element_bytes, &weight.data))
        return false;
    return weights_add(reader->weights, name, &weight, element_bytes, reader->err);
}

/* The tree of dictionaries. */

static bool is_dictionary(const struct pickle_value *value)
{
    return value->kind == PICKLE_DICT ||
           (value->kind == PICKLE_CALL &&
            (pickle_is_global(value->callee, "collections", "OrderedDict") ||
             pickle_is_global(value->callee, "collections", "defaultdict")));
}

/* PREFIX.KEY into `name`, of WEIGHTS_NAME_LEN_MAX + 1 bytes; *ret_len 0 for a key that is neither a
 * text nor a number. */
static bool name_join(struct torch_reader *reader, struct str prefix,
                      const struct pickle_value *key, char *name, size_t *ret_len)
{
    char digits[24];
    struct str text = { NULL, 0 };
    *ret_len = 0;
    if (key->kind == PICKLE_TEXT)
        text = key->text;
    else if (key->kind == PICKLE_INTEGER)
        text = (struct str){ digits, (size_t)snprintf(digits, sizeof digits, "%lld",
                                                      (long long)key->integer) };
    else
        return true;
    size_t at = prefix.len ? prefix.len + 1 : 0;
    if (at > WEIGHTS_NAME_LEN_MAX || text.len > WEIGHTS_NAME_LEN_MAX - at || at + text.len == 0)
        return broken(reader, "has a tensor with an unusable name");
    if (prefix.len) {
        memcpy(name, prefix.ptr, prefix.len);
        name[prefix.len] = '.';
    }
    if (text.len)
        memcpy(name + at, text.ptr, text.len);
    *ret_len = at + text.len;
    return true;
}

static bool entries_add(struct torch_reader *reader, struct str prefix,
                        const struct pickle_value *items, int depth);

/* One entry of a dictionary: a tensor, more entries, or neither. */
static bool entry_add(struct torch_reader *reader, struct str prefix,
                      const struct pickle_value *key, const struct pickle_value *value, int depth)
{
    char name[WEIGHTS_NAME_LEN_MAX + 1];
    size_t len = 0;
    const struct pickle_value *tensor = tensor_arguments(value);
    bool dictionary = is_dictionary(value);
    if (reader->entries++ == TORCH_ENTRIES_MAX)
        return broken(reader, "has too many entries");
    if (!tensor && !dictionary)
        return true;
    if (!name_join(reader, prefix, key, name, &len))
        return false;
    if (len == 0)
        return true;
    struct str full = { name, len };
    return tensor ? tensor_add(reader, full, tensor) : entries_add(reader, full, value, depth + 1);
}

/* A dictionary's entries. Python 2 gave an OrderedDict's as its argument: [[key, value], ...]. */
static bool entries_add(struct torch_reader *reader, struct str prefix,
                        const struct pickle_value *items, int depth)
{
    const struct pickle_value *pairs =
        items->kind == PICKLE_CALL ? item(items->arguments, 0, PICKLE_LIST) : NULL;
    if (depth == TORCH_DEPTH_MAX)
        return broken(reader, "is nested too deep");
    for (uint32_t i = 0; pairs && i < pairs->count; i++) {
        const struct pickle_value *pair = pairs->items[i];
        bool is_pair =
            (pair->kind == PICKLE_LIST || pair->kind == PICKLE_TUPLE) && pair->count == 2;
        if (!is_pair)
            return broken(reader, "has a dictionary that is none");
        if (!entry_add(reader, prefix, pair->items[0], pair->items[1], depth))
            return false;
    }
    for (uint32_t i = 0; i + 1 < items->count; i += 2)
        if (!entry_add(reader, prefix, items->items[i], items->items[i + 1], depth))
            return false;
    return true;
}

static bool root_add(struct torch_reader *reader, const struct pickle_value *root)
{
    if (!is_dictionary(root))
        return broken(reader, "holds no dictionary of tensors but a whole object");
    return entries_add(reader, (struct str){ NULL, 0 }, root, 0);
}

/* Today's form. */

/* The member PREFIX + REST; false when its name is too long to exist. */
static const struct zip_entry *zip_member(const struct zip *zip, struct str prefix,
                                          const char *folder, struct str rest)
{
    char name[WEIGHTS_NAME_LEN_MAX + 1];
    if (prefix.len >= sizeof name || rest.len >= sizeof name) /* nor fit the ints of a format */
        return NULL;
    int len = snprintf(name, sizeof name, "%.*s%s%.*s", STR_FMT(prefix), folder, STR_FMT(rest));
    return len > 0 && (size_t)len < sizeof name ? zip_find(zip, (struct str){ name, (size_t)len })
                                                : NULL;
}

/* What stands before "data.pkl", with its slash. */
static const struct zip_entry *zip_pickle(const struct zip *zip, struct str *ret_prefix)
{
    for (size_t i = 0; i < zip->count; i++) {
        struct str name = zip->entries[i].name, end = S("data.pkl");
        struct str prefix = { name.ptr, name.len - (str_ends(name, end) ? end.len : 0) };
        if (prefix.len == name.len || (prefix.len > 0 && prefix.ptr[prefix.len - 1] != '/'))
            continue;
        *ret_prefix = prefix;
        return &zip->entries[i];
    }
    return NULL;
}

static bool zip_storages(struct torch_reader *reader, const struct zip *zip, struct str prefix)
{
    for (size_t i = 0; i < reader->storages_count; i++) {
        struct torch_storage *storage = &reader->storages[i];
        const struct zip_entry *entry = zip_member(zip, prefix, "data/", storage->key);
        if (!entry)
            return broken(reader, "lacks the numbers of a tensor");
        if (!zip_bytes(zip, entry, &storage->bytes, reader->err))
            return false;
        if (storage->count > storage->bytes.len / storage->type->bytes)
            return broken(reader, "has fewer numbers than a tensor needs");
    }
    return true;
}

static bool zip_byte_order(struct torch_reader *reader, const struct zip *zip, struct str prefix)
{
    const struct zip_entry *entry = zip_member(zip, prefix, "byteorder", (struct str){ NULL, 0 });
    struct str order = { NULL, 0 };
    if (!entry)
        return true; /* written before torch 2.1, little endian */
    if (!zip_bytes(zip, entry, &order, reader->err))
        return false;
    return str_equal(order, S("little")) || broken(reader, "was written on a big-endian machine");
}

static bool read_zip(struct torch_reader *reader, struct str file)
{
    struct zip zip;
    struct pickle pickle;
    struct str prefix = { NULL, 0 }, bytes = { NULL, 0 };
    if (!zip_open(file, &reader->scratch, &zip, reader->err))
        return false;
    const struct zip_entry *entry = zip_pickle(&zip, &prefix);
    if (!entry)
        return err_set(reader->err, ERR_INVALID, "The zip file holds no torch checkpoint.");
    if (zip_member(&zip, prefix, "constants.pkl", (struct str){ NULL, 0 }))
        return broken(reader, "is a TorchScript program, which is not supported");
    return zip_byte_order(reader, &zip, prefix) && zip_bytes(&zip, entry, &bytes, reader->err) &&
           pickle_read(&bytes, &reader->scratch, &pickle, reader->err) &&
           storages_collect(reader, &pickle) && zip_storages(reader, &zip, prefix) &&
           root_add(reader, pickle.root);
}

/* The form before. */

/* The pickle of 0x1950a86a20f9469cfc6c, but for its protocol in byte 1. */
static const char torch_magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
#define TORCH_MAGIC_BYTES (sizeof torch_magic - 1)

#define TORCH_OLD_PROTOCOL 1001

static bool old_matches(struct str file)
{
    return file.len >= TORCH_MAGIC_BYTES && file.ptr[0] == torch_magic[0] &&
           memcmp(file.ptr + 2, torch_magic + 2, TORCH_MAGIC_BYTES - 2) == 0;
}

static bool old_byte_order(struct torch_reader *reader, const struct pickle_value *machine)
{
    for (uint32_t i = 0; machine->kind == PICKLE_DICT && i + 1 < machine->count; i += 2) {
        const struct pickle_value *key = machine->items[i], *value = machine->items[i + 1];
        if (key->kind == PICKLE_TEXT && str_equal(key->text, S("little_endian")) &&
            value->kind == PICKLE_BOOL && !value->integer)
            return broken(reader, "was written on a big-endian machine");
    }
    return true;
}

/* The storages' numbers, in the order of their keys. */
static bool old_storages(struct torch_reader *reader, const struct pickle_value *keys,
                         struct str rest)
{
    if (keys->kind != PICKLE_LIST)
        return broken(reader, "has no list of storages");
    for (uint32_t i = 0; i < keys->count; i++) {
        uint64_t count = 0;
        const struct pickle_value *key = item(keys, i, PICKLE_TEXT);
        struct torch_storage *storage = key ? storage_find(reader, key->text) : NULL;
        if (!storage || storage->bytes.ptr)
            return broken(reader, "has a storage that no known tensor uses");
        if (rest.len < sizeof count)
            return broken(reader, "is cut short");
        memcpy(&count, rest.ptr, sizeof count);
        rest = str_skip(rest, sizeof count);
        if (count != storage->count || count > rest.len / storage->type->bytes)
            return broken(reader, "is cut short or has a storage of another size than it says");
        storage->bytes = (struct str){ rest.ptr, (size_t)count * storage->type->bytes };
        rest = str_skip(rest, storage->bytes.len);
    }
    for (size_t i = 0; i < reader->storages_count; i++)
        if (!reader->storages[i].bytes.ptr)
            return broken(reader, "lacks the numbers of a tensor");
    return true;
}

static bool read_old(struct torch_reader *reader, struct str file)
{
    struct str rest = str_skip(file, TORCH_MAGIC_BYTES);
    struct pickle protocol, machine, object, keys;
    if (!pickle_read(&rest, &reader->scratch, &protocol, reader->err) ||
        !pickle_read(&rest, &reader->scratch, &machine, reader->err))
        return false;
    if (protocol.root->kind != PICKLE_INTEGER || protocol.root->integer != TORCH_OLD_PROTOCOL)
        return broken(reader, "is of an unknown version");
    return old_byte_order(reader, machine.root) &&
           pickle_read(&rest, &reader->scratch, &object, reader->err) &&
           pickle_read(&rest, &reader->scratch, &keys, reader->err) &&
           storages_collect(reader, &object) && old_storages(reader, keys.root, rest) &&
           root_add(reader, object.root);
}

bool torch_matches(struct str file)
{
    return zip_matches(file) || old_matches(file);
}

bool torch_read(struct str file, struct weights *weights, struct err *err)
{
    struct torch_reader reader = { .weights = weights, .err = err, .copy_left = file.len };
    arena_init(&reader.scratch, TORCH_SCRATCH_BYTES_MAX);
    bool ok = zip_matches(file) ? read_zip(&reader, file) : read_old(&reader, file);
    arena_done(&reader.scratch);
    return ok;
}
