/* What the golden tests share: where the real weights and the fixtures are.
 *
 * Tests run in the repository's root. Weights are what `mimeo pull bria/remove-background` installs
 * there, or stand under the folder that the environment's MIMEO_WEIGHTS names. A golden test
 * without weights fails: a test that passes by not running is worth less than none. */
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

/* The folder with isnet.onnx in it; the test fails when the file is absent. */
static inline void golden_weights_directory(char path[GOLDEN_PATH_BYTES])
{
    char file[GOLDEN_PATH_BYTES + 16];
    const char *root = getenv("MIMEO_WEIGHTS");
    snprintf(path, GOLDEN_PATH_BYTES, "%s/bria/remove-background", root ? root : ".mimeo/weights");
    snprintf(file, sizeof file, "%s/isnet.onnx", path);
    if (access(file, R_OK) != 0)
        fail_msg("%s is not there: run `mimeo pull bria/remove-background` in the repository's "
                 "root, or set MIMEO_WEIGHTS to the folder that holds bria/remove-background",
                 file);
}

#endif
