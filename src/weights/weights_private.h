/* What the format readers share with weights.c: a table of tensors being filled.
 * Only for files of this folder. */
#ifndef MIMEO_WEIGHTS_WEIGHTS_PRIVATE_H
#define MIMEO_WEIGHTS_WEIGHTS_PRIVATE_H

#include "base/arena.h"
#include "weights/weights.h"

/* Tensors in one file. The largest known published file has a few thousand; the limit keeps a
 * hostile header from costing more memory than the file is worth. */
#define WEIGHTS_COUNT_MAX 65536

/* Bytes of a name. Real ones stay under 120. */
#define WEIGHTS_NAME_LEN_MAX 512

/* A file mapped read-only. */
struct weights_map {
    void *bytes; /* NULL when there is none */
    size_t len;
};

struct weights {
    struct arena arena; /* names, and values that the file holds in a packed form */
    struct weight *items;
    size_t count, capacity;
    const struct weight **sorted; /* by name, once weights_index has run */
    enum weights_format format;
    struct weights_map map, beside_map;
};

/* Append one tensor. Copies the name (refusing 0 bytes and bad UTF-8 in it), computes `count` from
 * the shape and, when `element_bytes` is not 0, refuses data of another size. */
bool weights_add(struct weights *weights, struct str name, const struct weight *weight,
                 size_t element_bytes, struct err *err);

/* Sort for weights_find. Two tensors of one name are refused. May run again after renaming, and has
 * memory enough then. */
bool weights_index(struct weights *weights, struct err *err);

/* weights_open_memory for formats of two files: `beside` is the second (ncnn's .bin), empty when
 * there is none. */
bool weights_open_two(struct str file, struct str beside, struct weights **ret_weights,
                      struct err *err);

/* Does the file look like this format (a few first bytes), and: read it. */
bool safetensors_matches(struct str file);
bool safetensors_read(struct str file, struct weights *weights, struct err *err);
bool onnx_matches(struct str file);
bool onnx_read(struct str file, struct weights *weights, struct err *err);
bool torch_matches(struct str file);
bool torch_read(struct str file, struct weights *weights, struct err *err);
bool ncnn_matches(struct str file);
bool ncnn_read(struct str param, struct str bin, struct weights *weights, struct err *err);

#endif
