/* The growing list of keys, and the comparison with a file. A list is kept sorted beside its own
 * order, so that a file of thousands of tensors is compared at once. */
#include "nn/keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "weights/weights.h"

/* Of each kind in an error: enough to see which part of a network it is. */
#define KEYS_NAMED_MAX 3

struct keys {
    const char *network;
    struct key *items;
    size_t *sorted; /* indices of items, by name */
    size_t count, capacity;
    struct err failure; /* the first of keys_add; ERR_NONE when all went well */
};

struct keys *keys_new(const char *network)
{
    struct keys *keys = calloc(1, sizeof *keys);
    if (keys)
        keys->network = network;
    return keys;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    free(keys->items);
    free(keys->sorted);
    free(keys);
}

static bool keys_grow(struct keys *keys)
{
    if (keys->count < keys->capacity)
        return true;
    size_t capacity = keys->capacity ? 2 * keys->capacity : 256;
    struct key *items = reallocarray(keys->items, capacity, sizeof *items);
    if (items)
        keys->items = items;
    size_t *sorted = reallocarray(keys->sorted, capacity, sizeof *sorted);
    if (sorted)
        keys->sorted = sorted;
    if (!items || !sorted)
        return err_set(&keys->failure, ERR_NO_MEMORY, "There is no memory for the list of keys.");
    keys->capacity = capacity;
    return true;
}

/* Where `name` stands in keys->sorted, or would stand; *ret_found says which. */
static size_t keys_place(const struct keys *keys, const char *name, bool *ret_found)
{
    size_t low = 0, high = keys->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(keys->items[keys->sorted[middle]].name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool keys_insert(struct keys *keys, const struct key *key)
{
    bool found = false;
    size_t place = keys_place(keys, key->name, &found);
    if (found)
        return err_set(&keys->failure, ERR_INTERNAL, "The key \"%s\" of %s is listed twice.",
                       key->name, keys->network);
    if (!keys_grow(keys))
        return false;
    memmove(keys->sorted + place + 1, keys->sorted + place,
            (keys->count - place) * sizeof *keys->sorted);
    keys->sorted[place] = keys->count;
    keys->items[keys->count++] = *key;
    return true;
}

void keys_add(struct keys *keys, enum key_need need, int rank, const int64_t *shape,
              const char *name_format, ...)
{
    struct key key = { .need = need, .rank = rank };
    va_list arguments;
    if (!keys || keys->failure.kind != ERR_NONE)
        return;
    va_start(arguments, name_format);
    int len = vsnprintf(key.name, sizeof key.name, name_format, arguments);
    va_end(arguments);
    if (len <= 0 || (size_t)len >= sizeof key.name || rank < 0 || rank > KEYS_RANK_MAX) {
        err_set(&keys->failure, ERR_INTERNAL, "The key \"%.100s\" of %s is too long or too deep.",
                name_format, keys->network);
        return;
    }
    for (int i = 0; i < rank; i++)
        key.shape[i] = shape[i];
    (void)keys_insert(keys, &key); /* kept in keys->failure */
}

void keys_add_conv(struct keys *keys, const char *prefix, int out, int in, int kernel, bool bias)
{
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out, in, kernel, kernel), "%s.weight", prefix);
    if (bias)
        keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out), "%s.bias", prefix);
}

void keys_add_linear(struct keys *keys, const char *prefix, int out, int in)
{
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out, in), "%s.weight", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(out), "%s.bias", prefix);
}

void keys_add_norm(struct keys *keys, const char *prefix, int channels)
{
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(channels), "%s.weight", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(channels), "%s.bias", prefix);
}

void keys_add_batch_norm(struct keys *keys, const char *prefix, int channels)
{
    keys_add_norm(keys, prefix, channels);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(channels), "%s.running_mean", prefix);
    keys_add(keys, KEY_REQUIRED, KEYS_SHAPE(channels), "%s.running_var", prefix);
    keys_add(keys, KEY_UNUSED, 0, NULL, "%s.num_batches_tracked", prefix);
}

bool keys_ok(const struct keys *keys, struct err *err)
{
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the list of keys.");
    if (keys->failure.kind != ERR_NONE && err)
        *err = keys->failure;
    return keys->failure.kind == ERR_NONE;
}

size_t keys_count(const struct keys *keys)
{
    return keys->count;
}

const struct key *keys_at(const struct keys *keys, size_t index)
{
    return index < keys->count ? &keys->items[index] : NULL;
}

/* The comparison, and the first few of each kind of misfit. */
struct keys_misfits {
    struct keys_match match;
    const struct key *missing[KEYS_NAMED_MAX];
    const struct weight *unexpected[KEYS_NAMED_MAX];
    const struct key *misshapen[KEYS_NAMED_MAX];
    const struct weight *misshapen_as[KEYS_NAMED_MAX];
};

static bool key_fits(const struct key *key, const struct weight *weight)
{
    bool fits = weight->rank == key->rank;
    for (int i = 0; fits && i < key->rank; i++)
        fits = weight->shape[i] == key->shape[i];
    return fits;
}

