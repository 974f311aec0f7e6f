/* What the golden tests share: where the real weights and the fixtures are.
 *
 * Tests run in the repository's root. Weights are what `mimeo pull OWNER/NAME --data .mimeo`
 * installs there, or stand under the folder that the environment's MIMEO_WEIGHTS names. A golden
 * test without weights fails: a test that passes by not running is worth less than none. */
#ifndef MIMEO_TESTS_GOLDEN_H
#define MIMEO_TESTS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN_PHOTO "tests/golden/allium.png"
#define GOLDEN_PATH_BYTES 1024

/* The folder of a model's weights, "owner/name", with this file in it; the test fails when the file
 * is absent. */
static inline void golden_weights(const char *model, const char *name, char path[GOLDEN_PATH_BYTES])
{
    char file[2 * GOLDEN_PATH_BYTES];
    const char *root = getenv("MIMEO_WEIGHTS");
    snprintf(path, GOLDEN_PATH_BYTES, "%s/%s", root ? root : ".mimeo/weights", model);
    snprintf(file, sizeof file, "%s/%s", path, name);
    if (access(file, R_OK) != 0)
        fail_msg("%s is not there: run `mimeo pull %s --data .mimeo` in the repository's root, or "
                 "set MIMEO_WEIGHTS to the folder that holds %s",
                 file, model, model);
}

static inline void golden_weights_directory(char path[GOLDEN_PATH_BYTES])
{
    golden_weights("bria/remove-background", "isnet.onnx", path);
}

#endif
