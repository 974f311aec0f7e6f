/* Convolution by oneDNN. Private to engine/. */
#ifndef MIMEO_ENGINE_CONV_ONEDNN_H
#define MIMEO_ENGINE_CONV_ONEDNN_H

#include <stdbool.h>

struct conv_filter;
struct conv_onednn;
struct conv_onednn_cached;
struct engine;
struct err;
struct kernels_conv;

bool conv_onednn_new(struct conv_onednn **ret_onednn, struct err *err);
void conv_onednn_free(struct conv_onednn *onednn);

/* The channel block that oneDNN's kernels want here: 16 or 8, or 0 where it has none. */
int conv_onednn_block(void);

/* Can it convolve in bf16 with something better than its reference implementation? */
bool conv_onednn_has_bf16(struct engine *engine);

/* Make the primitive for this shape (or find it made) and pack the weights for it. False with
 * ERR_UNAVAILABLE when only the reference implementation would do. */
bool conv_onednn_prepare(struct engine *engine, struct conv_filter *filter,
                         const struct kernels_conv *conv, struct err *err);

/* Run what was prepared last. The residual is not looked at. */
bool conv_onednn_run(struct engine *engine, struct conv_filter *filter,
                     const struct kernels_conv *conv, struct err *err);

void conv_onednn_forget(struct conv_onednn_cached *cached); /* NULL is fine */
const char *conv_onednn_name(const struct conv_onednn_cached *cached);
unsigned long conv_onednn_bytes(const struct conv_onednn_cached *cached);

#endif
