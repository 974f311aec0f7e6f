#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Members of one file: a member per tensor (WEIGHTS_COUNT_MAX), and some more. */
#define ZIP_COUNT_MAX ((uint64_t)65536 + 1024)

enum {
    ZIP_LOCAL_BYTES = 30,
    ZIP_CENTRAL_BYTES = 46,
    ZIP_END_BYTES = 22,
    ZIP_LOCATOR64_BYTES = 20,
    ZIP_END64_BYTES = 56,
    ZIP_COMMENT_BYTES_MAX = 65535,
};

#define ZIP_LOCAL 0x04034b50u
#define ZIP_CENTRAL 0x02014b50u
#define ZIP_END 0x06054b50u
#define ZIP_LOCATOR64 0x07064b50u
#define ZIP_END64 0x06064b50u

static uint64_t number_at(const char *bytes, size_t len)
{
    uint64_t value = 0;
    memcpy(&value, bytes, len); /* little endian, as this program's machines */
    return value;
}

static bool broken(struct err *err)
{
    return err_set(err, ERR_INVALID, "The zip file is broken or cut short.");
}

/* `len` bytes at `offset`; NULL when the file has not got them. */
static const char *bytes_at(struct str file, uint64_t offset, uint64_t len)
{
    return len <= file.len && offset <= file.len - len ? file.ptr + offset : NULL;
}

bool zip_matches(struct str file)
{
    return file.len >= 4 && number_at(file.ptr, 4) == ZIP_LOCAL;
}

/* Where the directory lies. */
struct zip_directory {
    uint64_t offset, bytes, count;
};

static bool find_end64(struct str file, uint64_t end, struct zip_directory *ret_directory,
                       struct err *err)
{
    const char *locator = end >= ZIP_LOCATOR64_BYTES
                              ? bytes_at(file, end - ZIP_LOCATOR64_BYTES, ZIP_LOCATOR64_BYTES)
                              : NULL;
    if (!locator || number_at(locator, 4) != ZIP_LOCATOR64)
        return true; /* none: the small form is all there is */
    const char *end64 = bytes_at(file, number_at(locator + 8, 8), ZIP_END64_BYTES);
    if (!end64 || number_at(end64, 4) != ZIP_END64)
        return broken(err);
    *ret_directory = (struct zip_directory){ .count = number_at(end64 + 32, 8),
                                             .bytes = number_at(end64 + 40, 8),
                                             .offset = number_at(end64 + 48, 8) };
    return true;
}

static bool find_directory(struct str file, struct zip_directory *ret_directory, struct err *err)
{
    for (uint64_t back = ZIP_END_BYTES; back <= ZIP_END_BYTES + ZIP_COMMENT_BYTES_MAX; back++) {
        if (back > file.len)
            break;
        uint64_t at = file.len - back;
        const char *end = file.ptr + at;
        if (number_at(end, 4) != ZIP_END || number_at(end + 20, 2) != back - ZIP_END_BYTES)
            continue;
        *ret_directory = (struct zip_directory){ .count = number_at(end + 10, 2),
                                                 .bytes = number_at(end + 12, 4),
                                                 .offset = number_at(end + 16, 4) };
        return find_end64(file, at, ret_directory, err);
    }
    return broken(err);
}

/* The ZIP64 field of a member: the numbers that did not fit, in this order. */
static bool entry_zip64(struct str extra, uint64_t *size, uint64_t *packed, uint64_t *header)
{
    uint64_t *const numbers[] = { size, packed, header };
    while (extra.len >= 4) {
        uint64_t id = number_at(extra.ptr, 2), len = number_at(extra.ptr + 2, 2);
        extra = str_skip(extra, 4);
        if (len > extra.len)
            return false;
        struct str field = { extra.ptr, (size_t)len };
        extra = str_skip(extra, (size_t)len);
        if (id != 1)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
            if (*numbers[i] != UINT32_MAX)
                continue;
            if (field.len < 8)
                return false;
            *numbers[i] = number_at(field.ptr, 8);
            field = str_skip(field, 8);
        }
    }
    return true;
}

