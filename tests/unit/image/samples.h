/* Pictures of every kind that people send, made from one photo by libvips, for tests. */
#ifndef MIMEO_TESTS_SAMPLES_H
#define MIMEO_TESTS_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <vips/vips.h>

#define SAMPLE_PHOTO "tests/golden/allium.png"
#define SAMPLE_PHOTO_WIDTH 227
#define SAMPLE_PHOTO_HEIGHT 288
#define SAMPLE_PATH_BYTES 512

static char sample_folder[64];

static inline int samples_setup(void **state)
{
    (void)state;
    snprintf(sample_folder, sizeof sample_folder, "/tmp/mimeo-samples-XXXXXX");
    return VIPS_INIT("test") || !mkdtemp(sample_folder);
}

static inline int samples_teardown(void **state)
{
    (void)state;
    GDir *folder = g_dir_open(sample_folder, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
        char path[SAMPLE_PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", sample_folder, name);
        unlink(path);
    }
    if (folder)
        g_dir_close(folder);
    return rmdir(sample_folder);
}

static inline void sample_path(const char *name, char path[SAMPLE_PATH_BYTES])
{
    snprintf(path, SAMPLE_PATH_BYTES, "%s/%s", sample_folder, name);
}

/* The photo itself; the caller unrefs. */
static inline VipsImage *sample_photo(void)
{
    VipsImage *photo = NULL;
    assert_int_equal(vips_pngload(SAMPLE_PHOTO, &photo, NULL), 0);
    return photo;
}

/* Save under `name`, whose ending tells the format; unrefs the picture. */
static inline void sample_save(VipsImage *picture, const char *name, char path[SAMPLE_PATH_BYTES])
{
    sample_path(name, path);
    if (vips_image_write_to_file(picture, path, NULL) != 0)
        fail_msg("%s: %s", name, vips_error_buffer());
    g_object_unref(picture);
}

static inline void sample_space(VipsInterpretation space, const char *name,
                                char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo(), *picture = NULL;
    assert_int_equal(vips_colourspace(photo, &picture, space, NULL), 0);
    g_object_unref(photo);
    sample_save(picture, name, path);
}

static inline void sample_cmyk(char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo(), *picture = NULL;
    assert_int_equal(vips_icc_transform(photo, &picture, "cmyk", "input_profile", "srgb", NULL), 0);
    g_object_unref(photo);
    sample_save(picture, "cmyk.jpg", path);
}

static inline void sample_palette(char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo();
    sample_path("palette.png", path);
    assert_int_equal(vips_pngsave(photo, path, "palette", TRUE, NULL), 0);
    g_object_unref(photo);
}

/* The photo with one alpha value everywhere. */
static inline void sample_alpha(double alpha, const char *name, char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo(), *picture = NULL;
    assert_int_equal(vips_bandjoin_const1(photo, &picture, alpha, NULL), 0);
    g_object_unref(photo);
    sample_save(picture, name, path);
}

/* A JPEG that lies on its side, with the EXIF orientation that puts it upright again. */
static inline void sample_turned(char path[SAMPLE_PATH_BYTES])
{
    VipsImage *photo = sample_photo(), *turned = NULL, *picture = NULL;
    assert_int_equal(vips_rot270(photo, &turned, NULL), 0);
    assert_int_equal(vips_copy(turned, &picture, NULL), 0);
    vips_image_set_int(picture, VIPS_META_ORIENTATION, 6);
    g_object_unref(photo);
    g_object_unref(turned);
    sample_save(picture, "turned.jpg", path);
}

/* A picture of one colour, RGB (10, 20, 30). */
static inline void sample_blank(int width, int height, const char *name,
                                char path[SAMPLE_PATH_BYTES])
{
    const double colour[] = { 10, 20, 30 }, zero[] = { 0, 0, 0 };
    VipsImage *black = NULL, *filled = NULL, *picture = NULL;
    assert_int_equal(vips_black(&black, width, height, "bands", 3, NULL), 0);
    assert_int_equal(vips_linear(black, &filled, zero, colour, 3, "uchar", TRUE, NULL), 0);
    assert_int_equal(vips_copy(filled, &picture, "interpretation", VIPS_INTERPRETATION_sRGB, NULL),
                     0);
    g_object_unref(black);
    g_object_unref(filled);
    sample_save(picture, name, path);
}

static inline void sample_bytes(const void *bytes, size_t len, const char *name,
                                char path[SAMPLE_PATH_BYTES])
{
    sample_path(name, path);
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

#endif
