/* Blobs: names that cannot lead astray, durable puts, links that are signed and expire. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "blob/blob.h"

#define SECRET S("0123456789abcdef0123456789abcdef")
#define HOUR_LATER 2000

static char folder[256];
static struct blob_store *blobs;
static struct err err;

static int setup(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mimeo-blob-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    return blob_open(folder, SECRET, &blobs, &err) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    blob_close(blobs);
    return file_remove_tree(folder, NULL) ? 0 : -1;
}

static void assert_content(const char *ref, const char *expected)
{
    int fd = -1;
    int64_t size = -1;
    char text[100] = "";
    assert_true(blob_read(blobs, str_from(ref), &fd, &size, &err));
    assert_int_equal(size, strlen(expected));
    assert_int_equal(read(fd, text, sizeof text), size);
    assert_memory_equal(text, expected, strlen(expected));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void what_is_put_is_read_until_it_is_removed(void **state)
{
    (void)state;
    char ref[BLOB_REF_MAX], other[BLOB_REF_MAX], path[512];
    int fd;
    int64_t size;
    assert_true(blob_put_bytes(blobs, S("picture"), "out-0.png", "record", ref, &err));
    assert_true(str_ends(str_from(ref), S("/out-0.png")));
    assert_content(ref, "picture");
    snprintf(path, sizeof path, "%s/made", folder);
    assert_true(file_write_atomic(path, S("from a file"), 0600, &err));
    assert_true(blob_put_file(blobs, path, "a.webp", "record", other, &err));
    assert_false(file_exists(path));
    assert_content(other, "from a file");
    assert_true(blob_path(blobs, str_from(other), path, sizeof path) && file_exists(path));
    assert_false(blob_path(blobs, str_from(other), path, 10));
    blob_close(blobs); /* still there for the next process */
    assert_true(blob_open(folder, SECRET, &blobs, &err));
    assert_content(ref, "picture");
    assert_true(blob_remove(blobs, "record", str_from(ref), &err));
    assert_true(blob_remove(blobs, "record", str_from(ref), &err));
    assert_false(blob_read(blobs, str_from(ref), &fd, &size, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(blob_put_bytes(blobs, (struct str){ NULL, 0 }, "empty", "record", ref, &err));
    assert_content(ref, "");
}

static void a_file_from_another_file_system_is_moved_too(void **state)
{
    (void)state;
    char other[] = "/dev/shm/mimeo-blob-XXXXXX", ref[BLOB_REF_MAX];
    int fd = mkstemp(other);
    if (fd < 0)
        skip();
    assert_int_equal(write(fd, "far", 3), 3);
    close(fd);
    assert_true(blob_put_file(blobs, other, "x.bin", "record", ref, &err));
    assert_false(file_exists(other));
    assert_content(ref, "far");
    assert_false(blob_put_file(blobs, other, "x.bin", "record", ref, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_content(ref, "far");
}

static void names_are_cleaned(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "../../etc/passwd", "passwd" },
        { "/", "file" },
        { "", "file" },
        { "..", "file" },
        { ".hidden", "hidden" },
        { "a b\n.png", "a_b_.png" },
        { "c:\\x\\y.jpg", "y.jpg" },
        { "\xc3\xa9.png", "__.png" },
        { "a%2fb?x=1&y", "a_2fb_x_1_y" },
        { "x.tar.gz", "x.tar.gz" },
    };
    char ref[BLOB_REF_MAX];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(blob_put_bytes(blobs, S("x"), names[i][0], "record", ref, &err));
        assert_string_equal(ref + 33, names[i][1]);
        assert_content(ref, "x");
    }
    assert_true(blob_put_bytes(blobs, S("x"), NULL, "record", ref, &err));
    char large[400];
    memset(large, 'n', sizeof large);
    memcpy(large + 390, ".jpeg", 6);
    assert_true(blob_put_bytes(blobs, S("x"), large, "record", ref, &err));
    assert_true(strlen(ref) < BLOB_REF_MAX && str_ends(str_from(ref), S("nn.jpeg")));
    assert_content(ref, "x");
}

