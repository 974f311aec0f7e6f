/* The models without weights: they load with no folder at all and say what the public ones say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "runner/job.h"
#include "runner/model.h"

static const struct model *find(const char *name)
{
    for (const struct model *const *model = model_registry; *model; model++)
        if (strcmp((*model)->name, name) == 0)
            return *model;
    fail_msg("no model '%s'", name);
    return NULL;
}

static void run(const char *name, const char *input)
{
    const struct model *model = find(name);
    struct model_context context = { .weights_directory = "/nowhere",
                                     .precision = "f32",
                                     .threads = 1 };
    struct err err = { 0 };
    void *state = NULL;
    struct job *job = job_new_local(model, input, NULL, 0, "/tmp", &err);

    assert_non_null(job);
    assert_true(model->load(&context, &state, &err));
    assert_true(model->predict(state, job, &err));
    if (model->unload)
        model->unload(state);
    job_free(job);
}

static void they_run_without_weights(void **state)
{
    (void)state;
    run("hello_world", "{\"text\":\"Alice\"}");
    run("canary", "{\"text\":\"Betty Browser\"}");
    run("canary", "{\"text\":\"\"}");
    run("canary", "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_run_without_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
