/* Files: limits, atomic replacement, folders, and removal that follows no links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"

static char folder[256];

static int setup(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mimeo-file-XXXXXX", temporary ? temporary : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL) && !file_exists(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    struct stat status;
    buf_init(&out, 100);
    assert_true(file_write_atomic(in_folder("a"), S("hello"), 0600, &err));
    assert_true(file_write_atomic(in_folder("a"), S("hello again"), 0600, &err));
    assert_true(buf_append_str(&out, S("> ")));
    assert_true(file_read(in_folder("a"), &out, &err));
    assert_string_equal(out.ptr, "> hello again");
    assert_int_equal(stat(in_folder("a"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(file_write_atomic(in_folder("empty"), (struct str){ NULL, 0 }, 0644, &err));
    assert_true(file_read(in_folder("empty"), &out, &err));
    assert_string_equal(out.ptr, "> hello again");
    buf_done(&out);
}

static void a_read_has_a_limit(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    char *bytes = malloc(200000);
    memset(bytes, 'x', 200000);
    assert_true(file_write_atomic(in_folder("b"), (struct str){ bytes, 200000 }, 0600, &err));
    free(bytes);
    buf_init(&out, 200000);
    assert_true(file_read(in_folder("b"), &out, &err));
    assert_int_equal(out.len, 200000);
    buf_done(&out);
    buf_init(&out, 199999);
    assert_false(file_read(in_folder("b"), &out, &err));
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void failures_have_kinds_and_leave_nothing_behind(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    buf_init(&out, 100);
    assert_false(file_read(in_folder("none"), &out, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(file_read(folder, &out, &err));
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_false(file_write_atomic(in_folder("none/x"), S("x"), 0600, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(file_make_folders(in_folder("target"), 0700, &err));
    assert_false(
        file_write_atomic(in_folder("target"), S("x"), 0600, &err)); /* a folder is there */
    assert_int_equal(rmdir(in_folder("target")), 0);
    assert_int_equal(rmdir(folder), 0); /* no temporary file is left */
    assert_int_equal(mkdir(folder, 0700), 0);
    buf_done(&out);
}

static void folders_are_made_and_removed_whole(void **state)
{
    (void)state;
    struct err err;
    assert_true(file_make_folders(in_folder("x/y//z/"), 0700, &err));
    assert_true(file_make_folders(in_folder("x/y/z"), 0700, &err));
    assert_true(file_write_atomic(in_folder("x/y/z/file"), S("1"), 0600, &err));
    assert_true(file_write_atomic(in_folder("kept"), S("1"), 0600, &err));
    assert_true(file_make_folders(in_folder("keptfolder"), 0700, &err));
    assert_int_equal(symlink(in_folder("kept"), in_folder("x/link")), 0);
    assert_int_equal(symlink(in_folder("keptfolder"), in_folder("x/y/link")), 0);
    assert_false(file_make_folders(in_folder("kept/x"), 0700, &err));
    assert_false(file_make_folders(in_folder("kept"), 0700, &err));
    assert_true(file_remove_tree(in_folder("x"), &err));
    assert_false(file_exists(in_folder("x")));
    assert_true(file_exists(in_folder("kept")) && file_exists(in_folder("keptfolder")));
    assert_true(file_remove_tree(in_folder("x"), &err)); /* absent is fine */
    assert_true(file_remove_tree(in_folder("kept/no"), &err));
    assert_true(file_remove_tree(in_folder("kept"), &err));
    assert_true(file_sync_folder(folder, &err));
}

static void a_move_replaces_and_crosses_file_systems(void **state)
{
    (void)state;
    struct err err;
    struct buf out;
    buf_init(&out, 100);
    assert_true(file_write_atomic(in_folder("m1"), S("one"), 0640, &err));
    assert_true(file_write_atomic(in_folder("m2"), S("two"), 0600, &err));
    assert_true(file_move(in_folder("m1"), in_folder("m2"), &err));
    assert_false(file_exists(in_folder("m1")));
    assert_true(file_read(in_folder("m2"), &out, &err));
    assert_string_equal(out.ptr, "one");
    assert_false(file_move(in_folder("m1"), in_folder("m2"), &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(symlink(in_folder("m2"), in_folder("m3")), 0);
    assert_false(file_move(in_folder("m3"), in_folder("m4"), &err)); /* links are not followed */
    assert_false(file_move(folder, in_folder("m4"), &err));
    char other[] = "/dev/shm/mimeo-file-XXXXXX";
    int fd = mkstemp(other);
    if (fd >= 0) { /* where there is a second file system */
        assert_int_equal(write(fd, "far", 3), 3);
        close(fd);
        assert_true(file_move(other, in_folder("m5"), &err));
        assert_false(file_exists(other));
        buf_clear(&out);
        assert_true(file_read(in_folder("m5"), &out, &err));
        assert_string_equal(out.ptr, "far");
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_have_kinds_and_leave_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(folders_are_made_and_removed_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_move_replaces_and_crosses_file_systems, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