static void references_from_outside_cannot_leave_the_folder(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "/",
        "x/y",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef/",
        "0123456789abcdef0123456789abcdef/..",
        "0123456789abcdef0123456789abcdef/.x",
        "0123456789abcdef0123456789abcdef/../x",
        "0123456789abcdef0123456789abcdef/a/b",
        "0123456789ABCDEF0123456789abcdef/a",
        "../456789abcdef0123456789abcdef01/a",
        "0123456789abcdef0123456789abcdeg/a",
        "0123456789abcdef0123456789abcdef/a b",
    };
    char path[512], ref[BLOB_REF_MAX];
    int fd;
    int64_t size;
    struct buf link;
    buf_init(&link, 1024);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(blob_path(blobs, str_from(wrong[i]), path, sizeof path));
        assert_false(blob_read(blobs, str_from(wrong[i]), &fd, &size, &err));
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        assert_true(blob_remove(blobs, "record", str_from(wrong[i]), &err));
        assert_false(blob_link(blobs, str_from(wrong[i]), HOUR_LATER, &link));
    }
    buf_done(&link);
    /* A link that was put in a blob's place is not followed. */
    assert_true(blob_put_bytes(blobs, S("x"), "a", "record", ref, &err));
    assert_true(blob_path(blobs, str_from(ref), path, sizeof path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_false(blob_read(blobs, str_from(ref), &fd, &size, &err));
}

static void links_hold_until_they_expire(void **state)
{
    (void)state;
    char ref[BLOB_REF_MAX], back[BLOB_REF_MAX] = "";
    struct buf link, same;
    buf_init(&link, 1024);
    buf_init(&same, 1024);
    assert_true(blob_put_bytes(blobs, S("x"), "out-0.png", "record", ref, &err));
    assert_true(blob_link(blobs, str_from(ref), HOUR_LATER, &link));
    assert_true(str_starts(buf_str(&link), S("/outputs/")));
    assert_true(str_ends(buf_str(&link), S("/out-0.png")));
    assert_true(blob_check_link(blobs, buf_str(&link), HOUR_LATER - 1, back));
    assert_string_equal(back, ref);
    assert_false(blob_check_link(blobs, buf_str(&link), HOUR_LATER, back));
    blob_close(blobs); /* the same secret: the same links */
    assert_true(blob_open(folder, SECRET, &blobs, &err));
    assert_true(blob_link(blobs, str_from(ref), HOUR_LATER, &same));
    assert_string_equal(link.ptr, same.ptr);
    blob_close(blobs); /* another secret: none of them */
    assert_true(blob_open(folder, S("another secret, also of 32 bytes"), &blobs, &err));
    assert_false(blob_check_link(blobs, buf_str(&link), 1, back));
    buf_done(&link);
    buf_done(&same);
}

static void every_changed_link_is_wrong(void **state)
{
    (void)state;
    char ref[BLOB_REF_MAX], back[BLOB_REF_MAX];
    struct buf link;
    buf_init(&link, 1024);
    assert_true(blob_put_bytes(blobs, S("x"), "out-0.png", "record", ref, &err));
    assert_true(blob_link(blobs, str_from(ref), HOUR_LATER, &link));
    for (size_t i = 0; i < link.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            link.ptr[i] = (char)(link.ptr[i] ^ 1 << bit);
            assert_false(blob_check_link(blobs, buf_str(&link), 1, back));
            link.ptr[i] = (char)(link.ptr[i] ^ 1 << bit);
        }
        assert_false(blob_check_link(blobs, (struct str){ link.ptr, i }, 1, back));
    }
    assert_true(blob_check_link(blobs, buf_str(&link), 1, back));
    assert_true(buf_append_char(&link, 'x'));
    assert_false(blob_check_link(blobs, buf_str(&link), 1, back));
    buf_done(&link);
}

static void only_half_written_files_are_cleaned_at_the_start(void **state)
{
    (void)state;
    char ref[BLOB_REF_MAX], left[512];
    struct blob_store *second = NULL;
    assert_true(blob_put_bytes(blobs, S("x"), "a.b.new", "record", ref, &err));
    snprintf(left, sizeof left, "%s/temporary/half", folder);
    assert_true(file_write_atomic(left, S("ha"), 0600, &err));
    assert_true(blob_open(folder, SECRET, &second, &err)); /* while another writes: hands off */
    assert_true(file_exists(left));
    blob_close(second);
    blob_close(blobs);
    assert_true(blob_open(folder, SECRET, &blobs, &err));
    assert_false(file_exists(left));
    assert_content(ref, "x");
}

/* ---- Doubt: each test is a server that was killed at one point ------------------------------- */

static int asked;

static bool only_stored_owns(void *context, const char *owner, struct str ref, bool *ret_owned,
                             struct err *ret_err)
{
    (void)ref, (void)ret_err;
    asked++;
    *ret_owned = strcmp(owner, context) == 0;
    return true;
}

/* The next process; returns how many blobs it asked about. */
static int restart(void)
{
    asked = 0;
    blob_close(blobs);
    assert_true(blob_open(folder, SECRET, &blobs, &err));
    assert_true(blob_settle(blobs, only_stored_owns, "stored", &err));
    return asked;
}

