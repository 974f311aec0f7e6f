/* The files that a registry is made from: built-in ones and those of a user's folder. Private to
 * the registry. */
#ifndef MIMEO_REGISTRY_LOAD_H
#define MIMEO_REGISTRY_LOAD_H

#include <jansson.h>
#include <stdbool.h>

struct err;

struct loaded {
    json_t *built_in;    /* "owner/name" -> manifest */
    json_t *folder;      /* the same, of the user's folder */
    json_t *functions;   /* name -> row: the built-in ones, and the folder's, which win */
    json_t *collections; /* slug -> row, likewise */
};

/* folder: NULL, or one that need not exist. A broken built-in file is ERR_INTERNAL, one of the
 * folder's ERR_INVALID naming file, line and key. Free with load_done, also after a failure. */
bool load_files(const char *folder, struct loaded *ret_loaded, struct err *err);
void load_done(struct loaded *loaded);

/* What `mimeo-runner --describe` said: native models by name. text NULL: none. New references. */
bool load_description(const char *text, json_t **ret_native, struct err *err);

#endif
