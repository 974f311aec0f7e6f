/* The directory of a zip file in memory, and where its stored members lie. Only for files of this
 * folder. Not here: inflating, checksums (a downloaded file's hash was checked as a whole). */
#ifndef MIMEO_WEIGHTS_ZIP_H
#define MIMEO_WEIGHTS_ZIP_H

#include "base/arena.h"

struct err;

struct zip_entry {
    struct str name;       /* in the file */
    uint64_t header, size; /* of the local header; of the member, unpacked */
    bool stored;           /* neither compressed nor encrypted */
};

struct zip {
    struct str file;
    struct zip_entry *entries; /* in the directory's order */
    const struct zip_entry **sorted;
    size_t count;
};

bool zip_matches(struct str file);

/* Read the directory (ZIP64 too) into the arena. ERR_INVALID, ERR_NO_MEMORY. */
bool zip_open(struct str file, struct arena *arena, struct zip *ret_zip, struct err *err);

/* The member of that name, or NULL. */
const struct zip_entry *zip_find(const struct zip *zip, struct str name);

/* A member's bytes, in place. ERR_INVALID when it is compressed or not in the file. */
bool zip_bytes(const struct zip *zip, const struct zip_entry *entry, struct str *ret_bytes,
               struct err *err);

#endif
