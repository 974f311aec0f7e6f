/* Gives its input file back as out-0 with the input's ending. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "domain/limits.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
    { .name = "image", .type = INPUT_FILE, .required = true, .help = "Any file." },
    { 0 },
};

static bool load(const struct model_context *context, void **ret_state, struct err *err)
{
    (void)context, (void)err;
    *ret_state = NULL;
    return true;
}

static bool predict(void *state, struct job *job, struct err *err)
{
    (void)state;
    const char *path = job_file(job, "image");
    const char *slash = strrchr(path, '/');
    const char *dot = slash ? strrchr(slash, '.') : NULL;
    char *name = arena_printf(job_arena(job), "out-0%s", dot ? dot : "");
    struct buf bytes;
    buf_init(&bytes, LIMIT_FETCH_BYTES);
    bool ok = name && file_read(path, &bytes, err) &&
              file_write_atomic(job_output_path(job, name), buf_str(&bytes), 0600, err);
    buf_done(&bytes);
    if (ok)
        job_output_file(job, name, "application/octet-stream");
    return ok;
}

const struct model model_copy_file = {
    .name = "copy_file",
    .inputs = inputs,
    .output = OUTPUT_FILE,
    .load = load,
    .predict = predict,
};
