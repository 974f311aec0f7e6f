/* Key tables: every tensor that a network's published checkpoint holds, by name and shape.
 *
 * A network lists its keys with keys_add; keys_check then compares them with an opened file and
 * says in one error which tensors are missing, unexpected and misshapen. The same list is compared
 * in the tests with the state dict of the reference implementation, and seeded weights are made
 * from it. Not here: reading files (weights/), filling filters (bind.h). */
#ifndef MIMEO_NN_KEYS_H
#define MIMEO_NN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct weights;

#define KEYS_RANK_MAX 5
#define KEYS_NAME_BYTES 128

enum key_need {
    KEY_REQUIRED,
    KEY_UNUSED,   /* in the published file, not needed for inference: may be absent */
    KEY_OPTIONAL, /* used when it is there */
};

struct key {
    char name[KEYS_NAME_BYTES];
    enum key_need need;
    int rank;
    int64_t shape[KEYS_RANK_MAX];
};

/* A growing list. `network` ("GFPGAN") is for errors, borrowed. NULL when there is no memory. */
struct keys;
struct keys *keys_new(const char *network);
void keys_free(struct keys *keys);

/* Append a tensor. Failures (no memory, a name that is too long, one that is there) are kept and
 * told by keys_check and keys_ok, so that tables read as lists. `shape` has `rank` numbers. */
void keys_add(struct keys *keys, enum key_need need, int rank, const int64_t *shape,
              const char *name_format, ...) __attribute__((format(printf, 5, 6)));
#define KEYS_SHAPE(...)                                                                            \
    (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[])                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* "PREFIX.weight" [out][in][kernel][kernel] and, with `bias`, "PREFIX.bias" [out]. */
void keys_add_conv(struct keys *keys, const char *prefix, int out, int in, int kernel, bool bias);
/* "PREFIX.weight" [out][in] and "PREFIX.bias" [out]. */
void keys_add_linear(struct keys *keys, const char *prefix, int out, int in);
/* "PREFIX.weight" and ".bias" [channels]: layer and group norms. */
void keys_add_norm(struct keys *keys, const char *prefix, int channels);
/* The same with ".running_mean", ".running_var" and, unused, ".num_batches_tracked" (rank 0). */
void keys_add_batch_norm(struct keys *keys, const char *prefix, int channels);

bool keys_ok(const struct keys *keys, struct err *err);
size_t keys_count(const struct keys *keys);
const struct key *keys_at(const struct keys *keys, size_t index);

/* How a file compares. */
struct keys_match {
    size_t expected;   /* keys but for KEY_OPTIONAL */
    size_t matched;    /* keys of any need that are there in the right shape */
    size_t missing;    /* KEY_REQUIRED and not there */
    size_t unexpected; /* tensors that are no key */
    size_t misshapen;  /* keys that are there in another shape */
};

/* Compare. ERR_INVALID with one sentence that counts and names (up to a few of each kind) what is
 * missing, unexpected or misshapen, after the errors of keys_ok. Unexpected tensors of an ONNX file
 * are only counted: constants of the graph stand among its weights. ret_match (may be NULL) is
 * filled when the comparison was made, whatever came of it. */
bool keys_check(const struct keys *keys, const struct weights *weights,
                struct keys_match *ret_match, struct err *err);

/* "64 x 3 x 3 x 3", "one number" for rank 0, cut when it does not fit: shapes in errors. */
#define KEYS_SHAPE_BYTES 96
void keys_shape_text(int rank, const int64_t *shape, char ret_text[KEYS_SHAPE_BYTES]);

#endif
