/* A note in a picture: where it stands in each format, that the picture's own bytes stay, and what
 * gets none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/file.h"
#include "blob/blob.h"
#include "blob/picture_note.h"

#define PICTURES "tests/fuzz/corpus/picture_note/"
#define NOTE S("{\"input\":{\"prompt\":\"a < b & c > d, \xc3\xa4\"}}")
#define NOTE_AS_XML S(">{\"input\":{\"prompt\":\"a &lt; b &amp; c &gt; d, \xc3\xa4\"}}<")

static struct err err;

static bool read_memory(const struct picture_source *source, int64_t at, void *ret_bytes,
                        size_t len)
{
    assert_true(at >= 0 && at + (int64_t)len <= source->size);
    memcpy(ret_bytes, (const char *)source->context + at, len);
    return true;
}

static bool add_note(struct str picture, const char *type, struct str note, struct buf *ret_noted)
{
    struct picture_source source = { (int64_t)picture.len, read_memory, picture.ptr };
    struct picture_plan plan;
    if (!picture_note_plan(&source, type, note, &plan))
        return false;
    buf_init(ret_noted, picture.len + (1u << 20));
    for (int i = 0; i < plan.piece_count; i++)
        buf_append(ret_noted,
                   (plan.pieces[i].made ? plan.made.ptr : picture.ptr) + plan.pieces[i].at,
                   (size_t)plan.pieces[i].len);
    picture_plan_done(&plan);
    assert_false(ret_noted->failed);
    return true;
}

static void read_picture(const char *name, struct buf *ret_bytes)
{
    char path[200];
    snprintf(path, sizeof path, PICTURES "%s", name);
    buf_init(ret_bytes, 1 << 20);
    if (!file_read(path, ret_bytes, &err))
        fail_msg("%s: %s", path, err.detail);
}

static void read_and_note(const char *name, const char *type, struct buf *ret_plain,
                          struct buf *ret_noted)
{
    read_picture(name, ret_plain);
    if (!add_note(buf_str(ret_plain), type, NOTE, ret_noted))
        fail_msg("%s gets no note", name);
}

static struct str slice(const struct buf *buf, size_t from, size_t to)
{
    assert_true(from <= to && to <= buf->len);
    return (struct str){ buf->ptr + from, to - from };
}

static uint32_t number(const char *bytes, int count, bool little)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | (unsigned char)bytes[little ? count - 1 - i : i];
    return value;
}

static void assert_bytes(struct str got, struct str expected)
{
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.ptr, expected.ptr, expected.len);
}

/* The packet is whole, well formed as far as it is ours, and says the note. */
static void assert_packet(struct str packet)
{
    assert_true(str_starts(packet, S("<?xpacket begin=\"\xef\xbb\xbf\" ")));
    assert_true(str_ends(packet, S("<?xpacket end=\"r\"?>")));
    assert_true(str_find(packet, S("<mimeo:making>")) > 0);
    assert_true(str_find(packet, NOTE_AS_XML) > 0);
}

static void a_png_has_it_behind_its_header_and_is_else_the_same(void **state)
{
    static const char *const names[] = { "rgb.png", "alpha.png", "palette.png" };
    static const char begin[] = "iTXtmimeo\0\0\0\0"; /* and the zero byte at its end */
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf plain, noted;
        read_and_note(names[i], "image/png", &plain, &noted);
        size_t len = number(noted.ptr + 33, 4, false), end = 33 + 12 + len;
        assert_bytes(slice(&noted, 0, 33), slice(&plain, 0, 33));
        assert_bytes(slice(&noted, 37, 37 + sizeof begin), (struct str){ begin, sizeof begin });
        assert_bytes(slice(&noted, 37 + sizeof begin, end - 4), NOTE);
        assert_int_equal(number(noted.ptr + end - 4, 4, false),
                         crc32(0, (const Bytef *)noted.ptr + 37, (uInt)len + 4));
        assert_bytes(slice(&noted, end, noted.len), slice(&plain, 33, plain.len));
        buf_done(&plain);
        buf_done(&noted);
    }
}

static void a_jpeg_has_it_behind_jfif_and_exif_and_is_else_the_same(void **state)
{
    static const char name[] = "http://ns.adobe.com/xap/1.0/";
    static const char *const names[] = { "rgb.jpg", "turned.jpg" }; /* the second has EXIF */
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf plain, noted;
        size_t at = 2;
        read_and_note(names[i], "image/jpeg", &plain, &noted);
        while (noted.ptr[at + 1] == '\xe0' || memcmp(noted.ptr + at + 4, "Exif", 4) == 0)
            at += 2 + number(noted.ptr + at + 2, 2, false);
        assert_int_equal(number(noted.ptr + at, 2, false), 0xffe1);
        size_t len = number(noted.ptr + at + 2, 2, false), end = at + 2 + len;
        assert_bytes(slice(&noted, at + 4, at + 4 + sizeof name),
                     (struct str){ name, sizeof name });
        assert_packet(slice(&noted, at + 4 + sizeof name, end));
        assert_bytes(slice(&noted, 0, at), slice(&plain, 0, at));
        assert_bytes(slice(&noted, end, noted.len), slice(&plain, at, plain.len));
        buf_done(&plain);
        buf_done(&noted);
    }
}

