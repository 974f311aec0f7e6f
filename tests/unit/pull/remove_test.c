/* What of a model's weights is here, how far a pull is, and taking the weights away: only what the
 * manifest names, and nothing outside of the weights folder. */
#include "unit/pull/sources.h"

#include <pthread.h>
#include <sys/file.h>

#define PARTS                                                                                      \
    "{\"weights\": {\"parts\": ["                                                                  \
    "{\"name\": \"main\", \"variants\": [{\"source\": \"github:a/b@v1\", \"path\": \"net.pth\","   \
    " \"file\": \"net.pth\", \"size\": 300000, \"sha256\": \"%s\"}]},"                             \
    "{\"name\": \"small\", \"variants\": [{\"source\": \"hf:a/b\", \"path\": \"small.pth\","       \
    " \"file\": \"small.pth\", \"size\": 1000, \"sha256\": \"%s\"}]},"                             \
    "{\"name\": \"extra\", \"optional\": true, \"variants\": [{\"source\": \"hf:a/b\","            \
    " \"path\": \"extra.pth\", \"file\": \"extra.pth\", \"size\": 300000, \"sha256\": "            \
    "\"%s\"}]}]}}"

static struct pull_overall overalls[20000];
static char steps[20000][32];
static int overall_count;

static void on_overall(void *context, const struct pull_overall *overall)
{
    (void)context;
    assert_true(overall_count < 20000);
    overalls[overall_count] = *overall;
    snprintf(steps[overall_count++], sizeof(steps[0]), "%s %s", overall->step, overall->file);
}

static json_t *manifest_make(void)
{
    char text[2048];

    snprintf(text, sizeof(text), PARTS, weights_sha256, small_sha256, weights_sha256);
    json_t *manifest = json_loads(text, 0, NULL);
    assert_non_null(manifest);
    return manifest;
}

static struct pull_options options_of(const json_t *manifest)
{
    overall_count = 0;
    return (struct pull_options){ .manifest = manifest,
                                  .owner = "bria",
                                  .name = "toy",
                                  .weights_folder = weights_folder,
                                  .hf_endpoint = server.url,
                                  .github_endpoint = server.url,
                                  .any_size = true,
                                  .overall = on_overall,
                                  .canceled = &canceled };
}

static void path_of(const char *file, char ret_path[PATH_BYTES])
{
    snprintf(ret_path, PATH_BYTES, "%s/bria/toy/%s", weights_folder, file);
}

static bool is_there(const char *file)
{
    char path[PATH_BYTES];
    struct stat status;

    path_of(file, path);
    return lstat(path, &status) == 0;
}

static void put(const char *file, size_t size)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/bria/toy", weights_folder);
    assert_true(file_make_folders(path, 0755, NULL));
    path_of(file, path);
    write_file(path, weights, size, 0644);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static void what_is_left_to_fetch_is_known(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    struct pull_facts facts;
    struct err err;

    (void)state;
    assert_true(pull_inspect(&options, &facts, &err));
    assert_int_equal(facts.part_count, 3);
    assert_string_equal(facts.parts[0].name, "main");
    assert_false(facts.parts[0].installed || facts.parts[0].optional);
    assert_int_equal(facts.parts[0].bytes, WEIGHTS_BYTES);
    assert_int_equal(facts.parts[0].left_bytes, WEIGHTS_BYTES);
    assert_true(facts.parts[2].optional);

    hub_cut_after = 123456; /* what a pull that broke off has left counts */
    assert_false(pull_weights(&options, &err));
    assert_true(pull_inspect(&options, &facts, &err));
    assert_int_equal(facts.parts[0].left_bytes, WEIGHTS_BYTES - 123456);

    put("small.pth", 77); /* a user's own, of another size */
    assert_true(pull_inspect(&options, &facts, &err));
    assert_true(facts.parts[1].installed);
    assert_int_equal(facts.parts[1].bytes, 77);
    assert_int_equal(facts.parts[1].left_bytes, 0);

    hub_cut_after = 0;
    assert_true(pull_weights(&options, &err));
    assert_true(pull_inspect(&options, &facts, &err));
    assert_true(facts.parts[0].installed && !facts.parts[2].installed);
    assert_int_equal(facts.parts[1].bytes, 77); /* was not pulled over */
    json_decref(manifest);

    manifest = json_pack("{s:s}", "weights", "none");
    options.manifest = manifest;
    assert_true(pull_inspect(&options, &facts, &err));
    assert_int_equal(facts.part_count, 0);
    json_decref(manifest);
}

