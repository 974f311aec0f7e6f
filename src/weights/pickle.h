/* Python's pickles, read as data: a pickle is a program for a small stack machine, and this one
 * builds values and nothing else. What Python would call (REDUCE, NEWOBJ, BUILD) becomes a value
 * that says what would have been called; no name is looked up and nothing runs.
 * Only for files of this folder. Not here: what torch means by its calls (torch.c), protocol 0. */
#ifndef MIMEO_WEIGHTS_PICKLE_H
#define MIMEO_WEIGHTS_PICKLE_H

#include "base/arena.h"

struct err;

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER, /* of at most 64 bits */
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL,     /* a name: module.name */
    PICKLE_CALL,       /* what a call would have made */
    PICKLE_PERSISTENT, /* something outside the pickle */
    PICKLE_OTHER,      /* floats, bytes, sets, long integers: known to be there, not kept */
};

/* Values refer to each other freely: a hostile pickle makes cycles. Who walks counts its steps. */
struct pickle_value {
    enum pickle_kind kind;
    union {
        int64_t integer; /* PICKLE_BOOL, PICKLE_INTEGER */
        struct {
            struct str text; /* PICKLE_TEXT; PICKLE_GLOBAL: the module */
            struct str name; /* PICKLE_GLOBAL */
        };
        struct {
            /* PICKLE_TUPLE, PICKLE_LIST; PICKLE_DICT, and what was set in the result of a
             * PICKLE_CALL: a key, its value, a key, ... */
            const struct pickle_value **items;
            uint32_t count, capacity;
            const struct pickle_value *callee;    /* PICKLE_CALL */
            const struct pickle_value *arguments; /* PICKLE_CALL; PICKLE_PERSISTENT: the name */
        };
    };
};

struct pickle {
    const struct pickle_value *root;
    const struct pickle_value **persistent; /* every PICKLE_PERSISTENT, in order */
    size_t persistent_count;
};

/* Take one pickle off the front of *rest. Values lie in the arena, texts in the pickle's bytes.
 * ERR_INVALID, ERR_NO_MEMORY. */
bool pickle_read(struct str *rest, struct arena *arena, struct pickle *ret_pickle, struct err *err);

bool pickle_is_global(const struct pickle_value *value, const char *module, const char *name);

#endif