/* A chunk of that type; its data. */
static struct str webp_chunk(const struct buf *file, const char *type)
{
    for (size_t at = 12; at + 8 <= file->len;) {
        size_t len = number(file->ptr + at + 4, 4, true);
        if (memcmp(file->ptr + at, type, 4) == 0)
            return slice(file, at + 8, at + 8 + len);
        at += 8 + len + len % 2;
    }
    return (struct str){ NULL, 0 };
}

static void assert_webp(const struct buf *file, int width, int height, int flags)
{
    struct str extended = webp_chunk(file, "VP8X");
    assert_int_equal(number(file->ptr + 4, 4, true), file->len - 8);
    assert_int_equal(extended.len, 10);
    assert_int_equal((unsigned char)extended.ptr[0], flags);
    assert_int_equal(number(extended.ptr + 4, 3, true) + 1, width);
    assert_int_equal(number(extended.ptr + 7, 3, true) + 1, height);
    assert_packet(webp_chunk(file, "XMP "));
}

static void a_simple_webp_becomes_an_extended_one_of_the_same_data(void **state)
{
    struct buf plain, noted;
    (void)state;
    read_and_note("lossy.webp", "image/webp", &plain, &noted);
    bool was_simple = memcmp(plain.ptr + 12, "VP8 ", 4) == 0;
    struct str data = webp_chunk(&plain, "VP8 ");
    if (was_simple)
        assert_webp(&noted, (int)number(data.ptr + 6, 2, true), (int)number(data.ptr + 8, 2, true),
                    4);
    assert_bytes(webp_chunk(&noted, "VP8 "), data);
    buf_done(&plain);
    buf_done(&noted);
    read_and_note("lossless.webp", "image/webp", &plain, &noted);
    assert_bytes(webp_chunk(&noted, "VP8L"), webp_chunk(&plain, "VP8L"));
    buf_done(&plain);
    buf_done(&noted);
}

/* A head of 7 x 3, lossless with alpha, and an odd number of bytes: as simple as it gets. */
static void sizes_and_alpha_are_told_in_the_new_head(void **state)
{
    static const char lossless[] = "RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\x06\x80\0\x10";
    static const char lossy[] = "RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x30\0\0\x9d\x01\x2a\x07\0\x03";
    struct buf noted;
    (void)state;
    assert_true(add_note((struct str){ lossless, sizeof lossless }, "image/webp", NOTE, &noted));
    assert_webp(&noted, 7, 3, 0x14);
    buf_done(&noted);
    assert_true(add_note((struct str){ lossy, sizeof lossy }, "image/webp", NOTE, &noted));
    assert_webp(&noted, 7, 3, 0x04);
    buf_done(&noted);
}

