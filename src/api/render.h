/* Records as the JSON clients see. The only place that knows these shapes. Private to api/. */
#ifndef MIMEO_API_RENDER_H
#define MIMEO_API_RENDER_H

#include "base/buf.h"

struct api;
struct prediction;
struct registry_collection;
struct registry_model;
struct registry_version;
struct store_file;

#define RENDER_BYTES_MAX (384u << 20) /* an answer: an input of 64 MiB, files inlined, a page */
#define RENDER_INLINE_BYTES_MAX (64u << 20) /* files in one answer; beyond it links are given */

struct render_options {
    const struct api *api;
    const char *base_url;
    bool inline_files; /* files in the output as data: URLs (reads them: may block) */
    bool as_starting;  /* show a running prediction as the waiting client wants it: not begun */
    const struct registry_version *version; /* of the prediction, where it is known; NULL */
};

void render_prediction(const struct render_options *options, const struct prediction *prediction,
                       struct buf *out);
/* An output alone, or a part of one: JSON text in which files stand as "blob:<key>/<name>". */
void render_output(const struct render_options *options, struct str output, struct buf *out);
void render_file(const char *base_url, const struct store_file *file, struct buf *out);

/* run_count: the store's, added to the manifest's. */
void render_model(const char *base_url, const struct registry_model *model, int64_t run_count,
                  struct buf *out);
void render_version(const struct registry_version *version, struct buf *out);

/* A model's example, completed to a prediction. False when it has none (nothing is appended). */
bool render_example(const char *base_url, const struct registry_model *model, struct buf *out);

/* What every form of a collection begins with: {"name","slug","description" and no closing brace.
 */
void render_collection_open(const struct registry_collection *collection, struct buf *out);

#endif