static void misfits_find(const struct keys *keys, const struct weights *weights,
                         struct keys_misfits *misfits)
{
    struct keys_match *match = &misfits->match;
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = &keys->items[i];
        const struct weight *weight = weights_find(weights, key->name);
        match->expected += key->need != KEY_OPTIONAL;
        if (weight && key_fits(key, weight)) {
            match->matched++;
        } else if (weight) {
            if (match->misshapen < KEYS_NAMED_MAX) {
                misfits->misshapen[match->misshapen] = key;
                misfits->misshapen_as[match->misshapen] = weight;
            }
            match->misshapen++;
        } else if (key->need == KEY_REQUIRED) {
            if (match->missing < KEYS_NAMED_MAX)
                misfits->missing[match->missing] = key;
            match->missing++;
        }
    }
    for (size_t i = 0; i < weights_count(weights); i++) {
        const struct weight *weight = weights_at(weights, i);
        bool found = false;
        (void)keys_place(keys, weight->name, &found);
        if (found)
            continue;
        if (match->unexpected < KEYS_NAMED_MAX)
            misfits->unexpected[match->unexpected] = weight;
        match->unexpected++;
    }
}

/* A sentence being written; `full` once something did not fit. */
struct keys_text {
    char *text;
    size_t size, len;
    bool full;
};

static void __attribute__((format(printf, 2, 3)))
text_add(struct keys_text *text, const char *format, ...)
{
    va_list arguments;
    if (text->full)
        return;
    va_start(arguments, format);
    int len = vsnprintf(text->text + text->len, text->size - text->len, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= text->size - text->len)
        text->full = true;
    else
        text->len += (size_t)len;
}

void keys_shape_text(int rank, const int64_t *shape, char ret_text[KEYS_SHAPE_BYTES])
{
    struct keys_text text = { .text = ret_text, .size = KEYS_SHAPE_BYTES };
    ret_text[0] = '\0';
    if (rank == 0)
        text_add(&text, "one number");
    for (int i = 0; i < rank; i++)
        text_add(&text, "%s%lld", i ? " x " : "", (long long)shape[i]);
}

/* ", 3 are missing": how many; the first clause names what is counted. */
static void clause_count(struct keys_text *text, bool first, size_t count, const char *one,
                         const char *many)
{
    const char *noun = count == 1 ? " tensor" : " tensors";
    text_add(text, "%s%zu%s %s", first ? "" : ", ", count, first ? noun : "",
             count == 1 ? one : many);
}

/* Before name `index` of `shown`, and after the last of them. */
static const char *name_before(size_t index)
{
    return index == 0 ? " (" : ", ";
}

static void names_end(struct keys_text *text, size_t shown, size_t count)
{
    if (shown > 0 && shown < count)
        text_add(text, " and %zu more", count - shown);
    if (shown > 0)
        text_add(text, ")");
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The sentence with up to `named` names of each kind. False when it is too long for `size`. */
static bool misfits_text(const struct keys *keys, const struct keys_misfits *misfits,
                         bool with_unexpected, size_t named, char *ret_text, size_t size)
{
    struct keys_text text = { .text = ret_text, .size = size };
    const struct keys_match *match = &misfits->match;
    bool first = true;
    text_add(&text, "The weights do not fit %s: ", keys->network);
    if (match->missing) {
        size_t shown = least(named, match->missing);
        clause_count(&text, first, match->missing, "is missing", "are missing");
        for (size_t i = 0; i < shown; i++)
            text_add(&text, "%s%s", name_before(i), misfits->missing[i]->name);
        names_end(&text, shown, match->missing);
        first = false;
    }
    if (match->unexpected && with_unexpected) {
        size_t shown = least(named, match->unexpected);
        clause_count(&text, first, match->unexpected, "is unexpected", "are unexpected");
        for (size_t i = 0; i < shown; i++)
            text_add(&text, "%s%s", name_before(i), misfits->unexpected[i]->name);
        names_end(&text, shown, match->unexpected);
        first = false;
    }
    if (match->misshapen) {
        size_t shown = least(named, match->misshapen);
        clause_count(&text, first, match->misshapen, "has another shape", "have another shape");
        for (size_t i = 0; i < shown; i++) {
            const struct key *key = misfits->misshapen[i];
            const struct weight *weight = misfits->misshapen_as[i];
            char is[KEYS_SHAPE_BYTES], wanted[KEYS_SHAPE_BYTES];
            keys_shape_text(weight->rank, weight->shape, is);
            keys_shape_text(key->rank, key->shape, wanted);
            text_add(&text, "%s%s is %s where %s is wanted", name_before(i), key->name, is, wanted);
        }
        names_end(&text, shown, match->misshapen);
    }
    text_add(&text, ".");
    return !text.full;
}

bool keys_check(const struct keys *keys, const struct weights *weights,
                struct keys_match *ret_match, struct err *err)
{
    struct keys_misfits misfits = { 0 };
    char text[sizeof err->detail];
    if (!keys_ok(keys, err))
        return false;
    misfits_find(keys, weights, &misfits);
    if (ret_match)
        *ret_match = misfits.match;
    bool strict = weights_format(weights) != WEIGHTS_ONNX;
    if (!misfits.match.missing && !misfits.match.misshapen && !(strict && misfits.match.unexpected))
        return true;
    size_t named = KEYS_NAMED_MAX; /* fewer names until the sentence fits */
    while (!misfits_text(keys, &misfits, strict, named, text, sizeof text) && named > 0)
        named--;
    return err_set(err, ERR_INVALID, "%s", text);
}