static void a_second_note_replaces_the_first(void **state)
{
    static const char *const files[][2] = { { "rgb.png", "image/png" },
                                            { "turned.jpg", "image/jpeg" },
                                            { "lossy.webp", "image/webp" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct buf plain, noted, other, again;
        read_and_note(files[i][0], files[i][1], &plain, &noted);
        assert_true(add_note(buf_str(&plain), files[i][1], S("{}"), &other));
        assert_true(add_note(buf_str(&other), files[i][1], NOTE, &again));
        assert_bytes(buf_str(&again), buf_str(&noted));
        buf_done(&plain);
        buf_done(&noted);
        buf_done(&other);
        buf_done(&again);
    }
}

static void assert_none(struct str picture, const char *type)
{
    struct buf noted;
    assert_false(add_note(picture, type, NOTE, &noted));
}

static void what_is_not_what_it_says_gets_none(void **state)
{
    static const char *const files[][2] = { { "rgb.png", "image/png" },
                                            { "rgb.jpg", "image/jpeg" },
                                            { "lossy.webp", "image/webp" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct buf plain;
        read_picture(files[i][0], &plain);
        assert_none(buf_str(&plain), files[(i + 1) % ARRAY_LEN(files)][1]);
        assert_none(buf_str(&plain), "image/gif");
        assert_none(S(""), files[i][1]);
        for (size_t len = 1; len < 60; len++)
            assert_none(slice(&plain, 0, len), files[i][1]);
        if (i != 1) /* of a JPEG only the front is read */
            assert_none(slice(&plain, 0, plain.len - 1), files[i][1]);
        plain.ptr[i == 0 ? 20 : 1] ^= 1; /* IHDR's checksum; the others' first bytes */
        assert_none(buf_str(&plain), files[i][1]);
        buf_done(&plain);
    }
}

static void xmp_of_others_stays(void **state)
{
    struct buf plain, noted;
    (void)state;
    read_and_note("rgb.jpg", "image/jpeg", &plain, &noted);
    ptrdiff_t at = str_find(buf_str(&noted), S("urn:mimeo"));
    assert_true(at > 0);
    noted.ptr[at] = 'x';
    assert_none(buf_str(&noted), "image/jpeg");
    buf_done(&plain);
    buf_done(&noted);
    read_and_note("lossy.webp", "image/webp", &plain, &noted);
    noted.ptr[str_find(buf_str(&noted), S("urn:mimeo"))] = 'x';
    assert_none(buf_str(&noted), "image/webp");
    buf_done(&plain);
    buf_done(&noted);
}

static void a_note_has_a_limit(void **state)
{
    struct buf plain, noted, note;
    (void)state;
    buf_init(&note, 1 << 20);
    for (size_t i = 0; i < PICTURE_NOTE_MAX; i++)
        buf_append_char(&note, 'a');
    read_picture("rgb.png", &plain);
    assert_true(add_note(buf_str(&plain), "image/png", buf_str(&note), &noted));
    buf_done(&noted);
    buf_append_char(&note, 'a');
    assert_false(add_note(buf_str(&plain), "image/png", buf_str(&note), &noted));
    assert_false(add_note(buf_str(&plain), "image/png", S("\xff"), &noted));
    buf_done(&plain);
    read_picture("rgb.jpg", &plain); /* has 64 KiB with the packet */
    assert_false(add_note(buf_str(&plain), "image/jpeg", slice(&note, 0, 65500), &noted));
    assert_true(add_note(buf_str(&plain), "image/jpeg", slice(&note, 0, 65000), &noted));
    buf_done(&noted);
    buf_done(&plain);
    buf_done(&note);
}

/* ---- Into the blob store ------------------------------------------------------------------- */

static void put(struct blob_store *blobs, const char *folder, const char *name, struct str bytes,
                struct buf *ret_stored)
{
    char path[300], ref[BLOB_REF_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(file_write_atomic(path, bytes, 0600, &err));
    assert_true(blob_put_noted(blobs, path, name, "owner", NOTE, ref, &err));
    assert_false(file_exists(path));
    assert_true(blob_path(blobs, str_from(ref), path, sizeof path));
    buf_init(ret_stored, 1 << 20);
    assert_true(file_read(path, ret_stored, &err));
}

static void a_picture_is_stored_with_its_note_and_anything_else_as_it_is(void **state)
{
    char folder[200];
    struct blob_store *blobs = NULL;
    struct buf plain, noted, stored;
    const char *temporary = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/mimeo-note-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(folder));
    assert_true(blob_open(folder, S("0123456789abcdef0123456789abcdef"), &blobs, &err));
    read_and_note("rgb.jpg", "image/jpeg", &plain, &noted);
    put(blobs, folder, "out.jpg", buf_str(&plain), &stored);
    assert_bytes(buf_str(&stored), buf_str(&noted));
    buf_done(&stored);
    put(blobs, folder, "out.png", buf_str(&plain), &stored);
    assert_bytes(buf_str(&stored), buf_str(&plain));
    buf_done(&stored);
    put(blobs, folder, "out.txt", S("text"), &stored);
    assert_bytes(buf_str(&stored), S("text"));
    buf_done(&stored);
    buf_done(&plain);
    buf_done(&noted);
    blob_close(blobs);
    assert_true(file_remove_tree(folder, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_has_it_behind_its_header_and_is_else_the_same),
        cmocka_unit_test(a_jpeg_has_it_behind_jfif_and_exif_and_is_else_the_same),
        cmocka_unit_test(a_simple_webp_becomes_an_extended_one_of_the_same_data),
        cmocka_unit_test(sizes_and_alpha_are_told_in_the_new_head),
        cmocka_unit_test(a_second_note_replaces_the_first),
        cmocka_unit_test(what_is_not_what_it_says_gets_none),
        cmocka_unit_test(xmp_of_others_stays),
        cmocka_unit_test(a_note_has_a_limit),
        cmocka_unit_test(a_picture_is_stored_with_its_note_and_anything_else_as_it_is),
    };
    return cmocka_run_group_tests_name("notes in pictures", tests, NULL, NULL);
}
