/* Writes what is no frame to the server's socket, which it finds among its open files. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model_input inputs[] = {
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
    (void)job, (void)err;
    struct stat info;
    for (int fd = 3; fd < 64; fd++) {
        if (fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) && write(fd, "garbage garbage", 15) < 0)
            return err_set(err, ERR_MODEL, "The socket could not be written to.");
    }
    sleep(60);
    return true;
}

const struct model model_bad_frame = {
    .name = "bad_frame",
    .inputs = inputs,
    .output = OUTPUT_TEXT,
    .load = load,
    .predict = predict,
};
