/* Published weight files, opened read-only and given as named tensors.
 *
 * Knows safetensors, ONNX initializers, torch's .pth (the zip of today and the pickles before it;
 * nothing in them is executed) and ncnn (a .param file, its .bin beside it); more formats are more
 * files beside these. The format is told by content, not by name. Data stays where the file has it
 * (mapped); nothing is converted. Every offset and shape is checked before it is used: the file is
 * hostile input.
 *
 * Names are those of the framework's state dict, e.g. "stage1.rebnconvin.conv_s1.weight". An ONNX
 * export whose initializers are anonymous ("onnx::Conv_1896") gets them from the node that uses
 * them: "/stage1/rebnconvin/conv_s1/Conv_output_0" names its 2nd and 3rd input
 * "stage1.rebnconvin.conv_s1.weight" and ".bias". A .pth's nested dictionaries are joined with
 * dots: "params_ema.conv_first.weight". ncnn gives "LAYER.weight" (and ".bias", ".slope") by its
 * layers' names; a network that ncnn renamed is told by order (weights_at).
 * Not here: fetching (pull/), folding batch norms and packing (nn/, engine/). */
#ifndef MIMEO_WEIGHTS_WEIGHTS_H
#define MIMEO_WEIGHTS_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct weights;

enum weight_type { WEIGHT_F32, WEIGHT_F16, WEIGHT_BF16, WEIGHT_I64, WEIGHT_U8, WEIGHT_OTHER };

#define WEIGHT_RANK_MAX 8

struct weight {
    const char *name; /* 0-terminated, borrowed from the weights */
    enum weight_type type;
    int rank;
    int64_t shape[WEIGHT_RANK_MAX]; /* outermost first; all >= 0 */
    int64_t count;                  /* product of shape */
    const void *data;               /* count elements, little endian, maybe unaligned; borrowed */
    size_t bytes;
};

/* Open a file. ERR_NOT_FOUND when there is none, ERR_INVALID when it is no known format or broken.
 * Free with weights_close. Any thread; the result is read-only. */
bool weights_open(const char *path, struct weights **ret_weights, struct err *err);

/* The same over bytes that outlive the result (tests, fuzzers). */
bool weights_open_memory(const void *bytes, size_t len, struct weights **ret_weights,
                         struct err *err);
void weights_close(struct weights *weights);

size_t weights_count(const struct weights *weights);
const struct weight *weights_at(const struct weights *weights, size_t index); /* index < count */
const struct weight *weights_find(const struct weights *weights, const char *name); /* or NULL */

/* Keep the tensors whose name begins with `prefix` and a dot, under the rest of their names, and
 * forget the others. False, changing nothing, when there are none. Not while others read. */
bool weights_enter(struct weights *weights, const char *prefix);

/* Give tensor `index` another name: for networks whose files name their tensors otherwise. Call
 * weights_renamed after the last one. ERR_INVALID, ERR_NO_MEMORY. */
bool weights_rename(struct weights *weights, size_t index, const char *name, struct err *err);
bool weights_renamed(struct weights *weights, struct err *err); /* two of one name: ERR_INVALID */

enum weights_format { WEIGHTS_SAFETENSORS, WEIGHTS_ONNX, WEIGHTS_TORCH, WEIGHTS_NCNN };
enum weights_format weights_format(const struct weights *weights);

/* Copy a tensor as f32, converting from f16 or bf16. `ret_values` has room for weight->count.
 * False (ERR_INVALID) for other types. */
bool weight_to_f32(const struct weight *weight, float *ret_values, struct err *err);

#endif
