/* Fetching models' weights in the background, at most two models at a time, and how far each fetch
 * is. What one has left half done is resumed by the next, also after a restart; that, and that no
 * partial file ever has its final name, is pull/'s doing. Private to api/. */
#ifndef MIMEO_API_INSTALLS_H
#define MIMEO_API_INSTALLS_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct installs;
struct pull_options;
struct registry_model;

struct installs_options { /* all copied */
    const char *weights_folder;
    const char *hf_endpoint, *github_endpoint, *hf_token; /* as in pull/pull.h; NULL: the default */
};

bool installs_new(const struct installs_options *options, struct installs **ret_installs,
                  struct err *err);
void installs_free(struct installs *installs); /* stops what is under way; NULL is fine */

/* Fill what pull/ must know of a model; to look at it. Borrowed from both. */
void installs_fill(const struct installs *installs, const struct registry_model *model,
                   struct pull_options *ret_options);

enum install_state { INSTALL_RUNNING, INSTALL_FAILED, INSTALL_CANCELED, INSTALL_SUCCEEDED };

struct install { /* the last one of a model since the start */
    enum install_state state;
    bool canceling;           /* it runs, but was asked to stop */
    char step[160];           /* "waiting", "downloading x.onnx", ... */
    int64_t done_bytes;       /* of what it is to bring, with what was there in part */
    int64_t total_bytes;      /* below 0: not known yet */
    int64_t bytes_per_second; /* of the last seconds; below 0: nothing is coming in */
    char error[256];          /* of a failed one: one sentence */
    int64_t started_us;       /* Unix time */
    int64_t completed_us;     /* 0: it runs */
};

#define INSTALL_PARTS_MAX 16 /* REGISTRY_WEIGHTS_PARTS_MAX */

/* Fetch all parts that are not optional, and those named (borrowed for the life of the registry:
 * the manifest's own strings). *ret_begun false: one was under way, and goes on. ERR_CONFLICT: the
 * weights are being removed; ERR_UNAVAILABLE: too many wait. Any thread. */
bool installs_begin(struct installs *installs, const struct registry_model *model,
                    const char *const *parts, int part_count, bool *ret_begun, struct err *err);

/* Ask the one under way to stop; it soon does. False: there is none. */
bool installs_cancel(struct installs *installs, const char *model);

bool installs_get(struct installs *installs, const char *model, struct install *ret_install);

/* Remove the weights (pull_remove), and forget the last install. ERR_CONFLICT: they are being
 * fetched, here or by another process. Blocks. */
bool installs_remove(struct installs *installs, const struct registry_model *model,
                     struct err *err);

#endif