static void assert_gone(const char *ref)
{
    int fd;
    int64_t size;
    assert_false(blob_read(blobs, str_from(ref), &fd, &size, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void what_no_record_names_goes_at_the_next_start(void **state)
{
    (void)state;
    char lost[BLOB_REF_MAX], kept[BLOB_REF_MAX], sure[BLOB_REF_MAX];
    assert_true(blob_put_bytes(blobs, S("lost"), "out-0.png", "unstored", lost, &err));
    assert_true(blob_put_bytes(blobs, S("kept"), "out-0.png", "stored", kept, &err));
    assert_true(blob_put_bytes(blobs, S("sure"), "a.b-c.png", "unasked", sure, &err));
    blob_confirm(blobs, "unasked", str_from(sure));
    assert_int_equal(restart(), 2);
    assert_gone(lost);
    assert_content(kept, "kept");
    assert_content(sure, "sure");
    assert_int_equal(restart(), 0); /* all is settled */
    assert_content(kept, "kept");
}

static void a_deletion_is_finished_or_undone_at_the_next_start(void **state)
{
    (void)state;
    char before[BLOB_REF_MAX], after[BLOB_REF_MAX], path[512];
    assert_true(blob_put_bytes(blobs, S("before"), "a", "stored", before, &err));
    assert_true(blob_put_bytes(blobs, S("after"), "a", "deleted", after, &err));
    blob_confirm(blobs, "stored", str_from(before));
    blob_confirm(blobs, "deleted", str_from(after));
    assert_true(blob_doubt(blobs, "stored", str_from(before), &err));
    assert_true(blob_doubt(blobs, "deleted", str_from(after), &err));
    assert_int_equal(restart(), 2);
    assert_content(before, "before");
    assert_gone(after);
    /* Killed between the note and the blob, or between the removals of the two. */
    assert_true(blob_doubt(blobs, "deleted", str_from(after), &err));
    assert_int_equal(restart(), 1);
    assert_int_equal(restart(), 0);
    snprintf(path, sizeof path, "%s/doubt/not a note", folder);
    assert_true(file_write_atomic(path, S(""), 0600, &err));
    assert_int_equal(restart(), 0);
}

static bool cannot_say(void *context, const char *owner, struct str ref, bool *ret_owned,
                       struct err *ret_err)
{
    (void)context, (void)owner, (void)ref, (void)ret_owned;
    return err_set(ret_err, ERR_UNAVAILABLE, "the disk is slow");
}

static void nothing_is_removed_while_the_store_cannot_say(void **state)
{
    (void)state;
    char ref[BLOB_REF_MAX], other[BLOB_REF_MAX];
    assert_true(blob_put_bytes(blobs, S("x"), "a", "unstored", ref, &err));
    assert_false(blob_settle(blobs, cannot_say, NULL, &err));
    assert_int_equal(err.kind, ERR_UNAVAILABLE);
    assert_content(ref, "x");
    assert_false(blob_put_bytes(blobs, S("x"), "a", "../x", other, &err));
    assert_false(blob_put_bytes(blobs, S("x"), "a", "", other, &err));
    assert_int_equal(restart(), 1);
    assert_gone(ref);
}

static void a_short_secret_is_refused(void **state)
{
    (void)state;
    struct blob_store *none = NULL;
    assert_false(blob_open(folder, S("short"), &none, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_null(none);
    blob_close(NULL);
}

static void endings_have_types(void **state)
{
    (void)state;
    assert_string_equal(blob_content_type("a.png"), "image/png");
    assert_string_equal(blob_content_type("a.b.JPG"), "image/jpeg");
    assert_string_equal(blob_content_type("a.mp4"), "video/mp4");
    assert_string_equal(blob_content_type("png"), "application/octet-stream");
    assert_string_equal(blob_content_type("a."), "application/octet-stream");
    assert_string_equal(blob_content_type(NULL), "application/octet-stream");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_put_is_read_until_it_is_removed),
        CASE(a_file_from_another_file_system_is_moved_too),
        CASE(names_are_cleaned),
        CASE(references_from_outside_cannot_leave_the_folder),
        CASE(links_hold_until_they_expire),
        CASE(every_changed_link_is_wrong),
        CASE(only_half_written_files_are_cleaned_at_the_start),
        CASE(what_no_record_names_goes_at_the_next_start),
        CASE(a_deletion_is_finished_or_undone_at_the_next_start),
        CASE(nothing_is_removed_while_the_store_cannot_say),
        CASE(a_short_secret_is_refused),
        cmocka_unit_test(endings_have_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