/* Take one member off the front of the directory. */
static bool entry_read(struct str *rest, struct zip_entry *entry)
{
    const char *central = bytes_at(*rest, 0, ZIP_CENTRAL_BYTES);
    if (!central || number_at(central, 4) != ZIP_CENTRAL)
        return false;
    uint64_t flags = number_at(central + 8, 2), method = number_at(central + 10, 2);
    uint64_t packed = number_at(central + 20, 4);
    size_t name_len = (size_t)number_at(central + 28, 2);
    size_t extra_len = (size_t)number_at(central + 30, 2);
    size_t comment_len = (size_t)number_at(central + 32, 2);
    if (!bytes_at(*rest, ZIP_CENTRAL_BYTES, name_len + extra_len + comment_len))
        return false;
    entry->name = (struct str){ central + ZIP_CENTRAL_BYTES, name_len };
    entry->size = number_at(central + 24, 4);
    entry->header = number_at(central + 42, 4);
    struct str extra = { entry->name.ptr + name_len, extra_len };
    if (!entry_zip64(extra, &entry->size, &packed, &entry->header))
        return false;
    entry->stored = method == 0 && (flags & 1) == 0 && packed == entry->size;
    *rest = str_skip(*rest, ZIP_CENTRAL_BYTES + name_len + extra_len + comment_len);
    return true;
}

static int compare_names(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
    const struct zip_entry *const *left = a, *const *right = b;
    return compare_names((*left)->name, (*right)->name);
}

bool zip_open(struct str file, struct arena *arena, struct zip *ret_zip, struct err *err)
{
    struct zip_directory directory = { 0 };
    struct zip zip = { .file = file };
    if (!find_directory(file, &directory, err))
        return false;
    if (directory.count > ZIP_COUNT_MAX)
        return err_set(err, ERR_INVALID, "The zip file has too many members.");
    const char *bytes = bytes_at(file, directory.offset, directory.bytes);
    if (!bytes)
        return broken(err);
    struct str rest = { bytes, (size_t)directory.bytes };
    zip.count = (size_t)directory.count;
    zip.entries = arena_alloc(arena, (zip.count + 1) * sizeof *zip.entries);
    zip.sorted = arena_alloc(arena, (zip.count + 1) * sizeof *zip.sorted);
    if (!zip.entries || !zip.sorted)
        return err_set(err, ERR_NO_MEMORY, "There is no memory for the zip file's directory.");
    for (size_t i = 0; i < zip.count; i++) {
        if (!entry_read(&rest, &zip.entries[i]))
            return broken(err);
        zip.sorted[i] = &zip.entries[i];
    }
    qsort(zip.sorted, zip.count, sizeof *zip.sorted, compare_entries);
    *ret_zip = zip;
    return true;
}

const struct zip_entry *zip_find(const struct zip *zip, struct str name)
{
    struct zip_entry wanted = { .name = name };
    const struct zip_entry *key = &wanted;
    const struct zip_entry **hit =
        bsearch(&key, zip->sorted, zip->count, sizeof *zip->sorted, compare_entries);
    return hit ? *hit : NULL;
}

bool zip_bytes(const struct zip *zip, const struct zip_entry *entry, struct str *ret_bytes,
               struct err *err)
{
    if (!entry->stored)
        return err_set(err, ERR_INVALID,
                       "The zip file's member \"%.*s\" is compressed, which is not supported.",
                       (int)(entry->name.len < 100 ? entry->name.len : 100), entry->name.ptr);
    const char *local = bytes_at(zip->file, entry->header, ZIP_LOCAL_BYTES);
    if (!local || number_at(local, 4) != ZIP_LOCAL)
        return broken(err);
    /* The name and the extra fields may be longer here than in the directory: torch pads with them.
     */
    uint64_t start =
        entry->header + ZIP_LOCAL_BYTES + number_at(local + 26, 2) + number_at(local + 28, 2);
    const char *bytes = bytes_at(zip->file, start, entry->size);
    if (!bytes)
        return broken(err);
    *ret_bytes = (struct str){ bytes, (size_t)entry->size };
    return true;
}