static void progress_is_that_of_the_whole_pull(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    struct err err;

    (void)state;
    assert_true(pull_weights(&options, &err));
    assert_true(overall_count > 4);
    for (int i = 0; i < overall_count; i++) {
        assert_int_equal(overalls[i].total_bytes, WEIGHTS_BYTES + SMALL_BYTES);
        assert_true(i == 0 || overalls[i].done_bytes >= overalls[i - 1].done_bytes);
    }
    assert_string_equal(steps[0], "downloading net.pth");
    assert_string_equal(steps[overall_count - 1], "checking small.pth");
    assert_int_equal(overalls[overall_count - 1].done_bytes, WEIGHTS_BYTES + SMALL_BYTES);
    json_decref(manifest);
}

/* ---- Removing -------------------------------------------------------------------------------- */

static void only_what_the_manifest_names_is_removed(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    assert_true(pull_weights(&options, &err));
    put("extra.pth", 10);
    put("mine.txt", 10);
    assert_true(pull_remove(&options, &err));
    assert_false(is_there("net.pth") || is_there("small.pth") || is_there("extra.pth"));
    assert_true(is_there("mine.txt"));
    path_of("mine.txt", path);
    unlink(path);
    put("net.pth", 10);
    assert_true(pull_remove(&options, &err));
    snprintf(path, sizeof(path), "%s/bria", weights_folder);
    assert_false(file_exists(path));          /* empty folders go, too */
    assert_true(pull_remove(&options, &err)); /* nothing is there: fine */
    json_decref(manifest);
}

static void what_was_half_fetched_goes_too(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    struct pull_facts facts;
    struct err err;

    (void)state;
    hub_cut_after = 123456;
    assert_false(pull_weights(&options, &err));
    assert_true(pull_remove(&options, &err));
    assert_true(pull_inspect(&options, &facts, &err));
    assert_int_equal(facts.parts[0].left_bytes, WEIGHTS_BYTES);
    json_decref(manifest);
}

static void no_link_is_followed(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    char outside[PATH_BYTES / 2], victim[PATH_BYTES], path[PATH_BYTES];
    struct err err;

    (void)state;
    snprintf(outside, sizeof(outside), "%s/outside", folder);
    snprintf(victim, sizeof(victim), "%s/net.pth", outside);
    assert_true(file_make_folders(outside, 0755, NULL));
    write_file(victim, weights, 100, 0644);

    /* A file that is a link: the link goes, what it stands for stays. */
    put("small.pth", 10);
    path_of("net.pth", path);
    assert_int_equal(symlink(victim, path), 0);
    assert_true(pull_remove(&options, &err));
    assert_false(is_there("net.pth"));
    assert_true(file_exists(victim));

    /* The model's folder is one: refused, and nothing is touched. */
    snprintf(path, sizeof(path), "%s/bria", weights_folder);
    assert_true(file_make_folders(path, 0755, NULL));
    snprintf(path, sizeof(path), "%s/bria/toy", weights_folder);
    assert_int_equal(symlink(outside, path), 0);
    assert_false(pull_remove(&options, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(file_exists(victim));

    /* Its owner's is. */
    unlink(path);
    snprintf(path, sizeof(path), "%s/bria", weights_folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink(folder, path), 0);
    assert_false(pull_remove(&options, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(file_exists(victim));
    json_decref(manifest);
}

static void a_pull_under_way_is_left_alone(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest);
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    assert_true(pull_weights(&options, &err));
    snprintf(path, sizeof(path), "%s/.pull/bria/toy.lock", weights_folder);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0); /* as another process holds it */
    assert_false(pull_remove(&options, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_true(is_there("net.pth"));
    close(lock);
    assert_true(pull_remove(&options, &err));
    json_decref(manifest);
}

static void a_file_that_models_share_stays_with_the_other(void **state)
{
    json_t *manifest = manifest_make();
    struct pull_options options = options_of(manifest), other = options;
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    other.name = "twin";
    assert_true(pull_weights(&options, &err));
    assert_true(pull_weights(&other, &err)); /* linked, not fetched */
    assert_true(pull_remove(&options, &err));
    snprintf(path, sizeof(path), "%s/bria/twin/net.pth", weights_folder);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, WEIGHTS_BYTES);
    json_decref(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_left_to_fetch_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_is_that_of_the_whole_pull, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_the_manifest_names_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_half_fetched_goes_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_link_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pull_under_way_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_models_share_stays_with_the_other, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
