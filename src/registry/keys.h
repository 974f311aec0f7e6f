/* Mappings of YAML files (manifests, functions, collections) against tables of their keys: an
 * unknown key is an error, so that a misspelt one is told and not silently left out. Private to the
 * registry. Pure; any thread. */
#ifndef MIMEO_REGISTRY_KEYS_H
#define MIMEO_REGISTRY_KEYS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

struct err;

enum keys_kind {
    KEYS_STRING,
    KEYS_URL,
    KEYS_TIME,
    KEYS_BOOLEAN,
    KEYS_COUNT,  /* an integer, 0 or more */
    KEYS_PRICE,  /* a number of dollars, 0 to KEYS_PRICE_MAX */
    KEYS_FOLDER, /* a path below a folder: plain names between single slashes */
    KEYS_LIST,
    KEYS_STRINGS, /* a list of strings */
    KEYS_MAPPING,
    KEYS_ANY
};

#define KEYS_PRICE_MAX                                                                             \
    1000 /* dollars for one run or second: more is a slip of the decimal point                     \
          */

struct keys_row {
    const char *name; /* NULL ends a table */
    enum keys_kind kind;
    bool required;
};

/* what: how messages name the mapping ("the manifest"). A key with null counts as left out unless
 * it is required. ERR_INVALID, with err->field the key where one is to blame. */
bool keys_check(const struct keys_row *rows, const json_t *object, const char *what,
                struct err *err);

/* ERR_INVALID about one key. */
bool keys_error(struct err *err, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "line N: " before err->detail, if the key in err->field is found in the text. */
void keys_name_line(struct str yaml, struct err *err);

/* 1 to 100 letters, digits, '.', '_' or '-', and no '.' first: parts of URLs and of paths. */
bool keys_is_name(struct str text);

#endif
